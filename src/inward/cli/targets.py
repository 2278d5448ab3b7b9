"""What a recorded refusal was about besides the call itself: an object, or data in the request or the answer.

What the object held, and what was in the body, is not recorded. What is said here follows from the record, the catalog
and the policies.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from inward.cli.output import printable
from inward.policy.authoring.targets import TargetExplainer
from inward.policy.decision import Reason

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from inward.control.bundle import Policy
    from inward.policy.authoring.targets import TargetExplanation
    from inward.record.call import Call

_UNREADABLE = {
    400: "its body was no strict JSON, or ended too early",
    411: "its body had no length, and the service's server does not say where such a body ends",
    413: "its body was too long to be searched",
    415: "its content type, encoding or charset cannot be searched",
}


def objects_of(call: Call, policy: Policy, query: str | None) -> tuple[TargetExplanation, ...]:
    """Return what is granted on objects to the caller of a call that was refused for one, at its time."""
    if call.reason != Reason.RESOURCE or call.caller not in policy.catalog.services:
        return ()
    if call.caller is None or call.operation is None or call.operation not in policy.catalog.operations:
        return ()
    return _explainer(call, policy).objects(
        call.caller, call.operation, None if call.not_kept else call.full_path, query
    )


def data_of(call: Call, policy: Policy) -> tuple[TargetExplanation, ...]:
    """Return of the data for which a call was refused whether it is disclosed to whom it was meant for, at its time."""
    if call.reason in {Reason.UNDISCLOSED, Reason.UNREADABLE}:
        receiver, classes = call.callee, call.sent
    elif call.reason == Reason.UNVIEWABLE:
        receiver, classes = call.caller, call.withheld
    else:
        return ()
    if receiver is None or receiver not in policy.catalog.services:
        return ()
    operation = policy.catalog.operations.get(call.operation or "")
    if call.reason == Reason.UNVIEWABLE and not classes and operation is not None:
        classes = tuple(sorted(operation.answers.classes))
    explainer = _explainer(call, policy)
    return tuple(explainer.disclosure(receiver, name) for name in classes if name in policy.catalog.data_classes)


def advice_on(call: Call, policy: Policy | None, objects: Collection[TargetExplanation]) -> Iterator[str]:
    """Yield what is to be said of a call that was refused for an object or for data; nothing for any other."""
    callee = printable(call.callee or "the service")
    if call.reason == Reason.RESOURCE:
        yield from _on_objects(call, policy, objects, callee)
    elif call.reason == Reason.UNDISCLOSED:
        yield f"whoever calls: the owner of that data can disclose it to {callee}, else the caller must leave it out"
    elif call.reason == Reason.UNREADABLE:
        why = _UNREADABLE.get(call.status or 0, "its message could not be read")
        yield f"{why}: send JSON or a form in UTF-8, plain and whole, or let the owner disclose the data to {callee}"
    elif call.reason == Reason.UNVIEWABLE:
        yield f"the service had carried it out: {_why_unviewable(call, policy)}"


def _explainer(call: Call, policy: Policy) -> TargetExplainer:
    return TargetExplainer(policy.engine, policy.catalog, policy.policies, datetime.fromisoformat(call.time))


def _on_objects(
    call: Call, policy: Policy | None, objects: Collection[TargetExplanation], callee: str
) -> Iterator[str]:
    yield f"the call itself was granted; {callee} asked about an object. What that held is not recorded"
    known = {examined.policy.id for each in objects for examined in each.examined}
    if call.policies and known.isdisjoint(call.policies):
        yield "the policies that decided are not about the operation that was called: the handler asked about another"
    elif not call.policies and any(each.standing != "never" for each in objects):
        yield (
            "no policy decided it: the object was not as its type declares, the handler asked about another operation, "
            f"or a parameter was not in plain form; see what {callee} printed, in .inward/output/"
        )
    if policy is not None and call.callee is not None and not policy.policies.resources.of(call.callee):
        yield f"{callee} declares no types of objects: policies/{callee}.cedarschema has them"


def _why_unviewable(call: Call, policy: Policy | None) -> str:
    operation = policy.catalog.operations.get(call.operation or "") if policy is not None else None
    if policy is not None and operation is not None and operation.rpc is not None:
        if not policy.catalog.services[operation.service].guarded:
            return "its Envoy cannot look into gRPC messages; a guard in the service can, with `guard: true`"
        return "what it answered is not as its description says, or too long"
    return "what it answered can be viewed only if it is strict JSON in UTF-8, plain, whole and not too long"
