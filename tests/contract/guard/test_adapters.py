"""Every adapter in every framework: the same calls, the same answers."""

from __future__ import annotations

import gzip
import importlib.util
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs
from tests.contract.guard.frameworks import ASGI, WSGI, Asked, Got
from tests.contract.guard.people import ANSWERS, PERSON, SECRET, SHOWN, Scripted, handled

from inward.guard.user import ClaimedUser
from inward.identity.user_token import EndUser
from inward.record.verdict import HEADER, Verdict, parse_verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

REFERENCE = "0d1b2ce6-9f5a-4c5e-8c5a-6d1f6c8f9a01"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
BODY = json.dumps(PERSON).encode()
ALL = ("pii.card", "pii.email", "pii.phone")


def forwarded(caller: str) -> tuple[str, str]:
    return ("x-forwarded-client-cert", f"By=spiffe://people.test/people;URI=spiffe://people.test/{caller}")


def ask(service: Asked, target: str, caller: str | None = "till", method: str = "GET", **options: Any) -> Got:
    headers = [("host", "people"), ("x-request-id", REFERENCE), ("traceparent", TRACE), *options.pop("headers", [])]
    if caller is not None:
        headers.append(forwarded(caller))
    return service.ask(method, target, headers, **options)


def answered(service: Asked, scripted: Scripted, method: str = "GET") -> Got:
    """Ask as the till, which is shown names alone."""
    ANSWERS["scripted"] = scripted
    return ask(service, "/people/scripted", method=method)


def verdict(got: Got) -> Verdict | None:
    said = got.header(HEADER)
    return parse_verdict(said) if said is not None else None


def code(got: Got) -> object:
    assert got.header("content-type") == "application/problem+json"
    problem = json.loads(got.body)
    assert problem["status"] == got.status
    assert problem["instance"] == f"urn:uuid:{REFERENCE}"
    return problem.get("code")


# --- who, what, whether


def test_an_allowed_call_reaches_the_handler_which_knows_who_calls(service: Asked) -> None:
    got = ask(service, "/people/person", "office")
    assert (got.status, json.loads(got.body), verdict(got)) == (200, PERSON, None)
    assert handled.calls == [("office", "people:getPerson", REFERENCE)]


@pytest.mark.parametrize(
    ("caller", "target", "method", "reason"),
    [
        ("stranger", "/people/person", "GET", "no_grant"),
        ("nobody", "/people/person", "GET", "unknown_caller"),
        (None, "/people/person", "GET", "bad_identity"),
        ("office", "/hidden/person", "GET", "unknown_operation"),
        ("office", "/people/person", "PATCH", "unknown_operation"),
        ("office", "/people/person/", "GET", "unknown_operation"),
        ("office", "/people//person", "GET", "unknown_operation"),
        ("office", "/People/person", "GET", "unknown_operation"),
        ("office", "/people/..%2fhidden", "GET", "unknown_operation"),
    ],
)
def test_a_refused_call_does_not_reach_the_handler(
    service: Asked, caller: str | None, target: str, method: str, reason: str
) -> None:
    got = ask(service, target, caller, method)
    assert (got.status, verdict(got)) == (403, Verdict(reason=reason))
    assert code(got) == {"unknown_caller": "no_grant"}.get(reason, reason)
    assert handled.calls == []


@pytest.mark.parametrize(
    "claimed",
    [
        [forwarded("till"), forwarded("office")],
        [("x-forwarded-client-cert", f"{forwarded('till')[1]},{forwarded('office')[1]}")],
        [("x-forwarded-client-cert", f"{forwarded('till')[1]};URI=spiffe://people.test/office")],
        [("x-forwarded-client-cert", 'By="a";URI=spiffe://people.test/office')],
        [("x-forwarded-client-cert", "URI=spiffe://elsewhere.test/office")],
        [("x-forwarded-client-cert", "")],
    ],
)
def test_an_identity_that_is_not_exactly_one_is_none(service: Asked, claimed: list[tuple[str, str]]) -> None:
    got = ask(service, "/people/person", None, headers=claimed)
    assert got.status == 403
    assert handled.calls == []


def test_over_tcp_anybody_could_say_who_calls(service: Asked) -> None:
    got = ask(service, "/people/person", "office", private=False)
    assert (got.status, code(got)) == (403, "bad_identity")
    assert handled.calls == []


def test_what_the_application_says_in_the_guards_name_is_not_passed_on(service: Asked) -> None:
    ANSWERS["scripted"] = Scripted(b"{}", headers=((HEADER, '{"withheld":["pii"]}'),))
    assert ask(service, "/people/scripted", "office").header(HEADER) is None
    assert ask(service, "/people/scripted", "till").header(HEADER) is None


