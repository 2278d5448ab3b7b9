"""Operations from an API description: OpenAPI 3.0, 3.1 and 3.2, and Swagger 2.0.

Only what Inward uses is read and checked: paths, methods, names, parameters, the servers' path prefix; and where the
system declares data classes, or the document is marked with one, the schemas of bodies. The rest of the document may
be as it likes. Decisions that the specifications leave open:

- An operation's name is its `operationId`. Where that is missing, longer than 200 characters, not printable
  ASCII, holds `"` or a backslash, begins or ends with a space, or is `read`, `write` or `*` (the names of
  groups of operations), the name is `GET /orders/{id}`: method and path, the prefix included.
- An operation has one path. Where its servers have several different path prefixes, that is a mistake: keep
  one. Hosts do not matter: `https://a/v1` and `https://b/v1` have one prefix. Server variables have their
  default. A relative URL is taken from the root of the host, since where a document is published is not
  known.
- A path item may have a `$ref` and fields of its own, but not the same field in both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from inward.catalog.document import Value, shown
from inward.catalog.model import Mode, Operation
from inward.catalog.openapi.contents import Bodies, BodyReader
from inward.catalog.openapi.marks import SchemaReader, holds_marks
from inward.catalog.openapi.parameter import Listed, ParameterReader, parameters_of
from inward.catalog.template import InvalidTemplateError, PathTemplate

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from inward.catalog.folder import SystemFolder

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_ITEM_FIELDS = ("$ref", "summary", "description", "servers", "parameters")
_METHOD = re.compile(r"[A-Z][A-Z0-9_-]{0,31}")
_NAME = re.compile(r"[!#-\[\]-~](?:[ !#-\[\]-~]{0,198}[!#-\[\]-~])?")
_GROUP_NAMES = frozenset({"read", "write", "*"})
_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})(?:[.-].*)?")
_SUPPORTED: tuple[tuple[int, int], ...] = ((3, 0), (3, 1), (3, 2))
_SWAGGER = ((2, 0),)
_SERVER_VARIABLE = re.compile(r"\{([^{}]*)\}")
_SCHEMES = frozenset({"", "http", "https", "ws", "wss"})

Version = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Modes:
    """The modes of a service's operations: its own, and others by operation's name."""

    default: Mode
    overrides: Mapping[str, Mode]

    def of(self, name: str) -> Mode:
        """Return the mode of the operation `name`."""
        return self.overrides.get(name, self.default)


def read_operations(
    folder: SystemFolder, document: Value, service: str, modes: Modes, classes: Collection[str] = ()
) -> list[Operation] | None:
    """Return the operations that the document describes; what is wrong with it is in `folder.mistakes`.

    `classes` are the data classes that the system declares. None where it is no API description that can be read at
    all.
    """
    version = _version(document)
    paths = document.need("paths", "describe at least one path") if version else None
    if version is None or paths is None or not paths.is_a(dict):
        return None
    swagger = version in _SWAGGER
    schemas = SchemaReader(folder, classes) if classes or holds_marks(document.data) else None
    bodies = BodyReader(folder, schemas, swagger=swagger) if schemas else None
    parameters = ParameterReader(folder, swagger, schemas)
    reader = _Reader(folder, document, service, modes, version, parameters, bodies)
    found = list(reader.operations(paths))
    return list(bodies.complete(reader.read)) if bodies else found


def _version(document: Value) -> Version | None:
    if not document.is_a(dict):
        return None
    declared, supported = document.get("openapi"), _SUPPORTED
    if declared is None:
        declared, supported = document.get("swagger"), _SWAGGER
    if declared is None:
        document.mistake("the document has no `openapi` or `swagger` version", "is it an OpenAPI document?")
        return None
    found = _VERSION.fullmatch(str(declared.data)) if isinstance(declared.data, str | float) else None
    version = (int(found[1]), int(found[2])) if found else None
    if version not in supported:
        shown_version = shown(str(declared.data))
        declared.mistake(f"version `{shown_version}` cannot be read", "use OpenAPI 3.0, 3.1 or 3.2, or Swagger 2.0")
        return None
    return version


@dataclass(frozen=True, slots=True)
class _Reader:
    folder: SystemFolder
    document: Value
    service: str
    modes: Modes
    version: Version
    parameters: ParameterReader
    bodies: BodyReader | None
    read: list[tuple[Operation, Bodies]] = field(default_factory=list)  # what `bodies` has read

    def operations(self, paths: Value) -> Iterator[Operation]:
        """Yield the operations of `paths`."""
        prefix = self._base_path()
        for path, item in paths.entries():
            if not path.startswith("x-"):
                yield from self._path(path, item, prefix)

    def _path(self, path: str, item: Value, prefix: str) -> Iterator[Operation]:
        fields = self._fields(item)
        prefix = _prefix(fields.get("servers"), prefix)
        listed = self.parameters.read(fields.get("parameters"))
        for method, value in self._methods(fields):
            operation = self._operation(path, method, value, prefix, listed) if value.is_a(dict) else None
            if operation:
                if self.bodies:
                    parameters = (fields.get("parameters"), value.get("parameters"))
                    self.read.append((operation, self.bodies.read(value, parameters)))
                yield operation

    def _fields(self, item: Value) -> dict[str, Value]:
        """Return a path item's fields, those of the path item that it refers to among them."""
        fields: dict[str, Value] = {}
        methods = (*METHODS, "query", "additionalOperations") if self.version >= (3, 2) else METHODS
        for part in self.folder.chain(item):
            for key, value in part.entries():
                if key in fields and key in (*methods, "parameters", "servers"):
                    fields[key].mistake(f"`{key}` stands here and in the path item that this one refers to", "keep one")
                fields.setdefault(key, value)
            part.check_keys((*_ITEM_FIELDS, *methods), extensions=True)
        return fields

    def _methods(self, fields: dict[str, Value]) -> Iterator[tuple[str, Value]]:
        fixed = (*METHODS, "query") if self.version >= (3, 2) else METHODS
        yield from ((method.upper(), fields[method]) for method in fixed if method in fields)
        if self.version < (3, 2) or "additionalOperations" not in fields:
            return
        for method, value in fields["additionalOperations"].entries():
            if method.lower() in fixed:
                value.mistake(f"`{shown(method)}` has a field of its own", f"write `{method.lower()}` in the path item")
            elif not _METHOD.fullmatch(method) or method == "CONNECT":
                value.mistake(f"`{shown(method)}` is no method of an operation", "write it in capitals, such as `COPY`")
            else:
                yield method, value

    def _operation(self, path: str, method: str, value: Value, prefix: str, listed: Listed) -> Operation | None:
        prefix = _prefix(value.get("servers"), prefix)
        try:
            template = PathTemplate(prefix + path if path.startswith("/") else path)
        except InvalidTemplateError as error:
            value.mistake(error.message, error.hint)
            return None
        deprecated = value.get("deprecated")
        name = _name(value.get("operationId")) or f"{method} {template.text}"
        return Operation(
            service=self.service,
            name=name,
            method=method,
            template=template,
            parameters=parameters_of(template, listed, self.parameters.read(value.get("parameters"))),
            mode=self.modes.of(name),
            deprecated=deprecated is not None and deprecated.boolean() is True,
            place=value.place,
        )

    def _base_path(self) -> str:
        if self.version not in _SWAGGER:
            return _prefix(self.document.get("servers"), "")
        base = self.document.get("basePath")
        text = base.text() if base else None
        if base is not None and text is not None and not text.startswith("/"):
            base.mistake("`basePath` does not start with a slash")
            return ""
        return text.rstrip("/") if text else ""


