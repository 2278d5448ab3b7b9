"""The look that a guard takes at its application: when it starts, or before its first request where nobody tells it.

1. Everything that the framework serves is held against the API description. An undocumented route is refused by the
   guard like any unknown operation, so it is told: somebody forgot to describe it, or meant to take it out.
2. Every route, and every documented operation, is asked without an identity (`probe`). One that is not refused is open.
3. What was put around the guard later, and serves beside it, is open too.

In mode enforce a service of which something is open does not start. In mode observe nothing would be refused, so it is
told, and nothing more.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from inward.catalog.model import Mode
from inward.guard.bundle import GuardError
from inward.guard.routes.report import MOST_TOLD, Report
from inward.guard.routes.route import WEBSOCKET, Route
from inward.guard.routes.served import around, routes_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inward.catalog.model import Service
    from inward.guard.bodies.answer import Answer

MOST_NAMED = 5  # routes in one text
_VARIABLE = re.compile(r"\{[^{}]*\}")
_logger = logging.getLogger("inward.guard")


@dataclass(frozen=True)
class Look:
    """What was seen of an application of a service. `routes` is None where it is of no known kind."""

    service: Service
    routes: tuple[Route, ...] | None
    undocumented: tuple[Route, ...]
    beside: tuple[Route, ...]

    @property
    def asked(self) -> tuple[Route, ...]:
        """What is to be asked: all that is served, and all that is documented, served or not."""
        documented = (Route(each.template.text, each.method) for each in self.service.operations)
        return tuple(dict.fromkeys((*(self.routes or ()), *documented)))

    def answered(self, answer: Answer) -> Answer:
        """Return a refusal with a report of what was seen in it."""
        count = None if self.routes is None else len(self.routes)
        told = Report(routes=count, undocumented=tuple(map(str, self.undocumented[:MOST_TOLD])))
        body = msgspec.json.encode({**msgspec.json.decode(answer.body), "report": told})
        headers = [each for each in answer.headers if each[0] != "content-length"]
        return type(answer)(answer.status, [*headers, ("content-length", str(len(body)))], body)


def look_at(guard: Any, service: Service) -> Look:  # noqa: ANN401 - a guard of either interface
    """Look at what stands in a guard. Never raises: what cannot be read of a framework is not known."""
    try:
        routes, beside = routes_of(guard.app), around(guard)
    except Exception:
        _logger.warning("the routes of %s cannot be read", service.name, exc_info=True)
        routes, beside = None, ()
    return Look(service, routes, undocumented(routes or (), service), beside)


def undocumented(routes: Iterable[Route], service: Service) -> tuple[Route, ...]:
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


def tell(look: Look) -> None:
    """Log what is served without being documented, or that nothing is known of it."""
    service = look.service
    if look.routes is None:
        _logger.info(
            "it is not known which routes %s serves: what is undocumented is refused all the same", service.name
        )
    elif not look.routes and service.operations:
        _logger.warning(
            "no route of %s was found, and %d operations are documented: is this the application that serves them?",
            service.name,
            len(service.operations),
        )
    for route in look.undocumented:
        why = "which is no operation" if route.method == WEBSOCKET else "which no API description has"
        _logger.warning("%s serves `%s`, %s: every call of it is refused in mode enforce", service.name, route, why)


def require_closed(look: Look, served: Iterable[Route]) -> None:
    """Raise `GuardError` where something of a service that enforces is open: `served` was not refused when asked."""
    service = look.service
    open_ = [*served, *look.beside]
    if not open_:
        return
    shown = ", ".join(f"`{route}`" for route in open_[:MOST_NAMED])
    more = f" and {len(open_) - MOST_NAMED} more" if len(open_) > MOST_NAMED else ""
    told = f"{service.name} serves {shown}{more} past its guard"
    if Mode.ENFORCE not in {service.mode, *(operation.mode for operation in service.operations)}:
        _logger.warning("%s", told)
        return
    raise GuardError(told, hint="put the guard around everything that is served, as the last line")


def _shape(path: str) -> str:
    return _VARIABLE.sub("{}", path)
