"""What `allow` and `revoke` say: the change as a diff, when it was enforced, and what is decided from then on."""

from __future__ import annotations

import asyncio
import difflib
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from inward.cli.output import Style, print_json, print_line, remark, styled
from inward.control.bundle import load_policy
from inward.control.readback import supervised, wait_for_policy
from inward.control.running import load_running
from inward.errors import ExitCode
from inward.policy.authoring.explain import explain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inward.control.bundle import Policy
    from inward.control.layout import Layout
    from inward.policy.authoring.edit import Change, Edit

ENFORCE_SECONDS = 15.0


def report(layout: Layout, edit: Edit, caller: str, operations: Sequence[str], *, as_json: bool) -> int:
    """Print an edit, wait until it is enforced, and return the exit code: 1 if a running system does not enforce it."""
    started = time.monotonic()
    policy = load_policy(layout.system)
    callee = operations[0].partition(":")[0]
    running = load_running(layout)
    here = running is not None and callee in running.services
    waits = bool(edit.changes) and running is not None and here and supervised(layout, running)
    if not as_json:
        _print_changes(edit)
    behind = asyncio.run(wait_for_policy(layout, policy, [callee], ENFORCE_SECONDS)) if waits else []
    seconds = time.monotonic() - started
    enforced = waits and not behind
    if as_json:
        print_json(_as_json(edit, policy, enforced=enforced, seconds=seconds if enforced else None))
        return ExitCode.FAILURE if behind else ExitCode.SUCCESS
    if enforced:
        print_line(
            styled(
                f"enforced by the Envoy of {callee} after {seconds * 1000:.0f} ms (policy {policy.version})", "green"
            )
        )
    elif behind:
        remark(styled(f"the Envoy of {callee} does not enforce it yet: see `inward status`", "yellow"))
    elif edit.changes and running is None:
        print_line("nothing runs here, so it holds from the next `inward up`")
    elif edit.changes and not here:
        print_line(f"{callee} is not run by `inward up` here, so nothing was told of it")
    elif edit.changes:
        remark(styled("`inward up` is gone, so nothing takes it over: start it again", "yellow"))
    for line in _from_now_on(policy, caller, operations):
        print_line(line)
    return ExitCode.FAILURE if behind else ExitCode.SUCCESS


def _print_changes(edit: Edit) -> None:
    if not edit.changes:
        print_line(f"{edit.note}: {edit.file} stays as it is")
    for change in edit.changes:
        print_line(styled(f"{change.place}", "bold"))
        for sign, line in _diff(change):
            styles: dict[str, Style] = {"+": "green", "-": "red"}
            print_line(styled(f"{sign} {line}", styles.get(sign, "")))
    for policy in edit.on_objects:
        what = f"`{policy.id}` ({policy.place}) grants it on objects, and stays: without the call it takes no effect"
        print_line(styled(what, "yellow"))


def _diff(change: Change) -> Iterator[tuple[str, str]]:
    for line in difflib.ndiff(change.before.splitlines(), change.after.splitlines()):
        if not line.startswith("?"):
            yield line[0], line[2:]


def _from_now_on(policy: Policy, caller: str, operations: Sequence[str]) -> Iterator[str]:
    """Say what is decided now; something else than the change may have the last word."""
    for operation in operations:
        said = explain(policy.engine, policy.catalog, policy.policies, caller, operation, datetime.now(UTC))
        if said.decision is None:
            what = "allowed or not as its conditions say"
        else:
            what = "allowed" if said.decision.allowed else f"refused ({said.decision.reason.value})"
        observed = policy.catalog.operations[operation].mode.value == "observe"
        yield f"{caller} → {operation}: {what}" + ("; in mode observe nothing is refused" if observed else "")


def _as_json(edit: Edit, policy: Policy, *, enforced: bool, seconds: float | None) -> dict[str, Any]:
    return {
        "file": edit.file,
        "changes": [
            {"policy": each.policy, "line": each.place.line, "before": each.before or None, "after": each.after or None}
            for each in edit.changes
        ],
        "note": edit.note or None,
        "on_objects": [
            {"policy": each.id, "file": each.place.file, "line": each.place.line} for each in edit.on_objects
        ],
        "version": policy.version,
        "enforced": enforced,
        "seconds": None if seconds is None else round(seconds, 3),
    }