# --- on whose behalf


@pytest.mark.parametrize(
    ("target", "caller", "said"),
    [
        ("/people/person", "office", Verdict()),
        ("/people/person", "till", Verdict(withheld=ALL)),
        ("/people/person", "stranger", Verdict(reason="no_grant")),
        ("/watched/person", "office", Verdict()),
        ("/watched/person", "till", Verdict(withheld=ALL, observed=True)),
    ],
)
def test_a_user_that_a_token_proves_is_said_with_every_kind_of_answer(
    service: Asked, monkeypatch: pytest.MonkeyPatch, target: str, caller: str, said: Verdict
) -> None:
    user = EndUser("jörg\x7f", "t", (), datetime(2027, 1, 1, tzinfo=UTC))
    monkeypatch.setattr(ClaimedUser, "proven", lambda _: user)
    assert verdict(ask(service, target, caller)) == structs.replace(said, user=user.subject)


# --- observed


def test_what_is_observed_is_let_through_and_said(service: Asked) -> None:
    got = ask(service, "/watched/person", "stranger")
    assert (got.status, got.body) == (200, BODY)
    found = verdict(got)
    assert found is not None
    assert (found.reason, found.observed) == ("no_grant", True)
    assert found.withheld == ("pii.card", "pii.email", "pii.name", "pii.phone")
    assert verdict(ask(service, "/watched/person", "till")) == Verdict(withheld=ALL, observed=True)
    assert verdict(ask(service, "/watched/person", "office")) is None
    nobody = verdict(ask(service, "/watched/person", None))
    assert nobody == Verdict(reason="bad_identity", observed=True)
    assert [caller for caller, _, _ in handled.calls] == ["stranger", "till", "office", None]


# --- what is shown


def test_a_caller_sees_what_is_disclosed_to_it(service: Asked) -> None:
    got = ask(service, "/people/person")
    shown = json.loads(got.body)
    assert shown.pop("card").startswith("tok_")
    assert shown == SHOWN
    assert got.header("content-length") == str(len(got.body))
    assert verdict(got) == Verdict(withheld=ALL)


def test_an_operation_without_declared_data_is_handed_on_as_it_is(service: Asked) -> None:
    ANSWERS["scripted"] = Scripted(b"\xff not json", "text/plain", headers=(("etag", '"1"'),))
    got = ask(service, "/plain/scripted", headers=[("accept-encoding", "gzip"), ("range", "bytes=0-3")])
    assert (got.body, got.header("etag"), verdict(got)) == (b"\xff not json", '"1"', None)
    assert {"accept-encoding", "range"} <= handled.headers[0].keys()


def test_the_application_is_not_asked_for_what_cannot_be_viewed(service: Asked) -> None:
    ask(service, "/people/person", headers=[("accept-encoding", "gzip"), ("range", "bytes=0-3"), ("if-range", '"1"')])
    assert not {"accept-encoding", "range", "if-range"} & handled.headers[0].keys()
    assert "traceparent" in handled.headers[0]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json; charset=utf-8", BODY),
        ('application/json;charset=UTF-8;profile="x"', BODY),
        ("Application/JSON", BODY),
        ("application/vnd.people+json", BODY),
        ("application/problem+json", BODY),
        ("application/x-ndjson", BODY + b"\n" + BODY + b"\n"),
        ("application/jsonl", BODY),
        ("application/json-seq", b"\x1e" + BODY + b"\n"),
        ("application/json", b"[" + BODY + b"," + BODY + b"]"),
        ("application/json", BODY.replace(b'"email"', rb'"em\u0061il"')),
        ("application/json", BODY[:-1] + b',"email":"' + SECRET.encode() + b'"}'),
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", [200, 201, 404, 500])
def test_json_is_viewed_whatever_it_is_called(service: Asked, content_type: str, body: bytes, status: int) -> None:
    got = answered(service, Scripted(body, content_type, status))
    assert got.status == status
    assert SECRET.encode() not in got.body
    assert b'"name": "Ada"' in got.body or b'"name":"Ada"' in got.body
    assert verdict(got) == Verdict(withheld=ALL)


