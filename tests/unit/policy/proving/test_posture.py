from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from tests.unit.policy.proving.conftest import NOW

from inward.policy.decision import Decision, Reason
from inward.policy.proving import questions
from inward.policy.proving.applies import Applications
from inward.policy.proving.posture import posture
from inward.policy.proving.witness import OUT_OF_TIME, UNSETTLED, UnconfirmedError
from inward.policy.symbolic.solve import Solver

if TYPE_CHECKING:
    from tests.unit.policy.proving.conftest import Written

    from inward.catalog.model import Catalog
    from inward.policy.model import Policies

GET = 'action == Action::"orders:getOrder", resource == Service::"orders"'
CREATE = 'action == Action::"orders:createOrder", resource == Service::"orders"'
COUNT = 'action == Action::"orders:countOrders", resource == Service::"orders"'
CHECKOUT = 'principal == Service::"checkout"'
SMALL = "when { context.query has limit && context.query.limit < 10 }"


def found(shop: Catalog, policies: Policies) -> dict[str, str]:
    """Return the kinds of flaws by policy; each has one."""
    flaws = posture(shop, policies, NOW)
    assert len({flaw.policy.id for flaw in flaws}) == len(flaws)
    assert [flaw.place for flaw in flaws] == sorted(flaw.place for flaw in flaws)
    assert all(flaw.what == flaw.what.strip().removesuffix(".") for flaw in flaws)
    return {flaw.policy.id: flaw.kind for flaw in flaws}


def said(shop: Catalog, policies: Policies) -> str:
    (flaw,) = posture(shop, policies, NOW)
    return flaw.what


def test_policies_that_do_something_are_not_named(shop: Catalog, written: Written) -> None:
    policies = written(
        f"permit ({CHECKOUT}, {GET}) {SMALL};",
        f'permit (principal in Group::"sellers", {CREATE});',
        f'forbid (principal == Service::"orders", {CREATE});',
        guardrails=('forbid (principal in Zone::"edge", action in Action::"payments:*", resource);',),
    )
    assert found(shop, policies) == {}


# --- never applies
# ----------------------------------------------------------------------------------------------------------


def test_a_scope_that_covers_nothing(shop: Catalog, written: Written) -> None:
    reading = 'permit (principal, action in Action::"payments:read", resource == Service::"payments");'
    assert said(shop, written(payments=(reading,))) == (
        "`p1` never applies: no operation or data class is in its action and its resource"
    )


@pytest.mark.parametrize(
    ("clauses", "why"),
    [
        ('when { context.path.id == "a" && context.path.id == "b" }',
         '`when { context.path.id == "a" && context.path.id == "b" }` cannot hold'),
        ('when { context.path.id == "a" } when { context.path.id like "b*" }',
         '`when { context.path.id like "b*" }` cannot hold where the clauses before it do'),
        ('when { context.path.id == "a" } when { context.path.id == "" } when { context.path.id == "a" }',
         '`when { context.path.id == "" }` cannot hold'),
        ('unless { context.time > datetime("2029-01-01") }',
         '`unless { context.time > datetime("2029-01-01") }` cannot hold'),
        ("when { context.query has limit && context.query.limit > 1000000000000000000 }",
         "`when { context.query has limit && context.query.limit > 1000000000000000000 }` cannot hold"),
    ],
)  # fmt: skip
def test_conditions_that_cannot_hold(shop: Catalog, written: Written, clauses: str, why: str) -> None:
    assert said(shop, written(f"permit ({CHECKOUT}, {GET}) {clauses};")) == f"`p1` never applies: {why}"


def test_a_long_clause_is_cut(shop: Catalog, written: Written) -> None:
    names = " && ".join(f'context.path.id != "{"a" * number}"' for number in range(1, 40))
    what = said(shop, written(f'permit ({CHECKOUT}, {GET}) when {{ {names} && context.path.id == "a" }};'))
    assert "…" in what
    assert len(what) < 220


