"""Texts of the record on a terminal: what a caller sent is stored whole and printed harmless.

A path may hold escape sequences that clear the screen, retitle the window or answer as if typed, characters
that turn the order of a line round (CVE-2021-42574), and ones that nobody sees. All of them are written as
escapes.
"""

from __future__ import annotations

import re
import unicodedata

# Printable by Unicode and yet invisible: fillers, variation selectors and the joiner
# (Default_Ignorable_Code_Point in DerivedCoreProperties.txt), and the braille blank.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_MARKS_IN_A_ROW = 3  # hundreds may be piled upon one letter, and cover the lines around it
_SHORT = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_BYTE = 0xFF
_BASIC_PLANE = 0xFFFF


def printable(text: str, *, limit: int | None = None) -> str:
    r"""Return `text` as one line that a terminal shows and does not obey; different texts stay different.

    Backslashes, control and format characters (ANSI escapes and bidirectional overrides among them), blanks
    other than the space, invisible and unassigned characters are written as `\\`, `\n`, `\x1b`, `\u202e` or
    `\U000e0041`. With `limit`, what would be longer ends in `…` at that many characters.
    """
    if not (text.isascii() and text.isprintable() and "\\" not in text):
        text = _escape(text if limit is None else text[: limit + 1])
    if limit is not None and len(text) > limit:
        return text[: max(0, limit - 1)] + "…"
    return text


def _escape(text: str) -> str:
    pieces: list[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character) in {"Mn", "Me"} else 0
        if character in _SHORT:
            pieces.append(_SHORT[character])
        elif character.isprintable() and not _INVISIBLE.match(character) and marks <= _MARKS_IN_A_ROW:
            pieces.append(character)
        else:
            pieces.append(_escape_one(ord(character)))
    return "".join(pieces)


def _escape_one(code: int) -> str:
    if code <= _BYTE:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _BASIC_PLANE else f"\\U{code:08x}"
