"""Requests that are kept back: which bodies can be read at all, and what was found in them. No I/O.

Rules, for a request whose body may hold a class that is not disclosed to the service that it was sent to:

1. Without a body there is nothing to read, whatever the headers say, and whatever the method.
2. A body that is a part (`Content-Range`), is encoded, has no or two content types or another charset than UTF-8, or is
   neither JSON (JSON Lines and JSON text sequences too) nor `application/x-www-form-urlencoded` by its content type
   cannot be read: 415. So is `multipart/form-data`, since a file can hold anything. Nothing is sniffed.
3. A body of more than the bytes that are kept back cannot be read: 413. Where its head says so, none of it is.
4. What is malformed cannot be read either: 400. `guard.bodies.search` says what is, and what is found.
5. A request in which something is found is refused whole, and not cut: a service that is given less than was sent
   would write something else than its caller meant.
6. What is let through is given to the application byte for byte.

Trailers of a request are not looked at: neither ASGI nor WSGI has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inward.guard.bodies.answer import media_type_of, separator_of
from inward.guard.bodies.search import UnreadableError
from inward.policy.decision import Decision, Reason
from inward.viewing.places import UnviewableError

if TYPE_CHECKING:
    from inward.guard.bodies.answer import Headers
    from inward.guard.bodies.search import Search

FORM = "application/x-www-form-urlencoded"
_DIGITS = 18  # of a length that may be true
_MALFORMED, _FORBIDDEN, _TOO_LONG, _UNREADABLE = 400, 403, 413, 415
_UNDISCLOSED = Decision(allowed=False, reason=Reason.UNDISCLOSED)
_UNREADABLE_REQUEST = Decision(allowed=False, reason=Reason.UNREADABLE)


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of a request: the classes that it holds; those that it may hold, where `unreadable` is a status."""

    classes: frozenset[str] = frozenset()
    unreadable: int | None = None

    @property
    def decision(self) -> Decision | None:
        """The refusal that follows from it; None where nothing is in the way."""
        if self.unreadable is not None:
            return _UNREADABLE_REQUEST
        return _UNDISCLOSED if self.classes else None

    @property
    def status(self) -> int:
        """The status of that refusal."""
        return self.unreadable or _FORBIDDEN


NOTHING_FOUND = Found()


class HeldBody:
    """The body of one request, which is kept back until all of it is there.

    `found` is what is known of it, None until that is known. As soon as it is known not to be readable, the rest need
    not be waited for.
    """

    def __init__(self, search: Search, headers: Headers, max_bytes: int) -> None:
        self.found: Found | None = None
        self._search = search
        self._headers = headers
        self._max_bytes = max_bytes
        self._media_type = ""
        self._body = bytearray()  # and no list of pieces, which would cost a hundred bytes for one of a byte

    @property
    def body(self) -> bytes:
        """What has been taken of it."""
        return bytes(self._body)

    def expect(self, length: str) -> int:
        """Take its length in bytes as the head tells it (`Content-Length`), and return that.

        What needs no look at the body is known then, before the caller is asked for it (`Expect: 100-continue`).
        """
        if not length.isascii() or not length.isdigit():
            self.cannot_be_read()
            return 0
        told = int(length) if len(length) <= _DIGITS else self._max_bytes + 1
        if told:
            self._look_at_head()
        if told > self._max_bytes:
            self.cannot_be_read(_TOO_LONG)
        return told

    def add(self, chunk: bytes) -> None:
        """Take a piece. All are kept, whatever is found: in mode observe the application is given them."""
        if not chunk:
            return
        if not self._body:
            self._look_at_head()
        self._body += chunk
        if len(self._body) > self._max_bytes:
            self.cannot_be_read(_TOO_LONG)

    def end(self) -> Found:
        """Return what is found in the whole body."""
        if self.found is None:
            self.found = self._searched() if self._body else NOTHING_FOUND
        return self.found

    def cannot_be_read(self, status: int = _MALFORMED) -> None:
        """Take that it is not fit to be read: it ends too early, for instance."""
        self.found = self.found or Found(self._search.classes, status)

    def _look_at_head(self) -> None:
        try:
            self._media_type = media_type_of(self._headers)
        except UnviewableError:
            self.cannot_be_read(_UNREADABLE)
        else:
            if self._media_type != FORM and separator_of(self._media_type) is None:
                self.cannot_be_read(_UNREADABLE)

    def _searched(self) -> Found:
        body, separator = self.body, separator_of(self._media_type)
        try:
            if separator is None:
                return Found(self._search.of_form(body))
            return Found(self._search.of_sequence(body, separator) if separator else self._search.of(body))
        except UnreadableError as error:
            return Found(self._search.classes, error.status)
