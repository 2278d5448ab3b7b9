"""What came of an attack: a table by kind of try, what gave way, the alerts, and what cannot be said."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from inward.catalog.document import shown
from inward.cli.alerts.listing import SHORT, STYLES
from inward.cli.output import Table, print_line, printable, remark, styled
from inward.control.attack.kinds import ASSUMED, KINDS
from inward.record.call import timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inward.cli.output import Cell, Style
    from inward.control.attack.attempt import Outcome, Result
    from inward.control.attack.intruder import Intruder
    from inward.control.attack.run import Plan, Report

_STYLES: Mapping[Outcome, Style] = {"held": "green", "breached": "red", "open": "yellow", "untried": "dim"}
_OUTCOMES: Sequence[Outcome] = ("held", "breached", "open", "untried")
_HEADINGS = ("kind", "target", "tried", "what came of it", "reference")
_WIDEST = 100  # characters of what was tried


def print_report(intruder: Intruder, plan: Plan, report: Report, option: str, *, everything: bool) -> None:
    """Print a report for people."""
    table = Table(("kind", "what was tried", *_OUTCOMES), right=(2, 3, 4, 5))
    table.add([_row(report, name) for name in KINDS if report.counts(name)])
    _print_gave_way(report, option)
    if everything:
        _print_others("all tries", [_told(each) for each in report.results])
    _print_others("nothing can be said", _in_short([e for e in report.results if e.verdict.outcome == "untried"]))
    _print_alerts(report, option)
    _print_remarks(intruder, plan, report)


def _row(report: Report, name: str) -> list[Cell]:
    counts = report.counts(name)
    numbers = (styled(f"{counts[each]:,}" if counts[each] else "-", _style(counts[each], each)) for each in _OUTCOMES)
    return [name, KINDS[name].title, *numbers]


def _style(count: int, outcome: Outcome) -> Style:
    return _STYLES[outcome] if count else "dim"


def _print_gave_way(report: Report, option: str) -> None:
    """Print what was breached, one by one, and what the settings leave open, in short."""
    if not report.gave_way:
        return
    print_line()
    print_line(styled("gave way:", "bold"))
    table = Table(_HEADINGS)
    breached = [each for each in report.gave_way if each.verdict.outcome == "breached"]
    table.add([_told(each) for each in breached])
    table.add(_in_short([each for each in report.gave_way if each.verdict.outcome == "open"]))
    first = next((each.verdict.reference for each in report.gave_way if each.verdict.reference), None)
    if first is not None:
        remark(styled(f"why: inward explain{option} {printable(first)}", "dim"))


def _print_others(heading: str, rows: list[list[Cell]]) -> None:
    if rows:
        print_line()
        print_line(styled(f"{heading}:", "bold"))
        Table(_HEADINGS).add(rows)


def _told(each: Result) -> list[Cell]:
    verdict = each.verdict
    why = styled(f"{verdict.outcome}: {verdict.why}", _STYLES[verdict.outcome])
    return [each.attempt.kind, each.attempt.target, shown(each.attempt.what, _WIDEST), why, verdict.reference or "-"]


def _in_short(results: Sequence[Result]) -> list[list[Cell]]:
    """Return tries as rows, those of one kind against one target with the same outcome as one."""
    groups: dict[tuple[str, str, str], list[Result]] = defaultdict(list)
    for each in results:
        groups[each.attempt.kind, each.attempt.target, each.verdict.why].append(each)
    rows = []
    for same in groups.values():
        row = _told(same[0])
        if len(same) > 1:
            row[2] = f"{len(same)} tries, such as {shown(same[0].attempt.what, _WIDEST)}"
        rows.append(row)
    return rows


def _print_alerts(report: Report, option: str) -> None:
    print_line()
    if report.alerts is None:
        print_line(styled("nobody watches this system, so no alert could fire", "yellow"))
        return
    if not report.alerts:
        print_line(styled("no alert fired", "yellow"))
    else:
        print_line(styled("alerts that fired:", "bold"))
        table = Table(("detector", "severity", "calls", "id", "why"), right=(2,))
        table.add(
            [
                [
                    kept.alert.detector,
                    styled(kept.alert.severity, STYLES[kept.alert.severity]),
                    f"{kept.alert.count:,}",
                    kept.alert.id[:SHORT],
                    kept.alert.why,
                ]
                for kept in report.alerts
            ]
        )
        remark(styled(f"one of them in full: inward alerts show{option} {report.alerts[-1].alert.id[:SHORT]}", "dim"))
    if report.unnoticed:
        print_line(f"noticed by no detector: {', '.join(report.unnoticed)}")


def _print_remarks(intruder: Intruder, plan: Plan, report: Report) -> None:
    print_line()
    for text in ASSUMED:
        remark(styled(f"not tried: {text}", "dim"))
    if plan.left_out:
        remark(styled(f"left out: {plan.left_out:,} tries (`--most`)", "yellow"))
    if report.unsent:
        remark(styled(f"interrupted: {report.unsent:,} tries were not made", "yellow"))
    for note in report.notes:
        remark(styled(note, "yellow"))
    counts = report.counts()
    if report.gave_way:
        gave = len(report.gave_way)
        print_line(
            styled(f"{gave:,} of {len(report.results):,} tries in the place of {intruder.service} gave way", "red")
        )
    else:
        print_line(styled(f"held: {counts['held']:,} tries in the place of {intruder.service}, none gave way", "green"))


def report_as_json(intruder: Intruder, plan: Plan, report: Report) -> dict[str, Any]:
    """Return a report as JSON values."""
    return {
        "service": intruder.service,
        "trust_domain": intruder.catalog.trust_domain,
        "policy": intruder.policy.version,
        "began": timestamp(report.began),
        "ended": timestamp(report.ended),
        "counts": {name: report.counts()[name] for name in _OUTCOMES},
        "left_out": plan.left_out,
        "interrupted": bool(report.unsent),
        "not_sent": report.unsent,
        "tries": [_as_json(each) for each in report.results],
        "alerts": None if report.alerts is None else [kept.alert for kept in report.alerts],
        "unnoticed": report.unnoticed,
        "assumed": list(ASSUMED),
        "notes": report.notes,
    }


def _as_json(each: Result) -> dict[str, Any]:
    kind = KINDS[each.attempt.kind]
    return {
        "kind": kind.name,
        "target": each.attempt.target,
        "tried": each.attempt.what,
        "gain": kind.gain,
        "outcome": each.verdict.outcome,
        "why": each.verdict.why,
        "reference": each.verdict.reference,
        "technique": kind.technique,
        "owasp": kind.owasp,
    }
