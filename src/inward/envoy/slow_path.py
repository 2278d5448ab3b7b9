"""The slow path: an ASGI application that decides what Envoy cannot express (`ext_authz` over HTTP).

It listens on a Unix socket in a private folder, so only Envoys of this account ask it. What it is told is what the
ingress verified: the caller in `x-forwarded-client-cert`, which the ingress wrote anew, and the operation that the
route belongs to. Anything unclear is a refusal.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from inward.catalog.model import Mode
from inward.envoy.resources.slow_filter import DECISION_HEADER, MODE_HEADER, OPERATION_HEADER
from inward.identity.forwarded import CALLER_HEADER, peer_of
from inward.policy.decision import Decision, Reason
from inward.policy.request import Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from inward.catalog.model import Catalog
    from inward.policy.decide import Engine

Headers = Sequence[tuple[bytes, bytes]]  # names in lower case
_logger = logging.getLogger(__name__)


class PolicySource(Protocol):
    """What gives the slow path the policy in force."""

    @property
    def catalog(self) -> Catalog:
        """The catalog in force."""

    @property
    def engine(self) -> Engine:
        """The decision engine in force."""


def _only(headers: Headers, name: str) -> str:
    """Return a header that is there exactly once; else an empty text, which is nobody and nothing."""
    found = [value for key, value in headers if key == name.encode()]
    return found[0].decode("utf-8", "replace") if len(found) == 1 else ""


class SlowPath:
    """The application. `current` returns the policy in force; it is asked once a request."""

    def __init__(self, current: Callable[[], PolicySource]) -> None:
        self._current = current

    def decide(self, headers: Headers, target: str, now: datetime) -> Decision:
        """Decide one request; `target` is its path and query as Envoy routed it."""
        policy = self._current()
        peer = peer_of(_only(headers, CALLER_HEADER))
        caller = policy.catalog.by_spiffe_id(peer) if peer else None
        operation = policy.catalog.operations.get(_only(headers, OPERATION_HEADER))
        if operation is None:
            return Decision(allowed=False, reason=Reason.UNKNOWN_OPERATION)
        if caller is None:
            return Decision(allowed=False, reason=Reason.UNKNOWN_CALLER)
        path, _, query = target.partition("?")
        return policy.engine.decide(Request(caller.name, operation.id, path, query), now)

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer one request (ASGI 3.0): 200 lets the call on, 403 refuses it."""
        if scope["type"] != "http":
            return
        del receive  # Envoy sends no body here
        raw = scope.get("raw_path") or scope["path"].encode()
        target = raw.decode("latin-1") + (
            "?" + scope["query_string"].decode("latin-1") if scope["query_string"] else ""
        )
        headers = [(b"content-length", b"0")]
        try:
            decision = self.decide(scope["headers"], target, datetime.now(UTC))
        except Exception:
            # INVARIANT: whatever goes wrong is no decision, and Envoy does as if nobody had answered.
            _logger.exception("no decision")
            status = 503
        else:
            told = ":".join([decision.reason.value, *([",".join(decision.policies)] if decision.policies else [])])
            headers.append((DECISION_HEADER.encode(), told.encode()))
            # The mode is the one under which the route was configured, not that of a bundle that may be newer or older.
            observed = _only(scope["headers"], MODE_HEADER) == Mode.OBSERVE
            status = 200 if decision.allowed or observed else 403
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
