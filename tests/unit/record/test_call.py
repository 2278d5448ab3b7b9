"""Entries as lines of JSON, and back."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inward.record.call import (
    MAX_LINE_BYTES,
    Call,
    DamagedLineError,
    Gap,
    beginning,
    encode_entry,
    parse_entry,
    timestamp,
)

TIME = "2026-08-01T12:00:00.000Z"


def call(**fields: Any) -> Call:
    return Call(time=TIME, id="x", decision="deny", carried_out="allow", reason="no_grant", **fields)


@given(path=st.text(), policies=st.lists(st.text(), max_size=3), status=st.none() | st.integers(0, 2**63 - 1))
def test_a_call_comes_back_whole_or_is_a_gap(path: str, policies: list[str], status: int | None) -> None:
    entry = call(path=path, policies=tuple(policies), status=status, src="orders/access-00000001.log:5")
    line = encode_entry(entry)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert parse_entry(line) == parse_entry(line[:-1]) == entry


def test_defaults_take_no_room_and_a_kind_may_be_written() -> None:
    line = encode_entry(call())
    assert set(msgspec.json.decode(line)) == {"time", "id", "decision", "carried_out", "reason"}
    assert parse_entry(line.replace(b"{", b'{"kind":"call",', 1)) == call()


def test_a_gap_comes_back() -> None:
    gap = Gap(time=TIME, why="gone", service="orders", lost_bytes=3, src="orders/access-00000002.log:0")
    line = encode_entry(gap)
    assert line.startswith(b'{"kind":"gap"')
    assert parse_entry(line) == gap


def test_what_cannot_be_stored_becomes_a_gap_with_the_same_src() -> None:
    src = "orders/access-00000001.log:5"
    surrogate = parse_entry(encode_entry(call(path="/\ud800", src=src)))
    large = parse_entry(encode_entry(call(path="/" + "x" * MAX_LINE_BYTES, src=src)))
    assert isinstance(surrogate, Gap)
    assert isinstance(large, Gap)
    assert surrogate.src == large.src == src
    assert "Unicode" in surrogate.why
    assert "too large" in large.why
    assert large.detail is not None
    assert len(encode_entry(large)) < 2000


def test_the_longest_line_that_may_be_stored_is_stored() -> None:
    empty = len(encode_entry(call(path="")))
    fits = call(path="x" * (MAX_LINE_BYTES - empty))
    assert len(encode_entry(fits)) == MAX_LINE_BYTES
    assert parse_entry(encode_entry(fits)) == fits
    assert isinstance(parse_entry(encode_entry(call(path="x" * (MAX_LINE_BYTES - empty + 1)))), Gap)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\0" * 100,
        b'{"time":"x"}',
        b'{"kind":"gap"}',
        b'{"kind":"gap","time":3,"why":""}',
        encode_entry(call())[:-3],
        encode_entry(call()) * 2,
        encode_entry(call()).replace(b'"deny"', b'"maybe"'),
        encode_entry(call()).replace(b'"x"', b'"\xff"'),
        encode_entry(call()).replace(b'"x"', b'"\\ud800"'),
        encode_entry(call()).replace(b'"x"', b'"x","deep":' + b"[" * 10_000 + b"]" * 10_000),
    ],
)
def test_what_is_no_entry_is_one_error(line: bytes) -> None:
    with pytest.raises(DamagedLineError):
        parse_entry(line)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_parser(line: bytes) -> None:
    with contextlib.suppress(DamagedLineError):
        parse_entry(line)
    beginning(line).encode()


def test_timestamps_are_utc_and_sort() -> None:
    moment = datetime(2026, 8, 1, 14, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert timestamp(moment) == "2026-08-01T12:00:00.999Z"
    assert timestamp(moment) < timestamp(moment + timedelta(milliseconds=1)) == "2026-08-01T12:00:01.000Z"
    assert timestamp(datetime.fromtimestamp(0, UTC)) == "1970-01-01T00:00:00.000Z"


def test_the_beginning_of_what_is_lost_is_short_and_text() -> None:
    assert beginning(b"\xff" * 10_000) == "\ufffd" * 256
    assert beginning("ü".encode() * 1000) == "ü" * 256


@pytest.mark.parametrize(
    ("path", "parameters", "full", "not_kept"),
    [
        ("/orders/7", {}, "/orders/7", ()),
        ("/orders/{id}", {"id": "7"}, "/orders/7", ()),
        ("/orders/{id}", {"id": "{id}"}, "/orders/{id}", ()),
        ("/orders/{id}", {}, "/orders/{id}", ("id",)),
        ("/a/{b}-{c}/{d}", {"b": "1", "d": "hash#00"}, "/a/1-{c}/hash#00", ("c", "d")),
        (None, {}, None, ()),
    ],
)
def test_a_path_is_told_as_far_as_it_is_kept(
    path: str | None, parameters: dict[str, str], full: str | None, not_kept: tuple[str, ...]
) -> None:
    found = msgspec.structs.replace(call(), operation="orders:getOrder", path=path, parameters=parameters)
    assert (found.full_path, found.not_kept) == (full, not_kept)
    assert msgspec.structs.replace(found, operation=None).not_kept == ()  # then it is what came, whatever that holds
