"""What a sink of alerts is: it makes requests of what is to be told. One `Protocol`, one table of them.

A sink is told each thing at least once, in order. It keeps no state: how far it was told is kept with the alerts, and
moves on when the receiver has taken a request. Rules: what is sent again carries the same id; no text of a request is
anything but data to its receiver, whatever names callers gave themselves; secrets are in no text and no error.

What it leaves out: connections, time limits, trying again.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from inward.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from inward.alerting.keeping.store import Kept, Telling

_HTTP = {"http": 80, "https": 443}


class SinkError(BadInputError):
    """A sink of alerts is set up so that it cannot be used."""

    code = "alert_sink"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a sink posts to. Its path and query may be secret; `origin` may be shown."""

    host: str
    port: int
    tls: bool
    path: str = field(repr=False)

    @property
    def origin(self) -> str:
        """The part that is no secret, such as `https://hooks.example.com`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        scheme = "https" if self.tls else "http"
        return f"{scheme}://{host}" + ("" if self.port == _HTTP[scheme] else f":{self.port}")

    @property
    def in_the_clear(self) -> bool:
        """Whether what is sent can be read on the way: no TLS, and not to this machine."""
        try:
            local = ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            local = self.host == "localhost"
        return not self.tls and not local


@dataclass(frozen=True, slots=True)
class Request:
    """One POST."""

    body: bytes
    headers: Mapping[str, str]


class Sink(Protocol):
    """One receiver of alerts."""

    name: str  # by which its place is kept; one word
    target: Target
    most: int  # tellings that go into one request

    def request(self, tellings: Sequence[Telling], now: datetime) -> Request | None:
        """Return what tells these; None: they are nothing to this receiver."""
        ...

    def reminder(self, open_ones: Sequence[Kept], now: datetime) -> Request | None:
        """Return what says that alerts are still open, to a receiver that wants to hear it again and again."""
        ...


def parse_target(variable: str, url: str, *, path: str = "") -> Target:
    """Return where a URL leads, with `path` behind its own; raise `SinkError`, which does not show it."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in _HTTP or not host or not url.isascii() or not url.isprintable() or " " in url:
        raise SinkError(f"`{variable}` is no URL", hint="write it as https://host/path")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise SinkError(f"`{variable}` has a user, a password or a fragment in it", hint="leave them out")
    query = f"?{parts.query}" if parts.query else ""
    whole = parts.path.rstrip("/") + path if path else parts.path
    return Target(host, port or _HTTP[parts.scheme], parts.scheme == "https", (whole or "/") + query)


JSON = {"content-type": "application/json"}
