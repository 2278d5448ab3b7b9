"""What commands print: text for people on a terminal, JSON for programs, errors on standard error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import msgspec

from inward.errors import InvalidSystemError, InwardError

if TYPE_CHECKING:
    from inward.control.events import Event


def print_error(error: InwardError) -> None:
    """Say on standard error what went wrong and what to do."""
    if isinstance(error, InvalidSystemError):
        for mistake in error.mistakes:
            print(mistake, file=sys.stderr)
        return
    hint = f" ({error.hint})" if error.hint else ""
    print(f"inward: {error.message}{hint}", file=sys.stderr)


def print_json(value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Print one JSON document on one line."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def print_event(event: Event, *, as_json: bool) -> None:
    """Print an event of a run."""
    if as_json:
        print_json({"event": event.kind, "text": event.text, **event.data})
    else:
        print(event.text, flush=True)
