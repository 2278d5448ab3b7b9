"""Where the files of a system lie: the folder that a team keeps in git, its state, and the private files of a run.

State (`.inward/` in the system folder, mode 0700): the record, the access logs until they are in it, what is in
quarantine, the output of the services, and the CA's sealed key where there is a passphrase. Run (a private folder on a
memory file system where there is one): keys, sockets, Envoy's files. The state says which run folder is in use.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inward.errors import BadInputError
from inward.identity.private_files import private_folder, runtime_folder, write_private

if TYPE_CHECKING:
    from pathlib import Path

SYSTEM_FILE = "inward.yaml"
STATE = ".inward"
UNDECLARED = "undeclared.json"


@dataclass(frozen=True, slots=True)
class ServiceFolder:
    """The private files of one service in a run."""

    path: Path

    @property
    def admin_socket(self) -> Path:
        """Envoy's admin interface."""
        return self.path / "admin.sock"

    @property
    def app_socket(self) -> Path:
        """Where Envoy reaches the service itself, if that can use a Unix socket; a guarded one when it was asked."""
        return self.path / "app.sock"

    @property
    def own_socket(self) -> Path:
        """Where the program of a guarded service listens."""
        return self.path / "own.sock"

    @property
    def asked_socket(self) -> Path:
        """The same socket under another name, while its program is being asked."""
        return self.path / "ask.sock"

    @property
    def new_socket(self) -> Path:
        """What is about to become `app_socket`."""
        return self.path / "new.sock"

    @property
    def bootstrap(self) -> Path:
        """What Envoy is started with."""
        return self.path / "bootstrap.json"


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of one system. `system` and `run` are absolute."""

    system: Path
    run: Path
    in_memory: bool

    @classmethod
    def of(cls, system: Path) -> Layout:
        """Return the layout for a system folder, making its private folders where they are not there."""
        system = find_system(system)
        state = private_folder(system / STATE)
        ignore = state / ".gitignore"
        if not ignore.exists():
            write_private(ignore, b"*\n")
        # Short, since the path of a Unix socket has little more than a hundred bytes.
        name = hashlib.sha256(os.fsencode(system)).hexdigest()[:10]
        runtime = runtime_folder(name)
        return cls(system, runtime.path, runtime.in_memory)

    @property
    def state(self) -> Path:
        """The folder of what outlives a run."""
        return self.system / STATE

    @property
    def record(self) -> Path:
        """The folder of the record."""
        return self.state / "record"

    @property
    def signed(self) -> Path:
        """A copy of the last checkpoint of the record, apart from it."""
        return self.state / "record.signed"

    @property
    def public_key(self) -> Path:
        """The public key by which the record is signed."""
        return self.state / "record.pub"

    @property
    def quarantine(self) -> Path:
        """The list of services in quarantine."""
        return self.state / "quarantine.json"

    @property
    def running(self) -> Path:
        """What the running system says of itself, for the other commands."""
        return self.run / "running.json"

    @property
    def processes(self) -> Path:
        """The processes that a run has started."""
        return self.run / "processes.json"

    @property
    def slow_socket(self) -> Path:
        """Where the slow path listens."""
        return self.run / "slow.sock"

    @property
    def bundle(self) -> Path:
        """A copy of the system folder as it is enforced: the last one without a mistake."""
        return self.run / "bundle"

    @property
    def database(self) -> Path:
        """The state database, where that is SQLite."""
        return self.state / "state.db"

    @property
    def enforced(self) -> Path:
        """Which policies were in force last: their hashes."""
        return self.state / "enforced.json"

    @property
    def undeclared(self) -> Path:
        """What sampled answers were found to hold that nobody declared: counts, no values."""
        return self.state / UNDECLARED

    @property
    def token_key(self) -> Path:
        """The key by which guards make tokens; it outlives runs, so that tokens do."""
        return self.state / "tokens.key"

    @property
    def hash_key(self) -> Path:
        """The key that hashes what the record is not to keep as it is; it is replaced from time to time."""
        return self.state / "hash.key"

    @property
    def exports(self) -> Path:
        """The folder of how far the record was sent to each destination."""
        return self.state / "export"

    def log(self, service: str) -> Path:
        """Return the folder of a service's access logs."""
        return self.state / "log" / service

    @property
    def services(self) -> Path:
        """The folder of the services' private files; its name is short, as sockets are in there."""
        return self.run / "s"

    def logged(self) -> list[str]:
        """Return the services that have a folder of access logs."""
        try:
            return sorted(folder.name for folder in (self.state / "log").iterdir() if folder.is_dir())
        except OSError:
            return []  # none yet, or what whoever makes the folders says more clearly

    def output(self, name: str) -> Path:
        """Return the file that takes what a process prints."""
        return self.state / "output" / f"{name}.txt"

    def service(self, name: str) -> ServiceFolder:
        """Return the folder of a service's private files."""
        return ServiceFolder(self.services / name)


def find_system(folder: Path) -> Path:
    """Return the system folder `folder`, absolute and without links; `BadInputError` where it is none."""
    resolved = folder.resolve()
    if not (resolved / SYSTEM_FILE).is_file():
        raise BadInputError(
            f"there is no `{SYSTEM_FILE}` in `{folder}`",
            hint="go to a system folder, name one with `--system DIR`, or make one with `inward init`",
        )
    return resolved
