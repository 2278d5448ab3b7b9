"""What `inward policy prove` found: for people, what is refuted first; for programs, as JSON values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from inward.cli.output import print_line, styled
from inward.record.call import timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from inward.cli.output import Style
    from inward.control.bundle import Policy
    from inward.policy.model import Policy as GrantOrForbid
    from inward.policy.proving.flaws import Flaw, Kind
    from inward.policy.proving.prove import Answer, Breach, Status, Verdict
    from inward.policy.proving.witness import Witness

MOST_BREACHES = 5  # of one answer, for people; programs are given all that were looked for
_ORDER: tuple[Status, ...] = ("refuted", "unknown", "proven")
_STYLES: dict[Status, Style] = {"refuted": "red", "unknown": "yellow", "proven": "green"}
_LEVELS: dict[Kind, Style] = {"can_fail": "yellow", "unknown": "yellow"}
_EXAMPLE = (
    '@id("payments-stay-inside")',
    '@reason("what faces the internet never moves money")',
    'forbid (principal in Zone::"edge", action in Action::"payments:write", resource);',
)


def print_proofs(verdicts: Sequence[Verdict], flaws: Sequence[Flaw] | None, policy: Policy, now: datetime) -> None:
    """Print the verdicts, what is refuted first, then the flaws, where they were looked for, then the sum."""
    for status in _ORDER:
        for verdict in verdicts:
            if verdict.status == status:
                _print_verdict(verdict)
    expired = [each for each in policy.policies if _is_guardrail(each) and each.expires and each.expires <= now]
    for each in expired:
        print_line(styled(f"left out: `{each.id}` ({each.place}) has expired", "dim"))
    for flaw in flaws or ():
        hint = f" ({flaw.hint})" if flaw.hint else ""
        kind = styled(flaw.kind.replace("_", " "), _LEVELS.get(flaw.kind, "dim"))
        print_line(Text.assemble(kind, styled(f": {flaw.place}: {flaw.what}", ""), styled(hint, "dim")))
    if not verdicts:
        print_line("there are no guardrails to prove; one is a forbid in guardrails.cedar, such as")
        for line in _EXAMPLE:
            print_line(styled(f"  {line}", "dim"))
        return
    counts = {status: sum(verdict.status == status for verdict in verdicts) for status in _ORDER}
    said = ", ".join(f"{number} {status}" for status, number in counts.items() if number)
    worst = next(status for status in _ORDER if counts[status])
    print_line(Text.assemble(styled(f"{_count(len(verdicts), 'guardrail')}: ", "bold"), styled(said, _STYLES[worst])))


def _print_verdict(verdict: Verdict) -> None:
    guardrail = verdict.guardrail
    status = styled(f"{verdict.status:<7}", _STYLES[verdict.status])
    which = styled(f"  {guardrail.place}: `{guardrail.id}`: ", "")
    print_line(Text.assemble(status, which, styled(guardrail.reason, "dim")))
    if verdict.status == "proven":
        return
    _print_answer("today's services", verdict.today)
    _print_answer("any service that may be added", verdict.tomorrow)


def _print_answer(whose: str, answer: Answer) -> None:
    print_line(styled(f"  {whose}: ", "") + styled(answer.status, _STYLES[answer.status]))
    for breach in answer.breaches[:MOST_BREACHES]:
        print_line(Text.assemble(styled(f"    {breach.witness}", "bold"), styled(_alike(breach), "dim")))
        for grant in breach.grants:
            print_line(styled(f"      let through by `{grant.id}` ({grant.place})", ""))
    more = len(answer.breaches) - MOST_BREACHES
    if more > 0:
        print_line(styled(f"    and {more} more such calls (`--json` has them)", "dim"))
    if answer.more:
        print_line(styled(f"    and no more were looked for, in {_count(answer.more, 'other kind')} of calls", "dim"))
    for construct in answer.constructs:
        print_line(styled(f"    not known because of {construct}", "yellow"))


def _alike(breach: Breach) -> str:
    return f"  and {breach.cells - 1:,} more callers and operations alike" if breach.cells > 1 else ""


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _is_guardrail(policy: GrantOrForbid) -> bool:
    return policy.file_owner is None


def as_json(verdicts: Sequence[Verdict], flaws: Sequence[Flaw] | None, policy: Policy, now: datetime) -> dict[str, Any]:
    """Return everything that was found; `policies` is null where it was not looked for."""
    return {
        "mistakes": [],
        "since": timestamp(now),
        "version": policy.version,
        "proven": all(verdict.status == "proven" for verdict in verdicts),
        "guardrails": [
            {
                **_policy_as_json(verdict.guardrail),
                "reason": verdict.guardrail.reason,
                "status": verdict.status,
                "today": _answer_as_json(verdict.today),
                "tomorrow": _answer_as_json(verdict.tomorrow),
            }
            for verdict in verdicts
        ],
        "policies": None if flaws is None else [_flaw_as_json(flaw) for flaw in flaws],
    }


def _answer_as_json(answer: Answer) -> dict[str, Any]:
    return {
        "status": answer.status,
        "breaches": [
            {
                "call": _witness_as_json(breach.witness),
                "grants": [_policy_as_json(grant) for grant in breach.grants],
                "alike": breach.cells,
            }
            for breach in answer.breaches
        ],
        "not_looked_at": answer.more,
        "unknown": answer.constructs,
    }


def _witness_as_json(witness: Witness) -> dict[str, Any]:
    newcomer = witness.newcomer
    call = bool(witness.path)
    return {
        "caller": witness.caller,
        "newcomer": newcomer and {"owner": newcomer.owner, "zone": newcomer.zone, "groups": newcomer.groups},
        "operation": witness.target if call else None,
        "data_class": None if call else witness.target,
        "method": witness.method or None,
        "path": witness.path or None,
        "query": witness.query if call else None,
        "resource": witness.object_as_json,
        "time": witness.time,
    }


def _flaw_as_json(flaw: Flaw) -> dict[str, Any]:
    return {
        "kind": flaw.kind,
        **_policy_as_json(flaw.policy),
        "what": flaw.what,
        "hint": flaw.hint or None,
        "others": [_policy_as_json(other) for other in flaw.others],
        "call": flaw.witness and _witness_as_json(flaw.witness),
        "unknown": flaw.constructs,
    }


def _policy_as_json(policy: GrantOrForbid) -> dict[str, Any]:
    return {"id": policy.id, "file": policy.place.file, "line": policy.place.line}
