"""`inward call`: make one call as a service, through its egress. For development."""

from __future__ import annotations

import base64
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inward.catalog.document import did_you_mean, shown
from inward.cli.options import JSONOption, SystemOption, system_layout
from inward.cli.output import option_for, print_json, printable, printable_lines, remark, styled
from inward.cli.verdict import outcome, verdict
from inward.control.egress_client import Answer, Outgoing, make_call
from inward.control.grpc_client import METHOD as GRPC
from inward.control.grpc_client import GrpcAnswer, make_grpc_call
from inward.control.readback import policy_in_force, supervised
from inward.control.running import require_running
from inward.errors import BadInputError, ExitCode
from inward.policy.decision import Reason
from inward.record.reader import find_calls

if TYPE_CHECKING:
    from inward.catalog.model import Rpc
    from inward.control.layout import Layout
    from inward.control.running import Running, RunningService
    from inward.record.call import Call

RECORD_SECONDS = 2.0
LOOK_SECONDS = 0.02
MAX_DATA_BYTES = 64 * 1024 * 1024


def call(
    caller: Annotated[str, typer.Argument(metavar="CALLER", help="The service to call as.")],
    method: Annotated[str, typer.Argument(metavar="METHOD", help="Such as GET; GRPC for a gRPC call.")],
    url: Annotated[str, typer.Argument(metavar="URL", help="http://SERVICE/PATH; sent exactly as typed.")],
    header: Annotated[
        list[str] | None, typer.Option("--header", "-H", metavar="NAME:VALUE", help="May repeat.")
    ] = None,
    data: Annotated[str | None, typer.Option("--data", "-d", metavar="TEXT|@FILE", help="The body.")] = None,
    timeout: Annotated[float, typer.Option(min=0.1, max=3600, metavar="SECONDS")] = 30.0,
    system: SystemOption = Path(),
    json: JSONOption = False,
) -> int:
    """Make one call as a service, through its egress, and say what was decided.

    The body of the answer goes to standard output, everything else to standard error. Of a gRPC call, whose URL is
    http://SERVICE/pkg.Service/Method, messages are JSON, one a line.

    Exit 0: the callee answered, whatever it said. 1: it could not be reached. 2: the call was refused.
    """
    outgoing = Outgoing(
        os.fsencode(method), os.fsencode(url), tuple(_header(text) for text in header or ()), _body(data)
    )
    layout = system_layout(system)
    running = require_running(layout)
    if outgoing.method == GRPC:
        rpc = _method(layout, outgoing)
        answer: Answer = make_grpc_call(_service(running, caller), outgoing, rpc, timeout)
    else:
        answer = make_call(_service(running, caller), outgoing, timeout)
    recorded = recorded_call(layout, answer, caller, RECORD_SECONDS)
    if json:
        print_json(_as_json(answer, recorded))
    else:
        _print(answer)
        _say(answer, recorded, layout, running, option_for(system))
    return exit_code(answer, recorded)


def recorded_call(layout: Layout, answer: Answer, caller: str, seconds: float) -> Call | None:
    """Return what the record says of a call that `caller` made; None where it says nothing within `seconds`."""
    reference = answer.reference
    deadline = time.monotonic() + seconds
    while reference:
        # A callee could answer with the reference of somebody else's call.
        found = [each for each in find_calls(layout.record, reference) if each.caller in {caller, None}]
        if found:
            return found[0]
        if time.monotonic() > deadline:
            break
        time.sleep(LOOK_SECONDS)
    return None


def _service(running: Running, caller: str) -> RunningService:
    service = running.services.get(caller)
    if service is None:
        raise BadInputError(f"no service `{shown(caller)}` runs here", hint=did_you_mean(caller, running.services))
    return service


