"""`inward explain`: why a call is allowed or refused, and what would have to change."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from inward.catalog.document import shown
from inward.cli.explanation import as_json, print_explanation, print_target, target_as_json
from inward.cli.moment import parse_moment
from inward.cli.options import JSONOption, SystemOption, operation_named, service_named, system_folder, system_layout
from inward.cli.output import option_for, print_json, print_line, printable, styled
from inward.cli.targets import advice_on, data_of, objects_of
from inward.cli.verdict import meaning, verdict
from inward.control.checking.cache import load_known
from inward.control.quarantine import load_quarantine
from inward.control.readback import policy_in_force
from inward.errors import BadInputError, ExitCode, InvalidSystemError
from inward.insight.recorded import path_of
from inward.policy.authoring.explain import Explanation
from inward.policy.authoring.explain import explain as explain_call
from inward.policy.authoring.targets import TargetExplainer
from inward.policy.decision import Reason
from inward.policy.request import Read, Request, reads_of
from inward.record.call import HASHED
from inward.record.reader import find_call

if TYPE_CHECKING:
    from collections.abc import Collection

    from inward.catalog.model import Operation
    from inward.control.bundle import Policy
    from inward.control.layout import Layout
    from inward.record.call import Call

# What the policies decide; every other reason comes from before them, or after.
_BY_POLICY = {
    Reason.GRANTED,
    Reason.NO_GRANT,
    Reason.CONDITION,
    Reason.EXPIRED,
    Reason.FORBIDDEN,
    Reason.BAD_PARAMETER,
    Reason.POLICY_ERROR,
    Reason.SLOW_PATH_DOWN,
}
_ADVICE = {
    Reason.UNKNOWN_CALLER: "put the caller into inward.yaml, or find out what else has an identity here",
    Reason.BAD_IDENTITY: "a caller must call through its egress, or present a valid SVID of this trust domain",
    Reason.BAD_REQUEST: "what programs read in different ways is refused, such as encoded slashes in a path",
    Reason.BAD_CREDENTIAL: "some process used a service's proxy without the credential in that service's HTTP_PROXY",
    Reason.UNKNOWN_SERVICE: "call services by their names in inward.yaml, as in http://orders/; they need a `listen`",
    Reason.UNREACHABLE: "see `inward status`, and what the service printed in .inward/output/",
    Reason.SLOW_PATH_DOWN: "see .inward/output/inward.slow-path.txt; `inward up` starts it again",
}


def explain(
    subject: Annotated[
        str, typer.Argument(metavar="CALLER|REF", help="A service, or the reference of a recorded call.")
    ],
    operation: Annotated[str | None, typer.Argument(metavar="OPERATION", help="Such as orders:getOrder.")] = None,
    path: Annotated[
        str | None, typer.Option(metavar="PATH", help="A path, so that conditions can be evaluated.")
    ] = None,
    query: Annotated[str | None, typer.Option(metavar="QUERY", help="A query, such as status=open.")] = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="A time, such as 2027-06-30T12:00:00Z; now if none.")
    ] = None,
    system: SystemOption = Path(),
    json: JSONOption = False,
) -> int:
    """Say why CALLER may call OPERATION or not, or what happened to the call with the reference REF.

    On a refusal: the nearest grant, the condition that failed, and the smallest grant that would allow it. Where the
    service declares types of objects, also what is granted on them; of a call that was refused for an object, or for
    data, what would allow that.

    Exit 0: allowed. 2: refused, or it depends on the request.
    """
    moment = None if at is None else parse_moment(at)
    if operation is None:
        return _explain_reference(subject, query, moment, system, as_document=json, path=path)
    policy = load_known(system_folder(system), os.environ)
    service_named(policy.catalog, subject)
    found = operation_named(policy.catalog, operation)
    request = None if path is None and query is None else _request(subject, found, path, query)
    now = moment or datetime.now(UTC)
    explanation = _explain(policy, subject, operation, now, request)
    path, query = (request.path, request.query) if request is not None else (None, None)
    objects = TargetExplainer(policy.engine, policy.catalog, policy.policies, now).objects(
        subject, found.id, path, query
    )
    if json:
        print_json({**as_json(explanation), "objects": [target_as_json(each) for each in objects]})
        return _exit_code(explanation)
    print_explanation(explanation, found.mode, option_for(system))
    if objects:
        print_line()
        print_line(f"where {found.service} asks about an object, that is decided too:")
    for each in objects:
        print_target(each, option_for(system), suggest=False)
    return _exit_code(explanation)


def _exit_code(explanation: Explanation) -> ExitCode:
    allowed = explanation.decision is not None and explanation.decision.allowed
    return ExitCode.SUCCESS if allowed else ExitCode.REFUSED


def _explain(policy: Policy, caller: str, operation: str, now: datetime, request: Request | None) -> Explanation:
    return explain_call(policy.engine, policy.catalog, policy.policies, caller, operation, now, request)


def _request(caller: str, operation: Operation, path: str | None, query: str | None) -> Request:
    if path is None:
        if operation.template.variables:
            raise BadInputError(
                f"`{operation.id}` has variables in its path", hint=f"give `--path`, as in {operation.template.text}"
            )
        path = operation.template.text
    path, mark, rest = path.partition("?")
    if mark and query is not None:
        raise BadInputError("a query in `--path` and one in `--query`", hint="give one")
    if operation.template.match(path) is None:
        raise BadInputError(
            f"`{shown(path)}` is no path of `{operation.id}`", hint=f"its paths are {operation.template.text}"
        )
    return Request(caller, operation.id, path, query if query is not None else rest)


def _explain_reference(
    reference: str, query: str | None, at: datetime | None, system: Path, *, as_document: bool, path: str | None
) -> int:
    if path is not None or at is not None:
        raise BadInputError("a recorded call has its path and its time", hint="give `--query` only: it is not recorded")
    layout = system_layout(system)
    call = find_call(layout.record, reference)
    if call is None:
        raise BadInputError(
            f"no call with the reference `{shown(reference)}` is recorded",
            hint="references are shown by `inward calls --denied`; for a service, name an operation too",
        )
    policy = _policy(layout)
    explanation = _of_call(call, policy, query) if policy else None
    objects = objects_of(call, policy, query) if policy else ()
    disclosures = data_of(call, policy) if policy else ()
    if as_document:
        said = {
            "now": as_json(explanation) if explanation else None,
            "objects": [target_as_json(each) for each in objects],
            "data": [target_as_json(each) for each in disclosures],
        }
        print_json({"call": call, "meaning": meaning(call.reason), **said})
    else:
        _print_call(call, policy, layout)
        for line in advice_on(call, policy, objects):
            print_line(line)
        if objects or disclosures:
            print_line()
            print_line("what the policies say now:")
        for each in (*objects, *disclosures):
            print_target(each, option_for(system), suggest=True)
        if explanation is not None and policy is not None:
            _print_now(call, explanation, policy, option_for(system))
    return ExitCode.SUCCESS if call.decision == "allow" else ExitCode.REFUSED


def _policy(layout: Layout) -> Policy | None:
    """Return the policy of the folder; while that has mistakes, the one that is in force."""
    try:
        return load_known(layout.system, os.environ)
    except InvalidSystemError:
        return policy_in_force(layout)


def _of_call(call: Call, policy: Policy, query: str | None) -> Explanation | None:
    """Return what the policy says now of a recorded call at its time; None where it was not for a policy to say."""
    if call.reason not in _BY_POLICY or call.caller not in policy.catalog.services:
        return None
    operation = policy.catalog.operations.get(call.operation or "")
    if operation is None or call.caller is None:
        return None
    cell = policy.engine.cell(call.caller, operation.id)
    reads = reads_of((*cell.permits, *cell.forbids), operation)
    unknown = query is None and any(where == "query" for where, _ in reads)
    path = None if unknown or _not_kept(call, reads) else path_of(call, operation)
    request = None if path is None else Request(call.caller, operation.id, path, query or "")
    return _explain(policy, call.caller, operation.id, datetime.fromisoformat(call.time), request)


def _not_kept(call: Call, reads: Collection[Read]) -> list[str]:
    """Return the names of the parameters that the record does not keep, of those that conditions read."""
    return [name for name in call.not_kept if ("path", name) in reads]


def _print_call(call: Call, policy: Policy | None, layout: Layout) -> None:
    route = f"{call.caller or 'somebody'} → {call.callee or '?'}"
    request = f"  {call.method or ''} {call.full_path or ''}".rstrip()
    operation = f"  ({call.operation})" if call.operation else ""
    print_line(styled(f"{call.time}  {route}{request}{operation}", "bold"))
    print_line(verdict(call, policy))
    facts = [
        f"by the {call.enforcer}"
        + (f" of {call.caller if call.enforcer == 'egress' else call.callee}" if call.caller else ""),
        f"mode {call.mode}",
        f"policy {call.policy_version}" if call.policy_version else "",
        f"answer {call.status}" if call.status else "no answer",
        f"{call.duration_us / 1000:.1f} ms" if call.duration_us is not None else "",
        f"from {call.address}" if call.address else "",
        f"for the user {call.user}" if call.user else "",
        f"trace {call.trace}" if call.trace else "",
    ]
    print_line(styled(", ".join(fact for fact in facts if fact), "dim"))
    if call.detail:
        print_line(f"the enforcer said: {printable(call.detail)}")
    if call.withheld:
        what = "would be looked for in the answer" if call.mode == "observe" else "cut out of the answer"
        if call.reason == Reason.UNVIEWABLE:
            what = "may have been in the answer"
        print_line(f"{what}: {printable(', '.join(call.withheld))}")
    _print_advice(call, policy, layout)


def _print_advice(call: Call, policy: Policy | None, layout: Layout) -> None:
    if call.reason == Reason.QUARANTINED:
        entries = [each for each in load_quarantine(layout).values() if each.service in {call.caller, call.callee}]
        for entry in entries:
            why = f": {printable(entry.reason)}" if entry.reason else ""
            print_line(f"{entry.service} is in quarantine since {entry.since}{why}")
        if not entries:
            print_line("both were released since")
    if call.reason == Reason.UNKNOWN_OPERATION and policy and call.callee is not None:
        service = policy.catalog.services.get(call.callee)
        if service is None:
            return
        path = call.full_path
        if path is None or path.startswith(HASHED):
            print_line("its path is not kept in the record")
            return
        near = [each for each in service.operations if each.template.match(path) is not None]
        for each in near:
            print_line(f"that path is documented for {each.method} ({each.id}, {each.place})")
        if not near:
            print_line(f"{call.callee} documents {len(service.operations)} operations, and none with such a path")
    elif call.reason in _ADVICE:
        print_line(_ADVICE[Reason(call.reason)])


def _print_now(call: Call, explanation: Explanation, policy: Policy, option: str) -> None:
    decision = explanation.decision
    operation = policy.catalog.operations[explanation.operation]
    print_line()
    cell = policy.engine.cell(explanation.caller, operation.id)
    not_kept = _not_kept(call, reads_of((*cell.permits, *cell.forbids), operation))
    if not_kept:
        names = ", ".join(f"`{name}`" for name in not_kept)
        print_line(
            f"what the policies say now ({printable(names)} of the path is not kept in the record, so for one path: "
            f"`inward explain{option} {explanation.caller} {operation.id} --path …`):"
        )
    elif decision is None:
        print_line("what the policies say now (the query is not recorded: give it with `--query`):")
    elif decision.allowed == (call.decision == "allow"):
        print_line("what the policies say now:")
    else:
        became = "allowed" if decision.allowed else "refused"
        then = f"{call.policy_version} then, " if call.policy_version else ""
        changed = f"the policy has changed since ({then}{policy.version} now): the same call would be {became}"
        print_line(Text(changed, style="yellow"))
    print_explanation(explanation, operation.mode, option)
