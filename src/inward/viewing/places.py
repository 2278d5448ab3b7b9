"""Places: a shape compiled for a view, so that a document is walked by plain look-ups.

A place stands for a set of nodes, all that the value there could be meant as, since documents are not always as they
were declared. Only places at or below which something is withheld are made: the rest of a document is not looked into.

How a set of nodes is left, where `n` is any of them:

1. An object's field leads to what `n` says of the field, or to `n.rest`. If `n` is an array and no object, the object
   may be one of its elements, or a map of them.
2. An array's element leads to `n.items`. If `n` is no array, the element may be `n` itself, or a value of the map.

It leaves out documents: see `guard.bodies.view`, and `view.lua` in `envoy.views`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from inward.errors import InwardError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from inward.catalog.model import Undisclosed
    from inward.catalog.shape import Node, Shape

MAX_PLACES = 100_000  # of one view
STRICTEST_FIRST: Final[tuple[Undisclosed, ...]] = ("drop", "null", "tokenise", "mask")


class UnviewableError(InwardError):
    """A document may hold what is withheld, and it cannot be said where."""

    code = "unviewable"


@dataclass(eq=False, slots=True)
class Place:
    """One place of a document: what is done with a value there.

    `undisclosed` is what becomes of the whole value, None where it is looked into; `classes` are why, or what is
    withheld below. `fields`, `rest` and `items` lead to what is below, None where nothing is withheld there.
    """

    undisclosed: Undisclosed | None
    classes: tuple[str, ...]
    fields: dict[str, Place | None] = field(default_factory=dict)
    rest: Place | None = None
    items: Place | None = None


def compile_places(shape: Shape, withheld: Mapping[str, Undisclosed]) -> tuple[Place | None, Place | None]:
    """Return the place of a document, and that of one document of a sequence; None where nothing is withheld.

    A sequence (JSON Lines) may be declared as one document, or as the array of all. Raises `UnviewableError` for a
    shape that can be read in too many ways.
    """
    compiler = _Compiler(shape, withheld)
    whole = frozenset(range(len(shape.nodes[:1])))
    elements = {node.items for node in shape.nodes[:1] if node.items is not None}
    # what is withheld of the array of all is withheld of each
    one = any(_is_object(node) or not withheld.keys().isdisjoint(node.classes) for node in shape.nodes[:1])
    parts = whole | elements if one else elements or whole
    return compiler.place(whole), compiler.place(frozenset(parts))


class _Compiler:
    def __init__(self, shape: Shape, withheld: Mapping[str, Undisclosed]) -> None:
        self._nodes = shape.nodes
        self._withheld = withheld
        self._below = self._classes_below()
        self._places: dict[frozenset[int], Place] = {}
        self._pending: list[tuple[frozenset[int], Place]] = []

    def place(self, nodes: frozenset[int]) -> Place | None:
        """Return the place of some nodes with all that it leads to."""
        found = self._place(nodes)
        while self._pending:
            self._link(*self._pending.pop())
        return found

    def _classes_below(self) -> list[set[str]]:
        """Return for each node the withheld classes at it and below it."""
        found = [{name for name in node.classes if name in self._withheld} for node in self._nodes]
        above: list[list[int]] = [[] for _ in self._nodes]
        for number, node in enumerate(self._nodes):
            for edge in node.edges:
                above[edge].append(number)
        pending = [number for number, classes in enumerate(found) if classes]
        while pending:
            number = pending.pop()
            for upper in above[number]:
                if not found[number] <= found[upper]:
                    found[upper] |= found[number]
                    pending.append(upper)
        return found

    def _place(self, meant: Iterable[int]) -> Place | None:
        nodes = frozenset(number for number in meant if self._below[number])
        if not nodes:
            return None
        place = self._places.get(nodes)
        if place is None:
            if len(self._places) >= MAX_PLACES:
                raise UnviewableError("what the operation answers can be read in too many ways")
            here = {name for number in nodes for name in self._nodes[number].classes if name in self._withheld}
            if here:
                strictest = min((self._withheld[name] for name in here), key=STRICTEST_FIRST.index)
                place = Place(strictest, tuple(sorted(here)))
            else:
                below = {name for number in nodes for name in self._below[number]}
                place = Place(None, tuple(sorted(below)))
                self._pending.append((nodes, place))
            self._places[nodes] = place
        return place

    def _link(self, nodes: frozenset[int], place: Place) -> None:
        elements = self._elements_met_as_objects(nodes)
        objects = [node for number in nodes | elements if _is_object(node := self._nodes[number])]
        place.rest = self._place(elements | {node.rest for node in objects if node.rest is not None})
        for name in {name for node in objects for name in node.fields}:
            edges = (node.fields.get(name, node.rest) for node in objects)
            below = self._place(elements | {edge for edge in edges if edge is not None})
            if below is not None or place.rest is not None:
                place.fields[name] = below
        arrays = {node.items for number in nodes if (node := self._nodes[number]).items is not None}
        others = {number for number in nodes if self._nodes[number].items is None}
        values = {rest for number in others if (rest := self._nodes[number].rest) is not None}
        place.items = self._place(arrays | others | values)

    def _elements_met_as_objects(self, nodes: frozenset[int]) -> frozenset[int]:
        """Return the elements of arrays among some nodes, where no object is declared; of arrays of arrays too."""
        found: set[int] = set()
        pending = list(nodes)
        while pending:
            node = self._nodes[pending.pop()]
            if node.items is not None and not _is_object(node) and node.items not in found:
                found.add(node.items)
                pending.append(node.items)
        return frozenset(found)


def _is_object(node: Node) -> bool:
    return bool(node.fields) or node.rest is not None
