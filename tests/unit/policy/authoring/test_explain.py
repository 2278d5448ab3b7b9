from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from inward.policy.authoring.explain import Explanation, explain
from inward.policy.decide import Engine
from inward.policy.decision import Reason
from inward.policy.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from inward.catalog.model import Catalog
    from inward.errors import Mistake
    from inward.policy.model import Policies

    Load = Callable[[dict[str, str]], tuple[Policies, list[Mistake]]]
    Ask = Callable[..., Explanation]

NOW = datetime(2026, 11, 23, 16, 45, tzinfo=UTC)


def grant(name: str, rest: str = "", *, who: str = "checkout", what: str = "orders:getOrder", until: str = "") -> str:
    expires = f'@expires("{until}") ' if until else ""
    service = what.partition(":")[0]
    return (
        f'@id("{name}") @reason("r") {expires}permit (principal == Service::"{who}", '
        f'action == Action::"{what}", resource == Service::"{service}") {rest};\n'
    )


@pytest.fixture
def ask(shop: Catalog, load: Load) -> Ask:
    def asked(
        text: str, path: str | None = None, query: str = "", *, who: str = "checkout", what: str = "orders:getOrder"
    ) -> Explanation:
        policies, mistakes = load({"policies/orders.cedar": text})
        assert mistakes == []
        request = None if path is None else Request(who, what, path, query)
        engine = Engine(shop, policies)
        found = explain(engine, shop, policies, who, what, NOW, request)
        if request is not None:
            assert found.decision == engine.decide(request, NOW)
        if found.grant:  # what is suggested really does it, in the file that is named
            assert found.grant_file == f"policies/{what.partition(':')[0]}.cedar"
            granted, mistakes = load({found.grant_file: text + "\n" + found.grant})
            assert mistakes == []
            after = explain(Engine(shop, granted), shop, granted, who, what, NOW, request)
            assert after.decision is None or after.decision.allowed
        return found

    return asked


def reason(found: Explanation) -> Reason | None:
    return found.decision.reason if found.decision is not None else None


def terms(found: Explanation, policy: str) -> list[tuple[str, str, bool | None]]:
    (examined,) = (each for each in found.examined if each.policy.id == policy)
    return [(term.kind, term.text, term.met) for term in examined.terms]


def test_what_allows_is_named_with_its_place(ask: Ask) -> None:
    found = ask("// orders\n" + grant("a"), "/orders/7")
    assert reason(found) is Reason.GRANTED
    assert [(policy.id, str(policy.place)) for policy in found.deciding] == [("a", "policies/orders.cedar:2")]
    assert found.nearest is None
    assert found.grant == ""


def test_nothing_near(ask: Ask) -> None:
    for path in (None, "/orders/7"):
        found = ask("", path)
        assert reason(found) is Reason.NO_GRANT
        assert found.nearest is None
        assert 'principal == Service::"checkout"' in found.grant
        assert '@id("checkout-orders-getorder")' in found.grant


def test_the_nearest_grant_is_one_of_another_operation_or_of_another_caller(ask: Ask) -> None:
    other_caller = grant("o", who="orders") + grant("p", who="payments")
    found = ask(other_caller, "/orders/7", who="reporting")
    assert found.nearest is not None  # reporting and orders have one owner
    assert (found.nearest.differs, found.nearest.policy.id, found.nearest.caller) == ("caller", "o", "orders")
    found = ask(other_caller + grant("c", what="orders:createOrder") + grant("n", what="orders:countOrders"))
    assert found.nearest is not None
    assert (found.nearest.differs, found.nearest.operation) == ("operation", "orders:createOrder")


def test_an_expired_grant(ask: Ask) -> None:
    text = grant("a", until="2026-01-01") + grant("b", until="2026-11-22") + grant("c", what="orders:createOrder")
    for path in (None, "/orders/7"):
        found = ask(text, path)
        assert reason(found) is Reason.EXPIRED
        assert found.nearest is not None
        assert (found.nearest.differs, found.nearest.policy.id) == ("expired", "b")
        assert {policy.id for policy in found.deciding} == {"a", "b"}
        assert all(examined.expired for examined in found.examined)