def test_a_guardrail_may_wait_for_a_newcomer(shop: Catalog, written: Written) -> None:
    policies = written(
        guardrails=(
            # nobody of today is in the zone but not in the group, and somebody of tomorrow may be
            f'forbid (principal in Zone::"edge", {GET}) unless {{ principal in Group::"sellers" }};',
            f'forbid (principal in Zone::"edge", {GET}) unless {{ principal in Zone::"edge" }};',
            'forbid (principal, action in Action::"payments:read", resource);',
        )
    )
    assert found(shop, policies) == {"p2": "never_applies", "p3": "never_applies"}


# --- redundant
# ----------------------------------------------------------------------------------------------------------


def test_the_second_of_two_that_are_the_same(shop: Catalog, written: Written) -> None:
    policies = written(f"permit ({CHECKOUT}, {GET});", f"permit ({CHECKOUT}, {GET});", f"permit ({CHECKOUT}, {GET});")
    assert found(shop, policies) == {"p2": "redundant", "p3": "redundant"}
    first, second = posture(shop, policies, NOW)
    assert first.what == "`p2` grants nothing that `p1` (policies/orders.cedar:1) does not grant"
    assert [other.id for other in second.others] == ["p1"]


def test_the_narrower_one_wherever_it_stands(shop: Catalog, written: Written) -> None:
    narrow, wide = f"permit ({CHECKOUT}, {GET}) {SMALL};", f'permit (principal in Group::"sellers", {GET});'
    assert found(shop, written(narrow, wide)) == {"p1": "redundant"}
    assert found(shop, written(wide, narrow)) == {"p2": "redundant"}
    assert found(shop, written(narrow, wide.replace("sellers", "web"))) == {"p1": "redundant"}
    assert found(shop, written(f'permit (principal == Service::"reporting", {GET}) {SMALL};', wide)) == {}


def test_several_that_cover_one_together(shop: Catalog, written: Written) -> None:
    half = 'context.path.id like "a*"'
    policies = written(
        f"permit ({CHECKOUT}, {GET});",
        f"permit (principal, {CREATE});",
        f"permit ({CHECKOUT}, {GET}) when {{ {half} }};".replace("permit", "permit", 1),
    )
    assert found(shop, policies) == {"p3": "redundant"}
    together = written(
        f"permit ({CHECKOUT}, {GET}) when {{ {half} }};",
        f"permit ({CHECKOUT}, {GET}) unless {{ {half} }};",
        f"permit ({CHECKOUT}, {GET});",
    )
    flaws = posture(shop, together, NOW)
    assert {flaw.policy.id for flaw in flaws} in ({"p3"}, {"p1", "p2"})
    across = written(
        f'permit (principal in Group::"sellers", {GET});',
        f'permit (principal in Team::"team-orders", {GET});',
        f"permit (principal, {GET});",
        f'permit (principal == Service::"payments", {GET});',
    )
    (flaw, *_) = [each for each in posture(shop, across, NOW) if each.policy.id == "p4"]
    assert [other.id for other in flaw.others] == ["p3"]


def test_all_that_are_reported_can_go_together(shop: Catalog, written: Written) -> None:
    """Each of three is covered by the two others, and only one of them may be reported."""
    a, b, c = (f'context.path.id == "{name}"' for name in "abc")
    policies = written(*(f"permit ({CHECKOUT}, {GET}) when {{ {x} || {y} }};" for x, y in ((a, b), (b, c), (c, a))))
    (flaw,) = posture(shop, policies, NOW)
    assert (flaw.policy.id, flaw.kind, [other.id for other in flaw.others]) == ("p3", "redundant", ["p1", "p2"])


