"""Numbering plans, held to the answers of `phonenumbers`, which asks the same plans in another way."""

from __future__ import annotations

import random

import phonenumbers
import pytest

from inward.spotting.recognisers.numbering import is_international, local_plan


def is_valid(text: str, region: str | None = None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(text, region))
    except phonenumbers.NumberParseException:
        return False


def examples() -> list[str]:
    """Return a number of every kind of every country, without its `+`."""
    found = []
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in phonenumbers.PhoneNumberType.values():
            number = phonenumbers.example_number_for_type(region, kind)
            if number is not None:
                found.append(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:])
    return found


def test_every_example_is_given_out() -> None:
    numbers = examples()
    assert len(numbers) > 1000
    assert [number for number in numbers if not is_international(number)] == []


def test_it_says_yes_to_nothing_to_which_the_library_says_no() -> None:
    """And no to next to nothing that it says yes to: prefixes of one's own region, as in Jersey or Vatican City."""
    chance = random.Random(11)  # noqa: S311 - not for secrets
    numbers = examples()
    missed = 0
    for _ in range(4000):
        digits = list(chance.choice(numbers))
        for place in range(len(digits) - chance.randrange(2, 8), len(digits)):
            digits[place] = chance.choice("0123456789")
        text = "".join(digits)
        wanted, told = is_valid("+" + text), is_international(text)
        assert wanted or not told, text
        missed += wanted and not told
    assert missed <= 8


@pytest.mark.parametrize(
    "digits", ["", "0", "1", "999", "00000000000", "079031234567", "49" + "1" * 40, "210" + "5" * 9]
)
def test_what_is_no_number(digits: str) -> None:
    assert not is_international(digits)


@pytest.mark.parametrize("digits", ["4402079460018", "442079460018", "4901512345678"])
def test_a_national_prefix_behind_the_code_is_taken_for_one(digits: str) -> None:
    assert is_international(digits) == is_valid("+" + digits)


def test_local_numbers() -> None:
    plan = local_plan(("DE", "GB"))
    for text in ("0301234567", "017112345678", "02079460018", "442079460018"):
        assert plan.fullmatch(text.encode()), text
        assert is_valid(text, "DE") or is_valid(text, "GB")
    for text in ("1", "0000000000", "9" * 20):
        assert plan.fullmatch(text.encode()) is None, text
