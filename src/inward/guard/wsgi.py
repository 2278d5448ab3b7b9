"""The guard as WSGI: `app = Guard(app)` or `app.wsgi_app = Guard(app.wsgi_app)`, for Flask, Django and any other one.

It must be the outermost: what stands around it is not guarded. It translates, and decides nothing: see `guard.core`.

- The path is that of the request line where the server gives it (gunicorn, uWSGI, Werkzeug), else it is encoded anew.
- An answer that is held back is given whole, and the application is not given the server's `wsgi.file_wrapper`.
- A body that is held back has the length of its `CONTENT_LENGTH`, or ends where the server says that it does
  (`wsgi.input_terminated`); a chunked one that is not said to end is refused, since nobody knows where.
"""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from inward.guard.bodies.answer import MAX_BYTES, Answer, Headers, HeldBack, phrase
from inward.guard.bodies.sent import HeldBody
from inward.guard.bundle import FollowedBundle, followed_bundle
from inward.guard.core import UNGUARDED, UNQUOTED, Admission, Inbound
from inward.guard.current import serving
from inward.guard.onward import NAMES as PASSED_ON
from inward.guard.routes import report as reports
from inward.guard.routes.start import Start, report
from inward.record.verdict import HEADER, Verdict, encode_verdict
from inward.viewing.head import NOT_ASKED_FOR

Environ = MutableMapping[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]
App = Callable[[Environ, StartResponse], Iterable[bytes]]
_NOT_ASKED_FOR = frozenset("HTTP_" + name.upper().replace("-", "_") for name in NOT_ASKED_FOR)
_PROBE = "HTTP_" + reports.HEADER.upper().replace("-", "_")
_LENGTH_REQUIRED = 411
_PIECE = 1 << 16  # bytes of a body that are read at once
_PASSED_ON = {"HTTP_" + name.upper().replace("-", "_"): name for name in PASSED_ON}
_PRIVATE = frozenset({"", "localhost"})  # who calls over a Unix socket, as gunicorn and as waitress say it: no address

_logger = logging.getLogger("inward.guard")