@pytest.mark.parametrize(
    ("first", "second", "flaws"),
    [
        ("2031-01-01", "2032-01-01", {"p1": "redundant"}),
        ("2032-01-01", "2031-01-01", {"p2": "redundant"}),
        ("2031-01-01", "2031-01-01", {"p2": "redundant"}),
        ("2030-01-01", "2031-01-01", {}),  # one that has expired is left out
        ("2031-01-01", "", {"p1": "redundant"}),
        ("", "2031-01-01", {"p2": "redundant"}),
    ],
)
@pytest.mark.parametrize("condition", ["", SMALL])
def test_expiry(
    shop: Catalog, written: Written, first: str, second: str, condition: str, flaws: dict[str, str]
) -> None:
    texts = (
        (f'@expires("{day}") ' if day else "") + f"permit ({CHECKOUT}, {GET}) {condition};" for day in (first, second)
    )
    assert found(shop, written(*texts)) == flaws


def test_a_forbid_of_nothing_that_is_granted(shop: Catalog, written: Written) -> None:
    policies = written(
        f"permit ({CHECKOUT}, {GET}) {SMALL};",
        f"forbid ({CHECKOUT}, {GET}) when {{ context.query has limit && context.query.limit > 9 }};",
        f"forbid ({CHECKOUT}, {GET}) when {{ context.query has limit && context.query.limit > 8 }};",
        f"forbid (principal, {CREATE});",
        f'forbid (principal, {COUNT}) when {{ context.query.q == "x" }};',
        guardrails=(f"forbid (principal, {CREATE});",),
    )
    assert found(shop, policies) == {"p2": "redundant", "p4": "redundant", "p5": "redundant"}
    flaw = posture(shop, policies, NOW)[0]
    assert flaw.what == "`p2` forbids nothing that is granted"


def test_a_guardrail_is_never_redundant(shop: Catalog, written: Written) -> None:
    assert found(shop, written(guardrails=(f"forbid (principal, {GET});", f"forbid (principal, {GET}) {SMALL};"))) == {}


# --- overruled
# ----------------------------------------------------------------------------------------------------------


def test_a_grant_of_which_all_is_forbidden(shop: Catalog, written: Written) -> None:
    policies = written(
        f"permit ({CHECKOUT}, {GET}) {SMALL};",
        f"permit (principal, {CREATE});",
        f"forbid (principal, {CREATE});",
        guardrails=(f'forbid (principal in Zone::"edge", {GET});',),
    )
    assert found(shop, policies) == {"p1": "overruled", "p2": "overruled"}
    first, second = posture(shop, policies, NOW)
    assert first.what == "`p1` grants nothing: `p4` (guardrails.cedar:1) refuses all of it"
    assert [other.id for other in second.others] == ["p3"]


def test_a_forbid_that_ends_sooner_does_not_overrule(shop: Catalog, written: Written) -> None:
    forbid = f'@expires("2031-01-01") forbid (principal, {CREATE});'
    assert found(shop, written(f"permit (principal, {CREATE});", forbid)) == {}
    sooner = f'@expires("2030-12-01") permit (principal, {CREATE});'
    assert found(shop, written(sooner, forbid)) == {"p1": "overruled"}


# --- can fail
# ----------------------------------------------------------------------------------------------------------


def test_a_policy_that_can_fail_shows_a_request(shop: Catalog, written: Written) -> None:
    policies = written(f"permit ({CHECKOUT}, {COUNT}) when {{ context.path.n * 100 < 7 }};")
    (flaw,) = posture(shop, policies, NOW)
    assert (flaw.kind, flaw.policy.id) == ("can_fail", "p1")
    assert flaw.witness is not None
    assert abs(int(flaw.witness.path.rpartition("/")[2])) * 100 > 2**63 - 1
    assert str(flaw.witness) in flaw.what


def test_what_fails_where_nothing_is_granted_refuses_nothing(shop: Catalog, written: Written) -> None:
    fails = f"forbid (principal, {COUNT}) when {{ context.path.n * 100 > 7 }};"
    assert found(shop, written(fails)) == {"p1": "redundant"}
    kinds = {
        (flaw.policy.id, flaw.kind) for flaw in posture(shop, written(fails, f"permit ({CHECKOUT}, {COUNT});"), NOW)
    }
    assert kinds == {("p1", "can_fail")}


