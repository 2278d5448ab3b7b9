"""What is the ASGI adapter's own: the connection's kind, its socket, start-up, errors, concurrency."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest
from tests.contract.guard.frameworks import asked_asgi
from tests.contract.guard.people import PERSON, SECRET, followed

from inward.guard.asgi import Guard
from inward.guard.bundle import GuardError
from inward.guard.current import NoCallError, current_call
from inward.record.verdict import Verdict, parse_verdict

if TYPE_CHECKING:
    from inward.guard.bundle import FollowedBundle

TILL = ("x-forwarded-client-cert", "URI=spiffe://people.test/till")
OFFICE = ("x-forwarded-client-cert", "URI=spiffe://people.test/office")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> FollowedBundle:
    return followed(tmp_path_factory.mktemp("people"))


async def nothing(_scope: Any, _receive: Any, _send: Any) -> None:
    raise AssertionError("the application is not to be asked")


def seen(events: list[dict[str, Any]]) -> Any:
    async def send(event: dict[str, Any]) -> None:
        events.append(event)

    return send


async def connect() -> dict[str, Any]:
    return {"type": "websocket.connect"}


def test_a_web_socket_is_refused_before_it_is_accepted(bundle: FollowedBundle) -> None:
    events: list[dict[str, Any]] = []
    scope = {"type": "websocket", "path": "/people/1", "headers": [], "server": ("/s", None)}
    asyncio.run(Guard(nothing, bundle=bundle)(scope, connect, seen(events)))
    assert [event["type"] for event in events] == ["websocket.close"]


def test_a_connection_of_an_unknown_kind_is_not_served(bundle: FollowedBundle) -> None:
    events: list[dict[str, Any]] = []
    asyncio.run(Guard(nothing, bundle=bundle)({"type": "gopher"}, connect, seen(events)))
    assert events == []


@pytest.mark.parametrize(
    ("scope", "private"),
    [
        ({"server": ("/run/app.sock", None), "client": None}, True),
        ({"server": ["/run/app.sock", None], "client": ("", 0)}, True),
        ({"server": None, "client": None}, True),
        ({}, True),
        ({"server": ("127.0.0.1", 80), "client": None}, False),
        ({"server": ("/run/app.sock", None), "client": ("127.0.0.1", 1)}, False),
        ({"server": None, "client": ("10.0.0.1", 1)}, False),
    ],
)
def test_only_what_is_no_tcp_is_private(bundle: FollowedBundle, scope: dict[str, Any], private: bool) -> None:  # noqa: FBT001 - a parameter of the test
    asked: list[str] = []

    async def app(inner: Any, _receive: Any, send: Any) -> None:
        asked.append(inner["path"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    full = {
        "type": "http", "method": "GET", "path": "/people/1", "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in [OFFICE]], **scope,
    }  # fmt: skip
    asyncio.run(Guard(app, bundle=bundle)(full, connect, seen([])))
    assert asked == (["/people/1"] if private else [])


def test_a_guard_inside_another_application_does_not_start(bundle: FollowedBundle) -> None:
    from starlette.applications import Starlette  # noqa: PLC0415 - for this test alone
    from starlette.routing import Mount  # noqa: PLC0415 - for this test alone

    outer = Starlette(routes=[Mount("/people", Guard(nothing, bundle=bundle))])
    with pytest.raises(GuardError, match="inside another application"):
        asyncio.run(asked_asgi(outer, "GET", "/people/1", [OFFICE]))
    added = Starlette()
    added.add_middleware(Guard, bundle=bundle)
    with pytest.raises(GuardError, match="inside another application"):
        asyncio.run(added({"type": "lifespan"}, connect, seen([])))


def test_start_up_tells_what_is_undocumented_before_calls_are_taken(
    bundle: FollowedBundle, caplog: pytest.LogCaptureFixture
) -> None:
    from starlette.applications import Starlette  # noqa: PLC0415 - for this test alone

    app = Starlette()
    app.add_route("/backdoor", lambda _request: None, methods=["GET"])  # type: ignore[arg-type, return-value] # never asked
    events: list[dict[str, Any]] = []
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> dict[str, Any]:
        return next(messages)

    with caplog.at_level(logging.WARNING, "inward.guard"):
        asyncio.run(Guard(app, bundle=bundle)({"type": "lifespan", "state": {}}, receive, seen(events)))
    assert [event["type"] for event in events] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert "`GET /backdoor`" in caplog.text


def test_an_error_of_the_application_is_the_servers(bundle: FollowedBundle) -> None:
    async def fails(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": SECRET.encode(), "more_body": True})
        raise ZeroDivisionError

    async def fails_at_once(_scope: Any, _receive: Any, _send: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(asked_asgi(Guard(fails_at_once, bundle=bundle), "GET", "/people/1", [TILL]))
    got = asyncio.run(asked_asgi(Guard(fails, bundle=bundle), "GET", "/people/1", [TILL]))
    assert got.status == 502  # no content type: refused at the first piece, and the error after it is nobody's
    with pytest.raises(NoCallError):
        current_call()


def test_calls_side_by_side_do_not_mix(bundle: FollowedBundle) -> None:
    barrier = 0

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        nonlocal barrier
        before = current_call().caller
        barrier += 1
        while barrier < 2:
            await asyncio.sleep(0)
        assert current_call().caller == before
        body = repr(before).replace("'", '"').encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b'{"id":' + body + b',"email":' + body + b"}"})

    async def both() -> list[bytes]:
        guarded = Guard(app, bundle=bundle)
        got = await asyncio.gather(*(asked_asgi(guarded, "GET", "/people/1", [each]) for each in (TILL, OFFICE)))
        return [each.body for each in got]

    assert asyncio.run(both()) == [b'{"id":"till"}', b'{"id":"office","email":"office"}']


def test_a_server_prefix_is_not_a_part_of_the_path(bundle: FollowedBundle) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    events: list[dict[str, Any]] = []
    scope = {
        "type": "http", "method": "GET", "path": "/api/people/1", "raw_path": b"/api/people/1", "root_path": "/api",
        "query_string": b"", "headers": [(OFFICE[0].encode(), OFFICE[1].encode())],
    }  # fmt: skip
    asyncio.run(Guard(app, bundle=bundle)(scope, connect, seen(events)))
    assert events[0]["status"] == 204


# --- bodies


def posted(path: str, **headers: str) -> dict[str, Any]:
    given = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return {
        "type": "http", "method": "POST", "path": path, "query_string": b"", "server": ("/s", None),
        "headers": [(name.encode(), value.encode()) for name, value in [OFFICE, *given.items()]],
    }  # fmt: skip


def piece(body: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


GONE = {"type": "http.disconnect"}


def told(messages: list[dict[str, Any]]) -> Any:
    """Return what gives these messages, and fails where more are asked for."""

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    return receive


def listening(heard: list[dict[str, Any]]) -> Any:
    """Make an application that takes all that there is, until its caller goes away, and answers then."""

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        while not heard or heard[-1] != GONE:
            heard.append(await receive())
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    return app


def test_after_its_body_the_application_hears_that_its_caller_has_gone(bundle: FollowedBundle) -> None:
    heard: list[dict[str, Any]] = []
    messages = [piece(b'{"na'), piece(b""), {"type": "http.request", "body": b'me": 1}'}, GONE]
    asyncio.run(Guard(listening(heard), bundle=bundle)(posted("/taken/1"), told(messages), seen([])))
    assert heard == [piece(b'{"name": 1}', more=False), GONE]


def test_a_caller_that_goes_away_in_the_middle_has_asked_for_nothing(bundle: FollowedBundle) -> None:
    for messages in ([piece(b'{"name": 1}'), GONE], [GONE]):
        events: list[dict[str, Any]] = []
        asyncio.run(Guard(nothing, bundle=bundle)(posted("/taken/1"), told(messages), seen(events)))
        assert events == []
        assert messages == []


def test_in_mode_observe_the_application_hears_it_as_it_was(bundle: FollowedBundle) -> None:
    for before in ([piece(b'{"email": 1'), piece(b"}")], []):
        heard: list[dict[str, Any]] = []
        events: list[dict[str, Any]] = []
        asyncio.run(Guard(listening(heard), bundle=bundle)(posted("/heard/1"), told([*before, GONE]), seen(events)))
        assert heard == ([piece(b'{"email": 1}')] if before else []) + [GONE]
        said = dict(events[0]["headers"])[b"x-inward-guard"].decode()
        assert parse_verdict(said) == Verdict(reason="unreadable", sent=("pii.card", "pii.email"), observed=True)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content_length": "100001", "expect": "100-continue"}, 413),
        ({"content_length": "5", "expect": "100-continue", "content_type": "text/plain"}, 415),
        ({"content_length": "5", "content_encoding": "gzip"}, 415),
    ],
)
def test_a_caller_is_not_asked_for_a_body_that_will_be_refused(
    bundle: FollowedBundle, headers: dict[str, str], status: int
) -> None:
    events: list[dict[str, Any]] = []
    guarded = Guard(nothing, bundle=bundle, max_bytes=100_000)
    asyncio.run(guarded(posted("/taken/1", **headers), told([]), seen(events)))  # to receive is to send `100 Continue`
    assert events[0]["status"] == status


def test_a_body_without_an_end_is_refused_and_not_waited_for(bundle: FollowedBundle) -> None:
    events: list[dict[str, Any]] = []
    asked = 0

    async def receive() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return piece(b" " * 10)

    asyncio.run(Guard(nothing, bundle=bundle, max_bytes=1000)(posted("/taken/1"), receive, seen(events)))
    assert (events[0]["status"], asked) == (413, 101)


@pytest.mark.parametrize("path", ["/people/1", "/plain/1"])
def test_a_body_that_is_not_looked_at_is_the_servers(bundle: FollowedBundle, path: str) -> None:
    async def app(_scope: Any, receive: Any, send: Any) -> None:
        assert receive is connect
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    scope = posted(path) | {"method": "POST" if path == "/people/1" else "GET"}
    events: list[dict[str, Any]] = []
    asyncio.run(Guard(app, bundle=bundle)(scope, connect, seen(events)))
    assert events[0]["status"] == 204


# --- extensions of the server


EXTENSIONS = (
    "http.response.pathsend",
    "http.response.trailers",
    "http.response.zerocopysend",
    "http.response.early_hint",
    "http.response.push",
    "http.response.debug",
)


def test_an_answer_that_is_held_back_cannot_go_past_the_view(bundle: FollowedBundle) -> None:
    scopes: list[dict[str, Any]] = []

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        scopes.append(scope)
        for name in EXTENSIONS:  # as one that does not look at what there is
            await send({"type": name, "path": "/people.json", "headers": [], "links": [], "info": {"email": SECRET}})
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.zerocopysend", "file": 1})
        await send({"type": "http.response.body", "body": b'{"email":"ada@example.com","id":1}', "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        await send({"type": "http.response.trailers", "headers": [(b"x-mail", SECRET.encode())]})

    for caller, shown in ((TILL, False), (OFFICE, True)):
        events: list[dict[str, Any]] = []
        scope = posted("/people/1") | {"method": "GET", "extensions": {name: {} for name in EXTENSIONS}}
        scope["headers"] = [(caller[0].encode(), caller[1].encode())]
        asyncio.run(Guard(app, bundle=bundle)(scope, told([]), seen(events)))
        assert (SECRET in repr(events)) is shown
        assert bool(scopes[-1]["extensions"]) is shown
        if not shown:
            assert [event["type"] for event in events] == ["http.response.start", "http.response.body"]
            assert events[1]["body"] == b'{"id":1}'


def test_without_inward_the_application_is_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INWARD_SERVICE", "INWARD_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(GuardError):
        Guard(nothing)

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": repr(PERSON).encode()})

    got = asyncio.run(asked_asgi(Guard(app, allow_unguarded=True), "GET", "/anything", [], private=False))
    assert got.body == repr(PERSON).encode()
