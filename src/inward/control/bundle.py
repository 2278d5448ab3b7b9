"""Loading a whole system, noticing its changes, and the bundle: the copy of the last system without a mistake.

The bundle is what makes the policy in force loadable at any time, whatever somebody writes into the folder meanwhile.
"""

from __future__ import annotations

import functools
import hashlib
import shutil
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from inward.catalog.kept import DocumentMemo
from inward.catalog.protobuf.carried import memo_of, store_compiled
from inward.catalog.system import FILE, load_system, policy_files
from inward.errors import InvalidSystemError, InwardError
from inward.identity.private_files import private_folder, write_private
from inward.policy.decide import Engine
from inward.policy.loading.load import Memo, load_policies
from inward.policy.loading.version import VERSION, version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inward.catalog.model import Catalog
    from inward.errors import Mistake
    from inward.policy.model import Policies

CURRENT = "current"
TRIES = 20
TICK_SECONDS = 0.02  # the clock by which a file system stamps changes moves on at least this often

Stamp = frozenset[tuple[str, int, int, int]]  # name, inode, size, time of the last change in nanoseconds


class BundleError(InwardError):
    """The bundle cannot be used."""

    code = "bundle"


class RestlessSystemError(InwardError):
    """A system folder changes faster than it can be read."""

    code = "restless_system"


@dataclass(frozen=True)
class Policy:
    """A system that was loaded without a mistake: what there is, what is granted, and the files that say so."""

    catalog: Catalog
    policies: Policies
    engine: Engine
    files: Mapping[str, bytes]
    compiled: Mapping[str, bytes] = field(default_factory=dict)  # of `.proto` files, by the hash of what it is made of

    @cached_property
    def version(self) -> str:
        """The version of the system: a hash of its files' names and content, 12 hexadecimal digits."""
        return version_of(self.files)


@dataclass
class SystemMemo:
    """What loads of a system found out, so that the next one looks only at what changed."""

    documents: DocumentMemo = field(default_factory=DocumentMemo)
    policies: Memo = field(default_factory=Memo)


class SystemReader:
    """Loads the system in `folder`, again and again; tells cheaply whether there is something new to load.

    `memo` is what earlier loads found out, and is kept up to date. `watch` is told what is being read, how many of it
    are read, and of how many.
    """

    def __init__(
        self, folder: Path, memo: SystemMemo | None = None, watch: Callable[[str, int, int], None] | None = None
    ) -> None:
        self._folder = folder
        self.memo = memo if memo is not None else SystemMemo()
        self._watch = watch
        # The names of what was read last time are a guess, and nothing more: a wrong one costs another round.
        self._names: frozenset[str] = self.memo.documents.names | {FILE}
        self._stamp: Stamp = frozenset()

    def changed(self) -> bool:
        """Tell whether a file of the system was changed, added or removed since `load` began last."""
        return self._stamp_now() != self._stamp

    def load(self) -> Policy:
        """Load the system, or raise `InvalidSystemError` with every mistake in it."""
        try:
            return self._load()
        finally:
            self.memo.documents.end_load()

    def _load(self) -> Policy:
        for _ in range(TRIES):
            begun = time.time_ns() - int(TICK_SECONDS * 1e9)
            stamp = self._settled_stamp()
            loaded = load_system(self._folder, self.memo.documents, self._watching("API descriptions"))
            known, self._names = self._names.union(name for name, *_ in stamp), frozenset(loaded.files)
            # Files that nobody knew of before they were read: what has not changed since before is what was read.
            found = frozenset(each for each in self._stamp_now() if each[0] not in known)
            if len(found) < len(self._names - known) or any(changed >= begun for *_, changed in found):
                continue  # now that their names are known, look at their stamps before they are read
            stamp |= found
            mistakes: list[Mistake] = list(loaded.mistakes)
            policies = None
            if loaded.catalog is not None:
                watch = self._watching("policies")
                policies, more = load_policies(self._folder, loaded.catalog, self.memo.policies, watch)
                mistakes += more
            files = {name: content for name in loaded.files if (content := self._content(name)) is not None}
            read = self.memo.documents.read
            if any(read.get(name) != _digest(files.get(name, b"")) for name, *_ in found):
                continue  # a folder was put in the place of another, with files that are older than this
            if self._stamp_now() != stamp:
                continue  # somebody wrote meanwhile: what was loaded may be half of each
            self._stamp = stamp  # not before: what comes to no end here is still to be loaded
            if mistakes or loaded.catalog is None or policies is None:
                raise InvalidSystemError(mistakes)
            compiled = dict(self.memo.documents.compiling)
            return Policy(loaded.catalog, policies, Engine(loaded.catalog, policies), files, compiled)
        raise RestlessSystemError(f"the files in `{self._folder}` change while they are read")

    def _watching(self, what: str) -> Callable[[int, int], None] | None:
        return functools.partial(self._watch, what) if self._watch is not None else None

    def _content(self, name: str) -> bytes | None:
        try:
            return (self._folder / name).read_bytes()
        except OSError:
            return None

    def _settled_stamp(self) -> Stamp:
        """Return the stamp, at a moment from which on every change makes another one."""
        stamp = self._stamp_now()
        young = time.time_ns() - int(TICK_SECONDS * 1e9)
        if any(changed >= young for _, _, _, changed in stamp):
            time.sleep(TICK_SECONDS)
            stamp = self._stamp_now()
        return stamp

    def _stamp_now(self) -> Stamp:
        found = set()
        for name in self._names | set(policy_files(self._folder)):
            try:
                status = (self._folder / name).stat()
            except OSError:
                continue
            # Not the time of modification: that one can be set, and `cp -p` and `rsync` set it.
            found.add((name, status.st_ino, status.st_size, status.st_ctime_ns))
        return frozenset(found)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


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
        store_compiled(building, policy.compiled)
        building.rename(target)
    write_private(folder / CURRENT, policy.version.encode())
    for other in folder.iterdir():
        if other.is_dir() and other != target:
            shutil.rmtree(other, ignore_errors=True)


def load_bundle(folder: Path) -> Policy | None:
    """Load the current bundle in `folder`, or return None where there is none; `BundleError` for a damaged one.

    INVARIANT: what is returned is a whole bundle. One that is being deleted while it is read, because another has
    become current, could have lost a forbid already, and nothing but its version would show it.
    """
    for _ in range(TRIES):
        where = current_bundle(folder)
        if where is None:
            return None
        try:
            policy = SystemReader(where, SystemMemo(memo_of(where))).load()
        except InvalidSystemError:
            policy = None
        if policy is not None and policy.version == where.name:
            return policy
        if where == current_bundle(folder):
            break
    raise BundleError(
        f"the bundle in `{folder}` is damaged, or was made by another version of Inward",
        hint="start the system anew with `inward up`",
    )


def current_bundle(folder: Path) -> Path | None:
    """Return where the current bundle lies, or None where there is none."""
    before = None
    for _ in range(TRIES):
        try:
            version = (folder / CURRENT).read_text()
        except (OSError, ValueError):
            return None
        target = folder / version
        if VERSION.fullmatch(version) and target.is_dir():
            return target
        if version == before:
            break
        before = version  # it may have been deleted since its name was read, and another one be current
    return None
