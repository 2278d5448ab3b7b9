"""Operations that nobody granted, and what no description has.

What would change something is sent only where the policy refuses it and an enforcer carries that out, with a body that
is neither JSON nor a form, about an object that there is not: where it gives way all the same, an application that
looks at what it is sent does nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inward.catalog.model import Mode
from inward.control.attack.attempt import Attempt, not_sent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.catalog.model import Operation, Service
    from inward.control.attack.intruder import Intruder

# What frameworks, debuggers and operators put there.
_GUESSED = (
    "/",
    "/.env",
    "/admin",
    "/actuator/env",
    "/debug/pprof/",
    "/docs",
    "/graphql",
    "/health",
    "/metrics",
    "/openapi.json",
    "/server-status",
)
_METHODS = ("TRACE", "get", "ATTACK", "PATCH", "PUT", "POST", "DELETE")
_OVERRIDES = ("x-http-method-override", "x-http-method", "x-method-override")
MOST_OF_A_CALLEE = 3  # operations that are tried in many ways


def ungranted(intruder: Intruder) -> Iterator[Attempt]:
    """Yield a call of each operation of another service that the policy refuses."""
    for callee in intruder.callees:
        for operation in intruder.refused(callee):
            path = intruder.path(operation)
            what = f"{'gRPC' if operation.rpc else operation.method} {path}"
            method = "GET" if operation.read_only else operation.method
            reason = intruder.sendable(method, operation.mode)
            if reason is not None:
                yield not_sent("ungranted", operation.id, what, reason)
                continue
            outgoing = intruder.outgoing(callee.name, operation.method, path, rpc=operation.rpc is not None)
            yield intruder.try_call("ungranted", operation.id, what, outgoing, operation=operation)


def unknown(intruder: Intruder) -> Iterator[Attempt]:
    """Yield calls of each other service that no description has: paths, methods, and methods named by headers."""
    for callee in intruder.callees:
        known = {operation.template.text for operation in callee.operations}
        for path in (f"/{intruder.tag}", *(each for each in _GUESSED if each not in known)):
            yield intruder.try_call("unknown", callee.name, f"GET {path}", intruder.outgoing(callee.name, "GET", path))
        for operation in _by_path(callee)[:MOST_OF_A_CALLEE]:
            yield from _other_methods(intruder, callee, operation)
        for operation in intruder.refused(callee)[:MOST_OF_A_CALLEE]:
            yield from _overridden(intruder, callee, operation)


def _by_path(callee: Service) -> list[Operation]:
    """Return one operation of each path, none of gRPC."""
    found = {each.template.text: each for each in callee.operations if each.rpc is None}
    return list(found.values())


def _other_methods(intruder: Intruder, callee: Service, operation: Operation) -> Iterator[Attempt]:
    path = intruder.path(operation)
    described = {each.method for each in callee.operations if each.template.match(path) is not None}
    for method in _METHODS:
        if method in described:
            continue
        what = f"{method} {path}"
        harmless = method in {"TRACE", "get", "ATTACK"}
        reason = None if harmless else intruder.sendable(method, callee.mode)
        if reason is not None:
            yield not_sent("unknown", callee.name, what, reason)
        else:
            yield intruder.try_call("unknown", callee.name, what, intruder.outgoing(callee.name, method, path))


def _overridden(intruder: Intruder, callee: Service, operation: Operation) -> Iterator[Attempt]:
    """Yield refused calls whose headers say that they are others."""
    if operation.rpc is not None or operation.mode is Mode.OBSERVE:
        return
    path = intruder.path(operation)
    claimed = next((each.method for each in intruder.granted(callee)), "OPTIONS")
    what = f"{operation.method} {path}, called {claimed} by a header"
    reason = intruder.sendable(operation.method, operation.mode)
    if reason is not None:
        yield not_sent("unknown", operation.id, what, reason)
        return
    headers = [(name, claimed) for name in _OVERRIDES]
    outgoing = intruder.outgoing(callee.name, operation.method, path, headers)
    yield intruder.try_call("unknown", operation.id, what, outgoing, operation=operation)
