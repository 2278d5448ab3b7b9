"""Every adapter in every framework: what a caller may not send, and what the application gets of the rest."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.contract.guard.people import PERSON, SECRET, handled
from tests.contract.guard.test_adapters import BODY, ask, code, verdict

from inward.record.verdict import Verdict

if TYPE_CHECKING:
    from tests.contract.guard.frameworks import Asked, Got

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
KEPT = json.dumps({name: value for name, value in PERSON.items() if name not in {"email", "card"}}).encode()
NOT_SENT = ("pii.card", "pii.email")  # to `people`
UNREADABLE = Verdict(reason="unreadable", sent=NOT_SENT, observed=True)
MOST = 100_000  # bytes, as the fixture has it


def send(service: Asked, *body: bytes, content_type: str | None = JSON, **options: Any) -> Got:
    headers = [("content-type", content_type)] if content_type is not None else []
    target, caller = options.pop("target", "/taken/person"), options.pop("caller", "office")
    method = options.pop("method", "POST")
    return ask(service, target, caller, method, headers=[*headers, *options.pop("headers", [])], body=body, **options)


# --- what is let through


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (JSON, KEPT),
        ("application/json; charset=utf-8", KEPT),
        (JSON, b'{"email": null, "name": "Ada", "card":null}'),
        (JSON, b' \n[{"name": "Ada"}, null, {"id": 1.0e400, "x": {"email": "undeclared"}}]'),
        (JSON, b"null"),
        ("application/x-ndjson", KEPT + b"\n\r\n" + KEPT),
        (FORM, b"name=Ada+L&phone=1&email=&x=email%3D1"),
        (None, b""),
        ("text/plain", b""),
        ("multipart/form-data; boundary=x", b""),
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_what_may_be_sent_reaches_the_handler_as_it_is(
    service: Asked, content_type: str | None, body: bytes, method: str
) -> None:
    got = send(service, body, content_type=content_type, method=method)
    assert (got.status, verdict(got)) == (200, None)
    assert handled.bodies == [body]


def test_pieces_reach_the_handler_as_one_body(service: Asked) -> None:
    got = send(service, *(KEPT[at : at + 3] for at in range(0, len(KEPT), 3)))
    assert (got.status, handled.bodies) == (200, [KEPT])


def test_a_body_in_which_nothing_is_declared_is_not_looked_at(service: Asked) -> None:
    body = b"\xff" + BODY * 1000
    got = send(service, body, content_type=None, target="/people/person")
    assert (got.status, handled.bodies) == (200, [body])


# --- what is not


@pytest.mark.parametrize(
    ("content_type", "body", "classes"),
    [
        (JSON, BODY, NOT_SENT),
        (JSON, b'{"email": ""}', ("pii.email",)),
        (JSON, b'{"email": []}', ("pii.email",)),
        (JSON, rb'{"em\u0061il": "a@b"}', ("pii.email",)),
        (JSON, b'{"email": "a@b", "email": null}', ("pii.email",)),
        (JSON, b'{"email": null, "email": "a@b"}', ("pii.email",)),
        (JSON, b'[[{"card": 4111}]]', ("pii.card",)),
        (JSON, b'"ada@example.com"', NOT_SENT),
        ("application/merge-patch+json", b'{"email": 1}', ("pii.email",)),
        ("application/jsonl", KEPT + b'\n{"email": 1}\n', ("pii.email",)),
        ("application/json-seq", b'\x1e{"email": 1}\n', ("pii.email",)),
        (FORM, b"name=Ada&email=ada%40example.com", ("pii.email",)),
        (FORM, b"name=Ada&%65mail=a", ("pii.email",)),
        (FORM, b"name=Ada;email=a", ("pii.email",)),
        (FORM, b"email=&email=a&email=", ("pii.email",)),
        (FORM, b"email[0]=a&card.x=1", NOT_SENT),
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_class_that_the_service_may_not_receive_is_not_sent_to_it(
    service: Asked, content_type: str, body: bytes, classes: tuple[str, ...], method: str
) -> None:
    for pieces in ((body,), (body[:5], body[5:])):
        got = send(service, *pieces, content_type=content_type, method=method)
        assert (got.status, code(got)) == (403, "undisclosed")
        assert verdict(got) == Verdict(reason="undisclosed", sent=classes)
    assert handled.calls == []


@pytest.mark.parametrize(
    ("status", "content_type", "body", "headers"),
    [
        (415, None, KEPT, []),
        (415, "text/plain", KEPT, []),
        (415, "application/json; charset=utf-16", KEPT, []),
        (415, "application/json, text/plain", KEPT, []),
        (415, "application/octet-stream", KEPT, []),
        (415, "application/xml", b"<email>ada@example.com</email>", []),
        (415, "multipart/form-data; boundary=x", b"--x\r\n\r\n--x--", []),
        (415, JSON, gzip.compress(KEPT, mtime=0), [("content-encoding", "gzip")]),
        (415, JSON, KEPT, [("content-encoding", "br")]),
        (415, JSON, KEPT, [("content-range", "bytes 0-9/10")]),
        (400, JSON, b" ", []),
        (400, JSON, KEPT + b"x", []),
        (400, JSON, KEPT[:-1], []),
        (400, JSON, b"\xef\xbb\xbf" + KEPT, []),
        (400, JSON, b'{"id": NaN}', []),
        (400, JSON, b'{"id": "\xff"}', []),
        (400, JSON, b"[" * 90 + b"1" + b"]" * 90, []),
        (400, "application/x-ndjson", KEPT + b"\n{", []),
        (413, JSON, b" " * MOST + KEPT, []),
    ],
)
def test_what_cannot_be_read_is_refused(
    service: Asked, status: int, content_type: str | None, body: bytes, headers: list[tuple[str, str]]
) -> None:
    for pieces in ((body,), (body[:1], body[1:-1], body[-1:])):
        got = send(service, *pieces, content_type=content_type, headers=headers)
        assert (got.status, code(got)) == (status, "unreadable")
        assert verdict(got) == Verdict(reason="unreadable", sent=NOT_SENT)
    assert handled.calls == []


@pytest.mark.parametrize("query", ["mail=a", "x=1&mail=a", "m%61il=a", "mail[]=a", "mail.x=a", "mail=&mail=a"])
def test_a_parameter_counts_too(service: Asked, query: str) -> None:
    got = send(service, KEPT, target=f"/taken/person?{query}")
    assert (got.status, code(got)) == (403, "undisclosed")
    assert verdict(got) == Verdict(reason="undisclosed", sent=("pii.email",))
    assert handled.calls == []
    assert send(service, KEPT, target="/taken/person?mail=&mailing=a&x=mail").status == 200


def test_who_may_not_call_is_told_that_and_its_body_is_not_looked_at(service: Asked) -> None:
    got = send(service, b"{", caller="stranger", target="/taken/person?mail=a")
    assert (code(got), verdict(got)) == ("no_grant", Verdict(reason="no_grant"))


# --- observed


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        (JSON, BODY, Verdict(reason="undisclosed", sent=NOT_SENT, observed=True)),
        (JSON, KEPT + b"x", UNREADABLE),
        ("text/plain", BODY, UNREADABLE),
        (JSON, b" " * (2 * MOST) + BODY, UNREADABLE),
        (JSON, KEPT, None),
    ],
)
def test_what_is_observed_reaches_the_handler_and_is_said(
    service: Asked, content_type: str, body: bytes, expected: Verdict | None
) -> None:
    half = len(body) // 2
    for pieces in ((body,), (body[:half], body[half : half + 2], body[half + 2 :])):
        handled.bodies.clear()
        got = send(service, *pieces, content_type=content_type, target="/heard/person")
        assert (got.status, verdict(got)) == (200, expected)
        if len(pieces) == 1 or service.name != "django-wsgi":  # which by itself knows no chunked bodies
            assert handled.bodies == [body]


def test_both_what_is_sent_and_what_is_shown_are_observed(service: Asked) -> None:
    got = send(service, BODY, target="/heard/person?mail=a", caller="till")
    assert SECRET.encode() in got.body
    withheld = ("pii.card", "pii.email", "pii.phone")
    assert verdict(got) == Verdict(reason="undisclosed", sent=NOT_SENT, withheld=withheld, observed=True)
