"""When a guard looks, and that nothing is served before it has: by lifespan, without one, by WSGI."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from starlette.applications import Starlette
from starlette.routing import Route as Served
from tests.contract.guard.frameworks import asked_asgi, asked_wsgi, made
from tests.contract.guard.people import FILES, followed, handled, write
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from inward.guard.asgi import Guard
from inward.guard.bundle import FollowedBundle, GuardError
from inward.guard.routes import start
from inward.guard.routes.look import Look, look_at
from inward.guard.routes.report import HEADER, ROUTES
from inward.guard.wsgi import Guard as WSGIGuard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from inward.catalog.model import Service

OFFICE = ("x-forwarded-client-cert", "URI=spiffe://people.test/office")
QUESTION = (HEADER, ROUTES)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> FollowedBundle:
    return followed(tmp_path_factory.mktemp("people"))


@pytest.fixture
def observing(tmp_path: Path) -> FollowedBundle:
    followed(tmp_path)
    described = FILES["inward.yaml"].replace(
        "    run: serve {socket}\n", "    run: serve {socket}\n    mode: observe\n"
    )
    write(tmp_path, {"inward.yaml": described})
    return FollowedBundle(tmp_path / "bundle", "people")


class Leaky(Guard):
    """What somebody writes who wants one route without a guard."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path", "").startswith("/plain"):
            await self.app(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class LeakyWSGI(WSGIGuard):
    def __call__(self, environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"].startswith("/plain"):
            return self.app(environ, start_response)
        return super().__call__(environ, start_response)


def started(guard: Any, *messages: str) -> list[dict[str, Any]]:
    """Return what a server hears of the start (and end) of an application."""
    events: list[dict[str, Any]] = []
    given = iter([{"type": f"lifespan.{each}"} for each in messages])

    async def receive() -> dict[str, Any]:
        return next(given)

    async def send(event: dict[str, Any]) -> None:
        events.append(event)

    asyncio.run(guard({"type": "lifespan", "state": {}}, receive, send))
    return events


@pytest.mark.parametrize("framework", ["starlette", "fastapi", "litestar", "quart"])
def test_a_start_fails_where_a_route_is_left_open_and_the_application_cleans_up(
    framework: str, bundle: FollowedBundle
) -> None:
    handled.calls.clear()
    events = started(Leaky(made(framework), bundle=bundle), "startup")
    assert [event["type"] for event in events] == ["lifespan.startup.failed"]
    assert "`GET /plain/{answer}`" in events[0]["message"]
    assert "past its guard" in events[0]["message"]
    assert handled.calls == []


def test_what_the_application_opened_is_closed_before_the_server_hears_of_the_failure(bundle: FollowedBundle) -> None:
    happened: list[str] = []

    async def lifespan(_app: Any) -> AsyncIterator[None]:
        happened.append("opened")
        yield
        happened.append("closed")

    from contextlib import asynccontextmanager  # noqa: PLC0415 - beside what it wraps

    app = Starlette(routes=[Served("/plain/{answer}", lambda _: None)], lifespan=asynccontextmanager(lifespan))
    guard = Leaky(app, bundle=bundle)
    assert [event["type"] for event in started(guard, "startup")] == ["lifespan.startup.failed"]
    assert happened == ["opened", "closed"]
    whole = started(Guard(app, bundle=bundle), "startup", "shutdown")
    assert [event["type"] for event in whole] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@pytest.mark.parametrize("framework", ["starlette", "fastapi", "litestar", "quart", "django-asgi"])
def test_without_a_lifespan_no_request_is_served_where_a_route_is_left_open(
    framework: str, bundle: FollowedBundle
) -> None:
    handled.calls.clear()
    guard = Leaky(made(framework), bundle=bundle)
    for _ in range(2):
        with pytest.raises(GuardError, match="past its guard"):
            asyncio.run(asked_asgi(guard, "GET", "/people/person", [OFFICE]))
    assert handled.calls == []


@pytest.mark.parametrize("framework", ["flask", "django-wsgi"])
def test_by_wsgi_no_request_is_served_where_a_route_is_left_open(framework: str, bundle: FollowedBundle) -> None:
    handled.calls.clear()
    guard = LeakyWSGI(made(framework), bundle=bundle)
    for _ in range(2):
        with pytest.raises(GuardError, match="past its guard"):
            asked_wsgi(guard, "GET", "/people/person", [OFFICE])
    assert handled.calls == []


def test_an_unguarded_application_mounted_beside_a_guard_is_found(bundle: FollowedBundle) -> None:
    app = made("flask")
    app.wsgi_app = WSGIGuard(app.wsgi_app, bundle=bundle)
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/metrics": Flask("metrics")})
    with pytest.raises(GuardError, match=r"`\* /metrics/\{path\}`"):
        asked_wsgi(app, "GET", "/people/person", [OFFICE])


def test_in_mode_observe_it_is_told_and_served(observing: FollowedBundle, caplog: pytest.LogCaptureFixture) -> None:
    got = asyncio.run(asked_asgi(Leaky(made("starlette"), bundle=observing), "GET", "/people/person", [OFFICE]))
    assert got.status == 200
    assert "past its guard" in caplog.text


@pytest.mark.parametrize("mode", ["enforce", "observe"])
@pytest.mark.parametrize("path", ["/people/person", "/watched/person", "/hidden/person", "/nowhere"])
def test_a_question_is_refused_in_every_mode_and_answered_with_a_report(
    mode: str, path: str, bundle: FollowedBundle, observing: FollowedBundle
) -> None:
    followed_ = bundle if mode == "enforce" else observing
    handled.calls.clear()
    for got in (
        asyncio.run(asked_asgi(Guard(made("starlette"), bundle=followed_), "GET", path, [QUESTION])),
        asked_wsgi(WSGIGuard(made("flask"), bundle=followed_), "GET", path, [QUESTION]),
    ):
        told = json.loads(got.body)
        assert (got.status, told["code"]) == (403, "bad_identity")
        assert told["report"]["routes"] >= 8
        assert "GET /hidden/{answer}" in told["report"]["undocumented"]
    assert handled.calls == []


def test_nobody_but_who_can_reach_the_socket_is_given_a_report(bundle: FollowedBundle) -> None:
    asgi, wsgi = Guard(made("starlette"), bundle=bundle), WSGIGuard(made("flask"), bundle=bundle)
    unknown = ("x-forwarded-client-cert", "URI=spiffe://people.test/nobody")
    for headers, private in (([QUESTION], False), ([QUESTION, OFFICE], False), ([QUESTION, unknown], True)):
        for got in (
            asyncio.run(asked_asgi(asgi, "GET", "/people/person", headers, private=private)),
            asked_wsgi(wsgi, "GET", "/people/person", headers, private=private),
        ):
            assert got.status == 403
            assert "report" not in json.loads(got.body)
    called = asyncio.run(asked_asgi(asgi, "GET", "/people/person", [QUESTION, OFFICE]))
    assert called.status == 200  # the mark of a question refuses nobody who has an identity


def test_a_route_that_came_later_is_in_the_report(bundle: FollowedBundle) -> None:
    app = made("starlette")
    guard = Guard(app, bundle=bundle)
    before = json.loads(asyncio.run(asked_asgi(guard, "GET", "/x", [QUESTION])).body)["report"]
    app.add_route("/late", lambda _: None, methods=["PUT"])
    after = json.loads(asyncio.run(asked_asgi(guard, "GET", "/x", [QUESTION])).body)["report"]
    assert after["routes"] == before["routes"] + 1
    assert set(after["undocumented"]) - set(before["undocumented"]) == {"PUT /late"}


def test_requests_side_by_side_wait_for_the_look(bundle: FollowedBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []

    def look(guard: Any, service: Service) -> Look:
        looks.append(service.name)
        return look_at(guard, service)

    monkeypatch.setattr(start, "look_at", look)
    guard = Guard(made("starlette"), bundle=bundle)

    async def both() -> list[int]:
        asked = (asked_asgi(guard, "GET", "/people/person", [OFFICE]) for _ in range(3))
        return [got.status for got in await asyncio.gather(*asked)]

    assert asyncio.run(both()) == [200] * 3
    assert len(looks) == 1


def test_a_web_socket_is_no_hole_in_mode_observe(observing: FollowedBundle, caplog: pytest.LogCaptureFixture) -> None:
    from starlette.routing import WebSocketRoute  # noqa: PLC0415 - for this test alone

    app = Starlette(routes=[WebSocketRoute("/live", lambda _: None)])
    started(Guard(app, bundle=observing), "startup", "shutdown")
    assert "`WEBSOCKET /live`, which is no operation" in caplog.text
    assert "past its guard" not in caplog.text
