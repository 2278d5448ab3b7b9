"""Overlays: changes to an API description that belongs to somebody else (OpenAPI Overlay Specification 1.0 and 1.1).

The actions `update` and `remove` are applied in their order; their targets are JSONPath (RFC 9535). `copy` (1.1) is not
known. In one thing this is stricter than the specification: an action whose target selects nothing is a mistake, since
a misspelt overlay must not silently declare nothing.

The document itself is left as it is: what an action changes is copied first, so that later loads see what stands in the
file. Everything in the result knows where it was written: in the document, or in the overlay.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final

from jsonpath import JSONPathEnvironment, JSONPathError

from inward.catalog.document import Document, Value, shown
from inward.catalog.syntax import Parsed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inward.catalog.syntax import Container, Data, DataPath
    from inward.errors import Place

MAX_SELECTED = 100_000  # values that one action may change
MAX_TARGET = 2000  # characters of a target
_VERSION = re.compile(r"1\.[01](?:\.[0-9]{1,4})?")
_KEYS = ("overlay", "info", "extends", "actions")
_ACTION_KEYS = ("target", "description", "update", "remove")
_TARGETS: Final = JSONPathEnvironment(strict=True)

Origin = tuple[Document, "DataPath"]


@dataclass(frozen=True, eq=False)
class OverlaidDocument(Document):
    """A document as overlays have changed it."""

    draft: _Draft

    def place(self, path: DataPath) -> Place:
        """Return where the key or item at `path` was written: in the document's file or in an overlay."""
        document, at = self.draft.origin(path)
        return document.place(at)


def apply_overlays(document: Document, overlays: Iterable[Value]) -> Document:
    """Return a document as its overlays change it, one after the other.

    What is wrong with an overlay is in the mistakes of its value; such an action changes nothing, or only a part.
    """
    draft = _Draft(document, document.parsed.data)
    for overlay in overlays:
        _apply(draft, overlay)
    parsed = Parsed(draft.data, draft.line_of, document.parsed.repeated)
    return OverlaidDocument(document.name, parsed, document.mistakes, draft)


def _apply(draft: _Draft, overlay: Value) -> None:
    version = overlay.need("overlay", "begin it with `overlay: 1.0.0`") if overlay.is_a(dict) else None
    if version is None:
        return
    if not _VERSION.fullmatch(str(version.data)):
        version.mistake(f"version `{shown(str(version.data))}` of overlays cannot be read", "use 1.0.0 or 1.1.0")
        return
    overlay.check_keys(_KEYS, extensions=True)
    actions = overlay.need("actions", "list at least one")
    for action in actions.items() if actions else ():
        if action.is_a(dict):
            action.check_keys(_ACTION_KEYS, extensions=True)
            _act(draft, action)


def _act(draft: _Draft, action: Value) -> None:
    target, update, remove = action.need("target"), action.get("update"), action.get("remove")
    paths = _selected(draft, target) if target else None
    removing = remove is not None and remove.boolean() is True
    if update is None and not removing:
        action.mistake("the action changes nothing", "give it an `update`, or `remove: true`")
    elif update is not None and removing:
        action.mistake("the action has both an `update` and `remove: true`", "write two actions")
    elif removing:
        # The last first, so that what stands before it in a list keeps its number, and what is in it is gone with it.
        for path in reversed(paths or []):
            if path:
                draft.remove(path)
            elif target is not None:
                target.mistake("the whole document would be removed")
    elif update is not None:
        for path in paths or []:
            draft.update(path, update)


def _selected(draft: _Draft, target: Value) -> list[DataPath] | None:
    """Return the ways to what a target selects, in the document's order; None, and a mistake, where it is nothing."""
    text = target.text()
    if text is None:
        return None
    if len(text) > MAX_TARGET:
        target.mistake(f"the target has {len(text)} characters", f"{MAX_TARGET} at most")
        return None
    try:
        found = _TARGETS.compile(text).finditer(draft.data)
        # what a path selects twice is changed once
        paths = list(dict.fromkeys(match.parts for match in islice(found, MAX_SELECTED + 1)))
    except (JSONPathError, RecursionError) as error:
        why = shown(str(error.args[0])) if error.args else "too deep"
        target.mistake(f"`{shown(text)}` is no JSONPath: {why}", "such as `$.components.schemas.Customer`")
        return None
    if not paths:
        target.mistake(f"`{shown(text)}` selects nothing in {draft.document.name}", "are all names spelt as there?")
        return None
    if len(paths) > MAX_SELECTED:
        target.mistake(f"`{shown(text)}` selects more than {MAX_SELECTED:,} values", "write a narrower target")
        return None
    return paths


