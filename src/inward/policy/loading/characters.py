"""The characters that make a reviewed policy look unlike what it means: refused, whoever wrote them.

Anywhere: controls, overrides of the writing direction ("Trojan Source", CVE-2021-42574), and what has no look at all.
The joiners and selectors of emoji and of some scripts may follow what they belong to, which no ASCII character is. In
strings, which a call may be compared with: every joiner, spaces that are not U+0020, and a letter that looks like Latin
in a Latin word. Cedar's escapes say all of them visibly. A word that is all in another script, and looks
like a Latin one, is not found.
"""

from __future__ import annotations

import re
import unicodedata

_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # controls
    "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"  # line ends and directions
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"  # no look at all, tags among them
    "|\r(?!\n)"
    "|(?<![^\x00-\x7f])[\u200c\u200d\ufe00-\ufe0f]"
)
_WORD = re.compile(r"[^\W\d_]+")
_LATIN = re.compile("[A-Za-z]")
_LIKE_LATIN = frozenset({"ARMENIAN", "CHEROKEE", "COPTIC", "CYRILLIC", "FULLWIDTH", "GREEK", "LISU", "MATHEMATICAL"})

Refusal = tuple[int, str, str]  # the offset, what is wrong, and what to do about it


def hidden_in(text: str) -> Refusal | None:
    """Return the first character of a text that cannot be seen in a review, if there is one."""
    found = _HIDDEN.search(text)
    return None if found is None else _unseen(found.start(), found[0])


def deceptive_in(literal: str) -> Refusal | None:
    """Return what in a string literal reads as something else, if anything does; `hidden_in` is asked first."""
    if literal.isascii():
        return None
    for offset, character in enumerate(literal):
        if not character.isprintable() and character not in "\t\r\n":
            return _unseen(offset, character)
    for word in _WORD.finditer(literal):
        if _LATIN.search(word[0]):
            for offset, character in enumerate(word[0], word.start()):
                if _looks_latin(character):
                    what = (
                        f"the character U+{ord(character):04X}, which looks like a Latin letter in a word of Latin ones"
                    )
                    return offset, what, _as_escape(character)
    return None


def _looks_latin(character: str) -> bool:
    return not character.isascii() and unicodedata.name(character, "").partition(" ")[0] in _LIKE_LATIN


def _unseen(offset: int, character: str) -> Refusal:
    what = f"the character U+{ord(character):04X}, which cannot be seen in a review"
    return offset, what, f"take it out; {_as_escape(character)}"


def _as_escape(character: str) -> str:
    return rf"in a string, write \u{{{ord(character):x}}}"
