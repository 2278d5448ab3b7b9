"""The program `inward`: its commands, and how errors become one clear line and an exit code."""

from __future__ import annotations

import sys

import typer

from inward.cli.check import check
from inward.cli.output import print_error
from inward.cli.up import up
from inward.errors import BadInputError, ExitCode, InwardError

# What Typer raises for a wrong command line; it exports only this subclass of it by name.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="inward",
    help="Internal APIs that ask for an identity, allow only what was granted, and leave a record.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(up)
app.command()(check)


def main() -> None:
    """Run the command line; every `InwardError` ends it with its message and its exit code."""
    try:
        app(standalone_mode=False)
    except InwardError as error:
        print_error(error)
        sys.exit(int(error.exit_code))
    except UsageError as error:
        print_error(BadInputError(error.format_message().rstrip(".").lower(), hint="see `inward --help`"))
        sys.exit(int(ExitCode.BAD_INPUT))
    except typer.Exit as ended:
        sys.exit(ended.exit_code)
    except typer.Abort:
        sys.exit(int(ExitCode.FAILURE))
