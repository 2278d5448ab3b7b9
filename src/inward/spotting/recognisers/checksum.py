"""Check digits. Each function takes a text of ASCII digits, or what it says, and tells whether it is consistent.

Rules: a text of a wrong length or with other characters is for the caller to refuse before.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)  # twice a digit, the digits of the result added


def luhn(digits: str) -> bool:
    """Tell whether the last digit is right by the Luhn formula (ISO/IEC 7812-1 annex B)."""
    backwards = digits[::-1]
    return (sum(map(int, backwards[::2])) + sum(_DOUBLED[int(digit)] for digit in backwards[1::2])) % 10 == 0


def mod_97_10(text: str) -> bool:
    """Tell whether digits and capital letters (A is 10) leave 1 when divided by 97 (ISO/IEC 7064)."""
    return int("".join(str(int(character, 36)) for character in text)) % 97 == 1


def mod_11_10(digits: str) -> bool:
    """Tell whether the last digit is right by the hybrid system mod 11,10 (ISO/IEC 7064)."""
    rest = 10
    for digit in digits[:-1]:
        rest = ((rest + int(digit)) % 10 or 10) * 2 % 11
    return (rest + int(digits[-1])) % 10 == 1


def mod_11_2(text: str) -> bool:
    """Tell whether the last character, a digit or `X` for ten, is right by mod 11-2 (ISO/IEC 7064)."""
    rest = 0
    for digit in text[:-1]:
        rest = (rest + int(digit)) * 2 % 11
    return (rest + (10 if text[-1] == "X" else int(text[-1]))) % 11 == 1


def weighted(digits: str, weights: Iterable[int]) -> int:
    """Return the sum of the first digits, each times its weight."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def is_date(year: int, month: int, day: int) -> bool:
    """Tell whether there is such a day."""
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True
