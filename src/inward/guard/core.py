"""The guard's decisions: who calls, what, whether it may, and what of the answer it is shown. No I/O, no clock.

`Core.admit` decides about a request:

1. Authenticate the peer: the request came over the socket that only the service's Envoy can reach, with exactly one
   identity, which that Envoy verified and wrote anew. Whatever a caller itself claims was dropped there.
2. Resolve the operation: exactly one documented operation has this method and path.
3. Decide: the same policies and the same engine that made Envoy's rules.
4. Hold the request against what the service itself may receive: a class that is not disclosed to it must not be sent
   to it. Of parameters that is known at once; of a body when it is there, which `Admission.received` is told.
5. Say what there is to record: a refusal, with its reason and policies; and the end user, where a token proves one.

`Admission.show` views the answer:

6. Where the operation's answers may hold classes that are not disclosed to the caller, what is shown is a view; an
   answer that has none is refused. What was withheld is to be recorded too.

What a handler asks about objects while it runs is decided by `guard.objects`; what that refused, an answer must wait
for: `Admission.object_refusal` takes its place.

In mode observe nothing is refused and nothing is withheld: what would be, is said. Which answer of the operation it is
makes no difference to a view: what any answer declares at a place is withheld there in all, since an error page that
nobody described can be a whole record.

The adapter must do the rest: give the moment, carry out `refused`, pass on the verdict, keep a body back where there is
a `search` (`guard.bodies.sent`), keep an answer back until it is viewed, and ask the application for nothing that has
no view (`guard.bodies.answer` has both).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from msgspec import structs

from inward.catalog.model import Mode
from inward.catalog.resolve import Resolver
from inward.guard.bodies.answer import Answer, refusal, unviewable, viewed
from inward.guard.bodies.search import Search, fields_of
from inward.guard.bodies.sent import NOTHING_FOUND, Found
from inward.guard.bodies.view import View
from inward.guard.objects import NoQuestions, ObjectQuestions
from inward.guard.onward import Onward
from inward.guard.user import ClaimedUser
from inward.identity.forwarded import peer_of
from inward.policy.decision import Decision, Reason
from inward.policy.disclosures import Disclosures
from inward.policy.request import Request
from inward.policy.resources.model import ResourceError
from inward.record.verdict import Verdict
from inward.viewing.places import UnviewableError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from inward.catalog.model import Catalog, Operation, Service, Undisclosed
    from inward.identity.user_token import EndUser
    from inward.policy.decide import Engine

MAX_VIEWS = 10_000  # kept ready, one for each caller, operation and set of withheld classes
FORBIDDEN = 403
UNQUOTED = "/!$&'()*+,:;=@~"  # what stands in a path as it is, where an adapter has only the decoded one
_BAD_IDENTITY = Decision(allowed=False, reason=Reason.BAD_IDENTITY)
_UNKNOWN_CALLER = Decision(allowed=False, reason=Reason.UNKNOWN_CALLER)
_UNKNOWN_OPERATION = Decision(allowed=False, reason=Reason.UNKNOWN_OPERATION)
_NOTHING_TO_SAY = Verdict()
_NO_CLASSES: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Inbound:
    """A request as an adapter received it.

    `path` is as it stood in the request line, without the query, and `query` without `?`. `forwarded` are all values of
    `x-forwarded-client-cert`. `private`: it came over a Unix socket. `reference` is the request's id, set by Envoy.
    `probe`: somebody asks whether there is a guard, which is refused in every mode unless it comes with an identity.
    """

    method: str
    path: str
    query: str
    forwarded: tuple[str, ...]
    private: bool
    reference: str
    traceparent: str | None = None
    probe: bool = False
    verified: str | None = None  # the SPIFFE ID of a connection by TLS that the guard's own server verified
    passed: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # headers for `guard.onward`


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
    onward: Onward | None = field(default=None, repr=False, compare=False)  # for clients, such as `inward.guard.httpx`
    claimed: ClaimedUser | None = field(default=None, repr=False, compare=False)
    objects: ObjectQuestions | NoQuestions | None = field(default=None, repr=False, compare=False)

    def enforce(self, operation: str, resource: object, *, type: str | None = None) -> None:  # noqa: A002 - Cedar's word
        """Raise `RefusedError` unless the caller may do an operation of this service to an object.

        Of `resource` (a mapping, or anything with attributes) those attributes are read that the service's
        `.cedarschema` declares for `type`, or for the name of its class. Once refused, the call is answered by 403
        whatever the handler answers. `ResourceError` where the object is not as declared, which refuses too.
        """
        self._questions.enforce(operation, resource, type)

    def allows(self, operation: str, resource: object, *, type: str | None = None) -> bool:  # noqa: A002 - Cedar's word
        """Return whether the caller may do that, for lists; `enforce` says what it takes. In mode observe: true."""
        return self._questions.allows(operation, resource, type)

    @property
    def user(self) -> EndUser | None:
        """The end user on whose behalf this is, as a token proves; None where none does: see `identity.user_token`."""
        return self.claimed.proven() if self.claimed is not None else None

    @property
    def _questions(self) -> ObjectQuestions | NoQuestions:
        if self.objects is None:
            raise ResourceError("this call comes from no guard, so there are no policies to ask")
        return self.objects


# The call where nothing is guarded (`allow_unguarded`), so that handlers which ask about it run there too.
UNGUARDED = Call(None, None, "", None, objects=NoQuestions())


@dataclass(frozen=True, slots=True)
class Admission:
    """What was decided about a request. `withheld` says of each class at stake what becomes of it in the answer.

    `found` is what is known of the classes in the request that the service may not receive. Where there is a `search`,
    more must be looked for in its body, in mode observe too.
    """

    call: Call
    decision: Decision
    mode: Mode
    withheld: Mapping[str, Undisclosed]
    view: View | None  # None where the answer is handed on as it is
    unviewable: bool = False  # whether there ought to be a view, and none can be made
    found: Found = NOTHING_FOUND
    search: Search | None = None

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
        decision = self.decision
        if decision.allowed and self.call.objects is not None and self.call.objects.refused is not None:
            decision = self.call.objects.refused
        denied = not decision.allowed
        if not denied and not (observed and self.withheld):
            return self.with_user(None)
        verdict = Verdict(
            reason=decision.reason if denied else None,
            policies=decision.policies if denied else (),
            withheld=tuple(sorted(self.withheld)) if observed else (),
            sent=tuple(sorted(self.found.classes)),
            observed=observed,
        )
        return self.with_user(verdict)

    def with_user(self, verdict: Verdict | None) -> Verdict | None:
        """Return what is to be recorded with the end user in it, where a token proves one."""
        user = self.call.user
        return verdict if user is None else structs.replace(verdict or _NOTHING_TO_SAY, user=user.subject)

    def refusal(self) -> tuple[Answer, Verdict]:
        """Return what a refused caller gets, and what is recorded."""
        return refusal(self.decision.reason, self.found.status, self.call.reference), self.verdict or _NOTHING_TO_SAY

    def object_refusal(self) -> tuple[Answer, Verdict] | None:
        """Return what takes the place of an answer in which an object was refused, and what is recorded; else None."""
        refused = self.call.objects.carried_out if self.call.objects is not None else None
        if refused is None:
            return None
        answer = refusal(refused.reason, FORBIDDEN, self.call.reference)
        verdict = Verdict(reason=refused.reason, policies=refused.policies)
        return answer, self.with_user(verdict) or verdict

    def received(self, found: Found) -> Admission:
        """Step 4, for a body: return what is decided about the request with that."""
        classes = self.found.classes | found.classes
        both = Found(classes, None if self.found.classes else found.unreadable)
        decision = self.decision if both.decision is None else both.decision
        return replace(self, decision=decision, found=both, search=None)

    def show(self, method: str, answer: Answer) -> tuple[Answer, Verdict | None]:
        """Step 6: return what is shown of an answer that was held back, and what is recorded."""
        if self.view is None or self.object_refusal() is not None:
            return self.unviewable_answer(answer.status)
        try:
            shown, cut = viewed(self.view, method, answer)
        except UnviewableError:
            return self.unviewable_answer(answer.status)
        return shown, self.with_user(Verdict(withheld=tuple(sorted(cut))) if cut else None)

    def unviewable_answer(self, status: int) -> tuple[Answer, Verdict]:
        """Return what takes the place of an answer of that status which has no view, and what is recorded."""
        if (instead := self.object_refusal()) is not None:
            return instead
        answer, refused = unviewable(status, self.call.reference)
        verdict = Verdict(reason=Reason.UNVIEWABLE if refused else None, withheld=tuple(sorted(self.withheld)))
        return answer, self.with_user(verdict) or verdict


class Core:
    """The guard of one service, under one version of the policies.

    `key` makes tokens: see `guard.bodies.view.View`.
    """

    def __init__(self, catalog: Catalog, engine: Engine, service: Service, key: bytes = b"") -> None:
        self.service = service
        self._catalog = catalog
        self._engine = engine
        self._key = key
        self._resolver = Resolver(service)
        self._disclosures = Disclosures(catalog, engine)
        self._at_stake = {operation.id: operation.answers.classes for operation in service.operations}
        self._taken = {operation.id: taken for operation in service.operations if (taken := _taken(operation))}
        self._views: dict[tuple[str, str, frozenset[str]], tuple[Mapping[str, Undisclosed], View | None]] = {}
        self._searches: dict[tuple[str, frozenset[str]], Search] = {}

    def admit(self, inbound: Inbound, now: datetime) -> Admission:
        """Decide about a request at a moment, which has a time zone. Nothing in a request makes it raise."""
        # 1. Authenticate the peer.
        peer = self._peer(inbound)
        caller = self._catalog.by_spiffe_id(peer) if peer is not None else None
        # 2. Resolve the operation.
        resolved = self._resolver.resolve(inbound.method, inbound.path)
        operation = resolved[0] if resolved is not None else None
        mode = operation.mode if operation is not None else self._mode_of_unknown(inbound)
        request = Request(
            caller.name if caller is not None else "",
            operation.id if operation is not None else "",
            inbound.path,
            inbound.query,
        )
        onward = Onward(inbound.passed, self._catalog.services)
        call = Call(
            request.caller or None,
            request.operation or None,
            inbound.reference,
            inbound.traceparent,
            onward,
            ClaimedUser(onward.user_token, self._catalog.users, now),
            ObjectQuestions(self._engine, self.service.name, self._at_stake.keys(), request, mode, now),
        )
        if caller is None:
            refused = _BAD_IDENTITY if peer is None else _UNKNOWN_CALLER
            return Admission(call, refused, Mode.ENFORCE if inbound.probe else mode, {}, None)
        if operation is None:
            return Admission(call, _UNKNOWN_OPERATION, mode, {}, None)
        # 3. Decide.
        decision = self._engine.decide(request, now)
        # 4. Hold the request against what the service may receive.
        found, search = NOTHING_FOUND, None
        if operation.id in self._taken and decision.allowed:
            found, search = self._sent(operation, inbound.query, now)
            decision = decision if found.decision is None else found.decision
        # 5. What there is to record follows from the admission. 6. What may be withheld:
        classes = self._at_stake[operation.id]
        withheld = self._disclosures.withheld(caller.name, classes, now) if classes else classes
        if not withheld:
            return Admission(call, decision, mode, {}, None, found=found, search=search)
        told, view = self._view(caller.name, operation, withheld)
        held_back = mode is Mode.ENFORCE
        view, unviewable = (view, view is None) if held_back else (None, False)
        return Admission(call, decision, mode, told, view, unviewable, found, search)

    def _mode_of_unknown(self, inbound: Inbound) -> Mode:
        """Return the mode of what means no operation: what could be taken for an enforced one is not let through."""
        if self.service.mode is Mode.ENFORCE or self._resolver.mistakable(inbound.method, inbound.path) is not None:
            return Mode.ENFORCE
        return self.service.mode

    def _peer(self, inbound: Inbound) -> str | None:
        if self.service.serves_tls:  # no Envoy wrote its headers, whichever way they came
            return inbound.verified
        return peer_of(inbound.forwarded[0]) if inbound.private and len(inbound.forwarded) == 1 else None

    def undisclosed(self, operation: Operation, now: datetime) -> frozenset[str]:
        """Return the classes of an operation's requests that are not disclosed to the service itself."""
        taken = self._taken.get(operation.id, _NO_CLASSES)
        return self._disclosures.withheld(self.service.name, taken, now) if taken else taken

    def _sent(self, operation: Operation, query: str, now: datetime) -> tuple[Found, Search | None]:
        """Return what a request holds by its parameters, and what is to be looked for in its body, if anything is."""
        undisclosed = self.undisclosed(operation, now)
        if not undisclosed:
            return NOTHING_FOUND, None
        held: set[str] = set()
        parameters = [each for each in operation.parameters if not undisclosed.isdisjoint(each.classes)]
        if parameters:
            given = set(fields_of(query.encode("latin-1", "replace")))
            for each in parameters:
                if each.where == "path" or each.name in given:
                    held.update(undisclosed.intersection(each.classes))
        in_body = undisclosed & operation.body.classes
        return (Found(frozenset(held)) if held else NOTHING_FOUND), self._search(operation, in_body)

    def _search(self, operation: Operation, classes: frozenset[str]) -> Search | None:
        if not classes:
            return None
        search = self._searches.get((operation.id, classes))
        if search is None:
            if len(self._searches) >= MAX_VIEWS:
                self._searches.clear()
            search = self._searches[operation.id, classes] = Search(operation.body, classes)
        return search

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


def _taken(operation: Operation) -> frozenset[str]:
    """Return the classes that a request to an operation may hold, in its body and in its parameters."""
    return operation.body.classes.union(*(parameter.classes for parameter in operation.parameters))
