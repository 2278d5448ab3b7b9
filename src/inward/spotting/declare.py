"""How a finding is declared: the actions of an overlay that mark its place in the API description.

The mark goes to where the description speaks of the place, through references within the document and alternatives. A
place of which it does not speak is added. What another file says is not changed by an overlay of this one: then the
mark is added beside the reference, and holds where that stands.

It leaves out whether the place really holds such data: that is for a person to say. Of a field whose name was taken for
data (`spotting.spot`) the finding says no more than that it is in a map, and as such it is declared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import yaml

from inward.catalog.json_path import Wild, json_path
from inward.catalog.openapi.marks import KEY
from inward.errors import BadInputError
from inward.spotting.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from inward.catalog.json_path import Path
    from inward.catalog.model import Operation
    from inward.catalog.syntax import Data, DataPath
    from inward.spotting.tally import Finding

MAX_REFERENCES = 16  # that are followed, or alternatives in alternatives
_ALTERNATIVES: Final = ("allOf", "oneOf", "anyOf")
_NAMES: Final = {
    Kind.EMAIL: "pii.email",
    Kind.PHONE: "pii.phone",
    Kind.CARD: "payment.card",
    Kind.IBAN: "payment.iban",
    Kind.NATIONAL_ID: "pii.national-id",
    Kind.SECRET: "secret",
}


class UndeclarableError(BadInputError):
    """An API description does not speak of the operation, so nothing can be declared in it."""

    code = "undeclarable"


@dataclass(frozen=True, slots=True)
class Declaration:
    """The actions of an overlay that declare a finding, in their order."""

    actions: tuple[dict[str, Any], ...]

    @property
    def text(self) -> str:
        """The actions as they stand below `actions:` of an overlay, one a line."""
        return "".join(
            yaml.safe_dump([action], default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6)[1:-2]
            .join(("- ", "\n"))
            for action in self.actions
        )  # fmt: skip


def class_for(kind: Kind, classes: Collection[str]) -> str:
    """Return the data class to declare a kind with.

    That is a declared one of its name, or of its last name anywhere in the tree, or one above it; else a new name.
    """
    name = _NAMES[kind]
    above, _, last = name.rpartition(".")
    fitting = [each for each in classes if each.rpartition(".")[2] == last]
    if name in classes:
        return name
    if fitting:
        return min(fitting, key=lambda each: (each.count("."), each))
    return above if above in classes else name


def declaration(description: Data, operation: Operation, finding: Finding, data_class: str) -> Declaration:
    """Return how a finding in an answer of an operation is declared in the document that describes it.

    Raises `UndeclarableError` for a document that does not describe the operation.
    """
    at = _operation(description, operation)
    schema, missing = _schema(description, at, finding.status)
    if missing:
        keys = [*missing, *(key for step in finding.path for key in _keys(step))]
        return Declaration((_update(schema, keys, data_class),))
    return _mark(description, schema, finding.path, data_class)


def overlay_text(title: str, document: str, declarations: Iterable[Declaration]) -> str:
    """Return a whole overlay (OpenAPI Overlay Specification 1.0) for a document, given by its path from the overlay."""
    head = {"overlay": "1.0.0", "info": {"title": title, "version": "1"}, "extends": document}
    text = yaml.safe_dump(head, sort_keys=False, allow_unicode=True)
    return text + "actions:\n" + "".join(each.text for each in declarations)


def _operation(description: Data, operation: Operation) -> DataPath:
    """Return where an operation stands: by its `operationId`, or else by its method and path."""
    paths = _get(description, "paths")
    found: list[str] = []
    for path, listed in paths.items() if isinstance(paths, dict) else ():
        for method, value in listed.items() if isinstance(listed, dict) else ():
            if method.upper() == operation.method and isinstance(value, dict):
                if value.get("operationId") == operation.name:
                    return ("paths", path, method)
                if operation.template.text.endswith(path):  # servers have given it a prefix
                    found.append(path)
    if not found:
        raise UndeclarableError(f"the document does not describe `{operation.id}`", hint="is it in another document?")
    return ("paths", max(found, key=len), operation.method.lower())


def _schema(description: Data, at: DataPath, status: int) -> tuple[DataPath, list[str]]:
    """Return where the schema of an answer's body stands, or the last that there is on the way, and what is missing."""
    responses = _get(_at(description, at), "responses")
    listed = responses if isinstance(responses, dict) else {}
    known = [key for key in (str(status), f"{status // 100}XX", f"{status // 100}xx", "default") if key in listed]
    key = known[0] if known else str(status)
    at, missing = _follow(description, at, ("responses", key))
    if _get(description, "swagger") is not None:
        more: tuple[str, ...] = ("schema",)
    else:
        content = _get(_at(description, at), "content") if not missing else None
        named = [name for name in content if "json" in name.lower()] if isinstance(content, dict) else []
        more = ("content", named[0] if named else "application/json", "schema")
    if missing:
        return at, [*missing, *more]
    return _follow(description, at, more)


