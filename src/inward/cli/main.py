"""The program `inward`: its commands, and how errors become one clear line and an exit code."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inward import __version__
from inward.cli.allow import allow
from inward.cli.call import call
from inward.cli.calls import calls
from inward.cli.check import check
from inward.cli.demo import demo
from inward.cli.down import down
from inward.cli.explain import explain
from inward.cli.init import init
from inward.cli.output import be_lenient, print_error, print_line
from inward.cli.quarantine import quarantine
from inward.cli.revoke import revoke
from inward.cli.status import status
from inward.cli.up import up
from inward.errors import BadInputError, ExitCode, InwardError

if TYPE_CHECKING:
    from collections.abc import Callable

# What Typer raises for a wrong command line; it exports only this subclass of it by name.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="inward",
    help="Internal APIs that ask for an identity, allow only what was granted, and leave a record.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def _program(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print_line(f"inward {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print_line(context.get_help())
        raise typer.Exit


# In the order of a day with it; the words must fit a line of the list.
_COMMANDS: dict[Callable[..., Any], str] = {
    init: "begin a system folder",
    check: "validate the system folder, print findings",
    up: "start every service behind its Envoy, and keep them running",
    status: "what runs, and what each Envoy really enforces",
    call: "make one call as a service (development)",
    calls: "the record of all calls, allowed and refused",
    explain: "why a call is allowed or refused, and what would allow it",
    allow: "write a grant into its owner's file",
    revoke: "take a grant out again",
    quarantine: "cut a service off, or release it",
    down: "end what a killed `inward up` has left",
    demo: "an example company behind Inward, with traffic",
}
for _function, _words in _COMMANDS.items():
    app.command(short_help=_words)(_function)


class OSFailureError(InwardError):
    """The operating system refused something."""

    code = "os_failure"


def main() -> None:
    """Run the command line; every `InwardError` ends it with its message and its exit code."""
    be_lenient()
    sys.exit(int(_run()))


def _run() -> int:
    try:
        ended = app(prog_name="inward", standalone_mode=False)
    except typer.Exit as error:
        return error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return ExitCode.FAILURE
    except BrokenPipeError:
        # Whoever read our output has read enough. What is left in its buffer must not be tried again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILURE
    except (InwardError, UsageError, OSError) as error:
        known = _known(error)
        print_error(known)
        return known.exit_code
    return ended if isinstance(ended, int) else ExitCode.SUCCESS


def _known(error: Exception) -> InwardError:
    """Return an error as one of ours."""
    if isinstance(error, InwardError):
        return error
    if isinstance(error, OSError):
        where = f"`{os.fsdecode(error.filename)}`: " if isinstance(error.filename, str | bytes) else ""
        return OSFailureError(where + (error.strerror or str(error)).lower())
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "inward"
    told = error.format_message() if isinstance(error, typer.BadParameter) else getattr(error, "message", str(error))
    return BadInputError(_lower(str(told)), hint=f"see `{command} --help`")


def _lower(message: str) -> str:
    """Return a message of Typer's as ours are: lower case at its beginning, no full stop, one line."""
    text = " ".join(message.split()).rstrip(".").replace("'", "`")
    return text[:1].lower() + text[1:]