class Guard:
    """`app`, guarded: see `inward.guard.asgi.Guard`, which takes the same."""

    def __init__(
        self,
        app: App,
        *,
        allow_unguarded: bool = False,
        max_bytes: int = MAX_BYTES,
        bundle: FollowedBundle | None = None,
    ) -> None:
        self.app = app
        self._max_bytes = max_bytes
        self._bundle = bundle or followed_bundle(os.environ, allow_unguarded=allow_unguarded)
        self.start = Start()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request (PEP 3333)."""
        if self._bundle is None:
            token = serving.set(UNGUARDED)
            try:
                return self.app(environ, start_response)
            finally:
                serving.reset(token)
        core = self._bundle.ready() or self._bundle.follow()
        if not self.start.over:
            self.start.of_wsgi(self, core.service)  # only now: until the first request routes are added
        inbound = _inbound(environ)
        admission = core.admit(inbound, datetime.now(UTC))
        if admission.search is not None and not admission.refused:
            held = HeldBody(admission.search, _of_body(environ), self._max_bytes)
            environ = _received(held, environ)
            admission = admission.received(held.end())
        if admission.refused:
            refusal, verdict = admission.refusal()
            if environ.get(_PROBE) == reports.ROUTES and inbound.private and not inbound.forwarded:
                refusal = report(self, core.service, refusal)
            return _give(start_response, refusal, verdict)
        token = serving.set(admission.call)
        try:
            if admission.held_back:
                return self._hold_back(admission, environ, start_response)
            return self._pass_on(admission, environ, start_response)
        finally:
            serving.reset(token)

    def _pass_on(self, admission: Admission, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        passing = _Passing(admission, start_response)
        try:
            body = self.app(environ, passing.start)
        except Exception:
            refusal = passing.refusal()
            if refusal is None:
                raise
            _logger.debug("the application raised after an object had been refused", exc_info=True)
            return refusal
        return passing.of(body, environ.get("wsgi.file_wrapper"))

    def _hold_back(self, admission: Admission, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        asked = {name: value for name, value in environ.items() if name not in _NOT_ASKED_FOR}
        asked.pop("wsgi.file_wrapper", None)
        held = HeldBack(admission, str(environ["REQUEST_METHOD"]), self._max_bytes)

        def keep(status: str, headers: Headers, exc_info: object = None) -> Callable[[bytes], object]:
            del exc_info  # nothing has been sent yet, so the application may still change its mind
            held.start(int(status[:3]), list(headers))
            return held.add

        body: Iterable[bytes] = ()
        try:
            body = self.app(asked, keep)
            for chunk in body:
                held.add(chunk)
                if held.shown is not None:
                    break
        except Exception:
            refusal = admission.object_refusal()
            if refusal is None:
                raise
            _logger.debug("the application raised after an object had been refused", exc_info=True)
            return _give(start_response, *refusal)
        finally:
            _close(body)
        return _give(start_response, *held.end())


class _Passing:
    """An answer that is passed on as it comes, with the verdict in its head, until an object is refused to the caller.

    Then a refusal takes its place, or where it has begun, it ends unfinished. The head waits for the first piece of the
    body (PEP 3333, "Middleware Handling of Block Boundaries").
    """

    def __init__(self, admission: Admission, start_response: StartResponse) -> None:
        self._admission = admission
        self._start_response = start_response
        self._head: tuple[Any, ...] | None = None
        self._begun = False
        self._write: Callable[[bytes], object] | None = None

    def start(self, status: str, headers: Headers, *exc_info: Any) -> Callable[[bytes], object]:  # noqa: ANN401 - handed on
        """Take the head; the server says, once it has had one, that there must be no second."""
        self._head = (status, headers, *exc_info)
        if self._begun and self._admission.object_refusal() is None:
            self._begin()
        return self._written

    def refusal(self) -> Iterable[bytes] | None:
        """Return what is answered in the place of an answer that has not begun, if an object was refused."""
        refusal = None if self._begun else self._admission.object_refusal()
        if refusal is None:
            return None
        self._begun = True
        return _give(self._start_response, *refusal)

    def of(self, body: Iterable[bytes], file_wrapper: object) -> Iterable[bytes]:
        """Return what the server is to send of a body."""
        # which the server may send by itself
        is_file = isinstance(file_wrapper, type) and isinstance(body, file_wrapper)
        if not is_file and not isinstance(body, list | tuple):
            return _Pieces(body, self)
        refusal = self.refusal()
        if refusal is None:
            self._begin()
            return body
        _close(body)
        return refusal

    def pieces(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """Yield the pieces of a body, each after a look at what was refused meanwhile."""
        try:
            for piece in body:
                self._require_allowed()
                refusal = self.refusal()
                if refusal is not None:
                    yield from refusal
                    return
                self._begin()
                yield piece
        except Exception:
            refusal = self.refusal()
            if refusal is None:
                raise
            yield from refusal
        else:
            yield from self.refusal() or ()
            self._begin()

    def _require_allowed(self) -> None:
        if self._begun and self._admission.object_refusal() is not None:
            raise ConnectionResetError("an object was refused after the answer had begun, so it ends here")

    def _begin(self) -> None:
        self._begun = True
        if self._head is not None:
            head, self._head = self._head, None
            self._write = _with_verdict(self._start_response, self._admission.verdict)(*head)

    def _written(self, piece: bytes) -> None:
        """Take a piece by the `write` of PEP 3333, in the place of what an iterator would yield."""
        self._require_allowed()
        if self._admission.object_refusal() is None:
            self._begin()
            if self._write is not None:
                self._write(piece)


class _Pieces:
    """A body that is looked through piece by piece."""

    def __init__(self, body: Iterable[bytes], passing: _Passing) -> None:
        self._body = body
        self._passing = passing

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._passing.pieces(self._body))

    def close(self) -> None:
        """Close the body (PEP 3333)."""
        _close(self._body)


def _close(body: Iterable[bytes]) -> None:
    close = getattr(body, "close", None)
    if close is not None:
        close()


def _inbound(environ: Environ) -> Inbound:
    forwarded = environ.get("HTTP_X_FORWARDED_CLIENT_CERT")
    return Inbound(
        method=environ["REQUEST_METHOD"],
        path=_path(environ),
        query=environ.get("QUERY_STRING", ""),
        forwarded=() if forwarded is None else (forwarded,),  # two are one with a comma in it, which nobody is
        private=environ.get("REMOTE_ADDR") in _PRIVATE,
        reference=environ.get("HTTP_X_REQUEST_ID", ""),
        traceparent=environ.get("HTTP_TRACEPARENT"),
        probe=_PROBE in environ,
        passed=tuple((name, environ[key]) for key, name in _PASSED_ON.items() if key in environ),
    )


def _of_body(environ: Environ) -> Headers:
    names = {"CONTENT_TYPE": "content-type"} | {f"HTTP_{name}": name for name in ("CONTENT_ENCODING", "CONTENT_RANGE")}
    return [(name.replace("_", "-"), environ[key]) for key, name in names.items() if environ.get(key)]


def _received(held: HeldBody, environ: Environ) -> Environ:
    """Take a body as far as it must be; return the environment by which the application gets the same."""
    source, terminated = environ["wsgi.input"], environ.get("wsgi.input_terminated")
    left = None if terminated else 0  # bytes that are to come; None for as many as there are
    if environ.get("HTTP_TRANSFER_ENCODING"):
        if not terminated:
            held.cannot_be_read(_LENGTH_REQUIRED)
    elif length := environ.get("CONTENT_LENGTH"):
        left = held.expect(length)
    ended = False
    while held.found is None and not ended:
        piece = b"" if left == 0 else source.read(_PIECE if left is None else min(left, _PIECE))
        held.add(piece)
        ended = not piece
        left = None if left is None else left - len(piece)
    body = held.body
    if not ended and not body:
        return environ  # it is known without a look at it
    if left:  # it ended too early, which the application is to find out too
        held.cannot_be_read()
        return {**environ, "wsgi.input": io.BytesIO(body)}
    if not ended:
        return {**environ, "wsgi.input": io.BufferedReader(_Again(body, source))}
    whole = {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    whole.pop("HTTP_TRANSFER_ENCODING", None)  # it has a length now, also for applications that know no other bodies
    return whole


class _Again(io.RawIOBase):
    """A body from its beginning, of which some has been taken already."""

    def __init__(self, taken: bytes, source: Any) -> None:  # noqa: ANN401 - PEP 3333 says what it can do
        self._taken = io.BytesIO(taken)
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        piece = self._taken.read(len(buffer)) or self._source.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def _path(environ: Environ) -> str:
    raw = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    if raw:
        return str(raw).partition("?")[0]
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return quote(path.encode("latin-1"), safe=UNQUOTED)


def _give(start_response: StartResponse, answer: Answer, verdict: Verdict | None) -> Iterable[bytes]:
    _with_verdict(start_response, verdict)(f"{answer.status} {phrase(answer.status)}", answer.headers)
    return [answer.body]


def _with_verdict(start_response: StartResponse, verdict: Verdict | None) -> StartResponse:
    """Put the verdict into the head of an answer, in the place of whatever the application says there itself."""

    def start(status: str, headers: Headers, *exc_info: Any) -> Callable[[bytes], object]:  # noqa: ANN401 - handed on
        kept = [each for each in headers if each[0].lower() != HEADER]
        if verdict is not None:
            kept.append((HEADER, encode_verdict(verdict).decode("ascii")))
        return start_response(status, kept, *exc_info)

    return start
