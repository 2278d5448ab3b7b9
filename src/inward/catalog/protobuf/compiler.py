"""Runs the protocol buffer compiler of grpcio-tools on the files of a system, in a process of its own.

The process is given copies of the files and nothing else, and is bounded in time, memory and output: what is in a
`.proto` file is nobody's word to trust. What it complains of becomes mistakes with the file and the line.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from inward.catalog.document import shown
from inward.catalog.protobuf.sources import MARKS
from inward.errors import Mistake, Place

if TYPE_CHECKING:
    from inward.catalog.folder import SystemFolder
    from inward.catalog.protobuf.sources import Sources

SECONDS = 20
MEMORY_BYTES = 2 << 30
MAX_OUTPUT_BYTES = 128 << 20
MAX_MISTAKES = 20  # of one file: one mistake of a person's is often many of a compiler's
INCLUDE = Path(__file__).parent / "include"
INSTALL = "install `inward[grpc]`"
_PROGRAM = f"""\
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({MEMORY_BYTES}, {MEMORY_BYTES}))
resource.setrlimit(resource.RLIMIT_CPU, ({SECONDS}, {SECONDS}))
resource.setrlimit(resource.RLIMIT_FSIZE, ({MAX_OUTPUT_BYTES}, {MAX_OUTPUT_BYTES}))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
from grpc_tools import protoc
sys.exit(protoc.main(["protoc", *sys.argv[1:], "-I" + protoc._get_resource_file_name("grpc_tools", "_proto")]))
"""
_COMPLAINT = re.compile(r"(?P<file>[^:]+):(?P<line>[0-9]{1,9}):[0-9]{1,9}: (?P<what>.*)")
_UNPLACED = re.compile(r"(?P<file>[^: ]+\.proto): (?P<what>.*)")
_WARNING = "warning: "
_FOLLOWS = "was not found or had errors"
_UNKNOWN_MARK = "`(inward.data)` unknown"


def _has_compiler() -> bool:
    return importlib.util.find_spec("grpc_tools") is not None


def compile_sources(folder: SystemFolder, sources: Sources) -> bytes | None:
    """Return a serialised `FileDescriptorSet` with all that the sources need and where it stands in them.

    None, and mistakes of the folder, where they do not compile.
    """
    digest = _digest(sources)
    kept = folder.compiled(digest)
    if kept is not None:
        return kept
    if not _has_compiler():
        what = "a `.proto` file cannot be read without the compiler of grpcio-tools"
        folder.mistakes.append(Mistake(Place(sources.first), what, INSTALL + ", or name a descriptor set instead"))
        return None
    try:
        made, complaints = _run(sources)
    except (OSError, subprocess.SubprocessError) as error:
        slow = isinstance(error, subprocess.TimeoutExpired)
        what = f"did not compile within {SECONDS} seconds" if slow else "cannot be compiled: " + str(error).lower()
        folder.mistakes.append(Mistake(Place(sources.first), what))
        return None
    if made is None:
        folder.mistakes.extend(_mistakes(sources, complaints))
        return None
    folder.keep_compiled(digest, made)
    return made


def _digest(sources: Sources) -> str:
    files = sorted(sources.files.items())
    parts = [sources.first, *(f"{name} {_sha256(source.content)}" for name, source in files)]
    parts.append(_sha256((INCLUDE / MARKS).read_bytes()))
    return _sha256("\n".join(parts).encode())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _run(sources: Sources) -> tuple[bytes | None, str]:
    """Return what the compiler made, None where it failed, and what it said."""
    with tempfile.TemporaryDirectory(prefix="inward-") as scratch:
        staged = Path(scratch).resolve() / "in"
        made = staged.with_name("out.binpb")
        for name, content in {
            **{name: source.content for name, source in sources.files.items()},
            MARKS: (INCLUDE / MARKS).read_bytes(),
        }.items():
            path = staged / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        options = [f"-I{staged}", "--include_imports", "--include_source_info", f"--descriptor_set_out={made}"]
        # `-P`: nothing is imported from the folder that it runs in. What it says goes into a file, which is bounded.
        with staged.with_name("said").open("w+b") as said:
            done = subprocess.run(
                [sys.executable, "-P", "-c", _PROGRAM, *options, sources.first],
                cwd=scratch,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                timeout=SECONDS,
                check=False,
            )
            said.seek(0)
            complaints = said.read(1 << 20).decode("utf-8", "replace").replace(f"{staged}/", "")
        return (made.read_bytes() if done.returncode == 0 and made.is_file() else None), complaints


def _mistakes(sources: Sources, complaints: str) -> list[Mistake]:
    found: dict[Mistake, None] = {}
    followed: list[Mistake] = []  # what is wrong because something else is
    for line in complaints.splitlines():
        placed = _COMPLAINT.fullmatch(line) or _UNPLACED.fullmatch(line)
        if placed is None or placed["what"].startswith(_WARNING):
            continue
        place = sources.place(placed["file"], int(placed.groupdict().get("line") or 0))
        what = placed["what"].partition(". ")[0].rstrip(".").replace('"', "`")
        hint = f'write `import "{MARKS}";`' if _UNKNOWN_MARK in what else ""
        mistake = Mistake(place, shown(what[:1].lower() + what[1:], 300), hint)
        if what.endswith(_FOLLOWS):
            followed.append(mistake)
        else:
            found[mistake] = None
    said = next((line for line in complaints.splitlines()[::-1] if line.strip()), "nothing, and has failed")
    otherwise = [Mistake(Place(sources.first), f"cannot be compiled: the compiler says {shown(said, 200)}")]
    return (list(found) or followed or otherwise)[:MAX_MISTAKES]
