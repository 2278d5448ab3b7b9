"""Cutting the service off for a moment, to see that it is: only where that was asked for, since it stops its own calls.

It is released whatever happens meanwhile, and both are acts of the record.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from inward.control.acts import ActError, account, note_act
from inward.control.attack.attempt import Attempt, Found, Sent, Verdict
from inward.control.quarantine import Quarantined, change_quarantine, load_quarantine
from inward.control.readback import wait_for_quarantine
from inward.policy.decision import Reason
from inward.record.call import timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.control.attack.intruder import Intruder
    from inward.control.egress_client import Outgoing

CONFIRM_SECONDS = 5.0
_WHY = "inward attack"


def cut_off(intruder: Intruder) -> Iterator[Attempt]:
    """Yield a call of each other service that it may use, while it is in quarantine."""
    outgoing: list[Outgoing] = []
    for callee in intruder.callees:
        operation = next((each for each in intruder.granted(callee) if each.rpc is None), None)
        path = intruder.path(operation) if operation is not None else "/"
        outgoing.append(intruder.outgoing(callee.name, "GET", path))
        yield _call(intruder, callee.name, outgoing[-1])


def _call(intruder: Intruder, callee: str, outgoing: Outgoing) -> Attempt:
    def send() -> Sent:
        _change(intruder, callee, quarantined=True)
        try:
            return intruder.send(outgoing)
        finally:
            _change(intruder, callee, quarantined=False)

    def judge(sent: Sent, found: Found) -> Verdict:
        call = found.call(sent.reference)
        if call is None or sent.status is None:
            return Verdict("untried", sent.said or "the record does not have the call", sent.reference)
        if call.carried_out == "deny":
            return Verdict("held" if call.reason == Reason.QUARANTINED else "untried", call.reason, call.id)
        return Verdict("breached", f"it was let through, and answered {sent.status}", call.id)

    what = f"GET {outgoing.target.decode()}, in quarantine"
    return Attempt("quarantine", callee, what, judge, send)


def _change(intruder: Intruder, callee: str, *, quarantined: bool) -> None:
    name = intruder.service
    there = load_quarantine(intruder.layout).get(name)
    if there is not None and (quarantined or there.reason != _WHY):
        return  # an alert was faster, or a person: that is not ours to release
    add = Quarantined(name, timestamp(datetime.now(UTC)), _WHY) if quarantined else None
    change_quarantine(intruder.layout, intruder.catalog, add, None if quarantined else name)
    with contextlib.suppress(ActError):  # it is done all the same, and the attack itself is in the record
        note_act(intruder.layout, "quarantine" if quarantined else "release", name, detail=_WHY, by=account())
    other = intruder.running.services.get(callee)
    if other is not None and other.listen and not other.serves_tls:
        asyncio.run(wait_for_quarantine(intruder.layout, [callee], CONFIRM_SECONDS))
