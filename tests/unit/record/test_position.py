"""Positions as text, and their order."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inward.record.position import InvalidPositionError, Position

NUMBERS = st.integers(0, 10**18 - 1)


@given(number=NUMBERS, life=NUMBERS, offset=NUMBERS)
def test_a_position_comes_back(number: int, life: int, offset: int) -> None:
    position = Position("orders/access", number, life, offset)
    assert Position.parse(str(position)) == position


def test_how_it_is_written() -> None:
    assert str(Position("orders/access", 7, 0, 1234)) == "orders/access-00000007.log:1234"
    assert str(Position("orders/access", 7, 1, 66)) == "orders/access-00000007.log~1:66"
    assert Position.parse("my-orders/access-123456789.log:0").service == "my-orders"
    assert Position.parse("my-orders/access-123456789.log:0").number == 123456789


def test_order_is_that_of_reading() -> None:
    texts = ["00000001.log:9", "00000001.log:10", "00000001.log~1:0", "00000002.log:0", "100000000.log:0"]
    positions = [Position.parse("orders/access-" + text) for text in texts]
    assert all(one < next_one for one, next_one in itertools.pairwise(positions))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "orders/access-00000007.log",
        "orders/access-00000007.log:",
        "orders/access-00000007.log:-1",
        "orders/access-00000007.log:1_0",
        "orders/access-00000007.log:٣",
        "orders/access-00000007.log:1\n",
        "orders/access-00000007.log:" + "9" * 19,
        "orders/access-00000007.log~0:1",
        "orders/access-7.log:1",
        "orders/access-" + "9" * 19 + ".log:1",
        "access-00000007.log:1",
        "a/b/access-00000007.log:1",
        " /access-00000007.log:1",
        "x" * 256 + "/access-00000007.log:1",
    ],
)
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(InvalidPositionError):
        Position.parse(text)
