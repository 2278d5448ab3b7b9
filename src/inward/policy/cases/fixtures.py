"""The named requests of a test file: the path and query that each makes of an operation, and the object it is about.

There are two forms. Parameters by name are what a program means to send: they are checked against the API description,
and what a path or a query cannot hold as it is gets percent-encoded. A path or a query as text is what stands on the
wire, well-formed or not: it is taken as it is. What no enforcer would ever ask about (a path of another operation, one
that is not normalised, a query that no HTTP parser lets through) is a mistake, and no case.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from inward.catalog.document import Value, did_you_mean, shown
from inward.policy.cases.objects import read_object
from inward.policy.resources.model import NO_RESOURCES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.catalog.model import Operation, Parameter
    from inward.catalog.resolve import Resolver
    from inward.policy.resources.model import Resource, Resources, ResourceType

Target = tuple[str, str]  # a path, and a query without its `?`

_KEYS = ("path", "query")
_OBJECT = "resource"
# What needs no encoding: of RFC 3986's pchar all but `;` in a path, the plain form in a query.
_SAFE_IN_PATH = "!$&'()*+,=:@"
_SAFE_IN_QUERY = "!$'()*,/:@"
_SAFE_IN_NAME = "[]:"
_RAW_QUERY = re.compile(r"[!\"$-~]*")  # printable ASCII without space and `#`
_FORMS = {"integer": re.compile(r"-?[0-9]+"), "boolean": re.compile(r"true|false")}
_DOT_SEGMENTS = frozenset({".", ".."})
_RAW = "write the whole `{where}` as text to test that"


class Fixture:
    """One request of a test file, at `value`; without `value`, the request that has no parameters.

    Whatever is wrong becomes a mistake: with the request itself when it is made, with the request as one of an
    operation when `target` is asked for.
    """

    def __init__(self, value: Value | None, resources: Resources = NO_RESOURCES) -> None:
        self._value = value
        self._parts: dict[str, Value] = {}
        self._given: dict[tuple[str, str], list[str]] = {}  # by place and name of a parameter, its texts
        self._wanted: set[tuple[str, str]] = set()  # the parameters of the operations that were asked for
        self._object: tuple[ResourceType, Resource] | None = None
        if value is None or not value.is_a(dict):
            return
        check_keys(value, (*_KEYS, _OBJECT))
        described = value.get(_OBJECT)
        self._object = read_object(described, resources) if described is not None else None
        for where in _KEYS:
            part = value.get(where)
            if part is None:
                continue
            self._parts[where] = part
            if isinstance(part.data, dict):
                self._given |= {(where, name): list(_texts(given, where)) for name, given in part.entries()}
            elif not isinstance(part.data, str):
                part.mistake(f"{part.label} must be a mapping of parameters, or text")

    def target(self, operation: Operation, resolver: Resolver, asked_by: Value) -> Target | None:
        """Return what the request looks like as one of `operation`; None where that is a mistake."""
        at = self._value or asked_by
        before = len(at.mistakes)
        path = self._path(operation, resolver, at)
        query = self._query(operation, at)
        return None if len(at.mistakes) > before else (path, query)

    def object(self, operation: Operation) -> Resource | None:
        """Return the object that `operation` is to be done to; None where it is about none, or that is a mistake."""
        if self._object is None:
            return None
        kind, resource = self._object
        if kind.service == operation.service:
            return resource
        if self._value is not None:
            what = f"`{kind.name}` is an object of `{kind.service}`, which `{operation.id}` is not done to"
            self._value.child(_OBJECT).mistake(what, "name a request of its own in a test of its own")
        return None

    def check_names(self) -> None:
        """Note each parameter that none of the operations has that were asked for."""
        for where, name in self._given.keys() - self._wanted:
            known = [known for place, known in self._wanted if place == where]
            what = f"no operation that is tested with it has the {where} parameter `{shown(name)}`"
            self._parts[where].child(name).mistake(what, did_you_mean(name, known))

    def _path(self, operation: Operation, resolver: Resolver, at: Value) -> str:
        path = self._raw("path")
        if path is None:
            values = {name: texts[0] for name, texts in self._texts_for(operation, "path", at) if texts}
            if values.keys() != set(operation.template.variables):
                return ""
            path = operation.template.text
            for name, text in values.items():
                path = path.replace(f"{{{name}}}", quote(text, _SAFE_IN_PATH))  # in which braces are encoded
        found = resolver.resolve(operation.method, path)
        if found is None:
            hint = "write a query as `query`" if "?" in path else f"its paths are {operation.template.text}"
            at.mistake(f"`{shown(path)}` is no path of `{operation.id}`", hint)
        elif found[0] is not operation:
            at.mistake(f"`{shown(path)}` is a path of `{found[0].id}`, not of `{operation.id}`")
        elif not _DOT_SEGMENTS.isdisjoint(path.split("/")):
            at.mistake(f"`{shown(path)}` is not normalised", "enforcers decide about a path without `.` and `..`")
        return path

    def _query(self, operation: Operation, at: Value) -> str:
        raw = self._raw("query")
        if raw is None:
            pairs = self._texts_for(operation, "query", at)
            return "&".join(
                f"{quote(name, _SAFE_IN_NAME)}={quote(text, _SAFE_IN_QUERY)}" for name, texts in pairs for text in texts
            )
        if not _RAW_QUERY.fullmatch(raw):
            hint = "percent-encode what is no printable ASCII, spaces and `#`; leave out the `?`"
            at.mistake(f"`{shown(raw)}` can be no query", hint)
        return raw

    def _raw(self, where: str) -> str | None:
        part = self._parts.get(where)
        return part.data if part is not None and isinstance(part.data, str) else None

    def _texts_for(self, operation: Operation, where: str, at: Value) -> Iterator[tuple[str, list[str]]]:
        """Yield the parameters of an operation that are given, and their texts."""
        for parameter in operation.parameters:
            if parameter.where != where:
                continue
            self._wanted.add((where, parameter.name))
            texts = self._given.get((where, parameter.name))
            if texts is not None:
                self._check_type(operation, parameter, texts)
                yield parameter.name, texts
            elif parameter.required:
                which = "name a request that has it" if self._value is None else "add it"
                hint = which + (f", or {_RAW.format(where=where)}" if where == "query" else "")
                at.mistake(f"`{operation.id}` needs the {where} parameter `{parameter.name}`", hint)

    def _check_type(self, operation: Operation, parameter: Parameter, texts: list[str]) -> None:
        form = _FORMS.get(parameter.type)
        for text in texts:
            if form is not None and not form.fullmatch(text):
                self._parts[parameter.where].child(parameter.name).mistake(
                    f"`{shown(text)}` is no {parameter.type}, as `{parameter.name}` of `{operation.id}` is",
                    _RAW.format(where=parameter.where),
                )


def check_keys(value: Value, known: tuple[str, ...]) -> None:
    """Note the unknown keys of a mapping; one that asks for end users gets an answer of its own."""
    if not isinstance(value.data, dict):
        return
    users = value.get("users")
    if users is not None:
        users.mistake("policies cannot read end users yet, so tests have none", "take `users` out")
    rest = {key: given for key, given in value.data.items() if key != "users"}
    Value(value.document, value.path, rest, value.mistakes).check_keys(known)


def _texts(value: Value, where: str) -> Iterator[str]:
    """Yield the text of a parameter; of a query parameter that is repeated, the text of each time."""
    if isinstance(value.data, list) and where == "query":
        if not value.data:
            value.mistake(f"{value.label} has no value", "leave it out")
        for item in value.items():
            yield from _text(item)
    else:
        yield from _text(value)


def _text(value: Value) -> Iterator[str]:
    if isinstance(value.data, bool):
        yield "true" if value.data else "false"
    elif isinstance(value.data, str | int):
        yield str(value.data)
    else:
        value.mistake(f"{value.label} must be text, a whole number, or true or false", "put it in quotes")
