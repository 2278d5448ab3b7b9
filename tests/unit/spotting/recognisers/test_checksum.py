"""Check digits: examples that the standards print, and that every single wrong digit is noticed."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inward.spotting.recognisers.checksum import is_date, luhn, mod_11_2, mod_11_10, mod_97_10, weighted

if TYPE_CHECKING:
    from collections.abc import Callable

digits = st.text("0123456789", min_size=2, max_size=18)


def test_examples_from_the_standards() -> None:
    assert luhn("79927398713")
    assert mod_97_10("WEST12345698765432GB82")  # ISO 13616's example, turned round
    assert mod_11_2("0000000218250097")  # an ISNI / ORCID iD without its dashes
    assert mod_11_2("000000021694233X")
    assert mod_11_10("86095742719")  # the example of the German tax office


@pytest.mark.parametrize("right", [luhn, mod_11_10, mod_11_2])
@given(text=digits, where=st.integers(0, 17), wrong=st.sampled_from("0123456789"))
def test_a_wrong_digit_is_noticed(right: Callable[[str], bool], text: str, where: int, wrong: str) -> None:
    ends = [end for end in (*string.digits, "X") if (end != "X" or right is mod_11_2) and right(text + end)]
    assert len(ends) == 1
    whole = text + ends[0]
    where %= len(text)
    if whole[where] != wrong:
        assert not right(whole[:where] + wrong + whole[where + 1 :])


@given(st.text(string.digits + string.ascii_uppercase, min_size=1, max_size=30))
def test_two_digits_make_a_text_right_by_97(text: str) -> None:
    ends = [f"{end:02d}" for end in range(2, 99) if mod_97_10(f"{text}{end:02d}")]
    assert len(ends) == 1


def test_weights_stop_where_the_shorter_stops() -> None:
    assert weighted("123", (1, 10)) == 21


def test_days_that_there_are() -> None:
    assert is_date(2000, 2, 29)
    assert not is_date(1900, 2, 29)
    assert not is_date(2001, 13, 1)
    assert not is_date(2001, 0, 1)
