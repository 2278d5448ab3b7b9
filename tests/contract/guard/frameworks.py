"""The same service in each framework, and how to ask it by its interface alone: no server, no socket."""

from __future__ import annotations

import asyncio
import importlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from inward.guard.asgi import Guard as ASGIGuard
from inward.guard.wsgi import Guard as WSGIGuard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.guard.bundle import FollowedBundle

SOCKET = "/run/app.sock"


@dataclass(frozen=True)
class Got:
    """An answer as it left the guard."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        found = [value for each, value in self.headers if each.lower() == name]
        assert len(found) <= 1, found
        return found[0] if found else None


ASGI = ("starlette", "fastapi", "litestar", "quart", "django-asgi")
WSGI = ("flask", "django-wsgi")


def made(name: str) -> Any:
    """Return the service in a framework, which is imported only now."""
    framework, _, interface = name.partition("-")
    app = importlib.import_module(f"tests.contract.guard.apps.{framework}_app")
    return app.make(by_asgi=interface == "asgi") if interface else app.make()


class Asked:
    """A guarded application that can be asked. `private` says whether as over its Unix socket."""

    def __init__(self, name: str, bundle: FollowedBundle, **options: Any) -> None:
        self.name = name
        self.asgi = name in ASGI
        self.app = made(name)
        self.guarded: Any = (ASGIGuard if self.asgi else WSGIGuard)(self.app, bundle=bundle, **options)

    def ask(
        self,
        method: str,
        target: str,
        headers: list[tuple[str, str]],
        *,
        private: bool = True,
        body: tuple[bytes, ...] = (),
    ) -> Got:
        """Ask it; a body of several pieces is chunked, and one of a single piece has its length in the head."""
        if len(body) == 1 and not any(name == "content-length" for name, _ in headers):
            headers = [*headers, ("content-length", str(len(body[0])))]
        if self.asgi:
            # Django leaves a file open where sending is an error
            version = "2.3" if self.name.startswith("django") else "2.4"
            asked = asked_asgi(self.guarded, method, target, headers, private=private, spec_version=version, body=body)
            return asyncio.run(asked)
        return asked_wsgi(self.guarded, method, target, headers, private=private, body=body)


async def asked_asgi(
    app: Any,
    method: str,
    target: str,
    headers: list[tuple[str, str]],
    *,
    private: bool = True,
    spec_version: str = "2.4",
    body: tuple[bytes, ...] = (),
) -> Got:
    """Ask an ASGI application; what it sends is held to the order that the interface demands."""
    path, _, query = target.partition("?")
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": spec_version},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
        "server": (SOCKET, None) if private else ("127.0.0.1", 8000),
        "client": None if private else ("127.0.0.1", 50000),
        "extensions": {"http.response.pathsend": {}, "http.response.trailers": {}},
        "state": {},
    }
    sent: list[dict[str, Any]] = []
    done = asyncio.Event()
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in body[:-1]]
    messages.append({"type": "http.request", "body": body[-1] if body else b"", "more_body": False})
    pieces = iter(messages)

    async def receive() -> dict[str, Any]:
        for message in pieces:
            return message
        await done.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            done.set()

    await asyncio.wait_for(app(scope, receive, send), 30)
    first, *rest = sent
    assert first["type"] == "http.response.start"
    assert [each["type"] for each in rest] == ["http.response.body"] * len(rest)
    assert [bool(each.get("more_body")) for each in rest] == [True] * (len(rest) - 1) + [False]
    head = [(bytes(name).decode("latin-1"), bytes(value).decode("latin-1")) for name, value in first["headers"]]
    return Got(first["status"], head, b"".join(bytes(each.get("body", b"")) for each in rest))


def asked_wsgi(
    app: Any,
    method: str,
    target: str,
    headers: list[tuple[str, str]],
    *,
    private: bool = True,
    body: tuple[bytes, ...] = (),
) -> Got:
    """Ask a WSGI application; a body of several pieces ends as a chunked one does."""
    path, _, query = target.partition("?")
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(path, "latin-1"),
        "RAW_URI": target,
        "QUERY_STRING": query,
        "SERVER_NAME": SOCKET if private else "127.0.0.1",
        "SERVER_PORT": "" if private else "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "" if private else "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(b"".join(body)),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if len(body) > 1:
        environ |= {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    for name, value in headers:
        key = name.upper().replace("-", "_")
        key = key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    began: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, head: list[tuple[str, str]], _exc_info: object = None) -> Any:
        began.append((status, head))
        return None

    answer: Iterator[bytes] = app(environ, start_response)
    try:
        content = b"".join(answer)
    finally:
        if hasattr(answer, "close"):
            answer.close()
    status, head = began[-1]
    return Got(int(status[:3]), head, content)
