"""The program `inward`: how errors become one clear line and an exit code."""

from __future__ import annotations

import os
import sys

import typer

from inward.cli.output import be_lenient, print_error
from inward.cli.program import program
from inward.errors import BadInputError, ExitCode, InwardError

# What Typer raises for a wrong command line; it exports only this subclass of it by name.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]


class OSFailureError(InwardError):
    """The operating system refused something."""

    code = "os_failure"


def main() -> None:
    """Run the command line; every `InwardError` ends it with its message and its exit code."""
    be_lenient()
    sys.exit(int(_run()))


def _run() -> int:
    try:
        ended = program(sys.argv[1:])(prog_name="inward", standalone_mode=False)
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
