"""The tree of observed paths: segment by segment, what was seen at each place and how often. Bounded in memory.

Values that are told by their look (`segment.look_of`) go to one child a kind at once, so that a million orders cost
one node. Words get a child each, up to `MAX_WORDS` at one place: what comes after that goes to one child for all of
them, and the place counts as *open*. No more than `MAX_NODES` nodes are made. `templates.infer` makes templates of a
tree.

Left out: which calls count. That is `observed`'s to say.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeVar

from inward.discovery.paths.segment import look_of

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_WORDS = 500  # children of one node that are words
MAX_NODES = 200_000
MAX_SEGMENTS = 32  # of a path
MAX_VALUES = 16  # of a kind that are kept, to tell whether there are several
TEXT = "text"  # the kind of words that are values

Kind = tuple[str, str]  # a look's kind and affix
Key = TypeVar("Key")


class Node:
    """A place in the tree: what follows it, and what ended at it (calls and redirects, by method)."""

    __slots__ = ("calls", "ends", "kinds", "open", "redirects", "values", "words")

    def __init__(self) -> None:
        self.calls = 0  # that passed here, or ended here
        self.ends: Counter[str] = Counter()
        self.redirects: Counter[str] = Counter()
        self.words: dict[str, Node] = {}
        self.kinds: dict[Kind, Node] = {}
        self.values: set[str] = set()  # of a node of a kind: some of its values
        self.open = False  # more words were seen here than are kept

    def take_value(self, text: str) -> None:
        """Keep a value of this node's kind, if it is one of the first."""
        if len(self.values) < MAX_VALUES:
            self.values.add(text)

    def absorb(self, other: Node) -> None:
        """Add all that was seen at another node, and below it. `other` is not to be used any more."""
        pending = [(self, other)]
        while pending:
            into, taken = pending.pop()
            into.calls += taken.calls
            into.ends.update(taken.ends)
            into.redirects.update(taken.redirects)
            into.open |= taken.open
            for value in taken.values:
                into.take_value(value)
            _join(into.words, taken.words, pending)
            _join(into.kinds, taken.kinds, pending)


def _join(mine: dict[Key, Node], theirs: dict[Key, Node], pending: list[tuple[Node, Node]]) -> None:
    for key, node in theirs.items():
        if key in mine:
            pending.append((mine[key], node))
        else:
            mine[key] = node


class PathTree:
    """All paths that were put in."""

    def __init__(self) -> None:
        self.root = Node()
        self._nodes = 1

    def put(self, method: str, segments: Sequence[str], calls: int = 1, *, redirect: bool = False) -> bool:
        """Count calls of a path; return false where it does not fit any more, and nothing is counted."""
        node, way = self.root, [self.root]
        for text in segments:
            child = self._child(node, text)
            if child is None:
                return False
            way.append(node := child)
        for each in way:
            each.calls += calls
        node.ends[method] += calls
        if redirect:
            node.redirects[method] += calls
        return True

    def _child(self, node: Node, text: str) -> Node | None:
        word = node.words.get(text)
        if word is not None:
            return word
        look = look_of(text)
        key = (look.kind, look.affix)
        if not look.kind:
            if len(node.words) < MAX_WORDS:
                return self._made(node.words, text)
            node.open = True
            key = (TEXT, "")
        child = node.kinds.get(key) or self._made(node.kinds, key)
        if child is not None:
            child.take_value(text)
        return child

    def _made(self, children: dict[Key, Node], key: Key) -> Node | None:
        if self._nodes >= MAX_NODES:
            return None
        self._nodes += 1
        node = children[key] = Node()
        return node
