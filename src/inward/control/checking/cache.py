"""What one check of a system leaves to the next, in a private file of the account's cache folder.

Nothing that is enforced comes from here: `inward up` reads and validates for itself (decision 0009). For a check the
file saves work: every entry is found by the hash of all that it depends on, and the whole only counts for the code, and
the versions of the libraries, that wrote it.

# INVARIANT: a cache that others could have written, or that is damaged, is one that is not there.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

import inward
from inward.catalog.kept import DocumentMemo, Kept, KeptOperations
from inward.control.bundle import SystemMemo, SystemReader
from inward.control.checking.parts import Findings
from inward.control.findings import Finding  # noqa: TC001 - msgspec reads the annotations
from inward.envoy.resources.render import SlowCell  # noqa: TC001 - msgspec reads the annotations
from inward.envoy.resources.slow_cells import Verdicts
from inward.identity.private_files import PrivateFileError, private_folder, read_private, write_private
from inward.policy.loading.load import Memo, Span

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inward.control.bundle import Policy as System

MAX_BYTES = 64 * 1024 * 1024  # of one system; what is larger is not kept
MAX_SYSTEMS = 20  # those that were checked last
_LIBRARIES = (
    "cedarpy",
    "grpcio-tools",
    "msgspec",
    "protobuf",
    "pyyaml",
    "z3-solver",
)  # what they make of a text is what is kept
_HASH = 64  # hexadecimal digits


@dataclass
class CheckMemo:
    """What checks of one system found out, so that the next one looks only at what changed."""

    system: SystemMemo = field(default_factory=SystemMemo)
    verdicts: Verdicts = field(default_factory=Verdicts)
    posture: Findings = field(default_factory=Findings)


class _Content(msgspec.Struct, frozen=True):
    """The file's content after its first line, which is the hash of it."""

    made_by: str
    documents: dict[str, Kept]
    operations: dict[str, KeptOperations]
    compiled: dict[str, bytes]
    spans: dict[str, list[Span]]
    valid: list[str]
    slow: dict[str, tuple[SlowCell, ...]]
    posture: dict[str, tuple[Finding, ...]]


def cache_folder(environment: Mapping[str, str]) -> Path | None:
    """Return where caches lie (XDG Base Directory Specification): `$XDG_CACHE_HOME/inward`, else `~/.cache/inward`.

    None where neither is known. A variable that is no absolute path counts as not set, as the specification says.
    """
    for variable, below in (("XDG_CACHE_HOME", ""), ("HOME", ".cache")):
        value = environment.get(variable, "")
        if value.startswith("/"):
            return Path(value, below, "inward")
    return None


@cache
def made_by() -> str:
    """Return what tells this code from every other: a hash of its modules and the versions of what it reads with."""
    digest = hashlib.sha256(inward.__version__.encode())
    for name in _LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            digest.update(f"{name} {version(name)}\n".encode())
    root = Path(inward.__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def load_known(folder: Path, environment: Mapping[str, str]) -> System:
    """Load the system in `folder` once, for a command that only tells, with what its last check left; keep nothing.

    Raises `InvalidSystemError` with every mistake in it.
    """
    caches = cache_folder(environment)
    memo = CheckCache(caches, folder).load().system if caches is not None else SystemMemo()
    memo.documents.keeps = False  # it would be work for nobody
    return SystemReader(folder, memo).load()


class CheckCache:
    """The cache of one system. `problem` says why it is not used, where it is not."""

    def __init__(self, folder: Path, system: Path) -> None:
        self.problem = ""
        self._folder = folder
        name = hashlib.sha256(bytes(system.resolve())).hexdigest()[:32]
        self._path = folder / f"check-{name}.json"
        self._stored = b""

    def load(self) -> CheckMemo:
        """Return what the last check left; nothing, where it left nothing that can be used."""
        empty = CheckMemo(SystemMemo(DocumentMemo(keeps=True)))
        try:
            private_folder(self._folder)
            stored = read_private(self._path, limit=MAX_BYTES)
        except PrivateFileError as error:
            self.problem = error.message
            return CheckMemo()
        content = _decode(stored) if stored else None
        if stored is None or content is None:
            return empty
        self._stored = stored
        memo = SystemMemo(
            DocumentMemo(content.documents, content.operations, keeps=True, compiled=content.compiled),
            Memo(valid=set(map(bytes.fromhex, content.valid)), spans=content.spans),
        )
        return CheckMemo(memo, Verdicts(content.slow), Findings(content.posture))

    def store(self, memo: CheckMemo) -> None:
        """Keep what a check found out: whole, or not at all."""
        if self.problem:
            return
        documents, policies = memo.system.documents, memo.system.policies
        content = _Content(
            made_by(),
            documents.kept,
            documents.operations,
            documents.compiled,
            policies.spans,
            sorted(digest.hex() for digest in policies.valid),
            memo.verdicts.used,
            memo.posture.used,
        )
        stored = _encode(content)
        try:
            if len(stored) <= MAX_BYTES and stored != self._stored:
                write_private(self._path, stored)
                self._forget_the_oldest()
        except (PrivateFileError, OSError) as error:
            self.problem = str(error)

    def _forget_the_oldest(self) -> None:
        files = [(path.stat().st_mtime_ns, path) for path in self._folder.glob("check-*.json")]
        for _, path in sorted(files, reverse=True)[MAX_SYSTEMS:]:
            path.unlink(missing_ok=True)


def _encode(content: _Content) -> bytes:
    body = msgspec.json.encode(content, order="deterministic")
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def _decode(stored: bytes) -> _Content | None:
    """Return the content of a file that is whole and of this code; None for any other."""
    body = stored[_HASH + 1 :]
    if stored[: _HASH + 1] != hashlib.sha256(body).hexdigest().encode() + b"\n":
        return None
    try:
        content = msgspec.json.decode(body, type=_Content)
        for digest in content.valid:
            bytes.fromhex(digest)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return content if content.made_by == made_by() else None
