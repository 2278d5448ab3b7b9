"""Fetches an API description from a running service, once: http or https, bounded in size and time.

It is asked directly and not through a proxy: `HTTP_PROXY` of a service under `inward up` would be its egress. Private
addresses are the normal case, so whoever starts this must be the one who chooses the URL. A redirect is followed on the
same host and port only, and nowhere else.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urljoin, urlsplit

from inward.catalog.document import shown
from inward.errors import BadInputError, InwardError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 16 * 1024 * 1024
SECONDS = 30.0
_REDIRECTS = 3
_MOVED = frozenset({301, 302, 303, 307, 308})


class FetchError(InwardError):
    """A description cannot be fetched."""

    code = "fetch"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was fetched, where it came from in the end, and the address that answered."""

    url: str
    address: str
    content: bytes


def fetch(url: str, seconds: float = SECONDS) -> Fetched:
    """Return what stands at a URL; raise `BadInputError` for what is none, `FetchError` for what cannot be had."""
    first = _checked(url)
    current = url
    for _ in range(_REDIRECTS + 1):
        parts = _checked(current)
        if (parts.scheme, parts.hostname, _port(parts)) != (first.scheme, first.hostname, _port(first)):
            raise FetchError(
                f"`{shown(url)}` leads to another host, `{shown(current)}`", hint="give that URL, if it is right"
            )
        status, location, address, content = _ask(parts, shown(url), seconds)
        if status in _MOVED and location:
            current = urljoin(current, location)
            continue
        if status != http.client.OK:
            raise FetchError(f"`{shown(url)}` was answered by {status}", hint="give the URL of its OpenAPI document")
        return Fetched(current, address, content)
    raise FetchError(f"`{shown(url)}` leads to more than {_REDIRECTS} other places")


def _checked(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = (
            parts.scheme in {"http", "https"}
            and parts.hostname
            and _port(parts)
            and url.isprintable()
            and " " not in url
        )
    except ValueError:
        usable = False
        parts = SplitResult("", "", "", "", "")
    if not usable:
        raise BadInputError(f"`{shown(url)}` is no URL", hint="such as http://localhost:8000/openapi.json")
    if parts.username is not None:
        raise BadInputError("the URL holds a password or a user", hint="it would be printed; leave it out")
    return parts


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _ask(parts: SplitResult, name: str, seconds: float) -> tuple[int, str | None, str, bytes]:
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(parts.hostname or "", _port(parts), timeout=seconds)
    # a socket's timeout is one of each read: whoever sends a byte now and then must not hold us up
    timer = threading.Timer(seconds, _cut, (connection,))
    timer.daemon = True
    timer.start()
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={"accept": "application/json, application/yaml, */*;q=0.5"})
        address = str(connection.sock.getpeername()[0])
        answer = connection.getresponse()
        content = b"".join(_parts(answer))
        if len(content) > MAX_BYTES:
            raise FetchError(f"what `{name}` answers is larger than {MAX_BYTES >> 20} MiB")
        return answer.status, answer.getheader("location"), address, content
    except (OSError, http.client.HTTPException, ssl.SSLError, UnicodeError, ValueError, AttributeError) as error:
        what = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
        if not timer.is_alive() or isinstance(error, TimeoutError):
            what = f"no whole answer within {seconds:g} s"
        raise FetchError(f"`{name}` cannot be fetched: {shown(what).lower()}") from None
    finally:
        timer.cancel()
        connection.close()


def _parts(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    size = 0
    while size <= MAX_BYTES and (part := answer.read(65_536)):
        size += len(part)
        yield part


def _cut(connection: http.client.HTTPConnection) -> None:
    sock = connection.sock
    if sock is not None:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it has ended meanwhile
