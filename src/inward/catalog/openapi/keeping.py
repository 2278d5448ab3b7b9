"""The operations of an API description, read anew only where it has changed since they were kept, or may mean another.

What a document describes depends on itself alone where it names no other file, no overlay changes it, and nothing is
declared of data. Then its operations are kept with it (`inward.catalog.kept`): reading them is half of the work of
loading a system in which nothing changed.

# INVARIANT: what is kept gives the same operations again, for any service and any modes.
"""

from __future__ import annotations

import posixpath
from functools import cache
from typing import TYPE_CHECKING

from inward.catalog.kept import Described
from inward.catalog.model import Operation
from inward.catalog.openapi.operations import Modes, read_operations
from inward.catalog.template import PathTemplate
from inward.errors import Place

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from inward.catalog.document import Value
    from inward.catalog.folder import SystemFolder


def load_operations(
    folder: SystemFolder, api: Value, service: str, modes: Modes, classes: Collection[str] = ()
) -> list[Operation] | None:
    """Return the operations of the document that `api` names; what is wrong with it is in `folder.mistakes`.

    `classes` are the data classes that the system declares. None where there is no API description that can be read at
    all.
    """
    name = api.text()
    if name is None:
        return None
    kept = None if classes else folder.kept_operations(name)
    if kept is not None:
        return _operations(kept, posixpath.normpath(name), service, modes)
    mistakes, crossings = len(folder.mistakes), folder.crossings
    document = folder.open(name, api)
    found = read_operations(folder, document, service, modes, classes) if document is not None else None
    if document is None or found is None or classes:
        return found
    if (len(folder.mistakes), folder.crossings) == (mistakes, crossings):
        file = document.document.name
        described = [_described(operation) for operation in found]
        # else it is marked with data, which is not kept
        if found == _operations(described, file, service, modes):
            folder.keep_operations(file, described)
    return found


def _described(operation: Operation) -> Described:
    return Described(
        operation.name,
        operation.method,
        operation.template.text,
        operation.parameters,
        operation.deprecated,
        operation.place.line,
    )


def _operations(described: Iterable[Described], file: str, service: str, modes: Modes) -> list[Operation]:
    templates = cache(PathTemplate)  # most paths have several operations
    return [
        Operation(
            service=service,
            name=each.name,
            method=each.method,
            template=templates(each.path),
            parameters=each.parameters,
            mode=modes.of(each.name),
            deprecated=each.deprecated,
            place=Place(file, each.line),
        )
        for each in described
    ]
