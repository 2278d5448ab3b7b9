"""What a program is asked, without an identity, to find out whether it is guarded: all of it must be refused.

Nothing that could change something is ever asked. A program without a guard would carry it out, so that:

1. A path that nobody has comes first. What refuses it there is a guard that stands before everything.
2. Operations with a safe method (RFC 9110 section 9.2.1) are asked as they are documented.
3. Of the others the path is asked, with `OPTIONS`.
4. Paths come last that programs often serve beside what is documented: pages of frameworks, metrics, static files.

A gRPC service is asked for a method that nobody has, and nothing else: its guard is asked about every method alike.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inward.catalog.resolve import Resolver

if TYPE_CHECKING:
    from inward.catalog.model import Operation, Service

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
OFTEN_SERVED = (
    "/",
    "/admin/",
    "/docs",
    "/favicon.ico",
    "/graphql",
    "/health",
    "/healthz",
    "/metrics",
    "/openapi.json",
    "/redoc",
    "/schema",
    "/static/",
)
_VALUES = {"integer": "0", "boolean": "true"}


@dataclass(frozen=True, slots=True)
class Question:
    """A request to make. `about_routes`: a guard is asked what its application serves too. `by_grpc`: it is a call."""

    method: str
    path: str
    about_routes: bool = False
    by_grpc: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def can_be_asked(service: Service) -> bool:
    """Tell whether a service can be asked: it has a guard, and a socket over which its Envoy calls it."""
    return service.guarded and "{socket}" in (service.run or "")


def questions_of(service: Service) -> list[Question]:
    """Return what to ask, in the order in which to ask it; the first one differs each time."""
    nobody = f"inward-probe-{secrets.token_hex(8)}"
    if any(operation.rpc for operation in service.operations):
        return [Question("POST", f"/{nobody}/Ask", by_grpc=True)]
    operations = sorted(service.operations, key=lambda each: (each.method not in SAFE, each.template.text, each.method))
    documented = [Question(each.method if each.method in SAFE else "OPTIONS", _path(each)) for each in operations]
    resolve = Resolver(service).resolve
    beside = [Question("GET", path) for path in OFTEN_SERVED if resolve("GET", path) is None]
    return list(dict.fromkeys([Question("GET", f"/{nobody}", about_routes=True), *documented, *beside]))


def _path(operation: Operation) -> str:
    """Return a path of an operation, with a value in each variable that its type allows."""
    types = {each.name: each.type for each in operation.parameters if each.where == "path"}
    path = operation.template.text
    for name in operation.template.variables:
        path = path.replace(f"{{{name}}}", _VALUES.get(str(types.get(name)), "x"), 1)
    return path
