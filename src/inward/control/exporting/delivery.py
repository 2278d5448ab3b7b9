"""Sending the record to one destination: the record is the queue, and a place in it is all that has to be kept.

Rules:

1. An entry is done when the receiver said that it took it, and the place is stored after that: what was sent and not
   stored is sent again. Doubles can be told by their uid.
2. What waits is read from the record again for each try; in memory is one batch.
3. More than the limit does not wait: the oldest is passed over, counted, told, and said in the next item that is sent.
4. A batch that is refused is sent in pieces, down to its entries. One entry is given up only where the receiver takes
   others beside it: else it is the receiver that is wrong, or how it is spoken to, and everything waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic

from inward.control.exporting.state import DamagedStateError, ExportState, load_state, store_state
from inward.errors import InwardError
from inward.record.call import Call, encode_entry
from inward.record.export.encoding import Encoding, Item
from inward.record.follow import START, Follower, Place
from inward.record.segment import Segment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inward.control.exporting.answer import Answer, Sending
    from inward.record.call import Entry
    from inward.record.follow import Durable, Missing

BATCH_ENTRIES = 512
BATCH_BYTES = 1 << 20  # a batch that has so many takes no more entries
ALONE_ENTRIES = 64  # of a batch that is refused, so many are sent one by one; and so many after a failure
_READ_ENTRIES = 16  # at once, so that batches of long entries stay small
_PASS_ENTRIES = 1024
SKIP_ENTRIES = 10_000  # in one turn
_YIELD_SECONDS = 0.0002  # after each reading: others get the interpreter at once, and not after its 5 ms
_TRIES = 3  # for an entry that fails the receiver
IDLE_SECONDS = 1.0
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0
_TELL_SECONDS = 60.0
_WHY_CHARACTERS = 200
_ID_CHARACTERS = 80
_NOW = 0.0


@dataclass(frozen=True, slots=True)
class Followed:
    """The record that is sent, and how much of it there may be left to send, in bytes.

    Who encodes it has its `turn`, so that what records calls waits for the interpreter behind one thread only.
    """

    folder: Path
    durable: Durable
    limit: int
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(slots=True)
class _Batch(Generic[Item]):
    """Entries that were read, and what is sent of them."""

    place: Place  # after the last entry
    items: list[Item] = field(default_factory=list)
    references: list[str] = field(default_factory=list)  # of the items: what a person finds each by
    left_out: list[str] = field(default_factory=list)  # why, of entries that cannot be sent
    entries: int = 0
    full: bool = False  # there may be more to read
    left: int = 0  # bytes of the record after it, about
    body: bytes = b""


class Delivery(Generic[Item]):
    """Sends to one destination. `told` takes a text for people, and values for programs.

    Making one that was never sent to puts it at the end of the record: what is recorded from then on is sent.
    """

    def __init__(
        self,
        name: str,
        followed: Followed,
        encoding: Encoding[Item],
        sending: Sending,
        states: Path,
        told: Callable[[str, dict[str, object]], None],
        run: int = 0,
    ) -> None:
        self.name = name
        self._followed = followed
        self._encoding = encoding
        self._sending = sending
        self._states = states
        self._listener = told
        self._follower: Follower | None = None
        self._size = BATCH_ENTRIES
        self._failures = 0
        self._stopping = asyncio.Event()
        self._told: dict[str, str] = {}
        self._told_at: dict[str, float] = {}
        self._again = False  # whether nobody knows what was sent
        self._missed: list[Missing] = []  # of what was read and is not stored yet
        self.state = ExportState()
        self.state = self._begin(run)
        self._store()

    def _begin(self, run: int) -> ExportState:
        try:
            state = load_state(self._states, self.name)
        except DamagedStateError as error:
            self._tell("state", f"{error.message}; the record is sent again, as far back as the limit")
            self._again = True
            return ExportState(run=run)
        if state is None:
            state = ExportState(place=_end(self._followed))
        state.run, state.trouble = run, None
        return state

    async def keep(self) -> None:
        """Send what there is and what comes, until `finish` was called and nothing more goes through."""
        while True:
            try:
                rest = await self._turn()
            except InwardError as error:
                rest = await self._wait(error.message)
            except Exception as error:  # noqa: BLE001 - whatever it is, the other destinations and the run go on
                rest = await self._wait(_said(error))
            if rest == _NOW:
                continue
            if self._stopping.is_set():
                break
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), rest)
        self._forget()
        await self._sending.close()

    def finish(self) -> None:
        """Let `keep` end, as soon as all is sent or a try has failed."""
        self._stopping.set()

    async def _turn(self) -> float:
        """Send one batch; return how many seconds to rest."""
        async with self._followed.turn:
            batch = await asyncio.to_thread(self._read)
        rest = _NOW if batch.full else IDLE_SECONDS
        if not batch.entries:
            return rest
        if not batch.items:
            await asyncio.to_thread(self._done, batch, 0, batch.left_out)
            return rest
        answer = await self._sending.send(batch.body)
        if answer.kind == "away":
            return await self._wait(answer.why, answer.wait)
        if answer.kind == "unfit":
            if len(batch.items) <= ALONE_ENTRIES:
                return await self._one_by_one(batch, answer)
            self._forget()
            self._size = ALONE_ENTRIES
            return _NOW
        dropped = self._dropped(answer, len(batch.items))
        await asyncio.to_thread(self._done, batch, len(batch.items) - len(dropped), batch.left_out + dropped)
        return rest

    def _dropped(self, answer: Answer, items: int) -> list[str]:
        """Return why of each item that the receiver dropped of a request that it took."""
        count, why = self._encoding.rejected(answer.body)
        return [f"the receiver dropped a part: {why[:_WHY_CHARACTERS]}"] * min(count, items)

    async def _one_by_one(self, batch: _Batch[Item], answer: Answer) -> float:
        """Send the items of a refused batch alone; those that are refused are given up, if others are taken."""
        waiting = list(zip(batch.items, batch.references, strict=True))
        dropped: list[str] = []
        refused: list[str] = []
        for _ in range(_TRIES):
            again = []
            for item, reference in waiting:
                one = await self._sending.send(await asyncio.to_thread(self._encoding.body, [item]))
                if one.kind == "away":
                    return await self._wait(one.why, one.wait)
                if one.kind == "taken":
                    dropped += self._dropped(one, 1)
                    continue
                answer = one
                if one.broken:
                    again.append((item, reference))
                else:
                    refused.append(f"{reference}: {one.why}")
            if len(refused) + len(again) == len(batch.items):
                return await self._wait(answer.why)
            waiting = again
        refused += [f"{reference}: {answer.why}" for _, reference in waiting]
        sent = len(batch.items) - len(refused) - len(dropped)
        await asyncio.to_thread(self._done, batch, sent, batch.left_out + refused + dropped)
        return _NOW

    def _read(self) -> _Batch[Item]:
        """Read the next batch, after what must not wait any longer was passed over."""
        if self._follower is None:
            self._follower = Follower(self._followed.folder, self.state.place, self._followed.durable)
        found, before, again = self._skip(self._follower)
        batch: _Batch[Item] = _Batch(before, full=again)
        if again:  # others have their turn in between, and the end of the run its moment
            self._forget()
            return batch
        size = 0
        while found:
            for batch.place, entry in found:
                size += self._add(batch, entry)
            batch.full = batch.entries >= self._size or size >= BATCH_BYTES
            if batch.full:
                break
            time.sleep(_YIELD_SECONDS)
            found = self._follower.read(_READ_ENTRIES)
        self._missed += self._follower.missing()
        batch.left = self._follower.lag()
        if batch.items:
            batch.body = self._encoding.body(batch.items)
        return batch

    def _add(self, batch: _Batch[Item], entry: Entry) -> int:
        """Encode an entry; return its size."""
        batch.entries += 1
        reference = f"call {entry.id[:_ID_CHARACTERS]}" if isinstance(entry, Call) else f"the entry of {entry.time}"
        try:
            item = self._encoding.item(entry, 0 if batch.items else self.state.untold)
            if item is None:
                return 0
            size = self._encoding.size(item)
        except Exception as error:  # noqa: BLE001 - whatever an entry holds, those after it are sent
            batch.left_out.append(f"{reference}: {_said(error)}")
            return 0
        batch.items.append(item)
        batch.references.append(reference)
        return size

    def _skip(self, follower: Follower) -> tuple[list[tuple[Place, Entry]], Place, bool]:
        """Pass over what is more than the limit behind.

        Return the first entries after it, their place, and whether there is so much that this has to be done again.
        """
        before, found = follower.place, follower.read(_READ_ENTRIES)
        count = 0
        while (waiting := follower.lag()) > self._followed.limit and found and count < SKIP_ENTRIES:
            count += len(found)
            before, found = follower.place, follower.read(_READ_ENTRIES)
            time.sleep(_YIELD_SECONDS)
        self.state.waiting = waiting + sum(len(encode_entry(entry)) for _, entry in found)
        if count:
            self._missed += follower.missing()
            self.state.place = before
            self._take_missed()
            if not self._again:
                self._skipped(count, "more than the limit was waiting")
            self._store()
        self._again = self._again and count >= SKIP_ENTRIES
        return found, before, count >= SKIP_ENTRIES

    def _take_missed(self) -> None:
        """Count what was deleted before it was sent, now that the place after it is stored."""
        missed, self._missed = self._missed, []
        for missing in missed:
            self._skipped(missing.entries or 0, missing.why)

    def _skipped(self, count: int, why: str) -> None:
        self.state.skipped += count
        self.state.untold += count
        self._say_seldom("skipped", f"entries are not sent, since {why}; {self.state.skipped} so far")

    def _done(self, batch: _Batch[Item], sent: int, left_out: list[str]) -> None:
        """Count a batch, and store the place after it."""
        state = self.state
        state.place, state.sent, state.refused = batch.place, state.sent + sent, state.refused + len(left_out)
        state.waiting = batch.left
        if left_out:
            more = f", and {len(left_out) - 1} more" if len(left_out) > 1 else ""
            self._say_seldom("refused", f"an entry is not sent: {left_out[0]}{more}; {state.refused} so far")
        if batch.items:
            state.untold = 0
            if state.trouble is not None:
                self._say(f"it is sent to again; {state.skipped} entries were passed over so far")
            state.trouble, self._failures, self._size = None, 0, BATCH_ENTRIES
            self._told.pop("trouble", None)
        self._take_missed()
        self._store()

    async def _wait(self, why: str, asked: float = 0.0) -> float:
        """Note that nothing goes through; return how many seconds to wait before the next try."""
        self._forget()
        self._size = ALONE_ENTRIES  # enough to find out with
        longest = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** min(self._failures, 16))
        self._failures += 1
        self.state.trouble = why
        await asyncio.to_thread(self._store)
        self._tell("trouble", f"nothing is sent, and waits in the record: {why}")
        return max(asked, random.uniform(longest / 2, longest))  # noqa: S311 - so that many do not come back at once

    def _forget(self) -> None:
        """Read on from what is stored."""
        self._follower = None
        self._missed.clear()

    def _store(self) -> None:
        try:
            store_state(self._states, self.name, self.state)
        except (InwardError, OSError) as error:
            told = error.message if isinstance(error, InwardError) else str(error)
            self._tell("store", f"what was sent cannot be noted, and would be sent again: {told}")
        else:
            self._told.pop("store", None)

    def _tell(self, kind: str, text: str) -> None:
        """Say something, once."""
        if self._told.get(kind) != text:
            self._told[kind] = text
            self._say(text)

    def _say_seldom(self, kind: str, text: str) -> None:
        """Say something with a count, which will be said again: once a minute."""
        now = time.monotonic()
        if now - self._told_at.get(kind, now - _TELL_SECONDS) >= _TELL_SECONDS:
            self._told_at[kind] = now
            self._say(text)

    def _say(self, text: str) -> None:
        state = self.state
        counts = {"sent": state.sent, "skipped": state.skipped, "refused": state.refused}
        self._listener(f"{self.name}: {text}", {"destination": self.name, **counts})


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:_WHY_CHARACTERS]


def _end(followed: Followed) -> Place:
    """Return the place after everything that is durable."""
    segment = Segment.of(followed.folder / followed.durable()[0])
    follower = Follower(followed.folder, START if segment is None else Place(segment.number, 0), followed.durable)
    while follower.read(_PASS_ENTRIES):
        pass
    return follower.place
