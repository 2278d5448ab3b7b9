"""Parameters of operations, as OpenAPI 3.0 to 3.2 and Swagger 2.0 describe them: name, place, type, required.

Only those in the path and in the query are kept: they are what conditions may read. Types are `integer` and
`boolean` where the schema says just that (`["integer", "null"]` is an integer), and `string` for everything
else. A mark in a parameter that no enforcer looks at is a mistake: it would promise what is not kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from inward.catalog.document import Value, did_you_mean, shown
from inward.catalog.model import Parameter, ParameterType
from inward.catalog.openapi.marks import classes_below

if TYPE_CHECKING:
    from inward.catalog.folder import SystemFolder
    from inward.catalog.openapi.marks import SchemaReader
    from inward.catalog.template import PathTemplate

_PLACES = ("path", "query", "header", "cookie", "querystring", "body", "formData")
_NOT_LOOKED_AT = ("header", "cookie", "querystring")  # nobody would keep data in them from a service
_KEPT: dict[str, Literal["path", "query"]] = {"path": "path", "query": "query"}
MAX_NAME = 200

Key = tuple[str, str]  # name and place
Listed = dict[Key, tuple[Parameter, Value]]


@dataclass(frozen=True, slots=True)
class ParameterReader:
    """Reads lists of parameters of one document, and in `schemas`, if any, which data classes they carry."""

    folder: SystemFolder
    swagger: bool  # version 2.0: the type stands in the parameter itself
    schemas: SchemaReader | None = None

    def read(self, listed: Value | None) -> Listed:
        """Return the path and query parameters of a list, with where each is listed."""
        found: Listed = {}
        for item in listed.items() if listed else ():
            parameter = self._parameter(item)
            if parameter is None:
                continue
            key = (parameter.name, parameter.where)
            if key in found:
                item.mistake(
                    f"the {parameter.where} parameter `{parameter.name}` stands here a second time",
                    "keep one",
                )
            found[key] = (parameter, item)
        return found

    def _parameter(self, item: Value) -> Parameter | None:
        """Return one parameter; None where it is of no use here, or is a mistake."""
        value = self.folder.follow(item) if item.is_a(dict) else None
        if value is None or not value.is_a(dict):
            return None
        name_value, where_value = value.need("name"), value.need("in")
        name = name_value.text() if name_value else None
        where = where_value.text() if where_value else None
        if name_value is None or where_value is None or name is None or where is None:
            return None
        if where not in _PLACES:
            where_value.mistake(f"`{shown(where)}` is no place of a parameter", did_you_mean(where, _PLACES))
        kept = _KEPT.get(where)
        if kept is None:
            if where in _NOT_LOOKED_AT:
                self._require_unmarked(f"{where} parameter `{shown(name)}`", value, item)
            return None
        if not name.isprintable() or len(name) > MAX_NAME:
            name_value.mistake(f"`{shown(name)}` cannot be the name of a parameter")
            return None
        required = value.get("required")
        is_required = required is not None and required.boolean() is True
        schema = value if self.swagger else value.get("schema")
        return Parameter(name, kept, self._type(schema), where == "path" or is_required, self._classes(value))

    def _require_unmarked(self, what: str, parameter: Value, item: Value) -> None:
        if classes := self._classes(parameter):
            named = ", ".join(f"`{name}`" for name in classes)
            looked_at = "only paths, queries and bodies are looked at"
            item.mistake(f"the {what} carries {named}, and {looked_at}", "use the body")

    def _classes(self, parameter: Value) -> tuple[str, ...]:
        if self.schemas is None:
            return ()
        schema, content = parameter.get("schema"), parameter.get("content")
        parts = [self.schemas.read(parameter) if self.swagger else self.schemas.marked(parameter)]
        parts += [self.schemas.read(schema)] if schema else []
        for _, media in content.entries() if content else ():
            schema = media.get("schema")
            parts += [self.schemas.read(schema)] if schema else []
        return tuple(sorted(classes_below(self.schemas.pieces, parts)))

    def _type(self, schema: Value | None) -> ParameterType:
        target = self.folder.follow(schema) if schema else None
        declared = target.get("type") if target else None
        if declared is None:
            return "string"
        names = declared.data if isinstance(declared.data, list) else [declared.data]
        if not all(isinstance(name, str) for name in names):
            declared.mistake("`type` must be the name of a type, or a list of them")
        match [name for name in names if name != "null"]:
            case ["integer"]:
                return "integer"
            case ["boolean"]:
                return "boolean"
            case _:
                return "string"


def parameters_of(template: PathTemplate, path_level: Listed, operation_level: Listed) -> tuple[Parameter, ...]:
    """Return an operation's parameters: those of the path in its order, then those of the query.

    A variable that is not declared is a string. A declared path parameter that the path does not have is a
    mistake.
    """
    merged = path_level | operation_level
    for (name, where), (_, item) in merged.items():
        if where == "path" and name not in template.variables:
            item.mistake(f"the path `{shown(template.text)}` has no variable `{name}`")
    in_path = (
        merged[name, "path"][0] if (name, "path") in merged else Parameter(name, "path", "string", required=True)
        for name in template.variables
    )
    in_query = (parameter for parameter, _ in merged.values() if parameter.where == "query")
    return (*in_path, *in_query)
