"""What a handler asks about objects that only its service knows: whether the caller may do this to this order.

`Call.enforce` and `Call.allows` ask here. Rules:

1. The operation is one of the service that is called, and the object of a type that the service declares.
2. Where it is another operation than the one that is served, the caller must be allowed that as well. It is asked about
   with the path of this request and no query: a condition that reads a parameter which is not there refuses.
3. The time is that of the call, and so are the policies: one call is decided by one version.
4. What was refused by `enforce` stays refused, whatever the handler makes of the exception: frameworks turn one into a
   page of their own, and a handler may catch too much. The guard answers 403 in the place of whatever is answered then.
5. A mistake of the program (an attribute that is missing, a type that is not declared) refuses too.

In mode observe nothing raises and everything is allowed; the first refusal of `enforce` is recorded.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from inward.catalog.model import Mode
from inward.errors import InwardError
from inward.policy.decision import Decision, Reason
from inward.policy.request import Request
from inward.policy.resources.model import RecordOf, Resource, ResourceError, SetOf

if TYPE_CHECKING:
    from datetime import datetime

    from inward.policy.decide import Engine
    from inward.policy.resources.model import Attribute, AttributeType, ResourceType

_MISTAKEN = Decision(allowed=False, reason=Reason.RESOURCE)
_logger = logging.getLogger("inward.guard")


class RefusedError(InwardError):
    """The caller may not do this to this object; `decision` says by which policies, and is not for the caller."""

    code = "refused"

    def __init__(self, message: str, decision: Decision) -> None:
        super().__init__(message)
        self.decision = decision


class NoQuestions:
    """What is asked where nothing is guarded, by `allow_unguarded`: everything is allowed, as every call is there."""

    refused: Decision | None = None
    carried_out: Decision | None = None

    def enforce(self, operation: str, resource: object, kind: str | None) -> None:
        """Refuse nothing."""

    def allows(self, operation: str, resource: object, kind: str | None) -> bool:
        """Allow everything."""
        del operation, resource, kind
        return True


class ObjectQuestions:
    """What is asked about objects while one request is served, by a service with its `own` operations.

    `refused` is the first refusal of `enforce`.
    """

    __slots__ = ("_engine", "_mode", "_now", "_own", "_request", "_service", "refused")

    def __init__(
        self, engine: Engine, service: str, own: Collection[str], request: Request, mode: Mode, now: datetime
    ) -> None:
        self._engine = engine
        self._service = service
        self._own = own
        self._request = request
        self._mode = mode
        self._now = now
        self.refused: Decision | None = None

    @property
    def carried_out(self) -> Decision | None:
        """The refusal, where it is one that counts; None in mode observe."""
        return self.refused if self._mode is Mode.ENFORCE else None

    def enforce(self, operation: str, resource: object, kind: str | None) -> None:
        """Raise `RefusedError` unless the caller may do an operation to an object: see `guard.core.Call.enforce`."""
        decision = self._asked(operation, resource, kind)
        if decision is None or decision.allowed:
            return
        self._refuse(decision)
        if self._mode is Mode.ENFORCE:
            what = f"`{self._request.caller}` may not do `{operation}` to this object: {decision.reason.value}"
            raise RefusedError(what, decision)

    def allows(self, operation: str, resource: object, kind: str | None) -> bool:
        """Return whether the caller may do an operation to an object: see `guard.core.Call.allows`."""
        decision = self._asked(operation, resource, kind)
        return decision is None or decision.allowed or self._mode is Mode.OBSERVE

    def _asked(self, operation: str, resource: object, kind: str | None) -> Decision | None:
        """Return what is decided; None where that could not be asked, and nothing is to be refused."""
        try:
            return self._decided(operation, resource, kind)
        except Exception as error:  # whatever an attribute of the object raises
            self._refuse(_MISTAKEN)
            # whoever catches it, it is told
            why = error.advice if isinstance(error, InwardError) else error
            _logger.error("`%s` cannot be decided about an object: %s", operation, why)  # noqa: TRY400 - for people
            if self._mode is Mode.ENFORCE:
                raise
            return None

    def _decided(self, operation: str, resource: object, name: str | None) -> Decision:
        if operation not in self._own:
            raise ResourceError(
                f"`{operation}` is no operation of `{self._service}`",
                hint="a service asks about its own operations, by their ids",
            )
        kind = self._kind(resource, name)
        served = operation == self._request.operation
        request = Request(self._request.caller, operation, self._request.path, self._request.query if served else "")
        if not served:
            called = self._engine.decide(request, self._now)
            if not called.allowed:
                return called
        return self._engine.decide_object(request, Resource(kind.name, _record(kind.attributes, resource)), self._now)

    def _kind(self, resource: object, name: str | None) -> ResourceType:
        resources = self._engine.index.resources
        if name is None and isinstance(resource, Mapping):
            raise ResourceError("nothing says of what type this object is", hint='give its type, as in `type="Order"`')
        return resources.find(self._service, name if name is not None else type(resource).__name__)

    def _refuse(self, decision: Decision) -> None:
        if self.refused is None:
            self.refused = Decision(allowed=False, reason=Reason.RESOURCE, policies=decision.policies)


def _record(attributes: tuple[Attribute, ...], value: object) -> dict[str, object]:
    """Return the declared attributes of an object that are there, and not None; nothing else of it is read."""
    found: dict[str, object] = {}
    for each in attributes:
        given = value.get(each.name) if isinstance(value, Mapping) else getattr(value, each.name, None)
        if given is not None:
            found[each.name] = _part(each.type, given)
    return found


def _part(kind: AttributeType, value: object) -> object:
    """Return a value with the records in it as mappings, so that they may be objects too."""
    match kind:
        case RecordOf(attributes):
            return _record(attributes, value)
        case SetOf(RecordOf() | SetOf() as element) if isinstance(value, list | tuple | set | frozenset):
            return [_part(element, each) for each in value]
    return value