@pytest.mark.parametrize(
    "condition",
    [
        "context.path.n < 100 && context.path.n > -100 && context.path.n * 100 < 7",
        "context.path.n + 1 < 7",  # an integer in plain form has 18 digits
        'context.query.q == "x" && 5 + 5 < 11',
    ],
)  # fmt: skip
def test_what_is_tested_before_cannot_fail(shop: Catalog, written: Written, condition: str) -> None:
    assert found(shop, written(f"permit ({CHECKOUT}, {COUNT}) when {{ {condition} }};")) == {}


def test_an_engine_that_contradicts_is_an_error(
    shop: Catalog, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    policies = written(f"permit ({CHECKOUT}, {COUNT}) when {{ context.path.n * 100 < 7 }};")
    monkeypatch.setattr(questions, "decide", lambda *_: Decision(allowed=False, reason=Reason.NO_GRANT))
    with pytest.raises(UnconfirmedError, match="`p1`"):
        posture(shop, policies, NOW)


# --- what is not known
# ----------------------------------------------------------------------------------------------------------


def test_what_has_no_formula_is_named(shop: Catalog, written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    policies = written(f"permit ({CHECKOUT}, {GET}) {SMALL};")
    of = Applications.of
    odd = frozenset({"`odd`"})
    monkeypatch.setattr(Applications, "of", lambda self, *cell: of(self, *cell)._replace(constructs=odd))
    (flaw,) = posture(shop, policies, NOW)
    assert (flaw.kind, flaw.constructs) == ("unknown", ("`odd`",))
    assert flaw.what == "whether `p1` is needed is not known: `odd`"


def test_what_is_not_settled_is_unknown(shop: Catalog, written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Solver, "_ask", lambda *_: None)
    (flaw,) = posture(shop, written(f'permit ({CHECKOUT}, {GET}) when {{ context.path.id == "a" }};'), NOW)
    assert (flaw.kind, flaw.constructs) == ("unknown", (UNSETTLED,))


def test_a_budget_that_is_used_up_leaves_the_rest_unknown(shop: Catalog, written: Written) -> None:
    policies = written(f"permit ({CHECKOUT}, {GET}) {SMALL};", f"permit ({CHECKOUT}, {CREATE});")
    flaws = posture(shop, policies, NOW, budget_seconds=-1)
    assert {flaw.policy.id for flaw in flaws} == {"p1"}  # the other needs no solver
    assert {flaw.constructs for flaw in flaws} == {(OUT_OF_TIME,)}


def test_hundreds_of_wide_grants_end_in_time(shop: Catalog, written: Written) -> None:
    policies = written(
        *(f'permit (principal, {GET}) when {{ context.path.id like "a{number}*z" }};' for number in range(300))
    )
    started = time.monotonic()
    flaws = posture(shop, policies, NOW, budget_seconds=1)
    assert time.monotonic() - started < 30
    assert {flaw.kind for flaw in flaws} <= {"unknown", "redundant"}


def test_only_what_is_named_is_looked_at(shop: Catalog, written: Written) -> None:
    policies = written(
        f"permit ({CHECKOUT}, {GET});",
        f"permit ({CHECKOUT}, {GET}) {SMALL};",
        guardrails=("forbid (principal, action, resource) when { principal != principal };",),
        payments=('permit (principal, action in Action::"payments:read", resource == Service::"payments");',),
    )
    everything = posture(shop, policies, NOW)
    files = ({"p1", "p2"}, {"p3"}, {"p4"})
    for names in files:
        assert posture(shop, policies, NOW, only=names) == tuple(each for each in everything if each.policy.id in names)
    assert {each.policy.id for each in everything} == {"p2", "p3", "p4"}
    assert posture(shop, policies, NOW, only=()) == ()
