"""Which operation is that request? The most specific one whose method and path template match.

`most_specific_first` is the order in which Envoy tries its routes. `Resolver` gives the same answer without Envoy:
tests hold the routes to it. Paths are compared as they are: normalising them (`//`, `..`, escaped slashes, encoded
letters) is the enforcer's duty before it asks. A path that in another spelling (`%3A` for `:`) would mean another
operation means none, since it depends on the application which of both it takes it for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inward.catalog.model import Mode
from inward.catalog.template import plain_spelling
from inward.errors import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inward.catalog.model import Operation, Service
    from inward.catalog.template import Segment


def most_specific_first(operations: Iterable[Operation]) -> tuple[Operation, ...]:
    """Return the operations in the order in which they must be tried; the first match is meant."""
    return tuple(sorted(operations, key=lambda operation: (operation.template.specificity, operation.method)))


@dataclass(slots=True)
class _Node:
    """What may follow one beginning of a path: literal segments by text, patterns in the order to try."""

    literals: dict[str, _Node] = field(default_factory=dict)
    patterns: dict[Segment, _Node] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)  # by method, of templates that end here

    def put(self, operation: Operation, segments: Iterable[Segment]) -> None:
        """Put an operation under its segments, if there is none yet."""
        node = self
        for segment in segments:
            node = node.child(segment)
        node.operations.setdefault(operation.method, operation)

    def child(self, segment: Segment) -> _Node:
        """Return the node of one more segment, made where there is none yet."""
        if len(segment.literals) == 1:
            return self.literals.setdefault(segment.literals[0], _Node())
        return self.patterns.setdefault(segment, _Node())


class Resolver:
    """The operations of one service, indexed by the segments of their paths."""

    def __init__(self, service: Service) -> None:
        self._root = _Node()
        self._depth = 0
        self._enforced = [operation for operation in service.operations if operation.mode is Mode.ENFORCE]
        respelled = any(operation.template.respelled for operation in service.operations)
        self._plain = _Node() if respelled else None  # the same, with all literals in plain spelling
        # INVARIANT: patterns are inserted most specific first, and dicts keep that order.
        for operation in most_specific_first(service.operations):
            segments = operation.template.segments
            self._root.put(operation, segments)
            if self._plain is not None:
                self._plain.put(operation, (segment.plain for segment in segments))
            self._depth = max(self._depth, len(segments))

    def resolve(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        """Return the operation that is meant and the raw text of its path variables; None for an unknown one.

        `method` is compared as it is (RFC 9110 section 9.1: methods are case-sensitive); `path` is without
        its query.
        """
        if not path.startswith("/") or path.count("/") > self._depth:
            return None
        found = _find(self._root, method, path)
        if self._plain is not None and found is not None:
            meant = _find(self._plain, method, plain_spelling(path))
            if meant is None or meant[0] is not found[0]:
                return None
        return found

    def mistakable(self, method: str, path: str) -> Operation | None:
        """Return an enforced operation that some application may take a path for which `resolve` says means none."""
        if not path.startswith("/") or path.count("/") > self._depth:
            return None
        texts = plain_spelling(path)[1:].split("/")
        enforced = (operation for operation in self._enforced if operation.method == method)
        return next((operation for operation in enforced if operation.template.resembles(texts)), None)


def _find(root: _Node, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
    texts = path[1:].split("/")
    # Depth first, most specific branch first: the order of `most_specific_first`. A node is visited once.
    pending: list[tuple[_Node, int, tuple[str, ...]]] = [(root, 0, ())]
    while pending:
        node, depth, values = pending.pop()
        if depth == len(texts):
            operation = node.operations.get(method)
            if operation is not None:
                return operation, dict(zip(operation.template.variables, values, strict=True))
            continue
        text = texts[depth]
        for segment, child in reversed(node.patterns.items()):
            found = segment.match(text)
            if found is not None:
                pending.append((child, depth + 1, values + found))
        literal = node.literals.get(text)
        if literal is not None:
            pending.append((literal, depth + 1, values))
    return None


def unambiguous(operations: Iterable[Operation]) -> tuple[tuple[Operation, ...], list[Mistake]]:
    """Return the operations with a name and requests of their own, and a mistake for each other one.

    Of two with one method whose templates match the same paths, and of two with one name, the first is kept.
    Templates that overlap, such as `/a/{x}/c` and `/a/b/{y}`, are no mistake: one of them is more specific by
    a fixed order.
    """
    by_request: dict[object, Operation] = {}
    by_name: dict[str, Operation] = {}
    mistakes: list[Mistake] = []
    for operation in operations:
        key = (operation.method, operation.template.specificity)
        same_request = by_request.setdefault(key, operation)
        same_name = by_name.setdefault(operation.name, operation)
        if same_request is not operation:
            same = f"`{same_request.template.text}` ({same_request.place})"
            what = f"`{operation.method} {operation.template.text}` and {same}"
            mistakes.append(Mistake(operation.place, f"{what} match the same paths", "keep one"))
        elif same_name is not operation:
            what = f"the operation `{operation.name}` stands here a second time, first at {same_name.place}"
            mistakes.append(Mistake(operation.place, what, "give each an `operationId` of its own"))
    kept = {id(operation) for operation in by_name.values()} & {id(operation) for operation in by_request.values()}
    return tuple(operation for operation in operations if id(operation) in kept), mistakes
