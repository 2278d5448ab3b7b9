"""Bodies that are kept back: what is known of one, as soon as it can be."""

from __future__ import annotations

import pytest

from inward.catalog.shape import Node, Shape
from inward.guard.bodies.search import Search
from inward.guard.bodies.sent import NOTHING_FOUND, Found, HeldBody
from inward.policy.decision import Reason

CLASSES = frozenset({"pii.email"})
SEARCH = Search(Shape((Node(fields={"email": 1}), Node(classes=("pii.email",)))), CLASSES)
JSON = [("Content-Type", "application/json")]


def held(headers: list[tuple[str, str]] | None = None, max_bytes: int = 20) -> HeldBody:
    return HeldBody(SEARCH, JSON if headers is None else headers, max_bytes)


def test_a_body_is_searched_when_it_is_whole() -> None:
    body = held()
    for piece in (b'{"em', b"", b'ail": 1}'):
        body.add(piece)
        assert body.found is None
    assert body.end() == Found(CLASSES)
    assert body.body == b'{"email": 1}'


@pytest.mark.parametrize("headers", [JSON, [], [("content-type", "text/plain"), ("content-encoding", "gzip")]])
def test_without_a_body_there_is_nothing_to_read(headers: list[tuple[str, str]]) -> None:
    body = held(headers)
    body.add(b"")
    assert body.end() == NOTHING_FOUND
    body = held(headers)
    assert body.expect("0") == 0
    assert body.end() == NOTHING_FOUND


@pytest.mark.parametrize(
    ("length", "headers", "status"),
    [
        ("21", JSON, 413),
        ("9" * 5000, JSON, 413),
        ("1", [("content-type", "text/plain")], 415),
        ("1", [], 415),
        ("1", [*JSON, *JSON], 415),
        ("1", [*JSON, ("content-encoding", "gzip")], 415),
        ("1", [*JSON, ("Content-Range", "bytes 0-1/2")], 415),
        ("-1", JSON, 400),
        ("+1", JSON, 400),
        ("1_0", JSON, 400),
        ("1, 1", JSON, 400),
        ("\u0661", JSON, 400),
        ("", JSON, 400),
    ],
)
def test_what_the_head_says_is_known_before_the_body_comes(
    length: str, headers: list[tuple[str, str]], status: int
) -> None:
    body = held(headers)
    body.expect(length)
    assert body.found == Found(CLASSES, status)


def test_the_longest_body_is_read_and_one_byte_more_is_not() -> None:
    for more, expected in ((0, NOTHING_FOUND), (1, Found(CLASSES, 413))):
        body = held()
        body.add(b"{}" + b" " * (18 + more))
        assert body.end() == expected
        body = held()
        assert body.expect(str(20 + more)) == 20 + more
        assert body.found == (expected if more else None)


def test_what_was_taken_is_kept_whatever_is_known() -> None:
    body = held([("content-type", "text/plain")])
    body.add(b"ab")
    assert body.found == Found(CLASSES, 415)
    body.add(b"c" * 30)
    assert (body.found, body.body) == (Found(CLASSES, 415), b"ab" + b"c" * 30)


def test_what_follows_from_it() -> None:
    assert NOTHING_FOUND.decision is None
    for found, reason, status in (
        (Found(CLASSES), Reason.UNDISCLOSED, 403),
        (Found(CLASSES, 415), Reason.UNREADABLE, 415),
    ):
        assert found.decision is not None
        assert (found.decision.allowed, found.decision.reason, found.status) == (False, reason, status)
