"""A table that does not grow: what has not been used for longest goes, by half a table at a time, and is counted.

Two generations in the place of a list in order of use: an entry that is used moves to the young one, and when that is
full the old one goes. An entry is kept if it is used once while `most // 2` others are, and a look costs one dict's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

K = TypeVar("K")
V = TypeVar("V")


class Table(Generic[K, V]):
    """At most `most` entries. `evicted` counts those that had to go."""

    __slots__ = ("_half", "_old", "_young", "evicted")

    def __init__(self, most: int) -> None:
        self._half = max(1, most // 2)
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}
        self.evicted = 0

    def get(self, key: K) -> V | None:
        """Return the value of `key`, which counts as a use, or None."""
        value = self._young.get(key)
        if value is None and self._old:
            value = self._old.pop(key, None)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        """Keep `value`, which is not None."""
        if self._old:
            self._old.pop(key, None)
        if key not in self._young and len(self._young) >= self._half:
            self.evicted += len(self._old)
            self._old, self._young = self._young, {}
        self._young[key] = value

    def drop(self, key: K) -> None:
        """Forget `key`, if it is there."""
        self._young.pop(key, None)
        self._old.pop(key, None)

    def values(self) -> Iterator[V]:
        """Yield all values, those that were not used for longer first. The table must not change meanwhile."""
        yield from self._old.values()
        yield from self._young.values()

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def dump(self) -> tuple[list[tuple[K, V]], list[tuple[K, V]], int]:
        """Return all that there is, for `load`."""
        return list(self._old.items()), list(self._young.items()), self.evicted

    def load(self, dumped: tuple[list[tuple[K, V]], list[tuple[K, V]], int]) -> None:
        """Take what `dump` of a table of the same size gave."""
        old, young, self.evicted = dumped
        self._old, self._young = dict(old), dict(young)
