from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.unit.policy.proving.conftest import NOW

from inward.policy.decision import Decision, Reason
from inward.policy.proving import prove as proving
from inward.policy.proving.applies import Applications
from inward.policy.proving.prove import Verdict, prove
from inward.policy.proving.witness import OUT_OF_TIME, UNSETTLED, Newcomer, UnconfirmedError
from inward.policy.symbolic.solve import Solver

if TYPE_CHECKING:
    from tests.unit.policy.proving.conftest import Written

    from inward.catalog.model import Catalog
    from inward.policy.model import Policies

GET = 'action == Action::"orders:getOrder", resource == Service::"orders"'
CREATE = 'action == Action::"orders:createOrder", resource == Service::"orders"'
COUNT = 'action == Action::"orders:countOrders", resource == Service::"orders"'
NO_GET = 'forbid (principal, action == Action::"orders:getOrder", resource)'  # fmt: skip


def only(shop: Catalog, policies: Policies) -> Verdict:
    (verdict,) = prove(shop, policies, NOW)
    return verdict


def said(verdict: Verdict) -> tuple[str, str]:
    return verdict.today.status, verdict.tomorrow.status


def test_what_no_grant_allows_is_proven(shop: Catalog, written: Written) -> None:
    policies = written(f'permit (principal == Service::"checkout", {CREATE});', guardrails=(f"{NO_GET};",))
    verdict = only(shop, policies)
    assert (said(verdict), verdict.status) == (("proven", "proven"), "proven")
    assert verdict.today.breaches == ()


def test_a_refuted_guardrail_shows_a_call_and_the_grant(shop: Catalog, written: Written) -> None:
    policies = written(f'permit (principal == Service::"checkout", {GET});', guardrails=(f"{NO_GET};",))
    verdict = only(shop, policies)
    assert (said(verdict), verdict.status) == (("refuted", "proven"), "refuted")
    (breach,) = verdict.today.breaches
    assert (breach.witness.caller, breach.witness.method, breach.witness.path) == ("checkout", "GET", "/orders/x")
    assert breach.witness.moment >= NOW
    assert [grant.id for grant in breach.grants] == ["p1"]
    assert breach.cells == 1


def test_a_newcomer_is_told_by_what_it_would_have_to_be(shop: Catalog, written: Written) -> None:
    policies = written(
        f'permit (principal in Group::"web", {GET}) when {{ principal has zone && principal.zone == Zone::"core" }};',
        guardrails=(f'{NO_GET} unless {{ principal.owner == Team::"team-orders" }};',),
    )
    verdict = only(shop, policies)
    assert said(verdict) == ("proven", "refuted")
    newcomer = verdict.tomorrow.breaches[0].witness.newcomer
    assert isinstance(newcomer, Newcomer)
    assert (newcomer.zone, "web" in newcomer.groups, newcomer.owner != "team-orders") == ("core", True, True)


@pytest.mark.parametrize(
    ("grant", "guardrail", "status"),
    [
        # the context
        ('context.path.id == "1"', 'when { context.path.id == "1" }', "refuted"),
        ('context.path.id == "1"', 'when { context.path.id != "1" }', "proven"),
        ('context.path.id like "a*"', 'unless { context.path.id like "*" }', "proven"),
        ('context.path.id like "a*"', 'when { context.path.id like "*b" }', "refuted"),
        # nothing in plain form has these
        ('context.path.id like "*%*"', "", "proven"),
        ('context.path.id == ".."', "", "proven"),
        ('context.path.id == ""', "", "proven"),
        ("context.query has limit && context.query.limit > 999999999999999999", "", "proven"),
        ("context.query has limit && context.query.limit < 5", "when { !(context.query has limit) }", "proven"),
        ("context.query has limit && context.query.limit < 5",
         "when { context.query has limit && context.query.limit > 3 }", "refuted"),
        # the time
        ('context.time < datetime("2030-01-01")', "", "proven"),
        ('context.time < datetime("2031-01-01")', 'when { context.time > datetime("2031-01-01") }', "proven"),
        ('context.time < datetime("2031-01-01")', 'when { context.time > datetime("2030-12-01") }', "refuted"),
        # the caller and the resource
        ('principal in Zone::"edge"', 'when { principal in Zone::"core" }', "proven"),
        ('principal in Zone::"edge"', 'unless { principal in Group::"web" }', "proven"),
        ("principal.owner == resource.owner", "when { principal.owner != resource.owner }", "proven"),
        ("true", 'unless { resource.owner == Team::"team-orders" }', "proven"),
        ("true", "unless { principal has zone }", "refuted"),
    ],
)  # fmt: skip
def test_conditions(shop: Catalog, written: Written, grant: str, guardrail: str, status: str) -> None:
    policies = written(f"permit (principal, {GET}) when {{ {grant} }};", guardrails=(f"{NO_GET} {guardrail};",))
    assert only(shop, policies).today.status == status


