"""Which targets mean one thing, and which headers no caller may send."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inward.guard.serve.target import has_one_host, is_dropped, is_plain


@pytest.mark.parametrize(
    "path",
    ["/", "/orders", "/orders/", "/orders/42", "/a.b/c..d", "/x/%C3%A9", "/a%20b", "/a%40b", "/a:b;"[:-1], "/~a/b-c_d"],
)
def test_a_path_without_a_second_meaning_is_plain(path: str) -> None:
    assert is_plain(path, "")
    assert is_plain(path, "a=b&c=%2F..//%00")


@pytest.mark.parametrize("query", ["a#b", "a b", "a\x7f", "a\u00e9", "a\n"])
def test_a_query_that_no_request_line_can_hold_is_not(query: str) -> None:
    assert not is_plain("/", query)


@given(st.text(alphabet="/.%25aA0fFcCeEdD\\;:~-_\x00\u00e9", max_size=12).map(lambda text: "/" + text))
@example("/%41")
@example("/a/%2e%2e/b")
@example("/%7E")
def test_a_plain_path_has_as_many_segments_decoded_and_no_other_spelling(path: str) -> None:
    """What a framework decodes before it chooses a route has the segments that the policy was asked about."""
    if not is_plain(path, ""):
        return
    decoded = unquote(path, errors="strict")
    segments, plain = path.split("/"), decoded.split("/")
    assert len(segments) == len(plain)
    assert not {"", ".", ".."} & set(plain[1:-1])
    assert plain[-1] not in {".", ".."}
    assert not set(decoded) & set("\\;\x00")
    for segment in segments:
        at = segment.find("%")
        while at >= 0:
            byte = int(segment[at + 1 : at + 3], 16)
            assert not (chr(byte).isascii() and (chr(byte).isalnum() or chr(byte) in "-._~"))
            at = segment.find("%", at + 1)


@pytest.mark.parametrize(
    "name", [b"x-forwarded-user", b"x-inward-anything", b"x-envoy-peer", b"x_forwarded_user", b"_"]
)
def test_headers_that_claim_something_are_dropped(name: bytes) -> None:
    assert is_dropped(name)


@pytest.mark.parametrize("name", [b"authorization", b"txn-token", b"traceparent", b"cookie", b"x-tenant", b"host"])
def test_all_others_are_kept(name: bytes) -> None:
    assert not is_dropped(name)


def test_a_request_names_one_host() -> None:
    host = (b"host", b"orders")
    assert has_one_host([host], "1.1")
    assert has_one_host([], "1.0")
    assert not has_one_host([], "1.1")
    assert not has_one_host([host, host], "1.1")
    assert not has_one_host([host, host], "1.0")
