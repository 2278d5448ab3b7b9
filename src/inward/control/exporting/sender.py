"""One request to a receiver, and what its answer means. It never raises for what a receiver does.

Rules: a request has one limit of time for all of it, from the connection to the end of the answer. No more of an answer
is read than says why. Redirects are not followed: they could lead anywhere, with the headers. TLS is verified, always.
What a receiver says is cut, and holds none of our headers' values when it is told.
"""

from __future__ import annotations

import asyncio
import gzip
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from inward import __version__
from inward.control.exporting.answer import Answer
from inward.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inward.control.exporting.settings import Destination

MOST_BYTES = 64 << 10  # of an answer
MOST_WAIT_SECONDS = 300.0  # that a receiver may ask for
_SAID_CHARACTERS = 200
_SECRET_CHARACTERS = 6  # shorter words of a header cannot be kept apart from any text
_OK, _REDIRECT, _BAD, _SERVER = 200, 300, 400, 500
# Of the destination, not of what is sent: it may be right again, or be set right, and then takes the same batch.
_NOT_THE_BATCH = frozenset({401, 402, 403, 404, 405, 407, 408, 421, 423, 425, 426, 429, 451, 502, 503, 504, 511})
_COMPRESSION_LEVEL = 3


class Sender:
    """Sends to one destination, over one connection that is kept.

    Making one raises `BadInputError` for certificates that are none.
    """

    def __init__(self, destination: Destination, content_type: str, *, hidden: tuple[str, ...] = ()) -> None:
        """Prepare; `hidden` are texts that are told to nobody, whatever a receiver says."""
        self._destination = destination
        url = urlsplit(destination.url)
        words = {word for value in destination.headers.values() for word in (value, *value.split())}
        words |= {url.query, *(each.partition("=")[2] for each in url.query.split("&")), url.password or ""}
        words = {word for word in words if len(word) >= _SECRET_CHARACTERS}
        self._secrets = sorted(words.union(hidden), key=len, reverse=True)
        self._headers = {
            "user-agent": f"inward/{__version__}",
            "accept-encoding": "identity",
            **destination.headers,
            "content-type": content_type,
            **({"content-encoding": "gzip"} if destination.gzip else {}),
        }
        self._client = httpx.AsyncClient(
            verify=_trust(destination),
            limits=httpx.Limits(max_connections=1),
            timeout=destination.timeout,
            follow_redirects=False,
        )

    async def send(self, body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        """Send one request; `headers` are its own, beside those of the destination."""
        if self._destination.gzip:
            body = await asyncio.to_thread(gzip.compress, body, _COMPRESSION_LEVEL)
        try:
            async with asyncio.timeout(self._destination.timeout):
                return await self._send(body, {**self._headers, **(headers or {})})
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:  # a limit of time is an `OSError` too
            if isinstance(error, (TimeoutError, httpx.TimeoutException)):
                return Answer("away", f"no answer within {self._destination.timeout:g} s")
            return Answer("away", self.harmless(str(error)) or type(error).__name__)

    async def _send(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        async with self._client.stream("POST", self._destination.url, content=body, headers=headers) as response:
            said = bytearray()
            async for block in response.aiter_raw():
                said += block
                if len(said) >= MOST_BYTES:
                    break  # and the connection ends with it
            return self.understood(response, bytes(said[:MOST_BYTES]))

    def understood(self, response: httpx.Response, said: bytes) -> Answer:
        """Return what an answer means; `said` is the beginning of its body."""
        status = response.status_code
        text = self.harmless(said.decode("utf-8", "replace"))
        why = f"it answers {status}" + (f": {text}" if text else "")
        if _OK <= status < _REDIRECT:
            # A login page, or a proxy's: whoever wrote it took nothing.
            if response.headers.get("content-type", "").lower().startswith("text/html"):
                return Answer("away", f"it answers {status} with a web page")
            return Answer("taken", body=said)
        if _REDIRECT <= status < _BAD:
            return Answer("away", f"it answers {status}, and redirects are not followed")
        if status in _NOT_THE_BATCH:
            return Answer("away", why, wait=retry_seconds(response.headers.get("retry-after", "")))
        return Answer("unfit", why, broken=status >= _SERVER)

    def harmless(self, text: str) -> str:
        """Return a text of a receiver as it may be told: one short line, without what is secret."""
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return " ".join(text[: _SAID_CHARACTERS * 4].split())[:_SAID_CHARACTERS]

    async def close(self) -> None:
        """End the connection."""
        await self._client.aclose()


def _trust(destination: Destination) -> ssl.SSLContext:
    """Return what a receiver's certificate is verified by, with our own where there is one."""
    try:
        context = ssl.create_default_context(cafile=destination.authorities)
        if destination.certificate is not None:
            context.load_cert_chain(destination.certificate, destination.key, lambda: "")
    except (OSError, ValueError) as error:
        raise BadInputError(
            f"the certificates for `{destination.shown}` cannot be used: {error}",
            hint="PEM files, and a key without a passphrase",
        ) from error
    return context


def retry_seconds(retry_after: str, most: float = MOST_WAIT_SECONDS) -> float:
    """Return for how long a receiver asks to be left alone (RFC 9110 section 10.2.3); 0 where it does not say."""
    if retry_after.isascii() and retry_after.isdigit():
        seconds = float(retry_after[:9])
    else:
        try:
            moment = parsedate_to_datetime(retry_after)
        except (ValueError, TypeError, IndexError, OverflowError):
            return 0.0
        seconds = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
    return min(max(0.0, seconds), most)
