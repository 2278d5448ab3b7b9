"""`inward alerts unmute`: end a mute before its time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inward.alerting.keeping.mutes import end_mute
from inward.cli.alerts.listing import noted, opened
from inward.cli.options import JSONOption, SystemOption, system_layout
from inward.cli.output import print_json, print_line, printable
from inward.errors import BadInputError


def unmute(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="Of a mute, as `inward alerts rules` lists them.")],
    system: SystemOption = Path(),
    json: JSONOption = False,
) -> None:
    """End a mute now: what still goes on is told when it fires next."""
    layout = system_layout(system)
    with opened(layout) as database:
        ended = end_mute(database, number)
    if ended is None:
        raise BadInputError(f"there is no mute {number}", hint="`inward alerts rules` lists them")
    noted(layout, "unmute", ended.about)
    if json:
        print_json({"unmuted": ended})
    else:
        print_line(printable(f"no longer muted: {ended.about}"))
