"""What the bodies of operations hold: their answers by status, and their requests.

All media types of a body count together: what a service really answers with need not be what it should. Of a sequence
(JSON Lines and its kin) each item counts as a whole. A mark beside a `schema`, or beside `content`, holds for the whole
body. What it leaves out: headers of answers cannot be kept from a caller, so data in them is a mistake.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from inward.catalog.openapi.marks import KEY, Piece, SchemaReader, classes_below, marked_as_no_data
from inward.catalog.openapi.shapes import ShapeCompiler, TooLargeShapeError
from inward.catalog.shape import Answers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inward.catalog.document import Value
    from inward.catalog.folder import SystemFolder
    from inward.catalog.model import Operation

_SEQUENCE_ENDINGS = ("ndjson", "jsonl", "jsonlines", "json-lines", "json-seq", "event-stream")
_WITHOUT_BODY = frozenset({"204", "205"})


@dataclass(frozen=True, slots=True)
class Described:
    """What is said of a body: numbers of pieces, and whether that is all of it. `given`: whether there is a body."""

    pieces: tuple[int, ...] = ()
    whole: bool = False
    given: bool = False


@dataclass(frozen=True, slots=True)
class Bodies:
    """What is said of the bodies of an operation, which stands at `value`."""

    value: Value
    answers: dict[str, Described]
    request: Described


class BodyReader:
    """Reads what the operations of one document say of their bodies; when all are read, makes shapes of it."""

    def __init__(self, folder: SystemFolder, schemas: SchemaReader, *, swagger: bool) -> None:
        self._folder = folder
        self._schemas = schemas
        self._swagger = swagger
        self._headers: list[tuple[Value, int]] = []

    def read(self, operation: Value, parameters: Iterable[Value | None]) -> Bodies:
        """Return what an operation says; `parameters` are the lists of them that hold for it."""
        responses = operation.get("responses")
        answers = {
            status if status == "default" else status.upper(): self._response(response)
            for status, response in (responses.entries() if responses else ())
            if not status.startswith("x-")
        }
        body = operation.get("requestBody")
        request = self._form(parameters) if self._swagger else self._content(body) if body else Described()
        return Bodies(operation, answers, request)

    def complete(self, read: Iterable[tuple[Operation, Bodies]]) -> Iterator[Operation]:
        """Yield the operations with their shapes, but for those from the first on whose shape is too large."""
        compiler = ShapeCompiler(self._schemas.pieces)
        without_data = marked_as_no_data(self._schemas.pieces)
        no_data = ShapeCompiler(without_data) if without_data else None
        given_up = False
        for operation, bodies in read:
            if given_up:
                yield operation
                continue
            try:
                answers = _answers(compiler, operation.method, bodies.answers)
                if no_data is not None:
                    pieces = [piece for body in bodies.answers.values() for piece in body.pieces]
                    answers = dataclasses.replace(answers, no_data=no_data.shape(pieces))
                yield dataclasses.replace(operation, answers=answers, body=compiler.shape(bodies.request.pieces))
            except TooLargeShapeError as error:
                bodies.value.mistake(f"`{operation.name}`: {error.message}", "mark fewer alternatives, or the whole")
                given_up = True  # each costs seconds, and the document is not used anyway
                yield operation
        for header, number in self._headers:
            classes = sorted(classes_below(self._schemas.pieces, [number]))
            if classes:
                named = ", ".join(f"`{name}`" for name in classes)
                header.mistake(f"the header {header.label} carries {named}, and headers cannot be cut", "use the body")

    def _response(self, listed: Value) -> Described:
        response = self._object(listed)
        if response is None:
            return Described()
        headers = response.get("headers")
        for _, value in headers.entries() if headers else ():
            header = self._object(value)
            if header is not None:
                self._headers += ((value, number) for number in self._header(header))
        if not self._swagger:
            return self._content(response)
        schema = response.get("schema")
        pieces = [self._schemas.read(schema)] if schema else []
        return Described((*self._mark(response), *pieces), _says_something(schema), schema is not None)

    def _header(self, header: Value) -> Iterator[int]:
        yield from self._mark(header)
        schema = header.get("schema")
        if schema is not None:
            yield self._schemas.read(schema)
        if header.get("content"):
            yield from self._content(header).pieces

    def _content(self, listed: Value) -> Described:
        """Return what the `content` of a response, a request body or a header says."""
        body = self._object(listed)
        content = body.get("content") if body else None
        if body is None or content is None:
            return Described(tuple(self._mark(body)) if body else ())
        pieces = [*self._mark(body)]
        whole = bool(content.data)
        for media_type, value in content.entries():
            media = self._object(value)
            if media is None:
                continue
            pieces += self._mark(media)
            schema, item = media.get("schema"), media.get("itemSchema")
            whole &= _says_something(schema) or _says_something(item)
            if schema is not None:
                number = self._schemas.read(schema)
                pieces.append(self._schemas.add(Piece(each=[number])) if _is_sequence(media_type) else number)
            if item is not None:
                number = self._schemas.read(item)
                pieces += [number, self._schemas.add(Piece(items=[number]))]
        return Described(tuple(pieces), whole, given=True)

    def _form(self, parameters: Iterable[Value | None]) -> Described:
        """Return what Swagger's parameters say of the body: one in `body`, or the fields of a form."""
        pieces: list[int] = []
        fields: dict[str, int] = {}
        for listed in parameters:
            for item in listed.items() if listed else ():
                parameter = self._object(item)
                where, name = (parameter.get("in"), parameter.get("name")) if parameter else (None, None)
                if parameter is None or where is None:
                    continue
                schema = parameter.get("schema")
                if where.data == "body":
                    pieces += [*self._mark(parameter), *([self._schemas.read(schema)] if schema else ())]
                elif where.data == "formData" and name is not None and isinstance(name.data, str):
                    fields[name.data] = self._schemas.read(parameter)  # it is its own schema
        if fields:
            pieces.append(self._schemas.add(Piece(fields=fields)))
        return Described(tuple(pieces), whole=True, given=bool(pieces))

    def _object(self, value: Value) -> Value | None:
        """Return the object that stands here or that a `$ref` here names; None, and a mistake, where it is none."""
        target = self._folder.follow(value) if value.is_a(dict) else None
        return target if target is not None and target.is_a(dict) else None

    def _mark(self, value: Value) -> Iterator[int]:
        if value.get(KEY) is not None:
            yield self._schemas.marked(value)


def _answers(compiler: ShapeCompiler, method: str, described: dict[str, Described]) -> Answers:
    otherwise = compiler.shape(piece for body in described.values() for piece in body.pieces)
    undescribed = [status for status, body in described.items() if _should_say_more(status, method, body)]
    return Answers(
        MappingProxyType(
            {
                status: compiler.shape(body.pieces) if body.whole else otherwise
                for status, body in described.items()
                if otherwise.nodes
            }
        ),
        otherwise,
        tuple(undescribed) if described else ("default",),
    )


def _should_say_more(status: str, method: str, body: Described) -> bool:
    """Tell whether an answer is not described that has a body, or is the one that a reading operation is for."""
    if body.whole or method == "HEAD":
        return False
    return body.given or (method in {"GET", "QUERY"} and status.startswith("2") and status not in _WITHOUT_BODY)


def _says_something(schema: Value | None) -> bool:
    return schema is not None and schema.data not in ({}, True)


def _is_sequence(media_type: str) -> bool:
    return media_type.partition(";")[0].strip().lower().endswith(_SEQUENCE_ENDINGS)
