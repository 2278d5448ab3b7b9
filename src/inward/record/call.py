"""The call: one request that reached an enforcer, and what was decided. The unit of the record.

Also the gap, which stands in the record where something was lost, the act, which changed what is decided from then on,
and how all of them become lines of JSON and come back. Rules: a line is never stored that cannot be read back, and a
line that cannot be read is one `DamagedLineError`, whatever is wrong with it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Literal, TypeAlias

import msgspec

from inward.errors import InwardError

MAX_LINE_BYTES = 4 << 20  # of one entry, with its line feed: four times the longest line that a log may hold
_NAME = re.compile(r"\{([^{}/]*)\}")  # of a parameter, in a template
DETAIL_CHARACTERS = 256  # of what was lost, kept in a gap
HASHED = "hash#"  # how a hash begins that stands for a text; no parameter does, since no path can hold a `#`


class Call(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the record.

    `path` has no query. Where the operation is known it is the template of the operation, and `parameters` has what
    stood in the place of each name, percent-encoded as it came; what is not kept is not in there.

    Identities are the verified ones: a name that was only claimed is never stored as `caller`. `decision` is what the
    policy says; in observe mode a refused call was let through all the same, so `carried_out` says what happened.
    `src` is where the line came from (a `record.position.Position` as text: the log file and the offset of the line's
    end), which is what makes every call appear exactly once.
    """

    time: str  # RFC 3339, UTC, milliseconds: when the request arrived
    id: str  # the reference that a refused caller is given
    caller: str | None = None  # service name; a SPIFFE ID where the catalog has no such service
    callee: str | None = None
    user: str | None = None  # the end user, where the callee verified one
    address: str | None = None  # of the peer, without a port
    operation: str | None = None  # `service:name`
    method: str | None = None
    path: str | None = None
    parameters: dict[str, str] = {}
    decision: Literal["allow", "deny"]
    carried_out: Literal["allow", "deny"]
    reason: str  # a `Reason` code
    policies: tuple[str, ...] = ()  # deciding policies' `@id`s
    mode: Literal["observe", "enforce"] = "enforce"
    enforcer: Literal["ingress", "egress", "guard"] = "ingress"
    policy_version: str | None = None  # what the enforcer really enforced
    status: int | None = None  # HTTP; None where there was no answer
    grpc_status: int | None = None  # of a gRPC call, whose HTTP status is 200 whatever became of it
    duration_us: int | None = None
    bytes_in: int | None = None
    bytes_out: int | None = None
    trace: str | None = None  # trace id of the W3C traceparent
    span: str | None = None  # its parent id: the span of the caller that this call belongs to
    withheld: tuple[str, ...] = ()  # data classes that the guard cut out of the answer; in mode observe, would look for
    sent: tuple[str, ...] = ()  # data classes in the request, for which it is refused: not disclosed to the callee
    detail: str | None = None  # for operators: what the enforcer said of a refusal
    src: str | None = None

    @property
    def full_path(self) -> str | None:
        """The path as it came, as far as it is kept: a parameter that is not shows as its name, `/orders/{id}`."""
        if self.path is None or not self.parameters:
            return self.path
        return _NAME.sub(lambda found: self.parameters.get(found[1], found[0]), self.path)

    @property
    def not_kept(self) -> tuple[str, ...]:
        """The names of the path's parameters whose text is not in the record: it was dropped, or hashed."""
        if self.operation is None or self.path is None:
            return ()
        names: list[str] = _NAME.findall(self.path)
        return tuple(name for name in names if self.parameters.get(name, HASHED).startswith(HASHED))


class Gap(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="gap"):
    """Something was lost, or may have been: what is known of it. Any call may have stood there.

    `src` is where reading goes on after the gap, so that a gap too is reported exactly once; None where no
    log is concerned. `lost_bytes` and `lost_lines` are None where nobody can know them.
    """

    time: str  # RFC 3339, UTC, milliseconds: when it was noticed
    why: str  # for people: lower case, no full stop
    service: str | None = None  # whose log it is
    lost_bytes: int | None = None
    lost_lines: int | None = None
    detail: str | None = None  # how the lost line begins, as it stood there
    src: str | None = None


class Act(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="act"):
    """Somebody, or the system itself, changed what is decided, or who is who.

    `what` is one of a few words (docs/record.md has them), `about` what it was done to; `by` is the account that did
    it, None where that cannot be known: whoever changed a file of the system.
    """

    time: str  # RFC 3339, UTC, milliseconds
    what: str
    about: str | None = None  # a service, an operation, a policy's version
    detail: str | None = None  # for people
    by: str | None = None
    src: str | None = None


Entry: TypeAlias = Call | Gap | Act


class DamagedLineError(InwardError):
    """A line of the record is no entry."""

    code = "damaged_record"


_call_decoder = msgspec.json.Decoder(Call)
_other_decoder: msgspec.json.Decoder[Gap | Act] = msgspec.json.Decoder(Gap | Act)
_encoder = msgspec.json.Encoder()
_OTHER_STARTS = (b'{"kind":"gap"', b'{"kind":"act"')  # how msgspec begins a tagged struct


def timestamp(moment: datetime) -> str:
    """Return an aware `moment` as RFC 3339 in UTC with milliseconds; such texts sort by time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def beginning(lost: bytes) -> str:
    """Return how a lost line begins, for `Gap.detail`; bytes that are no UTF-8 become U+FFFD."""
    return lost[: DETAIL_CHARACTERS * 4].decode("utf-8", "replace")[:DETAIL_CHARACTERS]


def encode_entry(entry: Entry) -> bytes:
    """Return `entry` as one line of JSON with its line feed.

    What cannot be stored (a text with lone surrogates, a line of more than `MAX_LINE_BYTES`) becomes a gap
    with the same `src`: one such entry must not keep all that follow it out of the record.
    """
    try:
        line = _encoder.encode(entry) + b"\n"
        why = "the call is too large for the record"
    except UnicodeEncodeError:
        line, why = b"", "the call holds text that is no Unicode"
    if 0 < len(line) <= MAX_LINE_BYTES:
        return line
    service = entry.service if isinstance(entry, Gap) else None
    gap = Gap(time=entry.time, why=why, service=service, lost_lines=1, detail=beginning(line) or None, src=entry.src)
    return _encoder.encode(gap) + b"\n"


def parse_entry(line: bytes) -> Entry:
    """Return the entry in one line of the record, or raise `DamagedLineError`."""
    try:
        if line.startswith(_OTHER_STARTS):
            return _other_decoder.decode(line)
        return _call_decoder.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise DamagedLineError(f"a line of the record is no entry: {error}") from None
