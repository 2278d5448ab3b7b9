"""Payment cards and bank accounts.

Cards: ISO/IEC 7812 numbers of the networks below, by their published ranges, with the right check digit. IBANs: ISO
13616, with the length that the registry says for the country. Both may be grouped as they are on paper.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from inward.spotting.kinds import Kind, Recogniser
from inward.spotting.recognisers.checksum import luhn, mod_97_10

if TYPE_CHECKING:
    from collections.abc import Iterator

# 16 to 19 digits in groups of four, 15 in 4-6-5 or 14 in 4-6-4, or ungrouped; the same separator throughout
_CARD = re.compile(
    r"(?<![\w.+-])(?<!\d )(?:[2-6]\d{3}(?P<a>[ -]?)\d{4}(?P=a)\d{4}(?P=a)\d{4}(?:(?P=a)\d{1,3})?"
    r"|3\d{3}(?P<b>[ -]?)\d{6}(?P=b)\d{4,5})(?![\w-]|\.\d)",
    re.ASCII,
)
# first number, last number, lengths; a shorter prefix comes last
_RANGES: Final[tuple[tuple[str, str, tuple[int, ...]], ...]] = (
    ("4", "4", (16, 19)),  # Visa
    ("51", "55", (16,)),  # Mastercard
    ("2221", "2720", (16,)),
    ("34", "34", (15,)),  # American Express
    ("37", "37", (15,)),
    ("6011", "6011", (16, 19)),  # Discover
    ("644", "659", (16, 19)),
    ("300", "305", (14, 16)),  # Diners Club
    ("36", "36", (14, 16)),
    ("38", "39", (14, 16)),
    ("3528", "3589", (16, 19)),  # JCB
    ("62", "62", (16, 17, 18, 19)),  # UnionPay
    ("2200", "2204", (16, 17, 18, 19)),  # Mir
    ("5018", "5018", (16,)),  # Maestro
    ("5020", "5020", (16,)),
    ("5038", "5038", (16,)),
    ("6304", "6304", (16,)),
    ("6759", "6763", (16,)),
)
_IBAN = re.compile(r"(?<![\w-])[A-Z]{2}\d{2}(?P<s> ?)(?:[A-Z0-9]{4}(?P=s)){2,7}[A-Z0-9]{1,4}(?![\w-])", re.ASCII)
# SWIFT, IBAN registry (ISO 13616): the length by country
_LENGTHS: Final = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FK FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}


def is_card(digits: str) -> bool:
    """Tell whether a text of digits is the number of a card."""
    return luhn(digits) and any(
        first <= digits[: len(first)] <= last and len(digits) in lengths for first, last, lengths in _RANGES
    )


def is_iban(text: str) -> bool:
    """Tell whether a text without spaces is an IBAN."""
    return _LENGTHS.get(text[:2]) == len(text) and "02" <= text[2:4] <= "98" and mod_97_10(text[4:] + text[:4])


def _cards(text: str, *, hinted: bool) -> Iterator[bool]:  # noqa: ARG001 - how recognisers are called
    for found in _CARD.finditer(text):
        digits = re.sub("[ -]", "", found[0])
        yield is_card(digits) or (digits != found[0] and is_card(digits[:16]))  # an expiry may follow one in groups


def _ibans(text: str, *, hinted: bool) -> Iterator[bool]:  # noqa: ARG001 - how recognisers are called
    for found in _IBAN.finditer(text):
        yield _begins_with_iban(found[0])


def _begins_with_iban(found: str) -> bool:
    """Tell whether what was found begins with an IBAN; what follows a grouped one may look like more of it."""
    text = found.replace(" ", "")
    length = _LENGTHS.get(text[:2], 0)
    return is_iban(text if text == found else text[:length])


CARD = Recogniser(
    Kind.CARD, (r"(?:^|[^0-9A-Za-z_.+-])[2-6][0-9]{3}[ -]?[0-9]{4}[ -]?[0-9]{2}",), None, _cards, by_chance=True
)
IBAN = Recogniser(Kind.IBAN, (r"\b[A-Z]{2}[0-9]{2} ?[A-Z0-9]{4} ?[A-Z0-9]{4}",), None, _ibans)
