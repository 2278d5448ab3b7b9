"""Operations from descriptions that are there already: OpenAPI documents and `.proto` files.

They are read by the catalog's own loader, in a folder of their own that is taken away again: what is found is what a
system would enforce with them, and a mistake in them is told as `inward check` would tell it.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from inward.catalog.document import shown
from inward.catalog.system import FILE, load_system
from inward.discovery.found import Found, Sure
from inward.discovery.source.files import walk
from inward.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inward.discovery.found import Discovery

MAX_PROTO = 2 * 1024 * 1024  # bytes of a file, as when a system is loaded
MAX_MISTAKES = 20  # that are told
_SERVICE = re.compile(rb"^\s*service\s+[A-Za-z_]\w*\s*\{", re.MULTILINE)


class UndescribedError(BadInputError):
    """What should describe a service describes no operation."""

    code = "undescribed"


def read_openapi(name: str, content: bytes, place: str, discovery: Discovery) -> dict[str, bytes]:
    """Add the operations of a document; return the file that describes them, by the name it should have in a system.

    One with mistakes is none for a system: what it says is taken all the same, and nothing is returned.
    """
    file = f"apis/{name}.openapi.{'json' if content.lstrip()[:1] == b'{' else 'yaml'}"
    if not _read({file: content}, [file], "openapi", place, discovery):
        raise UndescribedError(f"`{shown(place)}` describes no operation", hint="is it an OpenAPI document?")
    return {file: content} if discovery.found[-1].document else {}


def read_proto(path: Path, name: str, discovery: Discovery) -> tuple[dict[str, bytes], list[str]]:
    """Add the methods of a `.proto` file, or of all below a folder; return files for a system, and which have services.

    Files of a folder import each other from that folder on.
    """
    root = path if path.is_dir() else path.parent
    files: dict[str, bytes] = {}
    for file in walk(root, (".proto",), discovery):
        relative = PurePosixPath(file.relative_to(root)).as_posix()
        try:
            content = file.read_bytes()
        except OSError as error:
            discovery.note(str(file), f"cannot be read: {(error.strerror or '').lower()}")
            continue
        if len(content) <= MAX_PROTO:
            files[f"apis/{name}/{relative}"] = content
    wanted = {f"apis/{name}/{PurePosixPath(path.relative_to(root)).as_posix()}"} if path.is_file() else set(files)
    serving = [file for file in files if file in wanted and _SERVICE.search(files[file])]
    if not serving:
        raise UndescribedError(
            f"`{shown(str(path))}` describes no gRPC service", hint="name a `.proto` file or a folder"
        )
    needed = _read(files, serving, "proto", str(path), discovery)
    if not needed:
        raise UndescribedError(f"no service of `{shown(str(path))}` can be read", hint="see what is said about it")
    return {file: content for file, content in files.items() if file in needed}, serving


def _read(files: Mapping[str, bytes], apis: list[str], source: str, place: str, discovery: Discovery) -> set[str]:
    """Add the operations that the documents `apis` describe; return which files that took, none if it is nothing."""
    with tempfile.TemporaryDirectory(prefix="inward-discover-") as folder:
        root = Path(folder)
        entry = {"owner": "nobody", "listen": "127.0.0.1:0", "api": apis}
        system = {"trust_domain": "discovered.internal", "services": {"discovered": entry}}
        for name, content in {**files, FILE: json.dumps(system).encode()}.items():
            target = root.joinpath(*PurePosixPath(name).parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        loaded = load_system(root)
    for mistake in loaded.mistakes[:MAX_MISTAKES]:
        where = f"{place}:{mistake.place.line}" if source == "openapi" else str(mistake.place).partition("/")[2]
        discovery.note(where, mistake.what, mistake.hint)
    if len(loaded.mistakes) > MAX_MISTAKES:
        discovery.note(place, f"{len(loaded.mistakes) - MAX_MISTAKES} more mistakes")
    operations = loaded.catalog.services["discovered"].operations if loaded.catalog else ()
    for operation in operations:
        own = operation.name if operation.name != f"{operation.method} {operation.template.text}" else None
        at = f"{place}:{operation.place.line}" if source == "openapi" else str(operation.place).partition("/")[2]
        sure, why = (Sure.LIKELY, "its description has mistakes") if loaded.mistakes else (Sure.SURE, "")
        file = operation.place.file if source == "proto" or not loaded.mistakes else None
        discovery.add(Found(operation.method, operation.template, source, at, sure, why, own, document=file))
    return set(loaded.files) if operations else set()
