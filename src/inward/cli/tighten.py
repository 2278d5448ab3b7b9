"""`inward tighten`: grants as narrow as their use, as a diff that is proven and replayed."""

from __future__ import annotations

import difflib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inward.cli.moment import parse_since, parse_span
from inward.cli.options import JSONOption, SystemOption, service_named, system_layout
from inward.cli.output import Style, Table, option_for, print_json, print_line, printable, remark, styled
from inward.cli.progress import shown_progress
from inward.cli.surveyed import DEFAULT_SINCE, SinceOption, print_record, record_as_json
from inward.control.bundle import load_policy
from inward.control.tightening import Asked
from inward.control.tightening import tighten as propose
from inward.control.tightening import write as write_files
from inward.errors import ExitCode
from inward.insight.unused.coverage import QUARTER
from inward.insight.unused.find import few

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inward.control.tightening import Tightening
    from inward.insight.tighten.evidence import Callout, Kind
    from inward.insight.tighten.planning import Narrowing, Pair

LIMIT = 50
_HEADINGS = ("grant", "where", "loses", "sure", "why")
_SURE = 97  # percent, from which on a number is no longer marked
_NAMED = 3  # pairs of one callout
_KINDS: dict[Kind, str] = {
    "needed": "kept as it is",
    "periodic": "kept, may come again",
    "unsure": "kept, not sure enough",
    "young": "kept, too young",
    "keep": "kept, marked",
    "break_glass": "kept, break-glass",
    "elsewhere": "kept, not seen here",
    "by_hand": "left to you",
    "seldom": "used seldom",
}


def tighten(  # noqa: PLR0917 - Typer passes its options by name
    service: Annotated[
        str | None,
        typer.Argument(metavar="SERVICE", help="Whose policy file; all of them if none.", show_default=False),
    ] = None,
    since: SinceOption = DEFAULT_SINCE,
    min_age: Annotated[
        str, typer.Option("--min-age", metavar="AGE", help="Grants that are younger, or were changed since, stay.")
    ] = "30d",
    at_least: Annotated[
        int, typer.Option("--at-least", min=0, max=99, metavar="PERCENT", help="How sure it must be to go.")
    ] = 90,
    check: Annotated[bool, typer.Option("--check", help="Exit 2 if something could be tightened, for CI.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Change the policy files.")] = False,
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="The first N lines of each table; 0: all.")] = LIMIT,
    system: SystemOption = Path(),
    json: JSONOption = False,
) -> int:
    """Propose policy files that allow what was used and nothing more, as a diff.

    The proposal is proven to allow nothing new, and the recorded calls are replayed: none would be refused. What was
    used seldom, is young, or is marked with @keep stays, and is told. Nothing is changed without --write.

    Exit 0. 2: with --check, something could be tightened. 3: the system has mistakes.
    """
    now = datetime.now(UTC)
    layout = system_layout(system)
    loaded = load_policy(layout.system)
    if service is not None:
        service_named(loaded.catalog, service)
    asked = Asked(parse_since(since, now), now, parse_span(min_age), at_least / 100, service)
    with shown_progress(wanted=not json) as watch:
        found = propose(layout, os.environ, loaded, asked, watch)
    written = write and bool(found.files)
    if written:
        write_files(layout.system, loaded, found.files)
    if json:
        print_json(_as_json(found, asked, written=written))
    else:
        _print(found, limit, option_for(system), written=written)
    return ExitCode.REFUSED if check and found.files else ExitCode.SUCCESS


def _print(found: Tightening, limit: int, option: str, *, written: bool) -> None:
    lost = {pair for each in found.narrowed for pair in each.lost}
    head = f"{len(found.narrowed):,} of {found.grants:,} grants can be narrower: " if found.narrowed else ""
    tail = f"{len(lost):,} of {found.pairs:,} pairs of a caller and an operation go"
    print_line(styled(head + tail if head else "no grant can be narrower than it is", "bold"))
    table = Table(_HEADINGS, right=(3,))
    shown = found.narrowed[:limit] if limit else found.narrowed
    table.add([_row(each, found) for each in shown])
    _print_rest(len(found.narrowed) - len(shown), "grants")
    if found.files:
        print_line()
    for line in _diff(found):
        style: Style = "green" if line.startswith("+") else "red" if line.startswith("-") else ""
        print_line(styled(line, "bold" if line.startswith(("---", "+++")) else style))
    _print_callouts(found.callouts, limit)
    print_record(found.coverage)
    _print_doubts(found)
    if found.files:
        print_line()
        print_line(styled("proven: the proposal allows nothing that is not allowed today", "green"))
        alone = f", {found.replayed.one_by_one:,} of them decided again one by one" if found.replayed.one_by_one else ""
        print_line(
            styled(f"replayed: of {found.replayed.calls:,} allowed calls{alone}, none would be refused", "green")
        )
    if written:
        print_line(styled(f"written: {', '.join(found.files)}", "bold"))
    elif found.files:
        remark(styled(f"nothing was changed: `inward tighten{option} --write` does it", "dim"))


