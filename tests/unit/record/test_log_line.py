"""What is told of a line that is not whole, and what is not."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inward.record.log_line import LogLine, remains_of

SECRET = "s3cret"
WHOLE = msgspec.json.encode(
    LogLine(
        e="i",
        t="2026-08-01T12:00:00.000Z",
        id="6f9a-1",
        m="GET",
        p=f"/people/{SECRET}",
        s=200,
        tp=SECRET,
        peer=f"spiffe://{SECRET}",
        peer_address="10.0.0.7",
        g=f'{{"user":"{SECRET}"}}',
        a=f"user:{SECRET}@host",
        d=SECRET,
    )
)


def test_of_a_whole_line_the_time_the_reference_the_method_and_the_status_are_told() -> None:
    assert remains_of(WHOLE) == "at 2026-08-01T12:00:00.000Z, reference 6f9a-1, method GET, status 200"


def test_wherever_a_line_ends_nothing_else_is_told() -> None:
    for end in range(len(WHOLE)):
        told = remains_of(WHOLE[:end])
        assert told is None or (SECRET not in told and "10.0.0.7" not in told)
    assert remains_of(WHOLE[:30]) is None
    assert remains_of(b"") is None


@pytest.mark.parametrize("field", ["p", "a", "tp", "g", "d"])
def test_what_a_caller_writes_is_not_taken_for_another_field(field: str) -> None:
    hostile = f'","id":"{SECRET}","m":"{SECRET}","s":7,"t":"{SECRET}","'
    line = msgspec.json.encode({"e": "i", "t": "now", field: hostile})
    assert remains_of(line) == "at now"


@given(st.binary(max_size=200))
def test_no_bytes_break_it(line: bytes) -> None:
    told = remains_of(line + b'"id":"6f9a",')
    assert told is not None
    assert told.isprintable()


def test_a_long_line_costs_no_more_than_its_length() -> None:
    assert remains_of(b'"id":"' * 200_000) is None
