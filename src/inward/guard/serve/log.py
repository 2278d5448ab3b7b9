"""The guard's own log, for where no Envoy logs: one line a call, in the form of an ingress's access log.

So the tailer of `inward up` reads it as it reads Envoy's, exactly once by position. Every line is written in one piece
and before its answer ends: a call that was answered is recorded, whatever is killed next, and one that cannot be
recorded is not answered to its end.

The log is rotated by leading its symlink to another file, to which the next line goes. One process writes to it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from inward.errors import InwardError
from inward.policy.decision import Reason
from inward.record.call import timestamp
from inward.record.log_line import LogLine
from inward.record.verdict import Verdict, encode_verdict

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from inward.guard.core import Admission

KIND = "guard"  # of the log, beside Envoy's `access`
ANSWERED = "via_upstream"  # how the form says that the answer came from the service, its guard included


class CallLogError(InwardError):
    """A call cannot be logged."""

    code = "call_log"


@dataclass(slots=True)
class Asked:
    """One request, as far as it is known. `path` has no query; `verdict` is a header's value, `refused` our own."""

    time: datetime
    reference: str
    peer: str | None = None
    method: str | None = None
    path: str | None = None
    traceparent: str | None = None
    status: int | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    verdict: bytes | None = None
    admission: Admission | None = None
    policy_version: str | None = None
    address: str | None = None

    def refuse(self, reason: Reason, status: int) -> None:
        """Say that the server itself refused it."""
        self.status = status
        self.verdict = encode_verdict(Verdict(reason=reason.value))


class CallLog:
    """The log whose newest file the symlink `path` leads to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1
        self._inode = 0
        self._torn = False  # whether the file ends in half a line
        self._open()

    def call(self, asked: Asked, now: datetime) -> None:
        """Log one request that was answered, or refused, at `now`. Raises `CallLogError`."""
        admission = asked.admission
        granted = Reason.GRANTED.value
        observed = False
        if admission is not None:
            observed = admission.mode.value == "observe"
            if admission.decision.allowed and admission.decision.policies:
                granted += ":" + ",".join(admission.decision.policies)
        self._write(
            LogLine(
                e="i",
                t=timestamp(asked.time),
                id=asked.reference,
                m=asked.method,
                p=asked.path,
                s=asked.status,
                d=ANSWERED,
                us=max(0, round((now - asked.time).total_seconds() * 1_000_000)),
                bi=asked.bytes_in,
                bo=asked.bytes_out,
                tp=asked.traceparent,
                peer=asked.peer,
                peer_address=asked.address,
                op=admission.call.operation if admission is not None else None,
                v=asked.policy_version,
                # What the guard refuses stands in its verdict, which turns this into a refusal.
                en=None if observed else granted,
                sn=granted if observed else None,
                g=None if asked.verdict is None else asked.verdict.decode("ascii", "replace"),
            )
        )

    def handshake(self, time: datetime, reference: str, why: str, address: str) -> None:
        """Log a connection that proved no identity. Nothing that its peer presented is taken for one."""
        self._write(LogLine(e="c", t=timestamp(time), id=reference, d=why, peer_address=address))

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _open(self) -> None:
        self.close()
        try:
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            self._inode = os.fstat(self._descriptor).st_ino
        except OSError as error:
            raise CallLogError(
                f"the log `{self._path}` cannot be written: {(error.strerror or str(error)).lower()}",
                hint="start the service by `inward up`, which makes it",
            ) from error
        self._torn = False

    def _write(self, line: LogLine) -> None:
        try:
            content = msgspec.json.encode(line) + b"\n"
        except UnicodeEncodeError as error:
            raise CallLogError("a call holds text that is no Unicode") from error
        try:
            if self._descriptor < 0 or self._path.stat().st_ino != self._inode:
                self._open()
            if self._torn:
                content = b"\n" + content  # what is before it is no line, and is told as a gap
            written = os.write(self._descriptor, content)
            self._torn = written < len(content)
        except OSError as error:
            raise CallLogError(f"a call cannot be logged: {(error.strerror or str(error)).lower()}") from error
        if self._torn:
            raise CallLogError("a call cannot be logged: the disk took a part of it")