def _row(narrowing: Narrowing, found: Tightening) -> list[Any]:
    policy = narrowing.policy
    sure = narrowing.percent
    return [
        styled(policy.id, "bold"),
        printable(str(policy.place)),
        _loses(narrowing, found),
        styled(f"{sure} %", "" if sure >= _SURE else "yellow"),
        printable(_why(narrowing)),
    ]


def _loses(narrowing: Narrowing, found: Tightening) -> str:
    """Say what a grant loses, in as few words as it takes."""
    becomes = found.becomes[narrowing.policy.id]
    if not becomes:
        return (
            "all"
            if not narrowing.elsewhere
            else f"all ({few(sorted(set(narrowing.elsewhere.values())))} give the rest)"
        )
    scope = narrowing.scope
    callers = [name for name in scope.services if not narrowing.kept.get(name)]
    kept = set().union(*narrowing.kept.values())
    operations = [name for name in scope.operations if name not in kept]
    parts = [few(callers)] if callers else []
    parts += [few(operations)] if operations else []
    if not parts:
        pairs = [*narrowing.lost, *narrowing.elsewhere]
        parts = [few([f"{caller} → {operation}" for caller, operation in pairs])]
    return "; ".join(parts) + (f" (now {len(becomes)} grants)" if len(becomes) > 1 else "")


def _why(narrowing: Narrowing) -> str:
    """Say why the least sure pairs go, and how many there are of others."""
    least = min(narrowing.lost.values(), key=lambda verdict: verdict.sure)
    same = sum(verdict.why == least.why for verdict in narrowing.lost.values())
    others = len(narrowing.lost) - same
    pairs = f"{same:,} pairs: " if same > 1 else ""
    return pairs + least.why + (f"; {others:,} for other reasons" if others else "")


def _diff(found: Tightening) -> Iterator[str]:
    for name, (before, after) in found.files.items():
        texts = (content.decode().split("\n") for content in (before, after))
        old, new = (lines[:-1] if not lines[-1] else lines for lines in texts)
        yield from difflib.unified_diff(old, new, f"a/{name}", f"b/{name}", lineterm="")


def _print_callouts(callouts: Sequence[Callout], limit: int) -> None:
    if not callouts:
        return
    print_line()
    order = list(_KINDS)
    listed = sorted(callouts, key=lambda each: order.index(each.kind))
    table = Table(("what stays", "", "why"))
    shown = listed[:limit] if limit else listed
    table.add([[styled(_KINDS[each.kind], "yellow"), _about(each), printable(each.why)] for each in shown])
    _print_rest(len(listed) - len(shown), "reasons")


def _about(callout: Callout) -> str:
    if callout.policy is not None:
        return printable(callout.policy)
    return printable(few([_pair(each) for each in callout.pairs]))


def _pair(pair: Pair) -> str:
    return f"{pair.caller} → {pair.operation}"


def _print_rest(number: int, what: str) -> None:
    if number > 0:
        print_line(styled(f"and {number:,} more {what} (`--limit 0` shows all)", "dim"))


def _print_doubts(found: Tightening) -> None:
    if found.narrowed and found.coverage.days < QUARTER:
        what = f"{found.coverage.days} days are known: a job that runs every quarter may not have run yet"
        remark(styled(what, "yellow"))
    if found.crowded:
        remark(styled("the rollups do not tell all operations of some callers apart; the record itself does", "dim"))


def _as_json(found: Tightening, asked: Asked, *, written: bool) -> dict[str, Any]:
    return {
        "record": record_as_json(found.coverage),
        "at_least": round(asked.least, 2),
        "grants": found.grants,
        "pairs": found.pairs,
        "narrowed": [_narrowing_as_json(each, found) for each in found.narrowed],
        "callouts": [
            {"kind": each.kind, "policy": each.policy, "pairs": [list(pair) for pair in each.pairs], "why": each.why}
            for each in found.callouts
        ],
        "diff": "".join(f"{line}\n" for line in _diff(found)),
        "files": list(found.files),
        "proven": bool(found.files),
        "replayed": {
            "calls": found.replayed.calls,
            "one_by_one": found.replayed.one_by_one,
            "refused": 0 if found.files else None,
        },
        "version": found.version or None,
        "written": written,
    }


def _narrowing_as_json(narrowing: Narrowing, found: Tightening) -> dict[str, Any]:
    policy = narrowing.policy
    return {
        "policy": policy.id,
        "file": policy.place.file,
        "line": policy.place.line,
        "becomes": list(found.becomes[policy.id]),
        "sure": round(narrowing.sure, 4),
        "kept": {caller: sorted(operations) for caller, operations in narrowing.kept.items() if operations},
        "lost": [
            {"caller": pair.caller, "operation": pair.operation, "sure": round(verdict.sure, 4), "why": verdict.why}
            for pair, verdict in narrowing.lost.items()
        ],
        "granted_elsewhere": [
            {"caller": pair.caller, "operation": pair.operation, "by": other}
            for pair, other in narrowing.elsewhere.items()
        ],
    }
