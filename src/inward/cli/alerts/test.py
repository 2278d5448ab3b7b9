"""`inward alerts test`: check the settings of alerts and the rules of the team, and try the rules on calls."""

# ruff: noqa: PT028 - the command is called `test`, and is no test of pytest's

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inward.alerting.settings import load_settings
from inward.alerting.sigma.watch import Watch
from inward.catalog.document import shown
from inward.cli.alerts.listing import JSONPrinter, TablePrinter, unkept
from inward.cli.options import JSONOption, SystemOption, system_folder
from inward.cli.output import print_json, print_line
from inward.errors import BadInputError, InvalidSystemError
from inward.record.call import DamagedLineError, parse_entry

if TYPE_CHECKING:
    from inward.record.call import Entry

MOST_BYTES = 64 << 20  # of a file of calls


def test(
    calls: Annotated[
        Path | None,
        typer.Option("--calls", metavar="FILE", help="Calls as `inward calls --json` prints them; - reads them."),
    ] = None,
    system: SystemOption = Path(),
    json: JSONOption = False,
) -> None:
    """Say every mistake in `alerts` of inward.yaml and in alerts/*.yml; with `--calls`, which rules fire for those.

    Exit 0: there is none. 3: there are mistakes.
    """
    folder = system_folder(system)
    settings, mistakes = load_settings(folder)
    if settings is None:
        raise InvalidSystemError(mistakes)
    if calls is None:
        count = len(settings.rules)
        if json:
            print_json({"rules": [rule.id for rule in settings.rules]})
        else:
            print_line(f"the settings and {count} rule{'' if count == 1 else 's'} are right")
        return
    found = [unkept(alert) for alert in Watch(settings.rules).feed(_entries(calls))]
    (JSONPrinter() if json else TablePrinter()).add(found)
    if not json and not found:
        print_line("no rule fires for these calls")


def _entries(path: Path) -> list[Entry]:
    try:
        content = sys.stdin.buffer.read(MOST_BYTES + 1) if str(path) == "-" else _read(path)
    except OSError as error:
        raise BadInputError(f"`{shown(str(path))}` cannot be read: {error.strerror}") from None
    if len(content) > MOST_BYTES:
        raise BadInputError(f"`{shown(str(path))}` is larger than {MOST_BYTES >> 20} MiB", hint="give a part of it")
    found = []
    for number, line in enumerate(content.splitlines(), 1):
        try:
            found.append(parse_entry(line))
        except DamagedLineError as error:
            hint = "give lines as `inward calls --json` prints them"
            raise BadInputError(f"{shown(str(path))}:{number}: {error.message}", hint=hint) from None
    return found


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)
