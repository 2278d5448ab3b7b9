"""What is granted on objects and of data is told as the engine decides it, and what is suggested would be granted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from inward.policy.authoring.targets import TargetExplainer
from inward.policy.decide import Engine
from inward.policy.request import Request
from inward.policy.resources.model import Resource

if TYPE_CHECKING:
    from collections.abc import Callable

    from inward.catalog.model import Catalog
    from inward.errors import Mistake
    from inward.policy.authoring.targets import TargetExplanation
    from inward.policy.model import Policies

    Load = Callable[[dict[str, str]], tuple[Policies, list[Mistake]]]
    Ask = Callable[..., TargetExplanation]

NOW = datetime(2026, 11, 23, 16, 45, tzinfo=UTC)
GET = "orders:getOrder"
TYPES = "entity Order { tenant: String, total: Long, tags?: Set<String> };"
OBJECTS = [{"tenant": tenant, "total": total} for tenant in ("till", "web") for total in (0, 2**63 - 1)]


def policy(name: str, rest: str = "", *, effect: str = "permit", who: str = "checkout", until: str = "") -> str:
    expires = f'@expires("{until}")' if until else ""
    scope = f'principal == Service::"{who}", action == Action::"{GET}", resource is Order'
    return f'@id("{name}") @reason("r") {expires} {effect} ({scope}) {rest};\n'


def forbid(name: str, rest: str = "", until: str = "") -> str:
    return policy(name, rest, effect="forbid", until=until)


@pytest.fixture
def ask(shop: Catalog, load: Load) -> Ask:
    """Explain what checkout may do to orders; everything that is said is held against the engine."""

    def asked(text: str, path: str | None = "/orders/1", query: str | None = "") -> TargetExplanation:
        files = {"policies/orders.cedar": text, "policies/orders.cedarschema": TYPES}
        policies, mistakes = load(files)
        assert mistakes == []
        engine = Engine(shop, policies)
        (found,) = TargetExplainer(engine, shop, policies, NOW).objects("checkout", GET, path, query)
        request = Request("checkout", GET, path or "/orders/1", query or "")
        said = {engine.decide_object(request, Resource("Order", each), NOW).allowed for each in OBJECTS}
        assert (
            said
            in {"always": [{True}], "never": [{False}], "depends": [{True}, {False}, {True, False}]}[found.standing]
        ), said
        if found.grant:
            assert found.standing == "never"
            policies, mistakes = load({**files, found.grant_file: text + "\n" + found.grant})
            assert mistakes == []
            engine = Engine(shop, policies)
            said = {engine.decide_object(request, Resource("Order", each), NOW).allowed for each in OBJECTS}
            assert True in said
        return found

    return asked


def test_without_a_grant_the_smallest_one_is_suggested(ask: Ask) -> None:
    found = ask("")
    assert (found.standing, found.examined, found.owner) == ("never", (), "team-orders")
    assert "resource is Order\n" in found.grant
    assert found.grant_file == "policies/orders.cedar"
    # of another caller, and of calls, is not of this
    call = f'@id("c") @reason("r") permit (principal == Service::"checkout", action == Action::"{GET}", resource == '
    assert ask(policy("other", who="reporting") + call + 'Service::"orders");').examined == ()
    taken = ask(policy("checkout-orders-getorder-order", until="2026-01-01"))
    assert [each.expired for each in taken.examined] == [True]
    assert '@id("checkout-orders-getorder-order-2")' in taken.grant


@pytest.mark.parametrize(
    ("rest", "standing", "met"),
    [
        ("", "always", []),
        ('when { resource.tenant == "till" }', "depends", [None]),
        ("when { resource has tags }", "depends", [None]),
        ("unless { resource.total > 5 }", "depends", [None]),
        # the object is of this type, and no service: what Cedar would say of a service does not count
        ("when { resource is Order }", "depends", [None]),
        ('when { resource in Service::"orders" }', "depends", [None]),
        ('when { ["resource"].contains("resource") }', "always", [True]),
        ('when { principal == Service::"checkout" }', "always", [True]),
        ('when { principal == Service::"reporting" && resource.total > 5 }', "never", [False, None]),
        ('when { resource.total > 5 && principal == Service::"reporting" }', "never", [None, False]),
        ('when { context.time < datetime("2026-01-01") }', "never", [False]),
        ('when { context.path.id == "1" }', "always", [True]),
        ('when { context.path.id == "2" }', "never", [False]),
        ("when { context.query has limit }", "never", [False]),
    ],
)
def test_terms_about_the_object_are_left_open(ask: Ask, rest: str, standing: str, met: list[bool | None]) -> None:
    found = ask(policy("a", rest))
    assert found.standing == standing
    assert [term.met for term in found.examined[0].terms] == met
    assert not any(term.problem for term in found.examined[0].terms)
    assert bool(found.grant) == (standing == "never")


def test_what_is_not_known_of_the_request_is_left_open(ask: Ask) -> None:
    reads_query = policy("a", "when { context.query has limit && context.query.limit == 1 }")
    assert ask(reads_query, query="limit=1").standing == "always"
    assert ask(reads_query, query=None).standing == "depends"
    assert ask(policy("a", 'when { context.path.id == "1" }'), path=None).standing == "depends"
    assert ask(policy("a", 'when { context.path.id == "1" }'), query=None).standing == "always"
    # not in plain form: the engine refuses, whatever the policies say
    assert ask(policy("a", 'when { context.path.id == "1" }'), path="/orders/%31").standing == "depends"


def test_a_forbid_that_always_holds_leaves_nothing_to_grant(ask: Ask) -> None:
    found = ask(policy("a") + forbid("f"))
    assert (found.standing, found.grant) == ("never", "")
    assert ask(forbid("f")).grant == ""
    # one that may hold, or is over, does
    assert ask(forbid("f", 'when { resource.tenant == "web" }')).grant
    assert ask(forbid("f", until="2026-01-01")).grant
    assert ask(policy("a") + forbid("f", 'when { resource.tenant == "web" }')).standing == "depends"
    assert ask(policy("a") + forbid("f", 'when { principal == Service::"reporting" }')).standing == "always"
    # a forbid that fails refuses too
    overflow = forbid("f", 'when { resource.total + 1 > 1 && principal == Service::"reporting" }')
    assert ask(policy("a") + overflow).standing == "depends"


def test_a_class_is_disclosed_in_the_file_of_its_owner(shop: Catalog, load: Load) -> None:
    files = {"policies/payments.cedar": ""}
    policies, _ = load(files)
    found = TargetExplainer(Engine(shop, policies), shop, policies, NOW).disclosure("orders", "pii.email")
    assert (found.standing, found.owner, found.grant_file) == ("never", "team-payments", "policies/payments.cedar")
    policies, mistakes = load({found.grant_file: found.grant})
    assert mistakes == []
    engine = Engine(shop, policies)
    assert engine.disclose("orders", "pii.email", NOW).allowed
    found = TargetExplainer(engine, shop, policies, NOW).disclosure("orders", "pii.email")
    assert (found.standing, [each.policy.id for each in found.examined]) == ("always", ["orders-sees-pii-email"])
    assert found.grant == ""


def test_a_disclosure_by_the_time_is_told_at_its_moment(shop: Catalog, load: Load) -> None:
    text = (
        '@id("a") @reason("r") permit (principal == Service::"orders", action == Action::"disclose", '
        'resource == DataClass::"card") when { context.time < datetime("2026-11-24") };'
    )
    policies, mistakes = load({"policies/payments.cedar": text})
    assert mistakes == []
    engine = Engine(shop, policies)
    for moment, standing in ((NOW, "always"), (NOW.replace(day=24), "never")):
        found = TargetExplainer(engine, shop, policies, moment).disclosure("orders", "card")
        assert found.standing == standing
        assert engine.disclose("orders", "card", moment).allowed == (standing == "always")


def test_a_class_whose_owner_has_no_service_cannot_be_granted(shop: Catalog, load: Load) -> None:
    policies, _ = load({})
    without = type(shop)(
        shop.trust_domain,
        {name: each for name, each in shop.services.items() if each.owner != "team-payments"},
        shop.data_classes,
    )
    found = TargetExplainer(Engine(without, policies), without, policies, NOW).disclosure("orders", "card")
    assert (found.standing, found.grant, found.grant_file) == ("never", "", "")
