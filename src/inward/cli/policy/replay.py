"""`inward policy replay`: recorded calls, decided again by a proposed policy: which would change, and whose."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from inward.cli.moment import parse_moment, parse_since
from inward.cli.options import JSONOption, SystemOption, system_layout
from inward.cli.output import (
    Cell,
    Table,
    mistake_as_json,
    option_for,
    print_json,
    print_line,
    printable,
    remark,
    styled,
)
from inward.cli.progress import shown_reading
from inward.control.bundle import load_policy
from inward.control.readback import policy_in_force
from inward.control.revision import load_revision
from inward.errors import ExitCode, InvalidSystemError
from inward.insight.recorded import Decider
from inward.insight.replay import Replayer
from inward.record.call import timestamp
from inward.record.filter import Filter
from inward.record.reader import read_entries

if TYPE_CHECKING:
    from inward.cli.output import Style
    from inward.control.bundle import Policy
    from inward.control.layout import Layout
    from inward.insight.replay import Change, Group, Key, Replay

LIMIT = 50
GAPS = 3  # shown
MOST_CHARACTERS = 100  # of a name
_STYLES: dict[Change, Style] = {"refused": "red", "allowed": "yellow", "unknown": "dim"}
_WORDS: dict[Change, str] = {
    "refused": "would newly be refused",
    "allowed": "newly allowed",
    "unknown": "unknown",
}
_HEADINGS = ("caller", "operation", "its owner", "calls", "would be", "why", "first, UTC", "last, UTC", "reference")
_RIGHT = (3,)


class FailOn(StrEnum):
    """Which changes end the command with exit code 2."""

    REFUSED = "refused"
    ALLOWED = "allowed"
    ANY = "any"


_FAILING: dict[FailOn, tuple[Change, ...]] = {
    FailOn.REFUSED: ("refused",),
    FailOn.ALLOWED: ("allowed",),
    FailOn.ANY: ("refused", "allowed"),
}


def replay(
    new: Annotated[
        str | None,
        typer.Argument(
            metavar="NEW",
            help="What to replay against: a system folder, or a git revision such as main.",
            show_default="the system folder itself",
        ),
    ] = None,
    since: Annotated[
        str,
        typer.Option(metavar="WHEN", help="The calls from then on: 12h, 7d, or a time such as 2027-06-30T12:00:00Z."),
    ] = "30d",
    at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Decide all as if they came then: now, or a time.", show_default="each at its own time"
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="The first N groups; 0: all.")] = LIMIT,
    fail_on: Annotated[FailOn, typer.Option("--fail-on", help="Which changes end with exit code 2.")] = FailOn.ANY,
    system: SystemOption = Path(),
    json: JSONOption = False,
) -> int:
    """Decide recorded calls again by the policies in NEW, and say which would change, and whose they are.

    A call that is decided by what is not recorded, its query or a parameter that is not kept, is unknown. A change that
    today's policy makes too is shown, and is no change of NEW.

    Exit 0: NEW changes nothing. 2: it would. 3: NEW has mistakes.
    """
    now = datetime.now(UTC)
    start = parse_since(since, now)
    moment = None if at is None else now if at == "now" else parse_moment(at)
    layout = system_layout(system)
    try:
        proposed = load_revision(layout.system, new)
    except InvalidSystemError as error:
        if not json:
            raise
        print_json({"mistakes": [mistake_as_json(mistake) for mistake in error.mistakes]})
        return error.exit_code
    today = _today(layout, itself=new is None)
    replayer = Replayer(_decider(proposed), None if today is None else _decider(today), moment)
    entries = read_entries(layout.record, Filter(since=start))
    with shown_reading(entries, wanted=not json) as watched:
        found = replayer.add(watched)
    if json:
        facts = {"since": timestamp(start), "at": None if moment is None else timestamp(moment), "new": new}
        versions = {"version": proposed.version, "today": None if today is None else today.version}
        print_json({**facts, **versions, **_as_json(found, limit)})
    else:
        _print(found, limit, start, f"`{new}`" if new is not None else "the system folder", option_for(system))
    changed = any(found.count(change, already=False) for change in _FAILING[fail_on])
    return ExitCode.REFUSED if changed else ExitCode.SUCCESS


def _today(layout: Layout, *, itself: bool) -> Policy | None:
    """Return what NEW is to change: the folder, or what is in force where the folder is NEW itself or has mistakes."""
    try:
        return policy_in_force(layout) if itself else load_policy(layout.system)
    except InvalidSystemError:
        return policy_in_force(layout)


def _decider(policy: Policy) -> Decider:
    return Decider(policy.catalog, policy.engine, policy.version)


def _print(found: Replay, limit: int, start: datetime, against: str, option: str) -> None:
    since = timestamp(start)[:16].replace("T", " ")
    parts: list[Text] = []
    for change, words in _WORDS.items():
        number = found.count(change, already=False)
        parts.append(styled(f"{number:,} {words}", _STYLES[change] if number else ""))
    skipped = found.skipped.total()
    summary = styled(f"{found.calls:,} calls since {since} UTC, against {against}: ", "bold")
    print_line(summary + Text(", ").join(parts) + Text(f", {skipped:,} skipped" if skipped else ""))
    before = sum(found.count(change, already=True) for change in _STYLES)
    if before:
        print_line(f"{before:,} more differ from the record, or cannot be known, and NEW does not change that")
    ordered = found.ordered()
    table = Table(_HEADINGS, right=_RIGHT)
    table.add([_row(key, group) for key, group in (ordered[:limit] if limit else ordered)])
    if limit and len(ordered) > limit:
        print_line(styled(f"and {len(ordered) - limit:,} more groups (`--limit 0` shows all)", "dim"))
    _print_limits(found)
    if not found.calls:
        remark("no call that a policy decided is recorded since then: see `inward calls`, or give an earlier `--since`")
    if ordered:
        remark(styled(f"one call in full: `inward explain{option} {ordered[0][1].reference}`", "dim"))


def _print_limits(found: Replay) -> None:
    """Say what was not seen, or not replayed."""
    if found.rest:
        print_line(f"and {found.rest.total():,} calls of groups beyond the first {len(found.groups):,}")
    if found.skipped:
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in found.skipped.most_common())
        print_line(styled(f"skipped, as no policy decided them: {reasons}", "dim"))
    for gap in found.gaps[:GAPS]:
        whose = f" of {gap.service}" if gap.service else ""
        print_line(styled(f"a gap{whose} at {gap.time}: {gap.why}; what was lost there is not replayed", "yellow"))
    if found.gap_count > GAPS:
        print_line(styled(f"and {found.gap_count - GAPS:,} more gaps", "yellow"))


def _row(key: Key, group: Group) -> list[Cell]:
    would = "unknown" if key.change == "unknown" else key.change
    operation = key.operation or f"{key.callee}:?"
    if key.new_operation and key.new_operation != key.operation:
        operation = f"{operation} → {key.new_operation}"
    notes = [note for note, true in (("already so today", key.already), ("in mode observe", group.observed)) if true]
    why = f"{key.was} → {key.becomes or 'needs what is not recorded: ' + ', '.join(key.parameters)}"
    return [
        _cut(key.caller),
        _cut(operation),
        printable(group.owner or "?"),
        f"{group.calls:,}",
        styled(would, "dim" if key.already else _STYLES[key.change]),
        printable(why + (f" ({', '.join(notes)})" if notes else "")),
        printable(group.first[:16].replace("T", " ")),
        printable(group.last[:16].replace("T", " ")),
        _cut(group.reference),
    ]


def _cut(text: str) -> str:
    return printable(text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + "…")


def _as_json(found: Replay, limit: int) -> dict[str, Any]:
    ordered = found.ordered()
    return {
        "calls": found.calls,
        "unchanged": found.unchanged,
        "changes": {change: found.count(change, already=False) for change in _STYLES},
        "already": {change: found.count(change, already=True) for change in _STYLES},
        "skipped": dict(found.skipped.most_common()),
        "gaps": {"count": found.gap_count, "first": found.gaps},
        "groups": [_group_as_json(key, group) for key, group in (ordered[:limit] if limit else ordered)],
        "more_groups": max(0, len(ordered) - limit) if limit else 0,
        "ungrouped_calls": found.rest.total(),
    }


def _group_as_json(key: Key, group: Group) -> dict[str, Any]:
    return {
        "change": key.change,
        "already": key.already,
        "caller": key.caller,
        "callee": key.callee,
        "owner": group.owner,
        "operation": key.operation,
        "new_operation": key.new_operation,
        "was": key.was,
        "becomes": key.becomes or None,
        "parameters": key.parameters,
        "observed": group.observed,
        "calls": group.calls,
        "first": group.first,
        "last": group.last,
        "reference": group.reference,
    }
