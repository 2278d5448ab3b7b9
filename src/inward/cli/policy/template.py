"""`inward policy template`: the policies that most systems need, filled in."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inward.catalog.document import shown
from inward.cli.options import JSONOption, SystemOption, system_folder
from inward.cli.output import Table, print_json, print_line, printable_lines, remark, styled
from inward.control.bundle import load_policy
from inward.control.layout import SYSTEM_FILE
from inward.errors import BadInputError, ExitCode
from inward.policy.authoring.edit import add_policy
from inward.policy.authoring.fill import fill
from inward.policy.authoring.templates import HOLES, OPTIONAL, TEMPLATES, template_named

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inward.policy.authoring.templates import Template


def template(
    name: Annotated[
        str | None, typer.Argument(metavar="TEMPLATE", help="Its name; without one, all are listed.")
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Argument(metavar="HOLE=VALUE", help="What to fill in; without any, the holes are listed."),
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Add the policy to the file that it belongs in.")] = False,
    system: SystemOption = Path(),
    json: JSONOption = False,
) -> int:
    """Fill in a template of a common grant or guardrail, and print the policy.

    In a system folder the policy is checked against the system first, as it would be with the policy in it.
    """
    if name is None:
        _list(as_json=json)
        return ExitCode.SUCCESS
    chosen = template_named(name)
    if not values and not write:
        _describe(chosen, as_json=json)
        return ExitCode.SUCCESS
    given = _parsed(values or ())
    now = datetime.now(UTC)
    if not write and system == Path() and not (system / SYSTEM_FILE).exists():
        filled = fill(chosen, given, None, (), now)
        line = None
    else:
        folder = system_folder(system)
        policy = load_policy(folder)
        filled = fill(chosen, given, policy.catalog, policy.policies.by_id, now)
        (change,) = add_policy(folder, policy.catalog, filled.file or "", filled.text, write=write).changes
        line = change.place.line
    if json:
        print_json({"policy": filled.id, "file": filled.file, "line": line, "text": filled.text, "written": write})
        return ExitCode.SUCCESS
    print_line(printable_lines(filled.text))
    if write:
        remark(styled(f"added: {filled.file}:{line}", "green"))
    elif line is None:
        remark(styled("not checked: this is no system folder", "yellow"))
    else:
        remark(styled(f"it fits the system; `--write` adds it to {filled.file}", "dim"))
    return ExitCode.SUCCESS


def _parsed(values: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in values:
        key, equals, value = each.partition("=")
        if not equals:
            raise BadInputError(f"`{shown(each)}` fills no hole", hint="write HOLE=VALUE, such as caller=checkout")
        if key in found:
            raise BadInputError(f"`{shown(key)}` is given twice", hint="give each hole one value")
        found[key] = value
    return found


def _list(*, as_json: bool) -> None:
    if as_json:
        print_json({"templates": [_as_json(each) for each in TEMPLATES.values()]})
        return
    table = Table(["template", "what it says"])
    table.add([[each.name, each.what] for each in TEMPLATES.values()])


def _describe(chosen: Template, *, as_json: bool) -> None:
    if as_json:
        print_json(_as_json(chosen))
        return
    print_line(styled(chosen.what, "bold"))
    table = Table(["hole", "", "what it is"])
    table.add([[hole, "may be left out" if hole in OPTIONAL else "", HOLES[hole]] for hole in chosen.all_holes])
    needed = " ".join(f"{hole}=…" for hole in chosen.all_holes if hole not in OPTIONAL)
    print_line(styled(f"inward policy template {chosen.name} {needed}", "dim"))


def _as_json(chosen: Template) -> dict[str, Any]:
    holes = [{"name": hole, "required": hole not in OPTIONAL, "what": HOLES[hole]} for hole in chosen.all_holes]
    return {"template": chosen.name, "what": chosen.what, "guardrail": chosen.guardrail, "holes": holes}
