"""What `inward data --undeclared` prints: what sampled answers hold that nobody declared, and how it is declared."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from inward.cli.output import Table, print_json, print_line, printable, remark, styled
from inward.control.sampling.undeclared import kept_history, looked_at, undeclared
from inward.spotting.history import DAYS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from inward.cli.output import Cell
    from inward.control.bundle import Policy
    from inward.control.sampling.undeclared import Looked, Undeclared

_WHY = {
    "too-large": "too large",
    "encoded": "encoded in a way that is not undone",
    "unreadable": "no JSON, or not all of it",
    "failed": "not looked at for an unforeseen reason",
}


def print_undeclared(system: Path, policy: Policy, *, as_json: bool) -> None:
    """Print what was found in the answers of the system in a folder, as it is declared now."""
    history = kept_history(system)
    found = undeclared(policy, history)
    looked = looked_at(policy.catalog, history)
    if as_json:
        print_json(_as_json(found, looked, history.since))
        return
    if not looked:
        remark("no answers were looked at yet: `inward up` looks at some of them (all in mode observe)")
        return
    if found:
        _print_table(found)
        _print_declarations(found)
    answers = sum(each.answers for each in looked)
    said = "nothing undeclared was found" if not found else f"undeclared data at {len(found)} place{_s(found)}"
    of = f"{len(looked)} operation{_s(looked)}"
    remark(styled(f"{said}; {answers:,} answers of {of} looked at since {history.since}", "dim"))
    not_looked: Counter[str] = Counter()
    for each in looked:
        not_looked.update(each.not_looked)
    if not_looked:
        why = ", ".join(f"{number:,} {_WHY[each]}" for each, number in not_looked.most_common())
        remark(styled(f"not looked at: {why}", "dim"))
    if found:
        remark(styled(f"what is not seen any more is forgotten after {DAYS} days", "dim"))


def _s(listed: Sequence[object]) -> str:
    return "" if len(listed) == 1 else "s"


def _print_table(found: Sequence[Undeclared]) -> None:
    rows: list[list[Cell]] = []
    for each in found:
        finding = each.finding
        rows.append(
            [
                finding.operation,
                str(finding.status),
                printable(finding.place),
                finding.kind.value,
                f"{finding.share:.0%}" if finding.share >= 0.01 else "<1%",  # noqa: PLR2004 - a percent
                f"{finding.having:,} of {finding.answers:,}",
                str(each.last),
                "" if finding.is_sure else styled(_doubt(each), "yellow"),
            ]
        )
    Table(("operation", "status", "where", "kind", "share", "answers", "last, UTC", ""), right=(4, 5)).add(rows)


def _doubt(each: Undeclared) -> str:
    if each.finding.resembling > each.finding.having:
        return f"perhaps by chance: {each.finding.resembling:,} answers have something like it that is none"
    return "perhaps by chance: few answers have it"


def _print_declarations(found: Sequence[Undeclared]) -> None:
    by_file: dict[str, list[Undeclared]] = defaultdict(list)
    for each in found:
        by_file[each.operation.place.file].append(each)
    for file, listed in by_file.items():
        actions = dict.fromkeys(action for each in listed for action in each.actions)
        if not actions:
            continue
        print_line()
        print_line(styled(f"declared by an overlay of {file}, or marked `none` where it is no data:", "bold"))
        for action in actions:
            print_line(f"  {printable(action)}")
    new = sorted({each.data_class for each in found if each.class_is_new})
    if new:
        print_line()
        print_line(f"inward.yaml does not declare {', '.join(new)} yet: list them under `data`, with an owner")


def _as_json(found: Sequence[Undeclared], looked: Sequence[Looked], since: date | None) -> dict[str, Any]:
    return {
        "since": since,
        "undeclared": [
            {
                "operation": each.finding.operation,
                "status": each.finding.status,
                "path": each.finding.place,
                "kind": each.finding.kind,
                "share": round(each.finding.share, 4),
                "having": each.finding.having,
                "answers": each.finding.answers,
                "resembling": each.finding.resembling,
                "sure": each.finding.is_sure,
                "last": each.last,
                "class": each.data_class,
                "class_is_new": each.class_is_new,
                "file": each.operation.place.file,
                "line": each.operation.place.line,
                "actions": each.actions,
            }
            for each in found
        ],
        "looked": [
            {"operation": each.operation, "answers": each.answers, "not_looked": each.not_looked} for each in looked
        ],
    }