def test_a_guardrail_does_not_prove_another(shop: Catalog, written: Written) -> None:
    policies = written(
        f'permit (principal == Service::"checkout", {GET});', guardrails=(f"{NO_GET};", f"{NO_GET};", f"{NO_GET};")
    )
    assert [verdict.status for verdict in prove(shop, policies, NOW)] == ["refuted"] * 3
    assert [verdict.guardrail.id for verdict in prove(shop, policies, NOW, only=["p3"])] == ["p3"]
    # nor does one that is not asked about
    assert prove(shop, policies, NOW, only=["p3"])[0].status == "refuted"


def test_what_the_owners_forbid_counts(shop: Catalog, written: Written) -> None:
    grant, guardrail = f"permit (principal, {GET});", f"{NO_GET};"
    assert only(shop, written(grant, f"forbid (principal, {GET});", guardrails=(guardrail,))).status == "proven"
    half = f'forbid (principal, {GET}) when {{ context.path.id like "a*" }};'
    assert only(shop, written(grant, half, guardrails=(guardrail,))).status == "refuted"
    same = f'{NO_GET} when {{ context.path.id like "a*" }};'
    assert only(shop, written(grant, half, guardrails=(same,))).status == "proven"


def test_a_policy_that_fails_refuses_the_call(shop: Catalog, written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    policies = written(
        f"permit (principal, {COUNT});",
        f"forbid (principal, {COUNT}) when {{ context.path.n * 1000 == 7 }};",
        guardrails=(f"forbid (principal, {COUNT}) when {{ context.path.n > 100000000000000000 }};",),
    )
    assert only(shop, policies).status == "proven"
    monkeypatch.setattr(Applications, "barred", lambda *_: False)
    with pytest.raises(UnconfirmedError, match="`p3`"):
        prove(shop, policies, NOW)


def test_expiry(shop: Catalog, written: Written) -> None:
    grant = f"permit (principal, {GET});"
    gone, soon = '@expires("2030-06-14") ', '@expires("2030-06-20") '
    assert only(shop, written(gone + grant, guardrails=(f"{NO_GET};",))).status == "proven"
    assert only(shop, written(soon + grant, guardrails=(f"{NO_GET};",))).status == "refuted"
    assert prove(shop, written(grant, guardrails=(f"{gone}{NO_GET};",)), NOW) == ()
    # a guardrail guards as long as it holds, and the forbid beside it no longer than that
    forbid = f"forbid (principal, {GET});"
    assert only(shop, written(grant, soon + forbid, guardrails=(f"{soon}{NO_GET};",))).status == "proven"
    assert only(shop, written(grant, soon + forbid, guardrails=(f"{NO_GET};",))).status == "refuted"
    later = 'when { context.time >= datetime("2030-06-21") }'
    assert only(shop, written(soon + grant, guardrails=(f"{NO_GET} {later};",))).status == "proven"
    (verdict,) = prove(shop, written(soon + grant, guardrails=(f"{NO_GET};",)), NOW + timedelta(days=6))
    assert verdict.status == "proven"


def test_disclosures(shop: Catalog, written: Written) -> None:
    disclose = 'action == Action::"disclose"'
    policies = written(
        f'permit (principal in Zone::"edge", {disclose}, resource == DataClass::"pii");',
        guardrails=(
            f'forbid (principal, {disclose}, resource in DataClass::"pii") unless {{ principal in Zone::"core" }};',
            f'forbid (principal, {disclose}, resource in DataClass::"card");',
        ),
    )
    refuted, proven = prove(shop, policies, NOW)
    assert (refuted.status, proven.status) == ("refuted", "proven")
    witness = refuted.today.breaches[0].witness
    assert (witness.caller, witness.target, witness.path, witness.method) == ("checkout", "pii", "", "")


def test_what_has_no_formula_is_named(shop: Catalog, written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    policies = written(f'permit (principal, {GET}) when {{ context.path.id == "1" }};', guardrails=(f"{NO_GET};",))
    of, odd = Applications.of, frozenset({"`odd`"})
    monkeypatch.setattr(Applications, "of", lambda self, *cell: of(self, *cell)._replace(constructs=odd))
    # the engine confirms, so it is refuted all the same
    assert only(shop, policies).today.status == "refuted"
    monkeypatch.setattr(proving, "decide", lambda *_: Decision(allowed=False, reason=Reason.NO_GRANT))
    verdict = only(shop, policies)
    assert (verdict.status, verdict.today.constructs) == ("unknown", ("`odd`",))


def test_values_that_no_request_can_carry_are_named(
    shop: Catalog, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    policies = written(f"permit (principal, {GET});", guardrails=(f"{NO_GET};",))
    monkeypatch.setattr(proving, "witness_of", lambda *_: None)
    verdict = only(shop, policies)
    assert verdict.status == "unknown"
    assert "`orders:getOrder`" in verdict.today.constructs[0]


def test_what_is_not_settled_is_unknown(shop: Catalog, written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    policies = written(f"permit (principal, {GET});", guardrails=(f"{NO_GET};",))
    monkeypatch.setattr(Solver, "_ask", lambda *_: None)
    verdict = only(shop, policies)
    assert (said(verdict), verdict.today.constructs) == (("unknown", "unknown"), (UNSETTLED,))


def test_a_budget_that_is_used_up_leaves_the_rest_unknown(shop: Catalog, written: Written) -> None:
    policies = written(
        f'permit (principal == Service::"checkout", {GET});',
        guardrails=(f"{NO_GET};", 'forbid (principal, action == Action::"payments:charge", resource);'),
    )
    spent, proven = prove(shop, policies, NOW, budget_seconds=-1)
    assert (spent.status, spent.today.constructs) == ("unknown", (OUT_OF_TIME,))
    assert proven.status == "proven"  # there is no grant, so there was no question


def test_a_formula_that_the_solver_cannot_settle_comes_back_in_time(shop: Catalog, written: Written) -> None:
    n = "context.path.n"
    hard = f"{n} * {n} * {n} + 7 == ({n} * 3 - {n} * {n}) * ({n} + 11) * {n}"
    policies = written(
        f"permit (principal, {COUNT}) when {{ {hard} }};",
        guardrails=('forbid (principal, action == Action::"orders:countOrders", resource);',),
    )
    started = time.monotonic()
    verdict = only(shop, policies)
    assert time.monotonic() - started < 60
    assert verdict.status in {"proven", "unknown"}
    assert verdict.status == "proven" or verdict.today.constructs


def test_after_many_breaches_no_more_are_looked_for(
    shop: Catalog, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proving, "MOST_WITNESSES", 2)
    monkeypatch.setattr(proving, "CHUNK", 3)
    policies = written(
        'permit (principal, action, resource == Service::"orders") when { principal has zone || true };',
        guardrails=("forbid (principal, action, resource) when { principal is Service };",),
    )
    answer = only(shop, policies).today
    # four callers, each told apart, and three operations with parameters of their own
    assert (answer.status, len(answer.breaches), answer.more) == ("refuted", 2, 10)


def test_hundreds_of_guardrails_and_wide_grants_end_in_time(shop: Catalog, written: Written) -> None:
    policies = written(
        *(f'permit (principal, {GET}) when {{ context.path.id like "a{number}*z" }};' for number in range(300)),
        guardrails=tuple(f'{NO_GET} when {{ context.path.id like "b{number}*z" }};' for number in range(300)),
    )
    started = time.monotonic()
    verdicts = prove(shop, policies, NOW, budget_seconds=2)
    assert time.monotonic() - started < 30
    assert len(verdicts) == 300
    assert {verdict.status for verdict in verdicts} <= {"proven", "unknown"}
    answers = [answer for verdict in verdicts for answer in (verdict.today, verdict.tomorrow)]
    assert all(bool(answer.constructs) is (answer.status == "unknown") for answer in answers)


def test_progress_is_told(shop: Catalog, written: Written) -> None:
    policies = written(f"permit (principal, {GET});", guardrails=(f"{NO_GET};",))
    told: list[tuple[int, int]] = []
    prove(shop, policies, NOW, watch=lambda done, of: told.append((done, of)))
    assert told[0] == (0, 1)
    assert told[-1][0] == told[-1][1]


def test_without_guardrails_there_is_nothing_to_say(shop: Catalog, written: Written) -> None:
    assert prove(shop, written(f"permit (principal, {GET});"), NOW) == ()