def _follow(description: Data, at: DataPath, keys: Sequence[str]) -> tuple[DataPath, list[str]]:
    """Go along keys as far as there are objects, through references in the document; return the rest too."""
    for number, key in enumerate(keys):
        at = _resolved(description, at)
        if not isinstance(_get(_at(description, at), key), dict):
            return at, list(keys[number:])
        at = (*at, key)
    return (at if keys[-1:] == ("schema",) else _resolved(description, at)), []


def _mark(description: Data, schema: DataPath, path: Path, data_class: str) -> Declaration:
    """Return the actions that mark what a path leads to from a schema."""
    for number, step in enumerate(path):
        below = _below(description, schema, step, MAX_REFERENCES)
        if below is None:
            schema = _resolved(description, schema)
            keys = [key for each in path[number:] for key in _keys(each)]
            return Declaration((*_cleared(description, schema, keys), _update(schema, keys, data_class)))
        schema = below
    return Declaration((_update(schema, (), data_class),))


def _below(description: Data, schema: DataPath, step: str | Wild, left: int) -> DataPath | None:
    """Return where the schema of a step stands, in a schema or in one of its alternatives."""
    schema = _resolved(description, schema)
    way = (*schema, *_keys(step))
    if isinstance(_at(description, way), dict):
        return way
    for at in _alternatives(description, schema) if left else ():
        found = _below(description, at, step, left - 1)
        if found is not None:
            return found
    return None


def _alternatives(description: Data, schema: DataPath) -> Iterator[DataPath]:
    for key in _ALTERNATIVES:
        listed = _get(_at(description, schema), key)
        yield from ((*schema, key, index) for index in range(len(listed) if isinstance(listed, list) else 0))


def _cleared(description: Data, schema: DataPath, keys: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the action that takes away what is no object where one must stand, such as `additionalProperties: true`."""
    for number in range(1, len(keys) + 1):
        value = _at(description, (*schema, *keys[:number]))
        if value is not None and not isinstance(value, dict):
            yield {"target": json_path((*schema, *keys[:number])), "remove": True}
            return


def _update(at: DataPath, keys: Sequence[str], data_class: str) -> dict[str, Any]:
    change: dict[str, Any] = {KEY: data_class}
    for index in range(len(keys) - 1, -1, -1):
        change = {keys[index]: change}
        if keys[index : index + 1] == ["content"] and index and keys[index - 1] != "responses":
            change["description"] = "not described before"  # OpenAPI demands one
    return {"target": json_path(at), "update": change}


def _keys(step: str | Wild) -> tuple[str, ...]:
    """Return how a schema goes on to a step."""
    if step is Wild.ITEM:
        return ("items",)
    return ("additionalProperties",) if step is Wild.REST else ("properties", str(step))


def _resolved(description: Data, at: DataPath) -> DataPath:
    """Return where a reference at a place leads within the document; the place itself where it leads elsewhere."""
    for _ in range(MAX_REFERENCES):
        reference = _get(_at(description, at), "$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return at
        # RFC 6901 section 3: `~1` first
        parts = [unquote(part).replace("~1", "/").replace("~0", "~") for part in reference[2:].split("/")]
        found: DataPath = ()
        for part in parts:
            value = _at(description, found)
            found = (*found, int(part) if isinstance(value, list) and part.isdecimal() else part)
        if not isinstance(_at(description, found), dict):
            return at
        at = found
    return at


def _at(description: Data, path: DataPath) -> Data:
    """Return what stands at a path, None where nothing does."""
    value = description
    for key in path:
        if isinstance(value, dict) and isinstance(key, str):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return None
    return value


def _get(value: Data, key: str) -> Data:
    return value.get(key) if isinstance(value, dict) else None
