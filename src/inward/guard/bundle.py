"""The policies in force, as the guard of a service finds them: a copy of the system folder that `inward up` keeps.

It is followed: another version is taken over within `LOOK_SECONDS` of a request, as a whole or not at all. What cannot
be loaded leaves the version before in force, which is told once a version.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from inward.catalog.protobuf.carried import memo_of
from inward.catalog.protobuf.compiler import INSTALL
from inward.catalog.system import load_system
from inward.errors import InwardError
from inward.guard.core import Core
from inward.identity.private_files import read_private
from inward.policy.decide import Engine
from inward.policy.loading.load import load_policies
from inward.policy.loading.version import VERSION, version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CURRENT = "current"  # the file that names the version in force, which is the folder beside it
LOOK_SECONDS = 0.1
TRIES = 20
SERVICE, BUNDLE, TOKEN_KEY = "INWARD_SERVICE", "INWARD_BUNDLE", "INWARD_TOKEN_KEY"
_logger = logging.getLogger("inward.guard")


class GuardError(InwardError):
    """A guard cannot start: it does not know what it guards, or what it would guard is open beside it."""

    code = "guard"


class FollowedBundle:
    """The guard of `service` under the current bundle in `folder`. `key` makes tokens.

    Raises `GuardError` where there is no bundle yet, or the service is none that could be guarded.
    """

    def __init__(
        self, folder: Path, service: str, key: bytes = b"", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pointer = folder / CURRENT
        self._service = service
        self._key = key
        self._clock = clock
        self._turn = threading.Lock()
        self._seen = self._state()
        self._version, self._core = self._load()
        self._look_at = clock() + LOOK_SECONDS
        os.register_at_fork(after_in_child=self._forked)

    def ready(self) -> Core | None:
        """Return the guard in force, or None where there is another version to `follow` first. Costs a microsecond."""
        now = self._clock()
        if now < self._look_at:
            return self._core
        if self._state() != self._seen:
            return None
        self._look_at = now + LOOK_SECONDS
        return self._core

    @property
    def version(self) -> str:
        """The version of the policies in force."""
        return self._version

    def follow(self) -> Core:
        """Take over the version that is current, and return the guard in force; may take a second, and never raises."""
        with self._turn:
            state = self._state()
            if state != self._seen:
                try:
                    self._version, self._core = self._load()
                    _logger.info("policy %s is in force", self._version)
                except InwardError as error:
                    # The last good version stays: nothing opens, and what it withholds stays withheld.
                    _logger.error("the policy before stays in force: %s", error.message)  # noqa: TRY400 - for people
                self._seen = state
            self._look_at = self._clock() + LOOK_SECONDS
            return self._core

    def _forked(self) -> None:
        self._turn = threading.Lock()  # another thread of the parent may hold the one before

    def _state(self) -> tuple[int, int] | None:
        try:
            status = self._pointer.stat()
        except OSError:
            return None
        return status.st_ino, status.st_ctime_ns

    def _load(self) -> tuple[str, Core]:
        """Load the current bundle.

        INVARIANT: what is returned is a whole bundle. One that is being deleted while it is read, because another has
        become current, could have lost a forbid, and nothing but its version would show it.
        """
        for _ in range(TRIES):
            folder = self._current()
            core = self._load_version(folder)
            if core is not None:
                return folder.name, core
            if folder == self._current():
                break
        raise GuardError(
            f"the bundle in `{self._pointer.parent}` is damaged, or was made by another version of Inward",
            hint="install the same version for the service as for `inward up`",
        )

    def _current(self) -> Path:
        try:
            version = self._pointer.read_text()
        except (OSError, ValueError):
            version = ""
        if not VERSION.fullmatch(version):
            raise GuardError(f"there is no bundle in `{self._pointer.parent}`", hint="start the system by `inward up`")
        return self._pointer.with_name(version)

    def _load_version(self, folder: Path) -> Core | None:
        loaded = load_system(folder, memo_of(folder))
        catalog = loaded.catalog
        if catalog is None or loaded.mistakes:
            lacking = next((each for each in loaded.mistakes if each.hint.startswith(INSTALL)), None)
            if lacking is not None:
                raise GuardError(f"the system has gRPC services: {lacking.what}", hint=lacking.hint)
            return None
        policies, mistakes = load_policies(folder, catalog)
        if mistakes or policies is None:
            return None
        try:
            files = {name: (folder / name).read_bytes() for name in loaded.files if (folder / name).exists()}
        except OSError:
            return None
        if version_of(files) != folder.name:
            return None
        service = catalog.services.get(self._service)
        if service is None:
            raise GuardError(f"the system has no service `{self._service}`")
        if "{socket}" not in (service.run or "") and not service.serves_tls:
            raise GuardError(
                f"the program of `{service.name}` does not listen on a Unix socket, so anybody could say who calls it",
                hint="write `{socket}` into its `run` line",
            )
        return Core(catalog, Engine(catalog, policies), service, self._key)


def followed_bundle(environment: Mapping[str, str], *, allow_unguarded: bool) -> FollowedBundle | None:
    """Return the bundle that the environment names, or raise `GuardError`.

    None where it names nothing at all and `allow_unguarded`; half of it is never nothing.
    """
    service, folder = environment.get(SERVICE, ""), environment.get(BUNDLE, "")
    if not service and not folder:
        if not allow_unguarded:
            raise GuardError(
                "nothing says what is to be guarded",
                hint="start the service by `inward up`, or write `Guard(app, allow_unguarded=True)` for one without",
            )
        _logger.warning("this service is not guarded: it was not started by Inward")
        return None
    if not service or not folder:
        missing = BUNDLE if service else SERVICE
        raise GuardError(f"the environment has no `{missing}`", hint="start the service by `inward up`")
    key = environment.get(TOKEN_KEY, "")
    return FollowedBundle(Path(folder), service, read_private(Path(key)) or b"" if key else b"")
