"""The shape of a document as far as data classes go: where in it which class stands.

A shape is a graph, since schemas may refer to themselves. A document is walked along it: from the first node, a field
leads to the node of that name, or else to the one for the rest; an element of an array to the node for items. What no
edge leads to holds no declared data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Node:
    """One place of a shape. `classes` are those of the whole value that stands there, sorted.

    `fields`, `rest` (every field that is not in `fields`) and `items` lead to other nodes, by their numbers.
    """

    classes: tuple[str, ...] = ()
    fields: Mapping[str, int] = field(default_factory=dict)
    rest: int | None = None
    items: int | None = None

    @property
    def edges(self) -> Iterator[int]:
        """The nodes that it leads to."""
        yield from self.fields.values()
        if self.rest is not None:
            yield self.rest
        if self.items is not None:
            yield self.items


@dataclass(frozen=True, slots=True)
class Shape:
    """The nodes of a document's shape; the first is the whole document. Without nodes nothing is declared."""

    nodes: tuple[Node, ...] = ()

    @property
    def classes(self) -> frozenset[str]:
        """Every class that stands somewhere in it."""
        return frozenset(name for node in self.nodes for name in node.classes)


NOTHING = Shape()


@dataclass(frozen=True, slots=True)
class Answers:
    """The shapes of an operation's answers, whatever their media types.

    `by_status` has the statuses of which the description speaks, by the keys that it uses: `200`, `2XX`, `default`;
    none where no data is declared in any answer. `otherwise` is for all other statuses, and is everything that any
    answer of the operation may hold: an error page that nobody described can be a whole record. `undescribed` are the
    statuses with an answer of which the description does not say what it holds: nothing can be declared there.
    `no_data` says where in any answer stands what may look like data and is none; its only class is `none`.
    """

    by_status: Mapping[str, Shape] = field(default_factory=dict)
    otherwise: Shape = NOTHING
    undescribed: tuple[str, ...] = ()
    no_data: Shape = NOTHING

    def of(self, status: int) -> Shape:
        """Return the shape of an answer with a status (OpenAPI 3.1 section 4.8.16.2: the most specific key counts)."""
        for key in (str(status), f"{status // 100}XX", "default"):
            if key in self.by_status:
                return self.by_status[key]
        return self.otherwise

    @property
    def classes(self) -> frozenset[str]:
        """Every class that stands somewhere in an answer."""
        return self.otherwise.classes.union(*(shape.classes for shape in self.by_status.values()))


NO_ANSWERS = Answers()
