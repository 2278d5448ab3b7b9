"""The operations of gRPC services: each method of a service is one, named `pkg.Service/Method`.

What the specifications leave open:

- Of a `.proto` file its own services count, not those of files that it imports. Of a descriptor set all count, since it
  does not say which of its files was meant.
- A method is read-only where its description says `idempotency_level = NO_SIDE_EFFECTS`.
- Conditions can read nothing of a message: a method has no parameters.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from inward.catalog.document import shown
from inward.catalog.folder import InvalidFileError
from inward.catalog.model import Operation, Rpc
from inward.catalog.protobuf.compiler import INSTALL, compile_sources
from inward.catalog.protobuf.descriptors import (
    MAX_BYTES,
    SUFFIXES,
    InvalidDescriptorsError,
    has_protobuf,
    parse_descriptors,
    serialise,
)
from inward.catalog.protobuf.marks import marked_fields, read_marks
from inward.catalog.protobuf.messages import Messages
from inward.catalog.protobuf.shapes import MessageShapes, TooLargeShapeError
from inward.catalog.protobuf.sources import SUFFIX, Sources
from inward.catalog.shape import Answers
from inward.catalog.template import InvalidTemplateError, PathTemplate
from inward.errors import Mistake, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from inward.catalog.document import Value
    from inward.catalog.folder import SystemFolder
    from inward.catalog.openapi.operations import Modes
    from inward.catalog.protobuf.descriptors import FileSet
    from inward.catalog.protobuf.messages import Method, Spot

_NO_SIDE_EFFECTS = 1  # MethodOptions.IdempotencyLevel
_ANSWERED = "200"  # the HTTP status of every answer that a method gives itself
MAX_METHODS = 20_000


def describes_methods(name: str) -> bool:
    """Tell whether a file is named like a description of gRPC services."""
    return name.endswith((SUFFIX, *SUFFIXES))


def load_methods(
    folder: SystemFolder, api: Value, service: str, modes: Modes, classes: Collection[str] = ()
) -> list[Operation] | None:
    """Return the operations that the file which `api` names describes; what is wrong with it is in `folder.mistakes`.

    `classes` are the data classes that the system declares. None where nothing can be read of it at all.
    """
    text = api.text()
    if text is None:
        return None
    name = posixpath.normpath(text)
    if not has_protobuf():
        api.mistake("a description of gRPC services cannot be read without the protobuf library", INSTALL)
        return None
    try:
        read = _compiled(folder, name, api) if name.endswith(SUFFIX) else _given(folder, name)
    except InvalidFileError as error:
        api.mistake(error.message, error.hint)
        return None
    except InvalidDescriptorsError as error:
        folder.mistakes.append(Mistake(Place(name), error.message, error.hint))
        return None
    if read is None:
        return None
    files, place = read
    return _Reader(folder, name, service, modes, files, place).operations(classes)


def _compiled(folder: SystemFolder, name: str, api: Value) -> tuple[FileSet, Callable[[str, int], Place]] | None:
    sources = Sources(folder, name, api)
    content = compile_sources(folder, sources) if sources.whole else None
    return None if content is None else (parse_descriptors(content), sources.place)


def _given(folder: SystemFolder, name: str) -> tuple[FileSet, Callable[[str, int], Place]]:
    content = folder.read(name, SUFFIXES, MAX_BYTES)
    return parse_descriptors(content), lambda _file, _line: Place(name)


class _Reader:
    """Reads one description, whose `files` are complete; `place` says where a line of one of them stands."""

    def __init__(
        self,
        folder: SystemFolder,
        name: str,
        service: str,
        modes: Modes,
        files: FileSet,
        place: Callable[[str, int], Place],
    ) -> None:
        self._folder = folder
        self._name = name
        self._service = service
        self._modes = modes
        self._files = files
        self._place = place
        self._messages = Messages(files)

    def operations(self, classes: Collection[str]) -> list[Operation] | None:
        methods = list(self._messages.methods(self._name if self._name.endswith(SUFFIX) else None))
        if not methods or len(methods) > MAX_METHODS:
            what = (
                f"describes more than {MAX_METHODS:,} methods" if methods else "describes no method of a gRPC service"
            )
            self._folder.mistakes.append(Mistake(Place(self._name), what))
            return None
        places = {field.full_name: self._at(field.spot) for field in marked_fields(self._messages)}
        overlays = self._folder.overlays(self._name)
        marks = read_marks(self._messages, places, overlays, classes, self._folder.mistakes)
        shapes = MessageShapes(self._messages.types, marks)
        descriptors = serialise(self._files)
        made = (self._operation(method, shapes, descriptors) for method in methods)
        return [operation for operation in made if operation is not None]

    def _operation(self, method: Method, shapes: MessageShapes, descriptors: bytes) -> Operation | None:
        described, place = method.descriptor, self._at(method.spot)
        name = f"{method.service}/{described.name}"
        rpc = Rpc(
            client_streaming=described.client_streaming,
            server_streaming=described.server_streaming,
            input=described.input_type.removeprefix("."),
            output=described.output_type.removeprefix("."),
            read_only=described.options.idempotency_level == _NO_SIDE_EFFECTS,
            descriptors=descriptors,
        )
        try:
            undescribed = (_ANSWERED,) if shapes.is_opaque(rpc.output) else ()
            return Operation(
                service=self._service,
                name=name,
                method="POST",
                template=PathTemplate(f"/{name}"),
                parameters=(),
                mode=self._modes.of(name),
                deprecated=described.options.deprecated,
                place=place,
                answers=Answers(otherwise=shapes.shape(rpc.output), undescribed=undescribed),
                body=shapes.shape(rpc.input),
                rpc=rpc,
            )
        except (TooLargeShapeError, InvalidTemplateError) as error:
            self._folder.mistakes.append(Mistake(place, f"`{shown(name)}`: {error.message}", error.hint))
            return None

    def _at(self, spot: Spot) -> Place:
        return self._place(spot.file.name, self._messages.line(spot))
