"""A route as it is told, whatever the framework, and the small things that every framework's module needs.

It leaves out what the routes of one framework look like: each has a module of its own, which finds an application by
what it looks like, so that no framework is needed to ask it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

WEBSOCKET = "WEBSOCKET"  # in the place of a method
BELOW = "{path}"  # everything below a mount, as the last segment of its path
_ADDED = frozenset({"HEAD", "OPTIONS"})  # frameworks add them to every GET


@dataclass(frozen=True, slots=True)
class Route:
    """A path that an application serves. `method` is None for all of them, or where it is not known.

    A variable stands in braces; what is called what is the framework's. `WEBSOCKET` is the method of a WebSocket.
    """

    path: str
    method: str | None

    def __str__(self) -> str:
        return f"{self.method or '*'} {self.path}"


Below = Callable[[Any, str], Iterator[Route]]  # yields what another application serves under a prefix


def made_by(app: Any, framework: str) -> bool:  # noqa: ANN401 - any framework's application
    """Tell whether an application is of a class of a framework, or of one derived from it."""
    return any(each.__module__.partition(".")[0] == framework for each in type(app).__mro__)


def own(methods: Iterable[str] | None) -> list[str | None]:
    """Return the methods that somebody meant; every one of them where none is named."""
    named = sorted(methods or ())
    return [method for method in named if method not in _ADDED] or list(named) or [None]


def mounted(prefix: str) -> Route:
    """Return the route of what is served below a prefix by something of which no more is known."""
    return Route(f"{prefix.rstrip('/')}/{BELOW}", None)
