"""Numbering plans: whether a country gives out a telephone number.

The plans are those of `phonenumbers`, by which its `is_valid_number` decides. Asked for one number after the other that
takes a tenth of a millisecond each; here the plan of a country becomes one expression, tried in a microsecond. A
national prefix that stands behind the country's code, as in `+44 (0)20 …`, is taken for one in every country that has
it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, Protocol

import re2
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from phonenumbers import PhoneNumberDesc

_KINDS: Final = (
    "fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "personal_number", "voip", "pager", "uan",
    "voicemail",
)  # fmt: skip
_NO_COUNTRY: Final = "001"
_MEMORY: Final = 64 * 1024 * 1024  # bytes that RE2 may use for an expression at most
_LEAST_DIGITS = 4
_MOST_DIGITS = 17  # of a number with its country's code and a prefix between them


class _Expression(Protocol):
    def fullmatch(self, text: bytes) -> object | None: ...  # of bytes, whose places RE2 need not count again


def is_international(digits: str) -> bool:
    """Tell whether digits with a country's code in front, without `+` or `00`, are a number that is given out."""
    if not _LEAST_DIGITS <= len(digits) <= _MOST_DIGITS or digits.startswith("0"):
        return False
    for length in (1, 2, 3):  # no code begins with another one
        code = int(digits[:length])
        if code in COUNTRY_CODE_TO_REGION_CODE:
            return _plan(code).fullmatch(digits[length:].encode()) is not None
    return False


@cache
def local_plan(regions: tuple[str, ...]) -> _Expression:
    """Return an expression for digits as they are dialled within some countries, with or without the country's code."""
    return _compiled(
        f"(?:{metadata.country_code})?{_prefix(metadata)}(?:{'|'.join(_patterns(metadata))})"
        for metadata in map(PhoneMetadata.metadata_for_region, regions)
        if metadata is not None
    )


@cache
def _plan(code: int) -> _Expression:
    """Return the expression of a country's code, for what stands behind it."""
    return _compiled(f"{_prefix(metadata)}(?:{'|'.join(_patterns(metadata))})" for metadata in _metadata(code))


def _metadata(code: int) -> Iterator[PhoneMetadata]:
    for region in COUNTRY_CODE_TO_REGION_CODE[code]:
        if region == _NO_COUNTRY:
            found = PhoneMetadata.metadata_for_nongeo_region(code)
        else:
            found = PhoneMetadata.metadata_for_region(region)
        if found is not None:
            yield found


def _prefix(metadata: PhoneMetadata) -> str:
    return f"(?:{metadata.national_prefix})?" if metadata.national_prefix else ""


def _patterns(metadata: PhoneMetadata) -> Iterator[str]:
    for kind in _KINDS:
        description: PhoneNumberDesc | None = getattr(metadata, kind)
        if description is not None and description.national_number_pattern:
            yield description.national_number_pattern


def _compiled(patterns: Iterable[str]) -> _Expression:
    options = re2.Options()
    options.max_mem = _MEMORY
    compiled: _Expression = re2.compile("|".join(patterns), options)
    return compiled
