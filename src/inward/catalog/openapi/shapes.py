"""Shapes from schemas: where in a document which data class may stand, whichever of the alternatives it follows.

A node of a shape is a set of schemas that may describe one value (the construction that makes a deterministic automaton
of another), without those that lead to no mark. An ordinary description gives a node for each schema that leads to a
mark. What would give very many is refused: it is bounded by `MAX_NODES` and `MAX_STEPS`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from inward.catalog.openapi.marks import classes_below
from inward.catalog.shape import NOTHING, Node, Shape
from inward.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from inward.catalog.openapi.marks import Piece

MAX_NODES = 20_000  # of one shape
MAX_STEPS = 2_000_000  # fields and schemas that are looked at for one shape

_Set = frozenset[int]


class TooLargeShapeError(BadInputError):
    """The shape of a document has too many nodes."""

    code = "too_large_shape"


class ShapeCompiler:
    """Makes shapes of pieces, which are complete."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = pieces
        self._marked = _leading_to_marks(pieces)
        self._made: dict[_Set, Shape] = {}

    def shape(self, roots: Iterable[int]) -> Shape:
        """Return the shape of a document that these pieces describe, or raise `TooLargeShapeError`."""
        first = self.closure(roots)
        if not first:
            return NOTHING
        made = self._made.get(first)
        if made is None:
            made = self._made[first] = _Making(self._pieces, self.closure).make(first)
        return made

    def closure(self, numbers: Iterable[int]) -> _Set:
        """Return all the pieces that describe a value that these describe.

        Left out are those that lead to no mark, and those that only name others.
        """
        found = set(numbers) & self._marked
        waiting = list(found)
        while waiting:
            piece = self._pieces[waiting.pop()]
            new = {*piece.same, *piece.each} & self._marked
            for each in piece.each:
                new.update(number for same in self.closure([each]) for number in self._pieces[same].items)
            new = (new & self._marked) - found
            found |= new
            waiting += new
        return frozenset(number for number in found if self._pieces[number].says_something)


class _Making:
    """One shape while it is made."""

    def __init__(self, pieces: Sequence[Piece], closure: Callable[[Iterable[int]], _Set]) -> None:
        self._pieces = pieces
        self._closure = closure
        self._numbers: dict[_Set, int] = {}
        self._sets: list[_Set] = []
        self._steps = 0

    def make(self, first: _Set) -> Shape:
        self._number(first)
        nodes: list[Node] = []
        while len(nodes) < len(self._sets):
            nodes.append(self._node([self._pieces[number] for number in self._sets[len(nodes)]]))
        return Shape(tuple(nodes))

    def _number(self, pieces: _Set) -> int:
        number = self._numbers.get(pieces)
        if number is None:
            number = self._numbers[pieces] = len(self._sets)
            self._sets.append(pieces)
            if number >= MAX_NODES:
                raise TooLargeShapeError(f"what it describes has more than {MAX_NODES:,} parts with data of their own")
        return number

    def _node(self, pieces: list[Piece]) -> Node:
        classes = {name for piece in pieces for name in piece.classes}
        hidden = [number for piece in pieces for number in (*piece.keys, *piece.content)]
        items = self._closure(number for piece in pieces for number in piece.items)
        rest = self._closure(
            number for piece in pieces for number in (*piece.rest, *(number for _, number in piece.patterns))
        )
        fields: dict[str, int] = {}
        for name in dict.fromkeys(name for piece in pieces for name in piece.fields):
            part = self._field(pieces, name)
            if part != rest:  # what has no mark is told too, where other fields have some
                fields[name] = self._number(part)
        return Node(
            tuple(sorted(classes | classes_below(self._pieces, hidden))),
            MappingProxyType(fields),
            self._number(rest) if rest else None,
            self._number(items) if items else None,
        )

    def _field(self, pieces: list[Piece], name: str) -> _Set:
        """Return the pieces that describe the field `name`; `additionalProperties` are those a schema does not name."""
        self._steps += sum(1 + len(piece.patterns) for piece in pieces)
        if self._steps > MAX_STEPS:
            raise TooLargeShapeError("what it describes has too many alternatives to tell which data is where")
        found: list[int] = []
        for piece in pieces:
            found += (number for beginning, number in piece.patterns if name.startswith(beginning))
            found += [piece.fields[name]] if name in piece.fields else piece.rest
        return self._closure(found)


def _leading_to_marks(pieces: Sequence[Piece]) -> set[int]:
    """Return the pieces that are marked, and those that lead to one."""
    back: dict[int, list[int]] = {}
    for number, piece in enumerate(pieces):
        for other in piece.edges:
            back.setdefault(other, []).append(number)
    waiting = [number for number, piece in enumerate(pieces) if piece.classes]
    found = set(waiting)
    while waiting:
        new = set(back.get(waiting.pop(), ())) - found
        found |= new
        waiting += new
    return found
