"""What a running system says of itself, in a private file, for the other commands and for the run after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from inward.catalog.model import Address
from inward.errors import InwardError
from inward.identity.private_files import read_private, write_private

if TYPE_CHECKING:
    from inward.control.layout import Layout


class RunningService(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses of one service: `listen` of its ingress, `egress` of its proxy, `app` where itself listens."""

    listen: str | None
    egress: str
    credential: str
    app: str | None

    @property
    def serves_tls(self) -> bool:
        """Whether the service takes calls itself, with no Envoy in front."""
        return self.listen is not None and self.app == self.listen


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A run: the control process, and the services that it started; whether whoever started it lets it be attacked."""

    pid: int
    since: str
    services: dict[str, RunningService]
    may_be_attacked: bool = False


class NotRunningError(InwardError):
    """No `inward up` runs on the system folder."""

    code = "not_running"


class DamagedRunError(InwardError):
    """What a running system said of itself cannot be read."""

    code = "damaged_run"


def parse_address(text: str) -> Address:
    """Parse what `str(address)` gives."""
    host, _, port = text.rpartition(":")
    return Address(host.strip("[]"), int(port))


def store_running(layout: Layout, running: Running) -> None:
    """Say what runs."""
    write_private(layout.running, msgspec.json.encode(running))


def load_running(layout: Layout) -> Running | None:
    """Return what was last said, by a process that may be gone; None where nothing was."""
    content = read_private(layout.running)
    if content is None:
        return None
    try:
        return msgspec.json.decode(content, type=Running)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise DamagedRunError(
            f"`{layout.running}` is damaged: {error}", hint="stop the run with Ctrl-C, or start it anew"
        ) from error


def require_running(layout: Layout) -> Running:
    """Return what runs, or raise `NotRunningError`."""
    running = load_running(layout)
    if running is None:
        raise NotRunningError(f"nothing runs in `{layout.system}`", hint="start it with `inward up`")
    return running
