"""Routes of Starlette and FastAPI, with everything that they mount and include, however late and deep.

A mount of an application of another framework is followed. Of static files, and of applications of no known kind,
it is known where they are mounted, and no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inward.guard.routes.route import WEBSOCKET, Route, own

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inward.guard.routes.route import Below


def routes(app: Any, prefix: str, below: Below) -> Iterator[Route] | None:  # noqa: ANN401 - any framework's application
    """Return the routes of an application, or of a router, under a prefix; None where it is of another framework."""
    served = getattr(app, "routes", None)
    return _each(served, prefix, below) if isinstance(served, (list, tuple)) else None


def _each(served: Iterable[Any], prefix: str, below: Below) -> Iterator[Route]:
    for route in served:
        included = getattr(route, "effective_route_contexts", None)
        if included is not None:  # FastAPI includes routers only when they are asked
            yield from _each([getattr(each, "starlette_route", None) or each for each in included()], prefix, below)
            continue
        path = prefix + str(getattr(route, "path", ""))
        inner = getattr(route, "app", None)
        if any("WebSocket" in each.__name__ for each in type(route).__mro__):
            yield Route(path, WEBSOCKET)
        elif inner is not None and getattr(route, "endpoint", None) is None:  # a mount, or a host
            yield from below(getattr(route, "_base_app", inner), path)  # not what middleware makes of it
        else:
            yield from (Route(path or "/", method) for method in own(getattr(route, "methods", None)))
