"""The guard's decisions: who calls, what, whether it may, and what of the answer it is shown. No I/O, no clock.

`Core.admit` decides about a request:

1. Authenticate the peer: the request came over the socket that only the service's Envoy can reach, with exactly one
   identity, which that Envoy verified and wrote anew. Whatever a caller itself claims was dropped there.
2. Resolve the operation: exactly one documented operation has this method and path.
3. Decide: the same policies and the same engine that made Envoy's rules.
4. Say what there is to record: a refusal, with its reason and policies.

`Admission.show` views the answer:

5. Where the operation's answers may hold classes that are not disclosed to the caller, what is shown is a view; an
   answer that has none is refused. What was withheld is to be recorded too.

In mode observe nothing is refused and nothing is withheld: what would be, is said. Which answer of the operation it is
makes no difference to a view: what any answer declares at a place is withheld there in all, since an error page that
nobody described can be a whole record.

The adapter must do the rest: give the moment, carry out `refused`, pass on the verdict, keep an answer back until it is
viewed, and ask the application for nothing that has no view (`guard.answer` has both).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inward.catalog.model import Mode
from inward.catalog.resolve import Resolver
from inward.guard.answer import Answer, refusal, unviewable, viewed
from inward.guard.places import UnviewableError
from inward.guard.view import View
from inward.identity.forwarded import peer_of
from inward.policy.decision import Decision, Reason
from inward.policy.disclosures import Disclosures
from inward.policy.request import Request
from inward.record.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from inward.catalog.model import Catalog, Operation, Service, Undisclosed
    from inward.policy.decide import Engine

MAX_VIEWS = 10_000  # kept ready, one for each caller, operation and set of withheld classes
FORBIDDEN = 403
UNQUOTED = "/!$&'()*+,:;=@~"  # what stands in a path as it is, where an adapter has only the decoded one
_BAD_IDENTITY = Decision(allowed=False, reason=Reason.BAD_IDENTITY)
_UNKNOWN_CALLER = Decision(allowed=False, reason=Reason.UNKNOWN_CALLER)
_UNKNOWN_OPERATION = Decision(allowed=False, reason=Reason.UNKNOWN_OPERATION)
_NOTHING_TO_SAY = Verdict()


@dataclass(frozen=True, slots=True)
class Inbound:
    """A request as an adapter received it.

    `path` is as it stood in the request line, without the query, and `query` without `?`. `forwarded` are all values of
    `x-forwarded-client-cert`. `private`: it came over a Unix socket. `reference` is the request's id, set by Envoy.
    """

    method: str
    path: str
    query: str
    forwarded: tuple[str, ...]
    private: bool
    reference: str
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """What a handler may know of the call that it serves: `inward.guard.current_call`.

    `caller` is the name of the calling service, None where nobody could be authenticated, which only mode observe lets
    through; `operation` its id, None where none is documented. `reference` finds the call in the record.
    """

    caller: str | None
    operation: str | None
    reference: str
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class Admission:
    """What was decided about a request. `withheld` says of each class at stake what becomes of it in the answer."""

    call: Call
    decision: Decision
    mode: Mode
    withheld: Mapping[str, Undisclosed]
    view: View | None  # None where the answer is handed on as it is
    unviewable: bool = False  # whether there ought to be a view, and none can be made

    @property
    def refused(self) -> bool:
        """Whether the application must not see the request."""
        return not self.decision.allowed and self.mode is Mode.ENFORCE

    @property
    def held_back(self) -> bool:
        """Whether the answer must be kept back until `show` has been asked."""
        return self.view is not None or self.unviewable

    @property
    def verdict(self) -> Verdict | None:
        """What is to be recorded before the answer is known; None for nothing."""
        observed = self.mode is Mode.OBSERVE
        denied = not self.decision.allowed
        if not denied and not (observed and self.withheld):
            return None
        return Verdict(
            reason=self.decision.reason if denied else None,
            policies=self.decision.policies if denied else (),
            withheld=tuple(sorted(self.withheld)) if observed else (),
            observed=observed,
        )

    def refusal(self) -> tuple[Answer, Verdict]:
        """Return what a refused caller gets, and what is recorded."""
        return refusal(self.decision.reason, FORBIDDEN, self.call.reference), self.verdict or _NOTHING_TO_SAY

    def show(self, method: str, answer: Answer) -> tuple[Answer, Verdict | None]:
        """Step 5: return what is shown of an answer that was held back, and what is recorded."""
        if self.view is None:
            return self.unviewable_answer(answer.status)
        try:
            shown, cut = viewed(self.view, method, answer)
        except UnviewableError:
            return self.unviewable_answer(answer.status)
        return shown, Verdict(withheld=tuple(sorted(cut))) if cut else None

    def unviewable_answer(self, status: int) -> tuple[Answer, Verdict]:
        """Return what takes the place of an answer of that status which has no view, and what is recorded."""
        answer, refused = unviewable(status, self.call.reference)
        return answer, Verdict(reason=Reason.UNVIEWABLE if refused else None, withheld=tuple(sorted(self.withheld)))


class Core:
    """The guard of one service, under one version of the policies.

    `key` makes tokens: see `guard.view.View`.
    """

    def __init__(self, catalog: Catalog, engine: Engine, service: Service, key: bytes = b"") -> None:
        self.service = service
        self._catalog = catalog
        self._engine = engine
        self._key = key
        self._resolver = Resolver(service)
        self._disclosures = Disclosures(catalog, engine)
        self._at_stake = {operation.id: operation.answers.classes for operation in service.operations}
        self._views: dict[tuple[str, str, frozenset[str]], tuple[Mapping[str, Undisclosed], View | None]] = {}

    def admit(self, inbound: Inbound, now: datetime) -> Admission:
        """Decide about a request at a moment, which has a time zone. Nothing in a request makes it raise."""
        # 1. Authenticate the peer.
        peer = peer_of(inbound.forwarded[0]) if inbound.private and len(inbound.forwarded) == 1 else None
        caller = self._catalog.by_spiffe_id(peer) if peer is not None else None
        # 2. Resolve the operation.
        resolved = self._resolver.resolve(inbound.method, inbound.path)
        operation = resolved[0] if resolved is not None else None
        call = Call(
            caller.name if caller is not None else None,
            operation.id if operation is not None else None,
            inbound.reference,
            inbound.traceparent,
        )
        mode = operation.mode if operation is not None else self.service.mode
        if caller is None:
            refused = _BAD_IDENTITY if peer is None else _UNKNOWN_CALLER
            return Admission(call, refused, mode, {}, None)
        if operation is None:
            return Admission(call, _UNKNOWN_OPERATION, mode, {}, None)
        # 3. Decide.
        request = Request(caller.name, operation.id, inbound.path, inbound.query)
        decision = self._engine.decide(request, now)
        # 4. What there is to record follows from the admission. 5. What may be withheld:
        classes = self._at_stake[operation.id]
        withheld = self._disclosures.withheld(caller.name, classes, now) if classes else classes
        if not withheld:
            return Admission(call, decision, mode, {}, None)
        told, view = self._view(caller.name, operation, withheld)
        held_back = mode is Mode.ENFORCE
        return Admission(call, decision, mode, told, view if held_back else None, held_back and view is None)

    def _view(
        self, caller: str, operation: Operation, withheld: frozenset[str]
    ) -> tuple[Mapping[str, Undisclosed], View | None]:
        found = self._views.get((caller, operation.id, withheld))
        if found is None:
            told = {name: self._catalog.data_classes[name].undisclosed for name in withheld}
            try:
                view = View(operation.answers.otherwise, told, caller=caller, key=self._key)
            except UnviewableError:
                view = None
            if len(self._views) >= MAX_VIEWS:
                self._views.clear()
            found = self._views[caller, operation.id, withheld] = (told, view)
        return found
