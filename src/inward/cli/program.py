"""The commands of the program, in the order of a day with it.

A command, its function and its file have one name. Only the command that was asked for is imported, since the whole of
it takes a second to import, and whoever cuts a service off has none to spare; help and typing errors see all of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Annotated

import typer

from inward import __version__
from inward.cli.output import print_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# The words must fit a line of the list.
COMMANDS = {
    "init": "begin a system folder",
    "check": "validate the system folder, print findings",
    "discover": "a first catalog, from code, logs or what runs",
    "reflect": "write down what a running gRPC server serves",
    "up": "start every service behind its Envoy, and keep them running",
    "status": "what runs, and what each Envoy really enforces",
    "call": "make one call as a service (development)",
    "calls": "the record of all calls, allowed and refused",
    "explain": "why a call is allowed or refused, and what would allow it",
    "data": "the data classes: who owns, serves, may see and has seen them",
    "surface": "every operation, who calls it, what is wrong with it",
    "unused": "grants, conditions and disclosures that nobody used",
    "tighten": "policy files that allow what was used, and nothing more",
    "reach": "what a service that is taken over could call and read",
    "attack": "take the place of a service, and try what an intruder would",
    "allow": "write a grant into its owner's file",
    "revoke": "take a grant out again",
    "quarantine": "cut a service off, or release it",
    "down": "end what a killed `inward up` has left",
    "demo": "an example company behind Inward, with traffic",
}
# In the order of a change to a policy.
POLICY_COMMANDS = {
    "template": "a common grant or guardrail, filled in",
    "test": "run the tests of the policies: policies/*.test.yaml",
    "prove": "that no grant allows what a guardrail names, whatever the request",
    "diff": "what a change allows and refuses, in effects and not in lines",
    "replay": "what a proposed policy would change of recorded calls",
    "fmt": "lay policy files out in one style",
}
# In the order of an audit.
AUDIT_COMMANDS = {
    "verify": "that nothing in the record was changed since it was signed",
    "fsck": "which segment and which entry of the record are damaged",
    "prove": "write evidence of a call, for others to check",
    "check": "check such evidence, by the public key alone",
    "consistency": "that the record only grew since an older checkpoint",
}
# What is made of the record, and can be made anew.
ROLLUP_COMMANDS = {
    "verify": "that the rollups are what the record comes to",
    "rebuild": "make the rollups anew from the record",
}
# In the order in which an alert is dealt with.
ALERT_COMMANDS = {
    "show": "one alert, its calls, and what to do",
    "ack": "somebody has looked at an alert",
    "mute": "tell nobody of some alerts, until a time",
    "unmute": "end a mute before its time",
    "rules": "what is watched, muted, and who is told",
    "test": "check the settings and the rules of alerts",
    "replay": "which alerts the record would have given rise to",
}
LISTS = frozenset({"alerts"})  # groups that print a list where no command follows; it is in a file of the same name
GROUPS = {
    "alerts": (
        ALERT_COMMANDS,
        "what looks like misuse, and what to do about it",
        "Print the alerts, newest last; acknowledge and mute them, and try their rules.",
    ),
    "policy": (
        POLICY_COMMANDS,
        "write, test, prove, compare, replay and format policies",
        "Write, test, prove, compare, replay and format the policies of a system.",
    ),
    "audit": (AUDIT_COMMANDS, "verify and prove the record", "Verify the record, and prove to others what it holds."),
    "rollup": (
        ROLLUP_COMMANDS,
        "verify and rebuild what the record comes to, by minute and edge",
        "Verify and rebuild the rollups: what the record comes to by minute, hour and day, and edge.",
    ),
}


def program(arguments: Sequence[str]) -> typer.Typer:
    """Return the program with the command that `arguments` (without the program's name) ask for, or with all."""
    app = typer.Typer(
        name="inward",
        help="Internal APIs that ask for an identity, allow only what was granted, and leave a record.",
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback(invoke_without_command=True)(_begin)
    first, *rest = arguments or [""]
    if first not in GROUPS:
        _add(app, "inward.cli", COMMANDS, first)
    for name in [first] if first in GROUPS else [] if first in COMMANDS else GROUPS:
        commands, short, long = GROUPS[name]
        group = typer.Typer(name=name, help=long, rich_markup_mode=None)
        begin = getattr(import_module(f"inward.cli.{name}.{name}"), name) if name in LISTS else _list
        group.callback(invoke_without_command=True)(begin)
        _add(group, f"inward.cli.{name}", commands, rest[0] if first == name and rest else "")
        app.add_typer(group, short_help=short)
    return app


def _add(app: typer.Typer, package: str, commands: Mapping[str, str], wanted: str) -> None:
    """Add the command that is wanted; all of them where it is none of these."""
    for name in [wanted] if wanted in commands else commands:
        app.command(name, short_help=commands[name])(getattr(import_module(f"{package}.{name}"), name))


def _begin(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print_line(f"inward {__version__}")
        raise typer.Exit
    _list(context)


def _list(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print_line(context.get_help())
        raise typer.Exit
