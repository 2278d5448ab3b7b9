"""`inward policy diff`: what a change of a system allows and refuses, not which lines it changes."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from inward.cli.moment import parse_moment
from inward.cli.options import JSONOption, SystemOption, system_folder
from inward.cli.output import Style, mistake_as_json, print_json, print_line, print_text, printable, styled
from inward.cli.policy import comment
from inward.cli.policy.effects import SECTIONS, Compared, Name, sections_of
from inward.control.revision import load_revision
from inward.errors import BadInputError, ExitCode, InvalidSystemError
from inward.policy.comparing.compare import System, compare

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inward.cli.policy.effects import Line, Words
    from inward.policy.comparing.change import Change, Comparison, Example, Unknown
    from inward.policy.comparing.shifts import Shift
    from inward.policy.model import Policy

MOST_LINES = 20  # of a section, for people, where not all is asked for
_STYLES: dict[str, Style] = {
    "enforcement": "yellow",
    "allowed": "yellow",
    "wider": "yellow",
    "changed": "yellow",
    "narrower": "red",
    "refused": "red",
    "unknown": "yellow",
    "catalog": "cyan",
    "idle": "dim",
}
Format = Literal["text", "json", "markdown"]


class FailOn(StrEnum):
    """Which changes end the command with exit code 2."""

    WIDENING = "widening"
    NARROWING = "narrowing"
    ANY = "any"
    NONE = "none"


def diff(
    old: Annotated[
        str, typer.Argument(metavar="OLD", help="What it was: a system folder, or a git revision such as main.")
    ] = "HEAD",
    new: Annotated[
        str | None,
        typer.Argument(metavar="NEW", help="What it becomes: the same.", show_default="the system folder itself"),
    ] = None,
    fail_on: Annotated[FailOn, typer.Option("--fail-on", help="Which changes end with exit code 2.")] = FailOn.NONE,
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Compare from then on: 2027-06-30T12:00:00Z.", show_default="now"),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Name everything, however much it is.")] = False,
    format_: Annotated[Format | None, typer.Option("--format", help="How to print.", show_default="text")] = None,
    system: SystemOption = Path(),
    json: JSONOption = False,
) -> int:
    """Compare two states of a system: who may newly call what, who no longer may, and under which other conditions.

    Each change comes with a request that one of the two allows and the other refuses. Text that changes nothing (ids,
    reasons, order, the same condition written differently) is not shown.

    Exit 0. 2: there are changes that --fail-on names, or it is not known whether there are. 3: OLD or NEW has mistakes.
    """
    if json and format_ not in {None, "json"}:
        raise BadInputError(f"`--json` and `--format {format_}`", hint="give one")
    form: Format = "json" if json else format_ or "text"
    now = datetime.now(UTC) if at is None else parse_moment(at)
    folder = system_folder(system)
    try:
        before, after = load_revision(folder, old), load_revision(folder, new)
    except InvalidSystemError as error:
        if form != "json":
            raise
        print_json({"mistakes": [mistake_as_json(mistake) for mistake in error.mistakes]})
        return error.exit_code
    found = compare(System(before.catalog, before.policies), System(after.catalog, after.policies), now)
    compared = Compared(before, after, found, now)
    names = Name(old), "the system folder" if new is None else Name(new)
    if form == "json":
        print_json(_as_json(compared, old, new))
    elif form == "markdown":
        title = ["What the policies allow: ", names[0], " → ", names[1]]
        print_text(comment.render(title, _summary(compared), sections_of(compared, everything=everything)))
    else:
        _print(compared, names, everything=everything)
    return ExitCode.REFUSED if _fails(found, fail_on) else ExitCode.SUCCESS


def _fails(found: Comparison, fail_on: FailOn) -> bool:
    match fail_on:
        case FailOn.WIDENING:
            return found.widens
        case FailOn.NARROWING:
            return found.narrows
        case FailOn.ANY:
            return found.widens or found.narrows
    return False


def _summary(compared: Compared) -> Words:
    """Say how much of what changed: pairs of a caller and what it calls or is shown."""
    found = compared.found
    counts: dict[str, int] = {}
    for change in found.changes:
        counts[change.kind] = counts.get(change.kind, 0) + len(change.callers) * len(change.targets)
    unknown = sum(len(each.callers) * len(each.targets) for each in found.unknown)
    pairs = [f"{counts[kind]:,} {SECTIONS[kind]}" for kind in SECTIONS if kind in counts]
    pairs += [f"{unknown:,} not known"] if unknown else []
    parts = [f"pairs of a caller and what it calls: {', '.join(pairs)}"] if pairs else []
    enforced = sum(shift.widens or shift.narrows for shift in found.shifts)
    parts += [f"{enforced:,} {SECTIONS['enforcement']}"] if enforced else []
    if not parts:
        day = f"{compared.now:%Y-%m-%d %H:%M} UTC"
        return [f"nothing changes: from {day} on, both allow and refuse the same requests of today's services"]
    return ["; ".join(parts)]


def _print(compared: Compared, names: Sequence[str], *, everything: bool) -> None:
    print_line(styled(f"{names[0]} → {names[1]}: ", "bold") + styled(_text(_summary(compared)), ""))
    for section, lines in sections_of(compared, everything=everything).items():
        print_line()
        print_line(styled(SECTIONS[section], _STYLES[section]))
        _print_lines(lines if everything else lines[:MOST_LINES])
        if not everything and len(lines) > MOST_LINES:
            rest = lines[MOST_LINES:]
            print_line(
                styled(
                    f"  and {len(rest):,} more, {sum(line.cells for line in rest):,} pairs (`--all` has them)", "dim"
                )
            )


def _print_lines(lines: Sequence[Line]) -> None:
    for line in lines:
        print_line(styled(f"  {_text(line.words)}", ""))
        for detail in line.details:
            print_line(styled(f"    {_text(detail)}", "dim"))


def _text(words: Words) -> str:
    return "".join(printable(word) for word in words)


def _as_json(compared: Compared, old: str, new: str | None) -> Mapping[str, Any]:
    found = compared.found
    return {
        "mistakes": [],
        "old": {"name": old, "version": compared.old.version},
        "new": {"name": new, "version": compared.new.version},
        "from": compared.now.isoformat(),
        "widens": found.widens,
        "narrows": found.narrows,
        "changes": [_change_as_json(each, compared) for each in found.changes],
        "unknown": [_cells_as_json(each, compared) for each in found.unknown],
        "shifts": [_shift_as_json(each) for each in found.shifts],
        "idle": [{**_policy_as_json(each), "side": "new" if compared.is_new(each) else "old"} for each in found.idle],
    }


def _cells_as_json(each: Change | Unknown, compared: Compared) -> dict[str, Any]:
    about, owner = compared.place_of(each.targets[0])
    return {
        "callers": each.callers,
        "targets": each.targets,
        "about": about,
        "owner": owner,
        "old_policies": [_policy_as_json(policy) for policy in each.old_policies],
        "new_policies": [_policy_as_json(policy) for policy in each.new_policies],
        "constructs": each.constructs,
    }


def _change_as_json(change: Change, compared: Compared) -> dict[str, Any]:
    ends = change.until
    return {
        "kind": change.kind,
        **_cells_as_json(change, compared),
        "until": ends and {"old": ends[0] and ends[0].isoformat(), "new": ends[1] and ends[1].isoformat()},
        "gained": change.gained and _example_as_json(change.gained),
        "lost": change.lost and _example_as_json(change.lost),
    }


def _example_as_json(example: Example) -> dict[str, Any]:
    witness = example.witness
    return {
        "caller": witness.caller,
        "target": witness.target,
        "method": witness.method or None,
        "path": witness.path or None,
        "query": witness.query,
        "resource": witness.object_as_json,
        "at": witness.moment.isoformat(),
        "odd": example.odd,
        "by": [_policy_as_json(policy) for policy in example.by],
        "against": [_policy_as_json(policy) for policy in example.against],
    }


def _policy_as_json(policy: Policy) -> dict[str, Any]:
    return {"id": policy.id, "file": policy.place.file, "line": policy.place.line}


def _shift_as_json(shift: Shift) -> dict[str, Any]:
    return {
        "kind": shift.kind,
        "about": shift.about or None,
        "owner": shift.owner or None,
        "operations": shift.operations,
        "before": shift.before or None,
        "after": shift.after or None,
        "widens": shift.widens,
        "narrows": shift.narrows,
    }