def test_the_terms_that_failed(ask: Ask) -> None:
    condition = (
        'when { principal in Zone::"edge" && context.path.id == "7" && (context.query has limit) '
        '&& context.query.limit < 5 } unless { context.query has dry_run || context.path.id like "9*" }'
    )
    text = grant("a", condition) + grant("b", 'when { principal in Zone::"core" && false && context.path.id == "x" }')
    found = ask(text, "/orders/8", "limit=3&dry_run=true")
    assert reason(found) is Reason.CONDITION
    assert terms(found, "a") == [
        ("when", 'principal in Zone::"edge"', True),
        ("when", 'context.path.id == "7"', False),
        ("when", "(context.query has limit)", True),
        ("when", "context.query.limit < 5", True),
        ("unless", "context.query has dry_run", False),
        ("unless", 'context.path.id like "9*"', True),
    ]
    assert found.nearest is not None
    assert (found.nearest.differs, found.nearest.policy.id) == ("condition", "a")
    assert found.grant


def test_a_term_that_was_not_reached_is_no_problem(ask: Ask) -> None:
    found = ask(grant("a", "when { context.query has limit && context.query.limit < 5 }"), "/orders/8")
    assert terms(found, "a")[1][2] is None
    assert found.examined[0].terms[1].problem == ""


def test_a_term_that_fails_says_how(ask: Ask) -> None:
    condition = "when { context.query has limit && context.query.limit * 9223372036854775807 > 5 }"
    found = ask(grant("a", condition), "/orders/8", "limit=2")
    assert reason(found) is Reason.POLICY_ERROR
    assert "overflow" in found.examined[0].terms[1].problem
    assert found.grant == ""  # another grant would not help


def test_a_cell_alone_is_allowed_when(ask: Ask) -> None:
    found = ask(grant("a", 'when { principal in Zone::"edge" && context.path.id == "7" }'))
    assert found.decision is None
    assert terms(found, "a") == [
        ("when", 'principal in Zone::"edge"', True),
        ("when", 'context.path.id == "7"', None),
    ]
    assert found.grant == ""


def test_a_forbid_cannot_be_granted_away(ask: Ask) -> None:
    forbid = '@id("f") @reason("r") forbid (principal, action, resource == Service::"orders");'
    for path in (None, "/orders/7"):
        for rest in ("", 'when { context.path.id == "7" }'):
            found = ask(grant("a", rest) + forbid, path)
            assert reason(found) is Reason.FORBIDDEN
            assert [policy.id for policy in found.deciding] == ["f"]
            assert found.grant == ""
    assert reason(ask(forbid)) is Reason.NO_GRANT
    assert ask(forbid).grant == ""


def test_a_conditional_forbid_leaves_it_to_the_request(ask: Ask) -> None:
    forbid = (
        '@id("f") @reason("r") forbid (principal, action == Action::"orders:getOrder", resource == Service::"orders") '
        'when { context.path.id == "9" };'
    )
    assert ask(grant("a") + forbid).decision is None
    assert ask(forbid).grant  # allowed but for 9
    assert ask(forbid, "/orders/9").grant == ""
    assert ask(forbid, "/orders/8").grant


def test_a_parameter_that_is_not_in_plain_form(ask: Ask) -> None:
    found = ask(grant("a", 'when { context.path.id == "7" }'), "/orders/%37")
    assert reason(found) is Reason.BAD_PARAMETER
    assert "`id`" in found.problem
    assert found.grant == ""
    assert terms(found, "a") == [("when", 'context.path.id == "7"', None)]


def test_names_that_do_not_exist(ask: Ask) -> None:
    found = ask("", who="chekout")
    assert reason(found) is Reason.UNKNOWN_CALLER
    assert "`checkout`" in found.problem
    found = ask("", what="orders:getOder")
    assert reason(found) is Reason.UNKNOWN_OPERATION
    assert "`orders:getOrder`" in found.problem
    assert reason(ask("", who="\x00", what="\x00")) is Reason.UNKNOWN_CALLER
