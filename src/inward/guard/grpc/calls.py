"""What both interceptors share: which policies are in force, what is asked of `guard.core`, and the views of messages.

Only what comes over a Unix socket is private, as gRPC itself names the peer. A call of a method that no API description
has is refused like any unknown operation, whether the server serves it or not. That holds for `grpc.health` and
`grpc.reflection` too.

Nothing can be served past an interceptor, so there is nothing to be found open. What is served and nobody described is
told: a method that is added to a server that is watched, as generated code adds it, and else when it is first called.
An interceptor does not know its server, and handlers that answer any method do not say which.
"""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from inward.guard.bodies.answer import MAX_BYTES
from inward.guard.bundle import FollowedBundle, followed_bundle
from inward.guard.core import MAX_VIEWS, Inbound
from inward.guard.grpc.exchange import Exchange
from inward.guard.grpc.messages import MessageView, message_type
from inward.guard.onward import NAMES as PASSED_ON
from inward.guard.routes.report import HEADER as PROBE_HEADER
from inward.identity.forwarded import CALLER_HEADER
from inward.viewing.places import UnviewableError, compile_places

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inward.catalog.model import Operation
    from inward.guard.bodies.search import Search
    from inward.guard.bodies.view import View
    from inward.guard.core import Admission, Core

METHOD = "POST"  # of every gRPC call
MAX_TOLD = 1000  # methods that no description has, each of which is told once
_PRIVATE = "unix:"
_logger = logging.getLogger("inward.guard")


class Details(Protocol):
    """What gRPC tells an interceptor: `grpc.HandlerCallDetails`."""

    method: str
    invocation_metadata: Sequence[tuple[str, str | bytes]]


class Calls:
    """The calls of one guarded server."""

    def __init__(
        self, *, allow_unguarded: bool = False, max_bytes: int = MAX_BYTES, bundle: FollowedBundle | None = None
    ) -> None:
        self.bundle = bundle or followed_bundle(os.environ, allow_unguarded=allow_unguarded)
        self._max_bytes = max_bytes
        self._made: _Made | None = None
        self._told: set[str] = set()

    def begin(self, core: Core, details: Details, peer: str, *, streamed: bool, served: bool = True) -> Exchange:
        """Decide about a call, now; what it begins may be a refusal. `streamed`: its answer is a stream of messages."""
        admission = core.admit(_inbound(details, peer), datetime.now(UTC))
        if served and admission.call.operation is None:
            self._tell(details.method)
        made = self._made
        if made is None or made.core is not core:
            made = self._made = _Made(core)
        return Exchange(
            admission, made.view(admission), made.search(admission), streamed=streamed, max_bytes=self._max_bytes
        )

    def watch(self, server: Any) -> None:  # noqa: ANN401 - grpcio has no types
        """Tell of each method that is added to a server from now on, and that no API description has."""
        add = server.add_registered_method_handlers

        def add_and_tell(service_name: str, method_handlers: Mapping[str, object]) -> None:
            if self.bundle is not None:
                core = self.bundle.ready() or self.bundle.follow()
                known = {operation.template.text for operation in core.service.operations}
                for name in sorted({f"/{service_name}/{each}" for each in method_handlers} - known):
                    self._tell(name)
            add(service_name, method_handlers)

        server.add_registered_method_handlers = add_and_tell

    def _tell(self, method: str) -> None:
        if method not in self._told and len(self._told) < MAX_TOLD:
            self._told.add(method)
            _logger.warning(
                "`%s` is served, which no API description has: every call of it is refused in mode enforce", method
            )


class _Made:
    """The views and searches that were compiled for one version of the policies."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self._operations = {operation.id: operation for operation in core.service.operations}
        self._views: dict[View | Search, MessageView | None] = {}

    def view(self, admission: Admission) -> MessageView | None:
        """Return the view of the answers; None where there is none, which an answer that is held back needs."""
        view = admission.view
        if view is None:
            return None
        if view not in self._views:
            operation = self._operations[admission.call.operation or ""]
            self._keep(view, _compiled_view(operation, view))
        return self._views[view]

    def search(self, admission: Admission) -> MessageView | None:
        """Return what is looked for in the request; None where there is nothing, or it cannot be said where."""
        search = admission.search
        if search is None:
            return None
        if search not in self._views:
            operation = self._operations[admission.call.operation or ""]
            self._keep(search, _compiled_search(operation, search))
        return self._views[search]

    def _keep(self, key: View | Search, view: MessageView | None) -> None:
        if len(self._views) >= MAX_VIEWS:
            self._views = {}
        self._views[key] = view


def _compiled_view(operation: Operation, view: View) -> MessageView | None:
    try:
        rpc = operation.rpc
        return MessageView(message_type(rpc.descriptors, rpc.output), view.place, view.said) if rpc else None
    except UnviewableError:
        return None


def _compiled_search(operation: Operation, search: Search) -> MessageView | None:
    try:
        rpc = operation.rpc
        if rpc is None:
            return None
        place, _ = compile_places(operation.body, dict.fromkeys(sorted(search.classes), "drop"))
        return MessageView(message_type(rpc.descriptors, rpc.input), place, _dropped)
    except UnviewableError:
        return None


def _dropped(*_: object) -> None:
    """Say nothing in the place of a text: a search changes nothing that is handed on."""


def _inbound(details: Details, peer: str) -> Inbound:
    forwarded: list[str] = []
    passed: list[tuple[str, str]] = []
    reference, traceparent, probe = "", None, False
    for name, value in details.invocation_metadata or ():
        text = value if isinstance(value, str) else value.decode("latin-1")
        if name in PASSED_ON:
            passed.append((name, text))
        probe = probe or name == PROBE_HEADER
        if name == CALLER_HEADER:
            forwarded.append(text)
        elif name == "x-request-id":
            reference = text
        elif name == "traceparent":
            traceparent = text
    return Inbound(
        method=METHOD,
        path=details.method,
        query="",
        forwarded=tuple(forwarded),
        private=peer.startswith(_PRIVATE),
        reference=reference,
        traceparent=traceparent,
        probe=probe,
        passed=tuple(passed),
    )