@pytest.mark.parametrize(
    "scripted",
    [
        Scripted(BODY, "text/plain"),
        Scripted(BODY, "text/html; charset=utf-8"),
        Scripted(BODY, "text/event-stream"),
        Scripted(b"data: " + BODY + b"\n\n", "text/event-stream"),
        Scripted(BODY, "application/octet-stream"),
        Scripted(BODY, "application/json; charset=utf-7"),
        Scripted(BODY.decode().encode("utf-16"), "application/json; charset=utf-16"),
        Scripted(BODY, "application/json; charset=utf-8; charset=utf-7"),
        Scripted(BODY, "application/json, text/plain"),
        Scripted(BODY, "application/jsonp"),
        Scripted(gzip.compress(BODY, mtime=0), headers=(("content-encoding", "gzip"),)),
        Scripted(BODY, headers=(("content-encoding", "br"),)),
        Scripted(BODY, headers=(("content-encoding", "identity, gzip"),)),
        Scripted(BODY, status=206, headers=(("content-range", "bytes 0-9/10"),)),
        Scripted(BODY, status=206),
        Scripted(BODY, headers=(("content-range", "bytes 0-9/10"),)),
        Scripted(b"\xef\xbb\xbf" + BODY),
        Scripted(BODY + b"x"),
        Scripted(BODY[:-1]),
        Scripted(b'{"id": NaN, "email": "' + SECRET.encode() + b'"}'),
        Scripted(b"[" * 90 + BODY + b"]" * 90),
        Scripted(b" " * 100_000 + BODY),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_what_cannot_be_viewed_is_refused(service: Asked, scripted: Scripted, streamed: bool) -> None:  # noqa: FBT001 - a parameter of the test
    if streamed:
        half = len(scripted.body) // 2
        chunks = (scripted.body[:half], scripted.body[half:])
        scripted = Scripted(b"", scripted.content_type, scripted.status, scripted.headers, chunks)
    got = answered(service, scripted)
    assert (got.status, code(got)) == (502, "unviewable")
    assert SECRET.encode() not in got.body
    assert verdict(got) == Verdict(reason="unviewable", withheld=ALL)


def test_an_error_stays_an_error_without_its_page(service: Asked) -> None:
    got = answered(service, Scripted(f"<p>{SECRET}".encode(), "text/html", 404))
    assert (got.status, code(got), json.loads(got.body)["title"]) == (404, None, "Not Found")
    assert verdict(got) == Verdict(withheld=ALL)


def test_pieces_of_an_answer_are_viewed_as_one(service: Asked) -> None:
    escaped = BODY.replace(b'"email"', rb'"em\u0061il"')
    pieces = tuple(escaped[at : at + 3] for at in range(0, len(escaped), 3))
    got = answered(service, Scripted(chunks=pieces))
    assert json.loads(got.body)["name"] == "Ada"
    assert SECRET.encode() not in got.body
    assert got.header("content-length") == str(len(got.body))
    assert got.header("transfer-encoding") is None


def test_an_answer_without_an_end_is_refused_and_not_waited_for(service: Asked) -> None:
    endless = Scripted(chunks=_Endless(), content_type="text/event-stream")  # type: ignore[arg-type] # without an end
    assert code(answered(service, endless)) == "unviewable"


class _Endless:
    def __iter__(self) -> Iterator[bytes]:
        while True:
            yield b'data: {"email": "ada@example.com"}\n\n'

    def __bool__(self) -> bool:
        return True


@pytest.mark.parametrize("status", [200, 204, 304])
def test_an_answer_without_a_body_has_nothing_to_view(service: Asked, status: int) -> None:
    got = answered(service, Scripted(b"", "text/plain", status))
    assert (got.status, got.body, verdict(got)) == (status, b"", None)


def test_the_length_of_what_is_withheld_is_not_told(service: Asked) -> None:
    got = answered(service, Scripted(BODY, headers=(("etag", '"1"'), ("content-md5", "x"), ("accept-ranges", "bytes"))))
    assert {name.lower() for name, _ in got.headers}.isdisjoint({"etag", "content-md5", "accept-ranges"})
    head = answered(service, Scripted(BODY, headers=(("etag", '"1"'),)), "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert {name.lower() for name, _ in head.headers}.isdisjoint({"etag", "content-length"})


def test_a_method_that_changes_something_is_viewed_too(service: Asked) -> None:
    got = answered(service, Scripted(BODY), "POST")
    assert SECRET.encode() not in got.body
    assert handled.calls[0][1] == "people:postPerson"


def test_the_frameworks_of_the_examples_are_there() -> None:
    assert {"fastapi", "starlette", "flask"} <= {*ASGI, *WSGI}
    assert all(importlib.util.find_spec(name) for name in ("fastapi", "starlette", "flask"))
