"""What several commands share: options, and the arguments' way to what they name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inward.catalog.document import did_you_mean, shown
from inward.control.layout import Layout, find_system
from inward.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from inward.catalog.model import Catalog, Operation, Service

SystemOption = Annotated[
    Path, typer.Option("--system", metavar="DIR", help="The system folder.", show_default="the current one")
]
JSONOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def system_folder(system: Path) -> Path:
    """Return the system folder that `--system` names, or raise `BadInputError`."""
    return _read(find_system, system)


def system_layout(system: Path) -> Layout:
    """Return the layout of the system folder that `--system` names, or raise `BadInputError`."""
    system_folder(system)
    return Layout.of(system)


def _read(read: Callable[[Path], Path], system: Path) -> Path:
    try:
        return read(system)
    except (OSError, RuntimeError, ValueError) as error:  # a name that is too long, a loop of links, a null character
        what = (isinstance(error, OSError) and error.strerror) or "it cannot be a folder"
        raise BadInputError(
            f"`{shown(str(system))}` cannot be read: {what.lower()}", hint="name a system folder"
        ) from None


def service_named(catalog: Catalog, name: str) -> Service:
    """Return the service of that name, or raise `BadInputError` with the nearest one there is."""
    service = catalog.services.get(name)
    if service is None:
        raise BadInputError(f"there is no service `{shown(name)}`", hint=did_you_mean(name, catalog.services))
    return service


def operation_named(catalog: Catalog, name: str) -> Operation:
    """Return the operation with that id (`orders:getOrder`), or raise `BadInputError` with the nearest one there is."""
    operation = catalog.operations.get(name)
    if operation is not None:
        return operation
    owner, colon, _ = name.partition(":")
    if not colon:
        raise BadInputError(
            f"`{shown(name)}` is no operation", hint="an operation is written `service:name`, such as `orders:getOrder`"
        )
    service = service_named(catalog, owner)
    ids = [operation.id for operation in service.operations]
    hint = did_you_mean(name, ids) if ids else f"`{owner}` has no API description"
    raise BadInputError(f"there is no operation `{shown(name)}`", hint=hint)
