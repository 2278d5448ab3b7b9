"""The figures of some calls: how many, how they were decided, how long and large they were, and of how many objects.

Figures of two portions add up to those of both, exactly, in whatever portions the calls came; only which names are told
apart where there are more than `MOST_NAMES` depends on which came first. No I/O, no clock.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

from inward.record.rollup.distinct import hash_of, pack_hashes, smallest, unpack_hashes
from inward.record.rollup.histogram import add_counts, bucket_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from inward.record.call import Call

MOST_NAMES = 64  # told apart in one row, of each kind
REST = "*"  # what all others are counted under; no service, operation, policy or data class has that name
MOST_CHARACTERS = 200  # of a name
_MINUTE_MS = 60_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TOO_LARGE = 1 << 62  # what a database's whole numbers hold


class Figures:
    """What some calls come to. Times are in ms since 1970, durations in microseconds, sizes in bytes."""

    __slots__ = (
        "bytes_in",
        "bytes_out",
        "calls",
        "duration_us",
        "durations",
        "first",
        "granting",
        "last",
        "looked_for",
        "objects",
        "outcomes",
        "reference",
        "refused",
        "refusing",
        "sent",
        "sizes_in",
        "sizes_out",
        "stopped",
        "withheld",
    )

    def __init__(self) -> None:
        self.calls = 0
        self.refused = 0  # by the policy, carried out or not
        self.stopped = 0  # refused, and not carried out
        self.first = _TOO_LARGE
        self.last = -_TOO_LARGE
        self.duration_us = 0  # sums
        self.bytes_in = 0
        self.bytes_out = 0
        self.reference = ""  # of the last that was refused
        self.outcomes: dict[str, int] = {}  # "<decision> <carried out> <mode> <reason>"
        self.granting: dict[str, int] = {}  # policies, of calls that they allowed
        self.refusing: dict[str, int] = {}  # policies, of calls that they refused, or whose condition did not hold
        self.withheld: dict[str, int] = {}  # data classes that were cut out of answers
        self.looked_for: dict[str, int] = {}  # those that would have been, in mode observe
        self.sent: dict[str, int] = {}  # for which requests were refused
        self.durations: dict[int, int] = {}
        self.sizes_in: dict[int, int] = {}
        self.sizes_out: dict[int, int] = {}
        self.objects: set[int] = set()  # hashes of the parameters of paths; of whole paths where there are none

    @classmethod
    def of_calls(cls, calls: Sequence[Call], moments: Sequence[int], key: bytes) -> Figures:
        """Return the figures of calls, at least one, that arrived at `moments` (ms since 1970); no name is left out."""
        self = cls()
        self.calls = len(calls)
        self.first, self.last = min(moments), max(moments)
        kinds = Counter(
            (call.decision, call.carried_out, call.mode, call.reason, call.policies, call.withheld, call.sent)
            for call in calls
        )
        for (decision, carried_out, mode, reason, policies, withheld, sent), count in kinds.items():
            refused = decision == "deny"
            self.refused += count * refused
            self.stopped += count * (refused and carried_out == "deny")
            _count(self.outcomes, (f"{decision} {carried_out} {mode} {reason}",), count)
            _count(self.refusing if refused else self.granting, policies, count)
            _count(self.looked_for if mode == "observe" else self.withheld, withheld, count)
            _count(self.sent, sent, count)
        if self.refused:
            self.reference = next(call.id for call in reversed(calls) if call.decision == "deny")
        self.duration_us = _measure(self.durations, [call.duration_us for call in calls])
        self.bytes_in = _measure(self.sizes_in, [call.bytes_in for call in calls])
        self.bytes_out = _measure(self.sizes_out, [call.bytes_out for call in calls])
        paths = {"/".join(call.parameters.values()) if call.parameters else call.path for call in calls}
        self.objects = {hash_of(path, key) for path in paths if path is not None}
        return self

    def add(self, more: Figures) -> None:
        """Count what `more` counts, whose calls came later."""
        self.calls += more.calls
        self.refused += more.refused
        self.stopped += more.stopped
        self.first = min(self.first, more.first)
        self.last = max(self.last, more.last)
        self.duration_us = min(_TOO_LARGE, self.duration_us + more.duration_us)
        self.bytes_in = min(_TOO_LARGE, self.bytes_in + more.bytes_in)
        self.bytes_out = min(_TOO_LARGE, self.bytes_out + more.bytes_out)
        self.reference = key_text(more.reference) if more.reference else self.reference
        for mine, others in zip(self.names(), more.names(), strict=True):
            _add_names(mine, others)
        add_counts(self.durations, more.durations)
        add_counts(self.sizes_in, more.sizes_in)
        add_counts(self.sizes_out, more.sizes_out)
        self.objects = smallest(self.objects | more.objects)

    def names(self) -> tuple[dict[str, int], ...]:
        """Return the counts by name, in their order in `Names`."""
        return self.outcomes, self.granting, self.refusing, self.withheld, self.looked_for, self.sent

    def packed_names(self) -> bytes:
        """Return the counts by name as bytes (MessagePack), the same for the same figures but for the names' order."""
        return _encoder.encode(self.names())

    def packed_shape(self) -> bytes:
        """Return the distributions and the objects as bytes (MessagePack), the same for the same figures."""
        shapes = (self.durations, self.sizes_in, self.sizes_out)
        return _encoder.encode((*(dict(sorted(shape.items())) for shape in shapes), pack_hashes(self.objects)))

    def unpack_names(self, packed: bytes) -> None:
        """Take the counts by name from bytes. Raises `ValueError`."""
        unpacked = names_in(packed)
        self.outcomes, self.granting, self.refusing, self.withheld, self.looked_for, self.sent = unpacked

    def unpack_shape(self, packed: bytes) -> None:
        """Take the distributions and the objects from bytes. Raises `ValueError`."""
        self.durations, self.sizes_in, self.sizes_out, objects = _shape.decode(packed)
        self.objects = unpack_hashes(objects)


