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


# --- bodies


class Source(io.BytesIO):
    """A body as a server gives it, which counts what is asked of it."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self.asked = 0

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert size > 0, "all that there is would be waited for"
        self.asked += size
        return super().read(min(size, 7))  # less than is asked for, as sockets do


def post(
    bundle: FollowedBundle, body: Source, path: str = "/taken/1", how: Any = None, **environ: Any
) -> tuple[str, list[Any]]:
    """Send a body; return what was answered, and what an application read that reads it in its way, `how`."""
    read: list[Any] = []

    def app(given: Any, start_response: Any) -> list[bytes]:
        read.append((how or (lambda source: source.read(1000)))(given["wsgi.input"]))
        read.append(given.get("CONTENT_LENGTH"))
        start_response("204 No Content", [])
        return []

    asked = {"REQUEST_METHOD": "POST", "PATH_INFO": path, "CONTENT_TYPE": "application/json", "wsgi.input": body}
    status, _, _ = ask(Guard(app, bundle=bundle, max_bytes=40), "office", **asked | environ)
    return status, read


LINES = b'{"name":\n"Ada",\n"id": 1}'


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (lambda source: source.read(), LINES),
        (lambda source: source.read(-1), LINES),
        (lambda source: source.read(4) + source.read(1000), LINES),
        (lambda source: [source.readline(), source.readline(3), source.read(2)], [b'{"name":\n', b'"Ad', b'a"']),
        (lambda source: source.readlines(), LINES.splitlines(keepends=True)),
        (list, LINES.splitlines(keepends=True)),
    ],
)
@pytest.mark.parametrize("path", ["/taken/1", "/heard/1"])
@pytest.mark.parametrize("chunked", [False, True])
def test_an_application_reads_its_body_in_any_way(
    bundle: FollowedBundle,
    how: Any,
    expected: Any,
    path: str,
    chunked: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    head = CHUNKED if chunked else {"CONTENT_LENGTH": str(len(LINES))}
    status, read = post(bundle, Source(LINES), path, how, **head)
    assert (status, read) == ("204 No Content", [expected, str(len(LINES))])


CHUNKED: dict[str, Any] = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}


def test_no_more_is_read_than_the_length_says(bundle: FollowedBundle) -> None:
    source = Source(LINES + b'{"email": "of the next request"}')
    assert post(bundle, source, CONTENT_LENGTH=str(len(LINES)))[1][0] == LINES
    assert source.tell() == len(LINES)


def test_a_body_that_ends_too_early_is_not_taken_for_whole(bundle: FollowedBundle) -> None:
    assert post(bundle, Source(b"{}"), CONTENT_LENGTH="3") == ("400 Bad Request", [])
    assert post(bundle, Source(b"{}"), "/heard/1", CONTENT_LENGTH="3") == ("204 No Content", [b"{}", "3"])


@pytest.mark.parametrize("length", ["x", "-1", "+2", "1_0", "2, 2", " "])
def test_a_length_that_is_none_is_refused_and_nothing_is_read(bundle: FollowedBundle, length: str) -> None:
    source = Source(b"{}")
    assert post(bundle, source, CONTENT_LENGTH=length) == ("400 Bad Request", [])
    assert source.asked == 0


def test_what_has_no_length_is_no_body_unless_the_server_says_that_it_ends(bundle: FollowedBundle) -> None:
    email = b'{"email": 1}'
    source = Source(email)
    assert post(bundle, source) == ("204 No Content", [b"", "0"])
    assert source.asked == 0
    for said in ({"wsgi.input_terminated": True}, CHUNKED):
        assert post(bundle, Source(email), **said) == ("403 Forbidden", [])
    # nobody can say where it ends
    assert post(bundle, source, HTTP_TRANSFER_ENCODING="chunked") == ("411 Length Required", [])
    assert post(bundle, source, HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH="2") == ("411 Length Required", [])
    assert source.asked == 0


def test_a_chunked_body_has_no_other_length(bundle: FollowedBundle) -> None:
    status, read = post(bundle, Source(b'{"email": 1}'), CONTENT_LENGTH="2", **CHUNKED)
    assert (status, read) == ("403 Forbidden", [])


@pytest.mark.parametrize("how", [lambda source: source.read(), b"".join])
def test_in_mode_observe_a_long_body_goes_on_where_it_was_left(bundle: FollowedBundle, how: Any) -> None:
    body = b"[" + b"1,\n" * 1000 + b"1]"
    assert post(bundle, Source(body), "/taken/1", **CHUNKED)[0].startswith("413 ")
    status, read = post(bundle, Source(body), "/heard/1", how, **CHUNKED)
    assert (status, read) == ("204 No Content", [body, None])


def test_without_inward_the_application_is_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INWARD_SERVICE", "INWARD_BUNDLE"):
        monkeypatch.delenv(name, raising=False)

    def app(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [BODY]

    with pytest.raises(GuardError):
        Guard(app)
    assert ask(Guard(app, allow_unguarded=True))[2] == BODY
