"""`inward check`: validate a system folder, and say what should not stay as it is."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from inward.cli.formats import github, junit, sarif, structured, terminal
from inward.cli.formats.repository import prefix_of
from inward.cli.options import JSONOption, SystemOption, system_folder
from inward.cli.output import Table, print_json, print_line, print_text, remark, styled
from inward.cli.progress import shown_progress
from inward.control.checking import steps
from inward.control.checking.cache import CheckCache, cache_folder
from inward.control.findings import slow_cells
from inward.control.probe.questions import can_be_asked
from inward.errors import BadInputError, InvalidSystemError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inward.control.bundle import Policy
    from inward.control.checking.steps import Report
    from inward.envoy.resources.render import SlowCell
    from inward.policy.model import Policy as GrantOrForbid

Format = Literal["text", "json", "sarif", "junit", "github"]


def check(
    system: SystemOption = Path(),
    format_: Annotated[Format | None, typer.Option("--format", help="How to print.", show_default="text")] = None,
    json: JSONOption = False,
    slow_path: Annotated[
        bool, typer.Option("--slow-path", help="List instead what Envoy cannot decide by itself, and why.")
    ] = False,
    probe: Annotated[
        bool, typer.Option("--probe", help="Also start the programs with `guard: true` alone, and ask each as nobody.")
    ] = False,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Do not use what the last check found out, and keep nothing.")
    ] = False,
) -> int:
    """Validate everything in the system folder and print findings.

    Exit 0: nothing is wrong. 2: there are findings. 3: there are mistakes, and the folder would not be enforced.
    """
    if json and format_ not in {None, "json"}:
        raise BadInputError(f"`--json` and `--format {format_}`", hint="give one")
    form: Format = "json" if json else format_ or "text"
    if slow_path and form not in {"text", "json"}:
        raise BadInputError(f"`--slow-path` and `--format {form}`", hint="its list is printed as text or as json")
    if slow_path and probe:
        raise BadInputError("`--slow-path` and `--probe`", hint="give one")
    folder = system_folder(system)
    caches = None if no_cache else cache_folder(os.environ)
    cache = CheckCache(caches, folder) if caches else None
    with shown_progress(wanted=form == "text") as watch:
        every = (*steps.STEPS, steps.ROUTES) if probe else steps.STEPS
        taken = () if slow_path else every
        report = steps.check(folder, datetime.now(UTC), watch=watch, cache=cache, steps=taken)
    if form == "text" and cache and cache.problem:
        remark(styled(f"what was found out is not kept: {cache.problem}", "dim"))
    if form == "text" and probe and not slow_path and report.system is not None:
        count = sum(map(can_be_asked, report.system.catalog.services.values()))
        asked = f"asked {count} guarded program{'' if count == 1 else 's'}"
        remark(asked if count else "no service has `guard: true`, so no program was asked")
    if slow_path and report.system is not None:
        _print_slow(report.system, as_json=form == "json")
    else:
        _print(report, form)
    return report.exit_code


def _print(report: Report, form: Format) -> None:
    match form:
        case "json":
            print_json(structured.render(report))
        case "sarif":
            print_text(sarif.render(report, prefix_of(report.folder)))
        case "junit":
            print_text(junit.render(junit.suites_of(report, prefix_of(report.folder))))
        case "github":
            print_text(github.render(report, prefix_of(report.folder)))
        case "text":
            if report.mistakes:
                raise InvalidSystemError(list(report.mistakes))
            for line in terminal.render(report):
                print_line(line)


def _print_slow(policy: Policy, *, as_json: bool) -> None:
    found = list(slow_cells(policy))
    if as_json:
        print_json({"slow_path": [_slow_as_json(cell, policies) for cell, policies in found]})
    elif not found:
        print_line("Envoy decides everything by itself")
    else:
        table = Table(["caller", "operation", "Envoy cannot decide", "in"])
        table.add(
            [
                [
                    cell.caller,
                    cell.operation,
                    cell.construct,
                    ", ".join(f"{each.id} ({each.place})" for each in policies),
                ]
                for cell, policies in found
            ]
        )


def _slow_as_json(cell: SlowCell, policies: Sequence[GrantOrForbid]) -> dict[str, Any]:
    return {
        "caller": cell.caller,
        "operation": cell.operation,
        "construct": cell.construct,
        "policies": {each.id: str(each.place) for each in policies},
    }
