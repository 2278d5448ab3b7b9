"""Routes of Litestar, with the ASGI applications that it mounts. Static files and the schema are routes like others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inward.guard.routes.route import WEBSOCKET, Route, made_by, own

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.guard.routes.route import Below


def routes(app: Any, prefix: str, below: Below) -> Iterator[Route] | None:  # noqa: ANN401 - any framework's application
    """Return the routes of an application under a prefix; None where it is of another framework."""
    if not made_by(app, "litestar") or not isinstance(getattr(app, "routes", None), list):
        return None
    return _each(app, prefix, below)


def _each(app: Any, prefix: str, below: Below) -> Iterator[Route]:  # noqa: ANN401 - as above
    for route in app.routes:
        path = prefix + str(getattr(route, "path_format", route.path))
        kind = type(route).__name__
        if kind.startswith("WebSocket"):
            yield Route(path, WEBSOCKET)
        elif kind.startswith("ASGI"):
            handler = route.route_handler
            yield from below(handler.fn, path) if getattr(handler, "is_mount", False) else [Route(path, None)]
        else:
            yield from (Route(path, method) for method in own(route.methods))
