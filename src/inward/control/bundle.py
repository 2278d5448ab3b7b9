"""Loading a whole system, noticing its changes, and the bundle: the copy of the last system without a mistake.

The bundle is what makes the policy in force loadable at any time, whatever somebody writes into the folder meanwhile.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from inward.catalog.system import load_system, policy_files
from inward.errors import InvalidSystemError
from inward.identity.private_files import private_folder, write_private
from inward.policy.decide import Engine
from inward.policy.load import Memo, load_policies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inward.catalog.model import Catalog
    from inward.errors import Mistake
    from inward.policy.model import Policies

CURRENT = "current"

Stamp = frozenset[tuple[str, int, int, int]]  # name, inode, size, time of the last change in nanoseconds


@dataclass(frozen=True)
class Policy:
    """A system that was loaded without a mistake: what there is, what is granted, and the files that say so."""

    catalog: Catalog
    policies: Policies
    engine: Engine
    files: Mapping[str, bytes]

    @cached_property
    def version(self) -> str:
        """The version of the system: a hash of its files' names and content, 12 hexadecimal digits."""
        digest = hashlib.sha256()
        for name in sorted(self.files):
            for part in (name.encode(), self.files[name]):
                digest.update(len(part).to_bytes(8, "big"))
                digest.update(part)
        return digest.hexdigest()[:12]


class SystemReader:
    """Loads the system in `folder`, again and again; tells cheaply whether there is something new to load."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._memo = Memo()
        self._names: frozenset[str] = frozenset()
        self._stamp: Stamp = frozenset()

    def changed(self) -> bool:
        """Tell whether a file of the system was changed, added or removed since `load` began last."""
        return self._stamp_now() != self._stamp

    def load(self) -> Policy:
        """Load the system, or raise `InvalidSystemError` with every mistake in it."""
        while True:
            stamp = self._stamp_now()
            loaded = load_system(self._folder)
            if frozenset(loaded.files) - self._names:
                self._names = frozenset(loaded.files)
                continue  # now that their names are known, look at their stamps before they are read
            self._names, self._stamp = frozenset(loaded.files), stamp
            mistakes: list[Mistake] = list(loaded.mistakes)
            policies = None
            if loaded.catalog is not None:
                policies, more = load_policies(self._folder, loaded.catalog, self._memo)
                mistakes += more
            files = {name: content for name in loaded.files if (content := self._content(name)) is not None}
            if self._stamp_now() != stamp:
                continue  # somebody wrote meanwhile: what was loaded may be half of each
            if mistakes or loaded.catalog is None or policies is None:
                raise InvalidSystemError(mistakes)
            return Policy(loaded.catalog, policies, Engine(loaded.catalog, policies), files)

    def _content(self, name: str) -> bytes | None:
        try:
            return (self._folder / name).read_bytes()
        except OSError:
            return None

    def _stamp_now(self) -> Stamp:
        found = set()
        for name in self._names | set(policy_files(self._folder)):
            try:
                status = (self._folder / name).stat()
            except OSError:
                continue
            found.add((name, status.st_ino, status.st_size, status.st_mtime_ns))
        return frozenset(found)


def load_policy(folder: Path) -> Policy:
    """Load the system in `folder` once, or raise `InvalidSystemError` with every mistake in it."""
    return SystemReader(folder).load()


def store_bundle(folder: Path, policy: Policy) -> None:
    """Keep a copy of the files of `policy` in the private folder `folder` as the current bundle."""
    target = folder / policy.version
    if not target.exists():
        building = folder / f".{policy.version}.new"
        shutil.rmtree(building, ignore_errors=True)
        private_folder(building)
        for name, content in policy.files.items():
            path = building.joinpath(*PurePosixPath(name).parts)
            private_folder(path.parent)
            write_private(path, content)
        building.rename(target)
    write_private(folder / CURRENT, policy.version.encode())
    for other in folder.iterdir():
        if other.is_dir() and other != target:
            shutil.rmtree(other, ignore_errors=True)


def current_bundle(folder: Path) -> Path | None:
    """Return where the current bundle lies, or None where there is none."""
    try:
        target = folder / (folder / CURRENT).read_text()
    except OSError:
        return None
    return target if target.is_dir() else None
