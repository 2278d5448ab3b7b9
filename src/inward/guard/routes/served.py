"""What an application serves, of whatever framework, and behind whatever stands around it.

It leaves out frameworks that it does not know: of these it says that it does not know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inward.guard.routes import django, litestar, starlette, werkzeug
from inward.guard.routes.route import Below, Route, mounted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MAX_DEPTH = 32  # applications within applications
# The last one is told by the least.
_FRAMEWORKS: tuple[Callable[[Any, str, Below], Iterator[Route] | None], ...] = (
    litestar.routes,
    django.routes,
    werkzeug.routes,
    starlette.routes,
)
_INNER = ("app", "wsgi_app", "asgi_app", "application", "__self__")  # the last one is that of a method that serves


def routes_of(app: Any) -> tuple[Route, ...] | None:  # noqa: ANN401 - any framework's application
    """Return what an application serves, sorted; None where it is of no known kind."""
    found = _routes(app, "", ())
    return None if found is None else tuple(sorted(set(found), key=lambda route: (route.path, route.method or "")))


def around(guard: Any) -> tuple[Route, ...]:  # noqa: ANN401 - a guard of either interface
    """Return what is served beside a guard that stands in `app.wsgi_app` or `app.asgi_app` of its own application.

    Something that was put around it later serves other applications too, and these are not guarded. What stands around
    a guard in any other way cannot be seen from here.
    """
    owner = getattr(getattr(guard, "app", None), "__self__", None)
    outer = getattr(owner, "wsgi_app", None) or getattr(owner, "asgi_app", None)
    beside: list[Route] = []
    for _ in range(MAX_DEPTH):
        if outer is None or outer is guard:
            return tuple(beside)
        beside += [mounted(prefix) for prefix, app in _mounts(outer).items() if app is not guard]
        outer = _inner(outer)
    return ()


def _routes(app: Any, prefix: str, within: tuple[Any, ...]) -> Iterator[Route] | None:  # noqa: ANN401 - as above
    """Return the routes of an application that stands `within` others; none of those is looked at again."""

    def below(inner: Any, at: str) -> Iterator[Route]:  # noqa: ANN401 - as above
        found = _routes(inner, at, within)
        if found is None:
            yield mounted(at)
        else:
            yield from found

    while app is not None and len(within) < MAX_DEPTH and not any(app is each for each in within):
        within = (*within, app)
        for routes in _FRAMEWORKS:
            found = routes(app, prefix, below)
            if found is not None:
                return found
        inner, mounts = _inner(app), _mounts(app)
        if mounts:
            every = [*mounts.items(), *([("", inner)] if inner is not None else [])]
            return (route for at, each in every for route in below(each, prefix + at))
        app = inner
    return None


def _inner(app: Any) -> Any:  # noqa: ANN401 - as above
    return next((inner for name in _INNER if (inner := getattr(app, name, None)) is not None), None)


def _mounts(app: Any) -> Mapping[str, Any]:  # noqa: ANN401 - as above
    """Return the applications by prefix of a dispatcher, as Werkzeug's and Hypercorn's have them."""
    mounts = getattr(app, "mounts", None)
    return {str(prefix): each for prefix, each in mounts.items()} if isinstance(mounts, dict) else {}
