"""The program `inward`: its commands, and how errors become one clear line and an exit code."""

from __future__ import annotations

import os
import sys

import typer

from inward.cli.allow import allow
from inward.cli.call import call
from inward.cli.calls import calls
from inward.cli.check import check
from inward.cli.down import down
from inward.cli.explain import explain
from inward.cli.init import init
from inward.cli.output import print_error
from inward.cli.quarantine import quarantine
from inward.cli.revoke import revoke
from inward.cli.status import status
from inward.cli.up import up
from inward.errors import BadInputError, ExitCode, InwardError

# What Typer raises for a wrong command line; it exports only this subclass of it by name.
UsageError = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="inward",
    help="Internal APIs that ask for an identity, allow only what was granted, and leave a record.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (init, check, up, status, call, calls, explain, allow, revoke, quarantine, down):
    app.command()(command)


class OSFailureError(InwardError):
    """The operating system refused something."""

    code = "os_failure"


def main() -> None:
    """Run the command line; every `InwardError` ends it with its message and its exit code."""
    sys.exit(int(_run()))


def _run() -> int:
    try:
        ended = app(standalone_mode=False)
    except InwardError as error:
        print_error(error)
        return error.exit_code
    except UsageError as error:
        print_error(BadInputError(_lower(error.format_message()), hint="see `inward --help`"))
        return ExitCode.BAD_INPUT
    except typer.Exit as error:
        return error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return ExitCode.FAILURE
    except BrokenPipeError:
        # Whoever read our output has read enough. What is left in its buffer must not be tried again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILURE
    except OSError as error:
        where = f"`{os.fsdecode(error.filename)}`: " if error.filename else ""
        print_error(OSFailureError(where + (error.strerror or str(error)).lower()))
        return ExitCode.FAILURE
    return ended if isinstance(ended, int) else ExitCode.SUCCESS


def _lower(message: str) -> str:
    """Return a message of Typer's as ours are: lower case at its beginning, no full stop, one line."""
    text = " ".join(message.split()).rstrip(".")
    return text[:1].lower() + text[1:]