def _name(operation_id: Value | None) -> str | None:
    text = operation_id.text() if operation_id else None
    return text if text and _NAME.fullmatch(text) and text not in _GROUP_NAMES else None


def _prefix(servers: Value | None, inherited: str) -> str:
    """Return what the paths are under, by the nearest list of servers; it does not end with a slash."""
    if servers is None or servers.data == []:
        return inherited
    found = list(dict.fromkeys(prefix for prefix in map(_server_prefix, servers.items()) if prefix is not None))
    if len(found) > 1:
        shown_prefixes = " and ".join(f"`{shown(prefix or '/')}`" for prefix in found)
        servers.mistake(
            f"the servers have different paths: {shown_prefixes}",
            "keep the one that the service answers under",
        )
    return found[0] if found else inherited


def _server_prefix(server: Value) -> str | None:
    url = server.need("url") if server.is_a(dict) else None
    text = url.text() if url else None
    if url is None or text is None:
        return None
    for name in dict.fromkeys(_SERVER_VARIABLE.findall(text)):
        variables = server.get("variables")
        variable = variables.get(name) if variables else None
        default = variable.need("default") if variable and variable.is_a(dict) else None
        value = default.text() if default else None
        if value is None:
            url.mistake(f"the variable `{shown(name)}` of `url` has no default", "give it one in `variables`")
            return None
        text = text.replace("{" + name + "}", value)
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in _SCHEMES or parts.query or parts.fragment:
        url.mistake(f"`{shown(text)}` is no URL of a server", "write `https://host/path` or `/path`")
        return None
    path = parts.path.removeprefix("./").strip("/")
    return f"/{path}" if path and path != "." else ""
