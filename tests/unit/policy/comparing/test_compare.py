"""Small pairs of systems, each with the one thing that differs."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.policy.comparing.conftest import (
    NOW,
    Diff,
    with_operations,
    with_service,
    without_service,
)

from inward.catalog.model import Parameter
from inward.catalog.template import PathTemplate
from inward.policy.comparing.meeting import meet
from inward.policy.decision import Decision, Reason
from inward.policy.proving.witness import UNSETTLED, UnconfirmedError

if TYPE_CHECKING:
    from inward.catalog.model import Catalog, Operation
    from inward.policy.comparing.change import Change, Comparison


def grant(name: str = "g", scope: str = "", when: str = "", *, effect: str = "permit", expires: str = "") -> str:
    end = f'@expires("{expires}") ' if expires else ""
    scope = scope or READS
    return f'@id("{name}") @reason("r") {end}{effect} ({scope}){" " if when else ""}{when};\n'


READS = 'principal == Service::"checkout", action == Action::"orders:getOrder", resource == Service::"orders"'
COUNTS = 'principal == Service::"checkout", action == Action::"orders:countOrders", resource == Service::"orders"'
ALL = 'principal, action in Action::"orders:*", resource == Service::"orders"'
LIMIT = "when { context.query has limit && context.query.limit < 10 }"


def only(found: Comparison) -> Change:
    assert found.unknown == ()
    [change] = found.changes
    return change


def kinds(found: Comparison) -> set[tuple[str, str, str]]:
    return {(each.kind, caller, target) for each in found.changes for caller in each.callers for target in each.targets}


def test_a_new_grant_newly_allows(diff: Diff) -> None:
    change = only(diff("", grant()))
    assert (change.kind, change.callers, change.targets) == ("allowed", ("checkout",), ("orders:getOrder",))
    assert change.lost is None
    assert change.gained is not None
    assert (change.gained.witness.method, change.gained.witness.path) == ("GET", "/orders/x")
    assert change.gained.witness.moment == NOW
    assert [policy.id for policy in change.gained.by] == ["g"]
    assert [policy.id for policy in change.new_policies] == ["g"]


def test_a_grant_that_is_gone_newly_refuses(diff: Diff) -> None:
    change = only(diff(grant(), ""))
    assert (change.kind, change.gained) == ("refused", None)
    assert change.lost is not None
    assert change.lost.against == ()


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        (LIMIT, "when { context.query has limit && context.query.limit < 20 }", "wider"),
        ("when { context.query has limit && context.query.limit < 20 }", LIMIT, "narrower"),
        (LIMIT, "when { context.query has limit && context.query.limit > 5 }", "changed"),
        (LIMIT, "", "wider"),
        ("", LIMIT, "narrower"),
        ("when { context.query has limit && 1 == 2 }", LIMIT, "allowed"),
        ('when { context.path.id == "42" }', 'when { context.path.id == "43" }', "changed"),
        ('when { context.path.id like "4*" }', 'when { context.path.id == "42" }', "narrower"),
    ],
)
def test_conditions_are_compared_by_what_they_let_through(diff: Diff, old: str, new: str, kind: str) -> None:
    change = only(diff(grant(when=old), grant(when=new)))
    assert change.kind == kind
    assert (change.gained is not None) == (kind in {"allowed", "wider", "changed"})
    assert (change.lost is not None) == (kind in {"narrower", "changed"})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (grant(), grant("other")),
        (grant("a") + grant("b", COUNTS), grant("b", COUNTS) + "// nothing\n" + grant("a")),
        (grant(when=LIMIT), grant(when="unless { !(context.query has limit && context.query.limit < 10) }")),
        (grant(when=LIMIT), grant(when="when { context.query has limit } when { 10 > context.query.limit }")),
        (grant(when=LIMIT), grant(when="when { context.query has limit && context.query.limit <= 9 }")),
        (grant(), grant("one") + grant("two")),
        (grant(), grant() + grant("narrow", when="when { principal == resource }")),
        (
            grant(scope=ALL.replace("principal", 'principal == Service::"reporting"', 1)),
            "".join(
                grant(each, f'principal == Service::"reporting", action == Action::"orders:{each}", resource')
                for each in ("getOrder", "createOrder", "countOrders")
            ),
        ),
        (grant(expires="2026-05-01"), ""),  # it does not exist any more
        (grant(effect="forbid"), ""),  # there is nothing to forbid
    ],
)
def test_text_that_changes_nothing_is_nothing(diff: Diff, old: str, new: str) -> None:
    found = diff(old, new)
    assert found.empty
    assert not found.widens
    assert not found.narrows


def test_a_forbid_that_is_gone_allows_what_it_forbade(diff: Diff) -> None:
    change = only(diff(grant() + grant("never", effect="forbid"), grant()))
    assert change.kind == "allowed"
    assert change.gained is not None
    assert [policy.id for policy in change.gained.by] == ["g"]
    assert [policy.id for policy in change.gained.against] == ["never"]


def test_a_guardrail_counts_for_what_others_grant(diff: Diff) -> None:
    guardrail = grant("rail", "principal, action, resource", 'when { principal in Zone::"edge" }', effect="forbid")
    change = only(diff(grant(), grant() + "\n---\n" + guardrail))
    assert (change.kind, change.callers) == ("refused", ("checkout",))


def test_cells_that_read_alike_are_one_change(diff: Diff) -> None:
    change = only(diff("", grant(scope=ALL)))
    assert set(change.callers) == {"checkout", "orders", "payments", "reporting"}
    assert set(change.targets) == {"orders:getOrder", "orders:createOrder", "orders:countOrders"}


def test_an_expiry_that_moves_is_a_change_from_the_old_end_on(diff: Diff) -> None:
    change = only(diff(grant(expires="2027-01-31"), grant(expires="2027-06-30")))
    assert change.kind == "wider"
    old, new = datetime(2027, 2, 1, tzinfo=UTC), datetime(2027, 7, 1, tzinfo=UTC)
    assert change.until == (old, new)
    assert change.gained is not None
    assert old <= change.gained.witness.moment < new


def test_an_end_where_there_was_none(diff: Diff) -> None:
    change = only(diff(grant(when=LIMIT), grant(when=LIMIT, expires="2027-06-30")))
    assert change.kind == "narrower"
    assert change.until == (None, datetime(2027, 7, 1, tzinfo=UTC))


def test_more_than_an_expiry_is_no_matter_of_expiries(diff: Diff) -> None:
    change = only(diff(grant(expires="2027-01-31"), grant(when=LIMIT, expires="2027-06-30")))
    assert change.until is None
    forbidden = grant("f", effect="forbid", expires="2027-01-31")
    assert only(diff(grant() + forbidden, grant())).until is None


def test_a_service_that_moves_takes_what_its_zone_is_granted(diff: Diff, shop: Catalog) -> None:
    zone = grant(scope=ALL.replace("principal", 'principal in Zone::"core"', 1).replace("orders:*", "orders:read"))
    moved = with_service(shop, "checkout", zone="core")
    found = diff(zone, was=shop, becomes=moved)
    assert kinds(found) == {("allowed", "checkout", name) for name in ("orders:getOrder", "orders:countOrders")}
    assert [(shift.kind, shift.before, shift.after) for shift in found.shifts] == [("zone", "edge", "core")]
    back = diff(grant(when='when { principal has zone && principal.zone != Zone::"core" }'), was=shop, becomes=moved)
    assert kinds(back) == {("refused", "checkout", "orders:getOrder")}


def test_an_entity_that_a_condition_names_may_have_moved(diff: Diff, shop: Catalog) -> None:
    text = grant(when='when { Service::"payments" has zone && Service::"payments".zone == Zone::"core" }')
    found = diff(text, was=shop, becomes=with_service(shop, "payments", zone="edge"))
    assert kinds(found) == {("refused", "checkout", "orders:getOrder")}


def test_a_service_that_is_new_or_gone(diff: Diff, shop: Catalog) -> None:
    small = without_service(shop, "reporting")
    text = grant(scope='principal, action == Action::"orders:getOrder", resource == Service::"orders"')
    assert kinds(diff(text, was=small, becomes=shop)) == {("allowed", "reporting", "orders:getOrder")}
    assert kinds(diff(text, was=shop, becomes=small)) == {("refused", "reporting", "orders:getOrder")}


def test_an_operation_that_is_gone_is_refused(diff: Diff, shop: Catalog) -> None:
    rest = with_operations(shop, "orders", lambda each: each if each.name != "countOrders" else None)
    text = grant(scope=ALL.replace("principal", 'principal == Service::"checkout"', 1))
    found = diff(text, was=shop, becomes=rest)
    assert kinds(found) == {("refused", "checkout", "orders:countOrders")}
    assert kinds(diff(text, was=rest, becomes=shop)) == {("allowed", "checkout", "orders:countOrders")}


def test_an_operation_that_is_called_otherwise_is_the_same(diff: Diff, shop: Catalog) -> None:
    def renamed(operation: Operation) -> Operation:
        changes = {"name": "fetchOrder", "template": PathTemplate("/orders/{id}")}
        return dataclasses.replace(operation, **changes) if operation.name == "getOrder" else operation  # type: ignore[arg-type]  # a name and a template

    other = with_operations(shop, "orders", renamed)
    found = diff(grant(), grant(scope=READS.replace("getOrder", "fetchOrder")), was=shop, becomes=other)
    assert found.changes == ()
    assert [shift.kind for shift in found.shifts] == ["renamed"]


def parameters(catalog: Catalog, **changes: Parameter | None) -> Catalog:
    def changed(operation: Operation) -> Operation:
        found = [changes.get(each.name, each) for each in operation.parameters]
        kept = tuple(each for each in found if each is not None)
        return dataclasses.replace(operation, parameters=kept)

    return with_operations(catalog, "orders", changed)


def test_a_parameter_that_changes_its_type_is_not_guessed_at(diff: Diff, shop: Catalog) -> None:
    other = parameters(shop, limit=Parameter("limit", "query", "string", required=False))
    new = grant(when='when { context.query has limit && context.query.limit == "9" }')
    found = diff(grant(when=LIMIT), new, was=shop, becomes=other)
    assert found.changes == ()
    [unknown] = found.unknown
    assert "`limit`, which was an integer and is a string" in unknown.constructs[0]
    assert found.widens
    assert found.narrows


def test_a_parameter_that_is_not_read_may_change_its_type(diff: Diff, shop: Catalog) -> None:
    other = parameters(shop, limit=Parameter("limit", "query", "string", required=False))
    found = diff(grant(when='when { context.path.id == "1" }'), was=shop, becomes=other)
    assert (found.changes, found.unknown) == ((), ())
    assert [shift.kind for shift in found.shifts] == ["parameter"]


def test_a_parameter_that_becomes_required_refuses_calls_without_it(diff: Diff, shop: Catalog) -> None:
    other = parameters(shop, dry_run=Parameter("dry_run", "query", "boolean", required=True))
    text = grant(when="when { if context.query has dry_run then context.query.dry_run else true }")
    found = diff(text, was=shop, becomes=other)
    change = only(found)
    assert change.kind == "narrower"
    assert change.lost is not None
    assert (change.lost.witness.query, change.lost.odd) == ("", ())
    assert kinds(diff(text, was=other, becomes=shop)) == {("wider", "checkout", "orders:getOrder")}


def test_what_is_not_in_plain_form_is_refused_where_it_is_read(diff: Diff) -> None:
    """The condition is always true, and still it refuses some requests."""
    change = only(diff(grant(when='when { context.path.id like "*" }'), grant()))
    assert change.kind == "wider"
    assert change.gained is not None
    assert change.gained.odd == ("id",)
    assert change.gained.witness.path == "/orders/%78"


def test_a_request_in_plain_form_is_preferred(diff: Diff) -> None:
    change = only(diff(grant(when='when { context.path.id like "4*" }'), grant()))
    assert change.gained is not None
    assert change.gained.odd == ()


def test_parameters_are_read_only_as_long_as_who_reads_them_lives(diff: Diff) -> None:
    """While the conditional grant lives it refuses what is not in plain form, beside one without conditions."""
    both = grant() + grant("short", when='when { context.path.id like "*" }', expires="2026-12-31")
    change = only(diff(grant(), both))
    assert change.kind == "narrower"
    assert change.lost is not None
    assert change.lost.odd == ("id",)
    assert change.lost.witness.moment < datetime(2027, 1, 1, tzinfo=UTC)


def test_a_policy_that_fails_refuses(diff: Diff) -> None:
    failing = grant(
        "fails", when="unless { context.query has limit && context.query.limit * 9223372036854775807 == 1 }"
    )
    change = only(diff(grant(when="when { context.query has limit || true }"), grant() + failing))
    assert change.kind == "narrower"


def test_disclosures_are_compared(diff: Diff) -> None:
    scope = 'principal == Service::"checkout", action == Action::"disclose", resource == DataClass::"pii"'
    change = only(diff("", grant(scope=scope)))
    assert (change.kind, change.targets) == ("allowed", ("pii",))
    assert change.gained is not None
    assert change.gained.witness.path == ""


def test_a_policy_that_applies_to_nothing_is_named(diff: Diff) -> None:
    found = diff("", grant("lost", READS.replace("==", "in").replace('Service::"orders"', 'Service::"checkout"')))
    assert [policy.id for policy in found.idle] == ["lost"]
    assert found.empty
    assert diff("", grant(when="when { principal == resource }")).idle == ()  # it applies, and is never met


def test_what_the_solver_does_not_settle_is_unknown(diff: Diff) -> None:
    found = diff(grant(when=LIMIT), grant(when="when { context.query has limit }"), budget_seconds=-1)
    assert found.changes == ()
    [unknown] = found.unknown
    assert unknown.constructs == (UNSETTLED,)
    assert (unknown.callers, unknown.targets) == (("checkout",), ("orders:getOrder",))
    assert found.widens
    assert found.narrows


def test_what_an_engine_contradicts_is_never_shown(diff: Diff, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = Decision(allowed=False, reason=Reason.NO_GRANT)
    monkeypatch.setattr("inward.policy.comparing.compare.Confirming.decide", lambda *_: refused)
    with pytest.raises(UnconfirmedError, match="the engines do not"):
        diff("", grant())


def test_many_different_conditions_are_all_compared(diff: Diff) -> None:
    """More questions than are asked together."""
    count = 80
    old = "".join(grant(f"g{n}", COUNTS, f"when {{ context.path.n == {n} }}") for n in range(count))
    new = old.replace("context.path.n == 7 ", "context.path.n == 1000 ")
    change = only(diff(old, new))
    assert change.kind == "changed"
    assert {policy.id for policy in (*change.old_policies, *change.new_policies)} == {"g7"}


def test_now_is_where_it_begins(diff: Diff) -> None:
    soon = NOW + timedelta(seconds=1)
    change = only(diff(grant(expires=f"{soon:%Y-%m-%dT%H:%M:%SZ}"), ""))
    assert change.kind == "refused"
    assert change.lost is not None
    assert NOW <= change.lost.witness.moment < soon


def test_what_hangs_on_a_construct_without_a_formula_is_unknown(diff: Diff, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engines do not confirm the example: the construct stands for anything, and is named."""
    found = diff(grant(when=LIMIT), grant(when="when { context.query has limit && context.query.limit > 5 }"))
    assert only(found).constructs == ()

    def without_formula(*arguments: Any, **options: Any) -> Any:
        meeting = meet(*arguments, **options)
        return dataclasses.replace(meeting, new=True, constructs=frozenset({"a thing"}))

    monkeypatch.setattr("inward.policy.comparing.compare.meet", without_formula)
    found = diff(grant(when=LIMIT), grant(when="when { context.query has limit && context.query.limit < 5 }"))
    [unknown] = found.unknown
    assert unknown.constructs == ("a thing",)


def test_conditions_of_every_shape_are_compared(diff: Diff) -> None:
    """Sets, records and extension values in a condition: the same is the same, another one is another one."""
    text = (
        'when { {a: [1, 2], b: "x"} == {b: "x", a: [2, 1]} && [context.path.id].containsAny(["1", "2"]) '
        '&& context.time < datetime("2030-01-01") && ip("10.0.0.1").isInRange(ip("10.0.0.0/8")) }'
    )
    assert diff(grant(when=text), grant("other", when=text)).empty
    assert only(diff(grant(when=text), grant(when=text.replace("[2, 1]", "[3, 1]")))).kind == "refused"
    assert only(diff(grant(when=text), grant(when=text.replace("2030", "2031")))).kind == "wider"
