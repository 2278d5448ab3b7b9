"""The call that a handler is serving: who called, which operation, under which reference and trace.

It is there while a guarded application runs, in the task or thread that serves the request and in what those start with
a copy of their context. A WSGI application's generator runs after that, and must ask before.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from inward.errors import InwardError

if TYPE_CHECKING:
    from inward.guard.core import Call

serving: ContextVar[Call | None] = ContextVar("inward.call", default=None)


class NoCallError(InwardError):
    """There is no call here: nothing guarded is being served."""

    code = "no_call"


def current_call() -> Call:
    """Return the call that is being served, or raise `NoCallError`."""
    call = serving.get()
    if call is None:
        raise NoCallError(
            "no guarded call is being served here", hint="ask inside a handler of the guarded application"
        )
    return call
