"""What is the WSGI adapter's own: `write`, closing, paths of servers that give no request line."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.contract.guard.people import PERSON, followed

from inward.guard.bundle import GuardError
from inward.guard.current import NoCallError, current_call
from inward.guard.wsgi import Guard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.guard.bundle import FollowedBundle

BODY = json.dumps(PERSON).encode()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> FollowedBundle:
    return followed(tmp_path_factory.mktemp("people"))


def ask(app: Any, caller: str = "till", **environ: Any) -> tuple[str, dict[str, str], bytes]:
    began: list[tuple[str, dict[str, str]]] = []
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Any:
        began.append((status, {name.lower(): value for name, value in headers}))
        return written.append

    asked = {
        "REQUEST_METHOD": "GET", "PATH_INFO": "/people/1", "SCRIPT_NAME": "", "QUERY_STRING": "", "REMOTE_ADDR": "",
        "HTTP_X_FORWARDED_CLIENT_CERT": f"URI=spiffe://people.test/{caller}", "wsgi.input": io.BytesIO(),
    } | environ  # fmt: skip
    body = b"".join(app(asked, start_response))
    return began[-1][0], began[-1][1], b"".join(written) + body


def test_what_is_written_is_viewed(bundle: FollowedBundle) -> None:
    def app(_environ: Any, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [("Content-Type", "application/json")])
        write(BODY[:10])
        write(BODY[10:20])
        return [BODY[20:]]

    status, headers, body = ask(Guard(app, bundle=bundle))
    assert (status, headers["content-length"]) == ("200 OK", str(len(body)))
    assert b"ada@" not in body
    assert ask(Guard(app, bundle=bundle), "office")[2] == BODY


def test_a_second_start_counts_where_the_application_changes_its_mind(bundle: FollowedBundle) -> None:
    def app(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        start_response("500 Oh", [("Content-Type", "application/json")], (None, None, None))
        return [b'{"email": 1, "id": 2}']

    status, _, body = ask(Guard(app, bundle=bundle))
    assert (status, body) == ("500 Internal Server Error", b'{"id":2}')


def test_an_answer_is_closed_however_it_ends(bundle: FollowedBundle) -> None:
    closed: list[str] = []

    class Body:
        def __init__(self, chunk: bytes) -> None:
            self._chunk = chunk

        def __iter__(self) -> Iterator[bytes]:
            while True:
                yield self._chunk

        def close(self) -> None:
            closed.append("closed")

    def app(_environ: Any, start_response: Any) -> Body:
        start_response("200 OK", [("Content-Type", "application/json")])
        return Body(b" ")

    assert ask(Guard(app, bundle=bundle, max_bytes=10))[0] == "502 Bad Gateway"
    assert closed == ["closed"]


@pytest.mark.parametrize(
    "environ",
    [
        {"PATH_INFO": "/people/1"},
        {"SCRIPT_NAME": "/people", "PATH_INFO": "/1"},
        {"RAW_URI": "/people/1?x=y", "PATH_INFO": "/hidden/1"},
        {"REQUEST_URI": "/people/a%20b", "PATH_INFO": "/people/a b"},
        {"PATH_INFO": "/people/a b"},
        {"PATH_INFO": "/people/\xc3\xa9"},
        {"REMOTE_ADDR": "localhost"},
    ],
)
def test_the_operation_is_that_of_the_request_line(bundle: FollowedBundle, environ: dict[str, str]) -> None:
    operations: list[str | None] = []

    def app(_environ: Any, start_response: Any) -> list[bytes]:
        operations.append(current_call().operation)
        start_response("204 No Content", [])
        return []

    ask(Guard(app, bundle=bundle), "office", **environ)
    assert operations == ["people:getPerson"]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.1.2.3", "localhost.localdomain", None])
def test_an_address_is_not_the_socket(bundle: FollowedBundle, address: str | None) -> None:
    status, _, _ = ask(Guard(lambda *_: pytest.fail("asked"), bundle=bundle), "office", REMOTE_ADDR=address)
    assert status == "403 Forbidden"


def test_the_call_is_over_when_the_application_returns(bundle: FollowedBundle) -> None:
    def app(_environ: Any, start_response: Any) -> list[bytes]:
        assert current_call().caller == "office"
        start_response("200 OK", [])
        return [b"x"]

    ask(Guard(app, bundle=bundle), "office")
    with pytest.raises(NoCallError):
        current_call()


def test_without_inward_the_application_is_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INWARD_SERVICE", "INWARD_BUNDLE"):
        monkeypatch.delenv(name, raising=False)

    def app(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [BODY]

    with pytest.raises(GuardError):
        Guard(app)
    assert ask(Guard(app, allow_unguarded=True))[2] == BODY
