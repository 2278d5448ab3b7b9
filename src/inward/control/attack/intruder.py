"""The intruder: what a process of the service has, and calls through its egress.

It is in the place of one service, so it has the address of that service's egress with its credential, the policy in
force (each service is given the folder of the bundle), and the addresses of the system. It has no key, and no
credential of another service.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from inward import __version__
from inward.catalog.model import Mode
from inward.control.attack import wire
from inward.control.attack.attempt import Attempt, Found, Sent, Verdict
from inward.control.egress_client import Outgoing
from inward.control.running import parse_address
from inward.policy.decision import Reason
from inward.policy.request import Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inward.catalog.model import Catalog, Operation, Service
    from inward.control.bundle import Policy
    from inward.control.egress_client import Answer
    from inward.control.layout import Layout
    from inward.control.running import Running, RunningService
    from inward.record.call import Call

USER_AGENT = f"inward-attack/{__version__}"
BODY = b"inward attack: this call should have been refused"  # no JSON and no form: what gets it cannot use it
EMPTY_MESSAGE = b"\0\0\0\0\0"  # of gRPC
# What says nothing of the grants: nobody was asked, nobody could decide, or one of both is cut off.
_UNDECIDED = frozenset(
    {
        Reason.UNREACHABLE,
        Reason.UNKNOWN_SERVICE,
        Reason.BAD_CREDENTIAL,
        Reason.SLOW_PATH_DOWN,
        Reason.QUARANTINED,
    }
)
_ERROR = 400
_Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True)
class Intruder:
    """Whoever is in the place of `service`. `tag` is in every name that it makes up."""

    service: str
    running: Running
    policy: Policy
    layout: Layout
    safe_only: bool = False
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    tag: str = field(default_factory=lambda: f"attack-{secrets.token_hex(4)}")
    _refused: dict[str, list[Operation]] = field(default_factory=dict, init=False, repr=False)

    @property
    def catalog(self) -> Catalog:
        """The catalog in force."""
        return self.policy.catalog

    @property
    def own(self) -> RunningService:
        """Addresses and credential of the service itself."""
        return self.running.services[self.service]

    @property
    def callees(self) -> list[Service]:
        """The other services that take calls."""
        return [each for each in self.catalog.services.values() if each.name != self.service and each.listen]

    @property
    def others(self) -> dict[str, RunningService]:
        """The other services of this run."""
        return {name: each for name, each in self.running.services.items() if name != self.service}

    def may(self, operation: Operation, path: str, caller: str | None = None) -> bool:
        """Tell whether the policy allows a call of a service, its own where none is named."""
        asked = Request(caller or self.service, operation.id, path)
        return self.policy.engine.decide(asked, self.now).allowed

    def path(self, operation: Operation) -> str:
        """Return a path that the operation means, of an object that there is not."""
        kinds = {each.name: each.type for each in operation.parameters if each.where == "path"}
        made = {"integer": "0", "boolean": "false"}
        path = operation.template.text
        for name in operation.template.variables:
            path = path.replace("{" + name + "}", made.get(kinds.get(name, "string"), self.tag))
        return path

    def refused(self, callee: Service) -> list[Operation]:
        """Return the operations that it may not use."""
        if callee.name not in self._refused:
            self._refused[callee.name] = [each for each in callee.operations if not self.may(each, self.path(each))]
        return self._refused[callee.name]

    def granted(self, callee: Service) -> list[Operation]:
        """Return the operations that it may use, and that change nothing."""
        refused = {each.id for each in self.refused(callee)}
        return [each for each in callee.operations if each.read_only and each.id not in refused]

    def victim(self, operation: Operation) -> str:
        """Return a service that it is worth to be taken for: one that may do this, if there is one."""
        path = self.path(operation)
        others = [name for name in self.catalog.services if name != self.service]
        return next((name for name in others if self.may(operation, path, name)), operation.service)

    def sendable(self, method: str, mode: Mode) -> Verdict | None:
        """Return why something is not sent; None where it may be: what would not be refused must change nothing."""
        if method in {"GET", "HEAD", "OPTIONS"}:
            return None
        if mode is Mode.OBSERVE:
            return Verdict("open", "mode observe lets it through; it was not sent, since it may change something")
        return Verdict("untried", "left out by --safe-only") if self.safe_only else None

    # --- sending

    def ask(self, outgoing: Outgoing) -> tuple[int, Answer]:
        """Make a call through its egress: the port from which, and the answer. Raises what `wire.ask` does."""
        request = outgoing.render(self.own.credential)
        return wire.ask(parse_address(self.own.egress), request, method=outgoing.method.decode("ascii"))

    def send(self, outgoing: Outgoing) -> Sent:
        """Make a call through its egress, and return what came back."""
        return wire.attempt(lambda: self.ask(outgoing))

    def outgoing(
        self, callee: str, method: str, path: str | bytes, headers: Sequence[tuple[str, str]] = (), *, rpc: bool = False
    ) -> Outgoing:
        """Return a call, which says that it is an attack; one that may change something has a body of no use."""
        target = path if isinstance(path, bytes) else path.encode()
        given: _Headers = tuple((name.encode(), value.encode()) for name, value in headers)
        body, kind = None, b""
        if rpc:
            body, kind = EMPTY_MESSAGE, b"application/grpc"
        elif method not in {"GET", "HEAD", "OPTIONS"}:
            body, kind = BODY, b"text/plain"
        own: _Headers = ((b"user-agent", USER_AGENT.encode()),)
        if body is not None:
            own += ((b"content-type", kind),)
        if rpc:
            own += ((b"te", b"trailers"),)
        return Outgoing(method.encode(), b"http://" + callee.encode() + target, own + given, body)

    def try_call(
        self,
        kind: str,
        target: str,
        what: str,
        outgoing: Outgoing,
        *,
        operation: Operation | None = None,
    ) -> Attempt:
        """Return an attempt to make a call that must be refused. `operation` is what must not be reached by it."""

        def judge(sent: Sent, found: Found) -> Verdict:
            return self.judged(sent, found, operation)

        return Attempt(kind, target, what, judge, lambda: self.send(outgoing))

    # --- judging

    def judged(self, sent: Sent, found: Found, operation: Operation | None = None) -> Verdict:
        """Say what came of a call through its egress that had to be refused, by the record."""
        unproven = _without_record(sent, found)
        if unproven is not None:
            return unproven
        call = found.call(sent.reference)
        assert call is not None  # noqa: S101 - else it was unproven
        if call.caller not in {self.service, None}:
            return Verdict("breached", f"it was taken for `{call.caller}`", call.id)
        if call.carried_out == "deny":
            return refused(call)
        if call.decision == "deny":
            return Verdict("open", f"{call.reason}, and mode observe lets it through", call.id)
        if call.operation is None or (operation is not None and call.operation == operation.id):
            return Verdict("breached", f"it was let through, and answered {sent.status}", call.id)
        return self._taken_for(call.operation, call.id, sent)

    def _taken_for(self, operation: str, reference: str, sent: Sent) -> Verdict:
        meant = self.catalog.operations.get(operation)
        if meant is not None and self.policy.engine.cell(self.service, operation).constant is not False:
            return Verdict("held", f"it was taken for `{operation}`, which it may call", reference)
        return Verdict("breached", f"it was let through as `{operation}`, and answered {sent.status}", reference)


def refused(call: Call) -> Verdict:
    """Say what a refusal of a call means."""
    if call.reason in _UNDECIDED:
        return Verdict("untried", f"it says nothing of grants: {call.reason}", call.id)
    return Verdict("held", call.reason, call.id)


def _without_record(sent: Sent, found: Found) -> Verdict | None:
    """Return the verdict where the record does not have the call; None where it does."""
    if sent.status is None:
        return Verdict("untried", f"no answer: {sent.said}")
    call = found.call(sent.reference)
    if call is None and sent.reference is None and sent.status == _ERROR:
        return Verdict("held", "refused by the parser of its own Envoy, before anybody was asked")
    if call is None:
        return Verdict("breached", f"answered {sent.status}, and the record does not have it", sent.reference)
    if call.carried_out == "deny" and sent.code is None and sent.status < _ERROR:
        return Verdict("breached", f"recorded as refused, and answered {sent.status}", call.id)
    return None