_encoder = msgspec.msgpack.Encoder()
_Counts = dict[str, int]
_names = msgspec.msgpack.Decoder(tuple[_Counts, _Counts, _Counts, _Counts, _Counts, _Counts])
_shape = msgspec.msgpack.Decoder(tuple[dict[int, int], dict[int, int], dict[int, int], bytes])


def names_in(packed: bytes) -> tuple[_Counts, _Counts, _Counts, _Counts, _Counts, _Counts]:
    """Return the counts by name in bytes, in the order of `Figures.names`. Raises `ValueError`."""
    return _names.decode(packed)


def _measure(shape: dict[int, int], values: Iterable[int | None]) -> int:
    known = [value for value in values if value is not None]
    shape.update(Counter(map(bucket_of, known)))
    return min(max(0, sum(known)), _TOO_LARGE)


def _count(names: dict[str, int], found: tuple[str, ...], count: int) -> None:
    for name in found:
        names[name] = names.get(name, 0) + count


def _add_names(names: dict[str, int], more: Mapping[str, int]) -> None:
    for name, count in more.items():
        known = name if name in names and len(name) <= MOST_CHARACTERS else key_text(name)
        if known not in names and len(names) >= MOST_NAMES:
            known = REST
        names[known] = names.get(known, 0) + count


def key_text(text: str) -> str:
    """Return a name as it is kept: of bounded length, without NUL, which PostgreSQL does not take; others differ."""
    if len(text) <= MOST_CHARACTERS and "\0" not in text:
        return text
    return text[:MOST_CHARACTERS].replace("\0", "\ufffd") + "~" + sha256(text.encode()).hexdigest()[:16]


def moment_of(time: str) -> int:
    """Return when a call arrived in ms since 1970; a time that is none counts as 1970."""
    try:
        return _minute_of(time[:16]) * _MINUTE_MS + int(time[17:19]) * 1000 + int(time[20:23])
    except ValueError:
        return 0


@lru_cache(maxsize=4096)
def _minute_of(text: str) -> int:
    """Return the minutes since 1970 of `2026-08-01T12:00`. Raises `ValueError`."""
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - _EPOCH) // timedelta(minutes=1)
