"""What the proofs say of a system, as findings: guardrails that do not hold, policies that do nothing or can fail.

A guardrail that is refuted, or not known to hold, is a finding; so is a policy that can fail, and a forbid that never
applies, since somebody relies on it. A grant that does nothing is a note.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from inward.control.findings import Finding
from inward.policy.proving.posture import posture
from inward.policy.proving.prove import prove

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime

    from inward.control.bundle import Policy as System
    from inward.control.findings import Kind
    from inward.policy.proving import flaws
    from inward.policy.proving.prove import Verdict

_KINDS: dict[flaws.Kind, Kind] = {
    "never_applies": "never_applies",
    "redundant": "redundant",
    "overruled": "overruled",
    "can_fail": "can_fail",
    "unknown": "not_known",
}


def of_guardrails(system: System, now: datetime) -> Iterator[Finding]:
    """Yield a finding for each guardrail that is not proven."""
    for verdict in prove(system.catalog, system.policies, now):
        if verdict.status != "proven":
            yield _of_verdict(verdict)


def of_posture(system: System, now: datetime, only: Collection[str] | None = None) -> Iterator[Finding]:
    """Yield what is wrong with single policies, or with those named by `only`: see `posture`."""
    for flaw in posture(system.catalog, system.policies, now, only=only):
        relied_on = flaw.kind == "never_applies" and flaw.policy.effect == "forbid"
        level: Literal["finding", "note"] = "finding" if relied_on or flaw.kind == "can_fail" else "note"
        # two things may be unknown of one policy
        about = flaw.what if flaw.kind == "unknown" else flaw.policy.id
        yield Finding(level, _KINDS[flaw.kind], flaw.place, flaw.what, flaw.hint, about)


def _of_verdict(verdict: Verdict) -> Finding:
    guardrail = verdict.guardrail
    hint = f"`inward policy prove --guardrail {guardrail.id}` shows all of it"
    if verdict.status == "unknown":
        constructs = sorted({*verdict.today.constructs, *verdict.tomorrow.constructs})
        what = f"`{guardrail.id}` is not known to hold, because of {', '.join(constructs)}"
        return Finding("finding", "guardrail_unknown", guardrail.place, what, hint, guardrail.id)
    breach = (verdict.today.breaches or verdict.tomorrow.breaches)[0]
    grants = " and ".join(f"`{grant.id}` ({grant.place})" for grant in breach.grants)
    what = f"`{guardrail.id}` forbids what is granted: {breach.witness}, by {grants}"
    return Finding("finding", "guardrail_refuted", guardrail.place, what, hint, guardrail.id)
