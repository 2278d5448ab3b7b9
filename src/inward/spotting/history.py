"""The tallies of the last days, in one private file: counts, paths and kinds, and not one value.

Each day (UTC) has a tally of its own and is forgotten as a whole after `DAYS`, so that what was mended goes away. One
process adds to the file, which may be deleted at any time; any may read it.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from inward.catalog.json_path import Wild
from inward.errors import InwardError
from inward.identity.private_files import read_private, write_private
from inward.spotting.kinds import Kind, Spotted
from inward.spotting.tally import Count, NotLooked, Tally

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path as FilePath

    from inward.spotting.tally import Finding

DAYS = 14  # that are kept, today among them
MAX_BYTES = 16 * 1024 * 1024
_NUMBERS: Final[Mapping[Wild, Literal[0, 1]]] = {Wild.ITEM: 0, Wild.REST: 1}  # as which they are written
_WILD: Final = tuple(_NUMBERS)


class DamagedHistoryError(InwardError):
    """The file of tallies cannot be read."""

    code = "damaged_history"


class _Place(msgspec.Struct, frozen=True, array_like=True):
    path: list[str | Literal[0, 1]]
    kind: Kind
    answers: int


class _Count(msgspec.Struct, frozen=True):
    operation: str
    status: int
    answers: int
    having: list[_Place] = []
    resembling: list[_Place] = []
    not_looked: dict[NotLooked, int] = {}


class _Day(msgspec.Struct, frozen=True):
    counts: list[_Count]
    left_out: int = 0


class _File(msgspec.Struct, frozen=True):
    version: Literal[1]
    days: dict[date, _Day]


class History:
    """Tallies by day."""

    def __init__(self) -> None:
        self._days: dict[date, Tally] = {}

    @property
    def since(self) -> date | None:
        """The first day of which something is known."""
        return min(self._days, default=None)

    def day(self, day: date) -> Tally:
        """Return the tally of a day, to be added to."""
        return self._days.setdefault(day, Tally())

    def merge(self, other: History) -> None:
        """Count what another history has counted."""
        for day, tally in other._days.items():
            self.day(day).merge(tally)

    def forget(self, today: date) -> None:
        """Drop the days that are over for long, and those to come, which a clock that was wrong has made."""
        first = today - timedelta(days=DAYS - 1)
        self._days = {day: tally for day, tally in self._days.items() if first <= day <= today + timedelta(days=1)}

    def forget_first(self) -> None:
        """Drop the first day."""
        self._days.pop(min(self._days))

    def whole(self) -> Tally:
        """Return the tally of all days together."""
        whole = Tally()
        for tally in self._days.values():
            whole.merge(tally)
        return whole

    def last(self, finding: Finding) -> date | None:
        """Return the last day on which what was found was seen."""
        spotted = Spotted(finding.path, finding.kind)
        key = (finding.operation, finding.status)
        return max((day for day, tally in self._days.items() if _has(tally, key, spotted)), default=None)

    def encoded(self) -> bytes:
        """Return the content of the file."""
        days = {
            day: _Day([_written(*each) for each in tally.counts.items()], tally.left_out)
            for day, tally in self._days.items()
        }
        return msgspec.json.encode(_File(1, dict(sorted(days.items()))))

    @classmethod
    def decoded(cls, content: bytes) -> History:
        """Return what `encoded` gave; raise `DamagedHistoryError` for anything else."""
        try:
            file = msgspec.json.decode(content, type=_File)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise DamagedHistoryError("the tallies of undeclared data are damaged") from None
        history = cls()
        for day, counted in file.days.items():
            tally = history.day(day)
            tally.left_out = counted.left_out
            for each in counted.counts:
                tally.add_count(each.operation, each.status, _read(each))
        return history


def _has(tally: Tally, key: tuple[str, int], spotted: Spotted) -> bool:
    count = tally.counts.get(key)
    return count is not None and spotted in count.having


def _written(key: tuple[str, int], count: Count) -> _Count:
    return _Count(*key, count.answers, _places(count.having), _places(count.resembling), dict(count.not_looked))


def _places(counted: Counter[Spotted]) -> list[_Place]:
    return [
        _Place([_NUMBERS[step] if isinstance(step, Wild) else step for step in spotted.path], spotted.kind, number)
        for spotted, number in counted.items()
    ]


def _read(count: _Count) -> Count:
    return Count(count.answers, _counter(count.having), _counter(count.resembling), Counter(count.not_looked))


def _counter(places: list[_Place]) -> Counter[Spotted]:
    found: Counter[Spotted] = Counter()
    for place in places:
        path = tuple(step if isinstance(step, str) else _WILD[step] for step in place.path)
        found[Spotted(path, place.kind)] += place.answers
    return found


def load_history(path: FilePath) -> History:
    """Return what is known, nothing where there is no file; raise `DamagedHistoryError` for one that cannot be read."""
    content = read_private(path, limit=MAX_BYTES)
    return History() if content is None else History.decoded(content)


def add_to_history(path: FilePath, more: History, today: date) -> None:
    """Add to the file, and let it forget. A damaged file is begun anew: what it had can be seen again."""
    try:
        history = load_history(path)
    except DamagedHistoryError:
        history = History()
    history.merge(more)
    history.forget(today)
    while len(content := history.encoded()) > MAX_BYTES:
        history.forget_first()
    write_private(path, content)
