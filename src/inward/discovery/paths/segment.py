"""What one segment of an observed path is: a value by its look (a UUID, a number), or a word that has to be counted.

Sources: RFC 9562 (UUID), RFC 3339 (dates), RFC 4648 section 5 (base64url). A word is what looks like none of these;
whether it is a literal of the path or the value of a variable is not to be told from one, see `tree`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

MAX_KEPT = 100_000  # segments whose look is remembered
MAX_WORD = 200  # characters

_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_INTEGER = re.compile(r"-?[0-9]{1,40}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.%A-Z+-]{4,})?")
_HEX = re.compile(r"(?=.*[0-9])(?:[0-9a-f]{8,}|[0-9A-F]{8,})")
_EMAIL = re.compile(r"[^@%/]+(?:@|%40)[^@%/]+\.[A-Za-z]{2,}")
_TOKEN = re.compile(r"(?=.*[0-9])(?=.*[A-Z])[A-Za-z0-9_=-]{12,}")
_VERSION = re.compile(r"[vV][0-9]{1,3}(?:[._-]?[0-9a-z]{1,8})?")
_CODE = re.compile(r"(?P<letters>[A-Za-z]{1,12})(?:[-_.:]|%3A)[0-9][0-9A-Za-z_.-]{0,40}|[A-Za-z]{1,6}[0-9]{3,}")
_NUMBERED = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*[-_][0-9]{2,}")  # `blue-teapot-4711`
_AFFIX = re.compile(r"(?P<stem>.+?)(?P<affix>\.[a-z]{2,5}|:[A-Za-z]{2,40})")

_KINDS = (("uuid", _UUID), ("integer", _INTEGER), ("date", _DATE), ("hex", _HEX), ("email", _EMAIL), ("token", _TOKEN))


class Look(NamedTuple):
    """How a segment looks: `kind` is empty for a word; `affix` is what follows a value (`.json`, `:cancel`).

    `coded` words look like values (`ord-8812`) and are taken for such sooner than others.
    """

    kind: str
    affix: str = ""
    coded: bool = False


_WORD = Look("")
_CODED = Look("", coded=True)
_TOKEN_LOOK = Look("token")


def look_of(text: str) -> Look:
    """Return how a segment looks, in linear time; one that is longer than any word is a token."""
    return _look_of(text) if len(text) <= MAX_WORD else _TOKEN_LOOK


@lru_cache(MAX_KEPT)
def _look_of(text: str) -> Look:
    if text.isalpha() and len(text) < 40:  # noqa: PLR2004 - the length of no word
        return _WORD
    if _VERSION.fullmatch(text):
        return _WORD
    kind = _kind(text)
    if kind:
        return Look(kind)
    found = _AFFIX.fullmatch(text)
    if found and (kind := _kind(found["stem"])) and kind != "token":
        return Look(kind, found["affix"])
    if _CODE.fullmatch(text) or _NUMBERED.fullmatch(text):
        return _CODED
    return _WORD


def _kind(text: str) -> str:
    return next((kind for kind, form in _KINDS if form.fullmatch(text)), "")


def is_version(text: str) -> bool:
    """Tell whether a segment is a version of an API, such as `v1`."""
    return _VERSION.fullmatch(text) is not None