@dataclass(eq=False)
class _Draft:
    """A document that is being changed. `document` is what it is made from."""

    document: Document
    data: Data
    _own: set[int] = field(default_factory=set)  # identities of containers that may be changed in place
    _origins: dict[int, dict[str | int, Origin]] = field(default_factory=dict)  # of own ones; other parts inherit
    _alive: list[Container] = field(default_factory=list)  # an identity must not be used again

    def origin(self, path: DataPath) -> Origin:
        """Return the document in which the value at `path` was written, and where in it."""
        document: Document = self.document
        at: DataPath = ()
        value = self.data
        for key in path:
            document, at = self._origins.get(id(value), {}).get(key, (document, (*at, key)))
            value = value[key]  # type: ignore[index]  # the path exists, so `value` is its container
        return document, at

    def line_of(self, path: DataPath) -> int:
        """Return the line of what stands at `path`, in the document in which it was written."""
        document, at = self.origin(path)
        return document.parsed.line_of(at)

    def remove(self, path: DataPath) -> None:
        """Take out what stands at `path`, which is not empty."""
        container, key = self._own_container(path[:-1]), path[-1]
        if isinstance(container, dict):
            del container[str(key)]
            self._origins[id(container)].pop(key, None)
        elif isinstance(key, int):
            origins = [self.origin((*path[:-1], index)) for index in range(len(container))]
            del container[key], origins[key]
            self._origins[id(container)] = dict(enumerate(origins))

    def update(self, path: DataPath, change: Value, *, inner: bool = False) -> None:
        """Merge a change into what stands at `path`; `inner` is whether an action has selected something around it."""
        present = self._at(path)
        if isinstance(present, dict) and isinstance(change.data, dict):
            for key, part in change.entries():
                if key in present:
                    self.update((*path, key), part, inner=True)
                else:
                    self._put(path, key, part)
        elif isinstance(present, list) and isinstance(change.data, list):
            for part in change.items():
                self._put(path, len(self._own_container(path)), part)
        elif isinstance(present, list) and not inner:
            self._put(path, len(present), change)
        elif isinstance(present, dict | list) or isinstance(change.data, dict | list) or not path:
            document, at = self.origin(path)
            change.mistake(
                f"{change.label} is {_kind(change.data)}, and what it would change is {_kind(present)}",
                f"that one stands at {document.place(at)}",
            )
        else:
            self._put(path[:-1], path[-1], change)

    def _put(self, path: DataPath, key: str | int, part: Value) -> None:
        """Let `part` stand in the container at `path`, at a key that is there, or new, or the end of a list."""
        container = self._own_container(path)
        if isinstance(container, dict):
            container[str(key)] = part.data
        elif isinstance(key, int):
            container[key : key + 1] = [part.data]
        self._origins[id(container)][key] = (part.document, part.path)

    def _at(self, path: DataPath) -> Data:
        value = self.data
        for key in path:
            value = value[key]  # type: ignore[index]  # the path exists, so `value` is its container
        return value

    def _own_container(self, path: DataPath) -> Container:
        """Return the container at `path`, which is there, as one that may be changed; so are those around it."""
        self.data = container = self._own_copy(self.data)
        for key in path:
            own = self._own_copy(container[key])  # type: ignore[index]  # a key of a mapping, an index of a list
            container[key] = own  # type: ignore[index]  # as above
            container = own
        return container

    def _own_copy(self, value: Data) -> Container:
        if not isinstance(value, dict | list):
            raise TypeError("a way leads through what holds nothing")
        if id(value) in self._own:
            return value
        copy = value.copy()
        self._own.add(id(copy))
        self._origins[id(copy)] = {}
        self._alive.append(copy)
        return copy


def _kind(data: Data) -> str:
    return "a mapping" if isinstance(data, dict) else "a list" if isinstance(data, list) else "a single value"
