"""What `inward discover` prints: the operations that were found, what was left out and why, and what was written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inward.cli.output import Table, option_for, print_commands, print_line, printable, remark, styled
from inward.discovery.found import MAX_NOTES, Sure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from inward.cli.output import Cell, Style
    from inward.control.adopting import Adoption
    from inward.control.discovering import Discovered
    from inward.discovery.found import Operation

SHOWN_NOTES = 30
_STYLES: dict[Sure, Style] = {Sure.SURE: "green", Sure.LIKELY: "", Sure.DOUBTFUL: "yellow"}


def print_discovery(found: Discovered, adoption: Adoption) -> None:
    """Print what was found that is new; notes and what was left out go to standard error."""
    for line in found.read:
        remark(styled(line, "dim"))
    new = [each for each in found.operations if each in adoption.operations or each in adoption.left]
    rows: list[list[Cell]] = [
        [each.best.method, printable(each.best.template.text), styled(each.best.sure.value, _STYLES[each.best.sure]),
         f"{each.calls:,}" if each.calls else "", _places(each), printable(each.best.why)]
        for each in new
    ]  # fmt: skip
    Table(("method", "path", "sure", "calls", "from", "why"), right=(3,)).add(rows)
    if not new:
        remark("nothing was found that is new")
    for note in found.discovery.notes[:SHOWN_NOTES]:
        hint = f" ({note.hint})" if note.hint else ""
        remark(styled(f"{note.place}: {note.what}{hint}", "yellow"))
    unsaid = len(found.discovery.notes) - SHOWN_NOTES + found.discovery.unsaid
    if unsaid > 0:
        more = " or more" if found.discovery.unsaid else ""
        remark(styled(f"and {unsaid:,}{more} notes like these: --json has {MAX_NOTES:,} of them", "yellow"))
    left_out = found.discovery.left_out
    for why, calls in left_out.calls.most_common():
        examples = ", ".join(left_out.examples.get(why, ()))
        such = f", such as {examples}" if examples else ""
        remark(styled(f"left out {calls:,} call{'' if calls == 1 else 's'}: {why}{such}", "dim"))
    if found.known:
        remark(styled(f"{found.known:,} operations are described already, and not listed", "dim"))


def _places(operation: Operation) -> str:
    places = list(dict.fromkeys(f"{each.source} {each.place}" for each in operation.all))
    return printable(", ".join(places[:2]) + (f" and {len(places) - 2} more" if len(places) > 2 else ""))  # noqa: PLR2004 - those that are named


def print_adoption(
    system: Path, service: str, found: Discovered, adoption: Adoption, *, written: bool, there: bool
) -> None:
    """Print what was written, or how it would be."""
    if adoption.left:
        number = len(adoption.left)
        what = "was not" if written else "would not be"
        remark(
            styled(
                f"{number} doubtful operation{'' if number == 1 else 's'} {what} written (`--doubtful` does)", "yellow"
            )
        )
    if not adoption.files:
        return
    option = option_for(system)
    if not written:
        remark()
        how = "--write" if there else "--write --owner TEAM"
        remark(f"nothing was written; `{how}` would write {_listed(list(adoption.files))}")
        return
    for name, (before, _) in adoption.files.items():
        print_line(f"{'changed' if before else 'wrote'} {printable(name)}")
    for line in adoption.diff():
        print_line(styled(line, "green" if line.startswith("+") else "red" if line.startswith("-") else "dim"))
    print_line()
    steps = [
        (f"inward check{option}", "what is still to be said of it"),
        (f"inward up{option}", "it observes, and refuses nothing"),
    ]
    if found.operations:
        steps.append(
            (f"inward calls --callee {service} --denied{option}", "what would be refused: grant it, then enforce")
        )
    print_commands(steps)


def _listed(names: Sequence[str]) -> str:
    few = 4
    return ", ".join(printable(name) for name in names[:few]) + (
        f" and {len(names) - few} more" if len(names) > few else ""
    )


def report_as_json(service: str, found: Discovered, adoption: Adoption, *, written: bool) -> dict[str, Any]:
    """Return all that was found as JSON values."""
    left_out = found.discovery.left_out
    return {
        "service": service,
        "read": found.read,
        "operations": [
            {
                "method": each.best.method,
                "path": each.best.template.text,
                "name": each.best.name,
                "sure": each.best.sure,
                "why": each.best.why or None,
                "calls": each.calls,
                "new": each in adoption.operations or each in adoption.left,
                "from": [{"source": one.source, "place": one.place} for one in each.all],
            }
            for each in found.operations
        ],
        "notes": [
            {"place": each.place, "what": each.what, "hint": each.hint or None} for each in found.discovery.notes
        ],
        "left_out": [
            {"why": why, "calls": calls, "examples": left_out.examples.get(why, [])}
            for why, calls in left_out.calls.most_common()
        ],
        "known": found.known,
        "doubtful": [each.label for each in adoption.left],
        "files": list(adoption.files),
        "written": written and bool(adoption.files),
    }
