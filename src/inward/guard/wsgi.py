"""The guard as WSGI: `app = Guard(app)` or `app.wsgi_app = Guard(app.wsgi_app)`, for Flask, Django and any other one.

It must be the outermost: what stands around it is not guarded. It translates, and decides nothing: see `guard.core`.

- The path is that of the request line where the server gives it (gunicorn, uWSGI, Werkzeug), else it is encoded anew.
- An answer that is held back is given whole, and the application is not given the server's `wsgi.file_wrapper`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, MutableMapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from inward.guard.answer import MAX_BYTES, NOT_ASKED_FOR, Answer, Headers, HeldBack, phrase
from inward.guard.bundle import FollowedBundle, followed_bundle
from inward.guard.core import UNQUOTED, Admission, Inbound
from inward.guard.current import serving
from inward.guard.routes import tell_routes
from inward.record.verdict import HEADER, Verdict, encode_verdict

Environ = MutableMapping[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]
App = Callable[[Environ, StartResponse], Iterable[bytes]]
_NOT_ASKED_FOR = frozenset("HTTP_" + name.upper().replace("-", "_") for name in NOT_ASKED_FOR)
_PRIVATE = frozenset({"", "localhost"})  # who calls over a Unix socket, as gunicorn and as waitress say it: no address


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
        self._told = False

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request (PEP 3333)."""
        if self._bundle is None:
            return self.app(environ, start_response)
        core = self._bundle.ready() or self._bundle.follow()
        if not self._told:
            self._told = True
            tell_routes(self.app, core.service)  # only now: until the first request routes are added
        admission = core.admit(_inbound(environ), datetime.now(UTC))
        if admission.refused:
            return _give(start_response, *admission.refusal())
        token = serving.set(admission.call)
        try:
            if admission.held_back:
                return self._hold_back(admission, environ, start_response)
            return self.app(environ, _with_verdict(start_response, admission.verdict))
        finally:
            serving.reset(token)

    def _hold_back(self, admission: Admission, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        asked = {name: value for name, value in environ.items() if name not in _NOT_ASKED_FOR}
        asked.pop("wsgi.file_wrapper", None)
        held = HeldBack(admission, str(environ["REQUEST_METHOD"]), self._max_bytes)

        def keep(status: str, headers: Headers, exc_info: object = None) -> Callable[[bytes], object]:
            del exc_info  # nothing has been sent yet, so the application may still change its mind
            held.start(int(status[:3]), list(headers))
            return held.add

        body = self.app(asked, keep)
        try:
            for chunk in body:
                held.add(chunk)
                if held.shown is not None:
                    break
        finally:
            close = getattr(body, "close", None)
            if close is not None:
                close()
        return _give(start_response, *held.end())


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
    )


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
