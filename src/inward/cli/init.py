"""`inward init`: begin a system folder."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import Annotated

import typer

from inward.catalog.document import shown
from inward.cli.options import JSONOption  # noqa: TC001 - Typer reads the annotations
from inward.cli.output import option_for, print_commands, print_json, print_line, printable
from inward.cli.template import files
from inward.errors import BadInputError, InwardError
from inward.identity.spiffe_id import parse_trust_domain

DEFAULT = "example.internal"


class CannotWriteError(InwardError):
    """A file of the new system folder cannot be written."""

    code = "cannot_write"


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to begin it.", show_default="here")] = Path(),
    trust_domain: Annotated[
        str, typer.Option(metavar="NAME", help="Begins every SPIFFE ID.", show_default="named after the folder")
    ] = "",
    json: JSONOption = False,
) -> None:
    """Begin a system folder: an inward.yaml with two small services that run as they are."""
    domain = parse_trust_domain(trust_domain or domain_of(folder))
    wanted = files(domain)
    there = [name for name in wanted if os.path.lexists(folder / name)]
    if there:
        raise BadInputError(
            f"there is already `{'`, `'.join(there)}` in `{shown(str(folder))}`",
            hint="nothing was written; choose another folder",
        )
    for name, content in wanted.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(content)
        except OSError as error:
            raise CannotWriteError(
                f"`{shown(str(path))}` cannot be written: {(error.strerror or str(error)).lower()}"
            ) from None
    if json:
        print_json({"folder": str(folder.resolve()), "trust_domain": domain, "files": list(wanted)})
        return
    for name in wanted:
        print_line(f"wrote {printable(str(folder / name))}")
    print_line()
    print_line("next:")
    steps = [
        ("inward up", "start the two example services, each behind its Envoy"),
        ("inward call visitor GET http://greeter/greetings/ada", "a call that is granted (in another terminal)"),
        ("inward call visitor DELETE http://greeter/greetings/ada", "one that is not"),
        ("inward calls", "the record of both"),
        ("inward check", "after each change, and in CI"),
    ]
    if option_for(folder):
        steps.insert(0, (f"cd {shlex.quote(str(folder))}", ""))
    print_commands(steps)
    print_line("then put your own services into inward.yaml")


def domain_of(folder: Path) -> str:
    """Return a trust domain that is named after a folder."""
    try:
        name = folder.resolve().name
    except (OSError, RuntimeError, ValueError):
        return DEFAULT
    label = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63].strip("-")
    return f"{label}.internal" if label else DEFAULT
