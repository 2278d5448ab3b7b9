"""A record, a receiver without a network, and the delivery from the one to the other."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.unit.record.audit.log import call

from inward.control.exporting.answer import Answer
from inward.control.exporting.delivery import Delivery, Followed
from inward.record.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from inward.record.call import Entry

TAKEN = Answer("taken")
AWAY = Answer("away", "it is away")
UNFIT = Answer("unfit", "it answers 400")
BROKEN = Answer("unfit", "it answers 500", broken=True)


class Ids:
    """Encodes calls as their ids, a line each; a call whose id begins with `!` cannot be encoded."""

    content_type = "text/plain"

    def item(self, entry: Entry, skipped: int) -> str | None:
        name: str | None = getattr(entry, "id", None)
        if name is not None and name.startswith("!"):
            raise ValueError(name)
        return name if name is None or not skipped else f"{name}+{skipped}"

    def size(self, item: str) -> int:
        return len(item)

    def body(self, items: Sequence[str]) -> bytes:
        return "\n".join(items).encode()

    def rejected(self, answer: bytes) -> tuple[int, str]:
        return (int(answer), "a part") if answer else (0, "")


@dataclass
class Line:
    """Where requests go: `behave` says what becomes of the ids in one."""

    behave: Callable[[list[str]], Answer] = lambda _: TAKEN
    taken: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    closed: bool = False

    async def send(self, body: bytes) -> Answer:
        ids = body.decode().split("\n")
        self.sizes.append(len(ids))
        answer = self.behave(ids)
        if answer.kind == "taken":
            self.taken += ids
        return answer

    async def close(self) -> None:
        self.closed = True


class World:
    """A folder with a record, and what is sent of it."""

    def __init__(self, folder: Path, limit: int = 1 << 30, **recorder: Any) -> None:
        self.folder = folder
        self.states = folder / "states"
        self.limit = limit
        self.recorder = Recorder(folder / "record", **recorder)
        self.told: list[str] = []
        self.line = Line()

    def record(self, *numbers: int) -> None:
        self.recorder.append([call(number) for number in numbers])

    def delivery(self) -> Delivery[str]:
        followed = Followed(self.folder / "record", self.recorder.durable, self.limit)
        return Delivery("ids", followed, Ids(), self.line, self.states, lambda text, _: self.told.append(text), run=7)

    def send(self, delivery: Delivery[str]) -> None:
        """Send until all is sent or a try has failed."""

        async def all_of_it() -> None:
            delivery.finish()
            await asyncio.wait_for(delivery.keep(), 30)

        asyncio.run(all_of_it())


def ids(*numbers: int) -> list[str]:
    return [f"call-{number}" for number in numbers]
