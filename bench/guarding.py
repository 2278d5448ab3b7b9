"""What the guard costs inside a service: a FastAPI request with and without it, a view beside decoding and encoding.

Requests are made by calling the application, without a server, so that nothing else is measured. `plain` is decided as
a constant and has no declared data; `viewed` answers people, whose e-mail addresses the caller is not shown. No two of
them have the same.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from fastapi import FastAPI, Response

from bench.report import Series
from inward.catalog.shape import Node, Shape
from inward.control.bundle import load_policy, store_bundle
from inward.guard.asgi import App, Guard, Message
from inward.guard.bodies.view import View
from inward.guard.bundle import FollowedBundle
from inward.identity.private_files import private_folder

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 9
REQUESTS = 400
SYSTEM = """\
trust_domain: bench.internal
services:
  people: {owner: team, api: api.json, listen: "127.0.0.1:0", run: "serve {socket}"}
  till: {owner: team}
data:
  pii.email: {owner: team}
"""
POLICY = """\
@id("g") @reason("measured")
permit (principal == Service::"till", action in Action::"people:*", resource == Service::"people");
"""
PEOPLE = [
    {"id": number, "name": "Ada", "email": f"ada.{number}@example.com", "city": "Uppsala", "orders": [1, 2], "x": 1.25}
    for number in range(10_000)
]  # fmt: skip


def _body(size: int) -> bytes:
    """Return a list of people in about that many bytes."""
    return json.dumps(PEOPLE[: size // len(json.dumps(PEOPLE[0]))]).encode()


def _application() -> FastAPI:
    app = FastAPI(openapi_url=None)
    small = _body(1_000)

    @app.get("/{kind}/{number}")
    async def get(kind: str, number: int) -> Response:
        del kind, number
        return Response(small, media_type="application/json")

    return app


def _bundle(folder: Path) -> FollowedBundle:
    person = {"type": "object", "properties": {"email": {"type": "string", "x-inward-data": "pii.email"}}}
    schemas: dict[str, object] = {"plain": {"type": "array"}, "viewed": {"type": "array", "items": person}}
    paths = {
        f"/{kind}/{{number}}": {
            "get": {
                "operationId": kind,
                "parameters": [{"name": "number", "in": "path", "required": True, "schema": {"type": "string"}}],
                "responses": {"200": {"description": "done", "content": {"application/json": {"schema": schema}}}},
            }
        }
        for kind, schema in schemas.items()
    }
    system = folder / "system"
    (system / "policies").mkdir(parents=True)
    (system / "inward.yaml").write_text(SYSTEM)
    (system / "policies" / "people.cedar").write_text(POLICY)
    (system / "api.json").write_text(
        json.dumps({"openapi": "3.1.0", "info": {"title": "p", "version": "1"}, "paths": paths})
    )
    store_bundle(private_folder(folder / "bundle"), load_policy(system))
    return FollowedBundle(folder / "bundle", "people")


async def _ask(app: App, kind: str) -> bytes:
    scope: Message = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": f"/{kind}/7",
        "raw_path": f"/{kind}/7".encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"people"), (b"x-forwarded-client-cert", b"URI=spiffe://bench.internal/till")],
        "server": ("/run/app.sock", None),
        "client": None,
    }
    got: list[bytes] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        got.append(message.get("body", b""))

    await app(scope, receive, send)
    return b"".join(got)


async def _requests(app: App, kind: str) -> float:
    started = time.process_time()
    for _ in range(REQUESTS):
        await _ask(app, kind)
    return (time.process_time() - started) / REQUESTS * 1e6


def _work(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return (time.process_time() - started) * 1e3


def measure() -> list[Series]:
    """Measure requests (microseconds of CPU) and views of about a megabyte (milliseconds of CPU), side by side."""
    requests = Series("a FastAPI request", "µs of CPU", "without a guard")
    with tempfile.TemporaryDirectory() as scratch:
        app = _application()
        guarded = Guard(app, bundle=_bundle(Path(scratch)))
        if b"ada.1@" not in asyncio.run(_ask(guarded, "plain")) or b"ada.1@" in asyncio.run(_ask(guarded, "viewed")):
            raise ValueError("the guard does not show what it should")
        for _ in range(ROUNDS):
            requests.add("without a guard", us=asyncio.run(_requests(app, "plain")))
            requests.add("guarded, no declared data", us=asyncio.run(_requests(guarded, "plain")))
            requests.add("guarded, a view of 1 kB", us=asyncio.run(_requests(guarded, "viewed")))
    views = Series("a view of 1 MB", "ms of CPU", "msgspec, decode and encode")
    body = _body(1_000_000)
    shape = Shape((Node(items=1), Node(fields={"email": 2}), Node(classes=("pii.email",))))
    for _ in range(ROUNDS * 3):
        views.add("msgspec, decode and encode", ms=_work(lambda: msgspec.json.encode(msgspec.json.decode(body))))
        for undisclosed in ("drop", "null", "mask", "tokenise"):
            view = View(shape, {"pii.email": undisclosed}, key=b"k" * 32)
            views.add(f"view, {undisclosed}", ms=_work(lambda view=view: view.of(body)))  # type: ignore[misc] # the default binds it
    return [requests, views]
