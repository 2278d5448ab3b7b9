"""What a framework really serves, beside what the API description says: told when a guarded service starts.

An undocumented route is refused by the guard like any unknown operation, so what is told is what somebody forgot to
describe, or meant to take out. What stands in the application is asked by what it looks like, so no framework is needed
to ask it: routes of Starlette and FastAPI with everything that they mount and include, rules of Flask and Quart.

It leaves out frameworks that it does not know (Litestar, Django): nothing is told of them.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.catalog.model import Service

MAX_DEPTH = 32  # applications within applications
_VARIABLE = re.compile(r"\{[^{}]*\}|<[^<>]*>")
_NO_OWN = frozenset({"HEAD", "OPTIONS"})  # frameworks add them to every GET
_logger = logging.getLogger("inward.guard")


@dataclass(frozen=True, slots=True, order=True)
class Route:
    """A path that an application serves. `method` is None for all of them, or where it is not known."""

    path: str
    method: str | None


def routes_of(app: Any) -> tuple[Route, ...] | None:  # noqa: ANN401 - any framework's application
    """Return what an application serves, sorted; None where it is of no known kind."""
    for _ in range(MAX_DEPTH):
        if isinstance(getattr(app, "routes", None), (list, tuple)):
            return tuple(sorted(set(_starlette(app.routes, "", 0)), key=_order))
        rules = getattr(getattr(app, "url_map", None), "iter_rules", None)
        if rules is not None:
            return tuple(sorted({Route(rule.rule, method) for rule in rules() for method in _flask(rule)}, key=_order))
        # middleware around an application, or the method of one that serves
        app = getattr(app, "app", None) or getattr(app, "wsgi_app", None) or getattr(app, "__self__", None)
        if app is None:
            return None
    return None


def undocumented(routes: tuple[Route, ...], service: Service) -> tuple[Route, ...]:
    """Return the routes that no operation of the service has, whatever their variables are called."""
    known = {(_shape(operation.template.text), operation.method) for operation in service.operations}
    paths = {path for path, _ in known}
    return tuple(
        route
        for route in routes
        if (
            _shape(route.path) not in paths if route.method is None else (_shape(route.path), route.method) not in known
        )
    )


def tell_routes(app: Any, service: Service) -> None:  # noqa: ANN401 - as above
    """Log what is served without being documented."""
    routes = routes_of(app)
    if routes is None:
        _logger.info(
            "it is not known which routes %s serves: what is undocumented is refused all the same", service.name
        )
        return
    for route in undocumented(routes, service):
        _logger.warning(
            "%s serves `%s %s`, which no API description has: every call of it is refused in mode enforce",
            service.name,
            route.method or "*",
            route.path,
        )


def _starlette(routes: Any, prefix: str, depth: int) -> Iterator[Route]:  # noqa: ANN401 - as above
    for route in routes:
        included = getattr(route, "effective_route_contexts", None)
        if included is not None:  # FastAPI includes routers only when they are asked
            contexts = list(included())
            yield from _starlette([getattr(each, "starlette_route", None) or each for each in contexts], prefix, depth)
            continue
        path = prefix + str(getattr(route, "path", ""))
        below = getattr(route, "routes", None)
        if isinstance(below, (list, tuple)) and below and depth < MAX_DEPTH:
            yield from _starlette(below, path, depth + 1)
        elif (methods := getattr(route, "methods", None)) is not None:
            own = set(methods) - _NO_OWN or set(methods)
            yield from (Route(path, method) for method in own)
        else:
            yield Route(path or "/", None)  # a mount of what is no framework of ours, static files, a WebSocket


def _flask(rule: Any) -> set[str]:  # noqa: ANN401 - as above
    methods = set(rule.methods or ())
    return methods - _NO_OWN or methods


def _shape(path: str) -> str:
    return _VARIABLE.sub("{}", path)


def _order(route: Route) -> tuple[str, str]:
    return route.path, route.method or ""