def _method(layout: Layout, outgoing: Outgoing) -> Rpc | None:
    """Return the gRPC method that a call means, by the description in force."""
    policy = policy_in_force(layout)
    callee = policy.catalog.services.get(outgoing.callee) if policy else None
    path = outgoing.target.decode("utf-8", "replace")
    found = (each.rpc for each in (callee.operations if callee else ()) if each.rpc and each.template.text == path)
    return next(found, None)


def _header(text: str) -> tuple[bytes, bytes]:
    name, colon, value = os.fsencode(text).partition(b":")
    if not colon:
        raise BadInputError(f"the header `{shown(text)}` has no colon", hint="write `--header NAME:VALUE`")
    return name.strip(b" \t"), value.strip(b" \t")


def _body(data: str | None) -> bytes | None:
    if data is None or not data.startswith("@"):
        return None if data is None else os.fsencode(data)
    try:
        with Path(data[1:]).open("rb") as file:
            content = file.read(MAX_DATA_BYTES + 1)
    except (OSError, ValueError) as error:
        what = (isinstance(error, OSError) and error.strerror) or "it is no file name"
        raise BadInputError(
            f"`{shown(data[1:])}` cannot be read: {what.lower()}", hint="name a file after `@`"
        ) from None
    if len(content) > MAX_DATA_BYTES:
        raise BadInputError(f"`{shown(data[1:])}` is larger than {MAX_DATA_BYTES // 1024 // 1024} MiB")
    return content


def _print(answer: Answer) -> None:
    kind = answer.header("content-type")
    parts = [answer.title, *([kind] if kind else []), f"{answer.seconds * 1000:.0f} ms"]
    remark(styled("  ".join(parts), "bold"))
    if sys.stdout.isatty():
        body = printable_lines(answer.body.decode("utf-8", "backslashreplace"))
        sys.stdout.write(body if body.endswith("\n") or not body else body + "\n")
    else:
        sys.stdout.buffer.write(answer.body)
    sys.stdout.flush()


def _say(answer: Answer, recorded: Call | None, layout: Layout, running: Running, option: str) -> None:
    if recorded is None:
        _say_without_record(answer, supervised(layout, running))
        return
    remark(verdict(recorded, policy_in_force(layout)))
    if outcome(recorded) != "allowed":
        remark(f"why, and what would allow it: inward explain{option} {printable(recorded.id)}")


def _say_without_record(answer: Answer, is_supervised: bool) -> None:
    code = answer.problem.get("code")
    if code:
        remark(styled(f"{code}: {answer.problem['title']}", "yellow"))
    if not answer.reference:
        remark("this answer has no reference: whatever gave it, it was before any service was asked")
    elif is_supervised:
        remark(styled(f"not in the record yet: its reference is {answer.reference}", "yellow"))
    else:
        remark(
            styled(
                "no `inward up` is there, so calls wait in the Envoys' logs until the next one records them", "yellow"
            )
        )
        remark(f"its reference is {printable(answer.reference)}")


def exit_code(answer: Answer, recorded: Call | None) -> ExitCode:
    """Return what the enforcers did; where the record does not say it, what they answered."""
    if recorded is not None:
        codes = {"refused": ExitCode.REFUSED, "unreachable": ExitCode.FAILURE}
        return codes.get(outcome(recorded), ExitCode.SUCCESS)
    code = answer.problem.get("code")
    if code not in {reason.value for reason in Reason}:
        return ExitCode.SUCCESS
    return ExitCode.FAILURE if code == Reason.UNREACHABLE else ExitCode.REFUSED


def _as_json(answer: Answer, recorded: Call | None) -> dict[str, Any]:
    try:
        body = {"body": answer.body.decode()}
    except UnicodeDecodeError:
        body = {"body_base64": base64.b64encode(answer.body).decode()}
    return {
        "status": answer.status,
        **({"grpc_status": answer.grpc_status} if isinstance(answer, GrpcAnswer) else {}),
        "headers": [[name, value] for name, value in answer.headers],
        **body,
        "reference": answer.reference,
        "outcome": outcome(recorded) if recorded else None,
        "call": recorded,
    }
