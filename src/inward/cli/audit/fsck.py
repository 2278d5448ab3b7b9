"""`inward audit fsck`: which segment and which entry of the record are damaged."""

from __future__ import annotations

from pathlib import Path

from inward.cli.audit.damages import damage_as_json, print_damages
from inward.cli.options import JSONOption, SystemOption, system_layout
from inward.cli.output import print_json, print_line
from inward.errors import ExitCode
from inward.record.audit.fsck import look_through


def fsck(system: SystemOption = Path(), json: JSONOption = False) -> int:
    """Look through the files of the record, line by line, without a key: what is no entry, or not what it was.

    Exit 0: nothing is damaged. 2: something is.
    """
    damages = look_through(system_layout(system).record)
    if json:
        print_json({"damages": [damage_as_json(damage) for damage in damages]})
    elif damages:
        print_damages(damages)
    else:
        print_line("nothing is damaged")
    return ExitCode.REFUSED if damages else ExitCode.SUCCESS
