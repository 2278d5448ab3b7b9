r"""Texts of Sigma rules: `*` stands for any characters, `?` for one, and letters of either case are the same.

`\*`, `\?` and `\\` are the characters themselves; a backslash before anything else is one too (Sigma rules
specification 2.0, "Escaping"). Rules: matching takes at most the product of both lengths, whatever the pattern: there
is no backtracking to be driven into.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

ANY: Final = None  # one character, whichever
Piece = tuple[str | None, ...]  # characters in a row
_WITHIN = 3  # pieces: nothing, what is looked for, nothing


class Pattern:
    """A text with wildcards: `pieces` stand in this order, with anything between two of them."""

    def __init__(self, pieces: tuple[Piece, ...]) -> None:
        self.pieces = pieces

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Parse a text as it stands in a rule."""
        pieces: list[list[str | None]] = [[]]
        at = 0
        while at < len(text):
            character = text[at]
            following = text[at + 1 : at + 2]
            if character == "\\" and following and following in "\\*?":
                pieces[-1].append(following)
                at += 2
                continue
            if character == "*":
                pieces.append([])
            else:
                pieces[-1].append(ANY if character == "?" else character)
            at += 1
        return cls(tuple(tuple(piece) for piece in pieces))

    def within(self, *, before: bool, after: bool) -> Pattern:
        """Return the pattern with anything allowed before it, or after it."""
        pieces = self.pieces
        return Pattern((*(((),) if before else ()), *pieces, *(((),) if after else ())))

    @property
    def plain(self) -> str | None:
        """The text that it matches; None where it has wildcards."""
        if len(self.pieces) == 1 and ANY not in self.pieces[0]:
            return "".join(character for character in self.pieces[0] if character is not None)
        return None

    def matcher(self, *, cased: bool = False) -> Callable[[str], bool]:
        """Return a function that tells whether a whole text matches."""
        fold = _same if cased else str.casefold
        plain = self.plain
        if plain is not None:
            wanted = fold(plain)
            return lambda text: fold(text) == wanted
        if len(self.pieces) == _WITHIN and not self.pieces[0] and not self.pieces[-1]:
            held = Pattern((self.pieces[1],)).plain
            if held is not None:  # `*held*`, which most rules ask for
                part = fold(held)
                return lambda text: part in fold(text)
        pieces = tuple(tuple(ANY if each is None else fold(each) for each in piece) for piece in self.pieces)
        found = [_Piece(tuple(_characters(piece))) for piece in pieces]
        return lambda text: _matches(found, fold(text))


def _same(text: str) -> str:
    return text


def _characters(piece: Piece) -> list[str | None]:
    """Return the single characters of a piece: one that is folded may be several."""
    found: list[str | None] = []
    for each in piece:
        found.extend([ANY] if each is None else each)
    return found


class _Piece:
    """Characters in a row, to be found in a text."""

    def __init__(self, characters: Piece) -> None:
        self.size = len(characters)
        self._characters = characters
        known = [each for each in characters if each is not None]
        self._text = "".join(known) if len(known) == self.size else None

    def at(self, text: str, start: int) -> bool:
        """Return whether the piece stands there."""
        if start < 0 or start + self.size > len(text):
            return False
        if self._text is not None:
            return text.startswith(self._text, start)
        return all(each is None or text[start + index] == each for index, each in enumerate(self._characters))

    def find(self, text: str, start: int, end: int) -> int:
        """Return where the piece stands first between two offsets, or -1."""
        if self._text is not None:
            return text.find(self._text, start, end)
        return next((at for at in range(start, end - self.size + 1) if self.at(text, at)), -1)


def _matches(pieces: list[_Piece], text: str) -> bool:
    first, *rest = pieces
    if not rest:
        return first.size == len(text) and first.at(text, 0)
    *middle, last = rest
    if not first.at(text, 0):
        return False
    start, end = first.size, len(text) - last.size
    if end < start or not last.at(text, end):
        return False
    for piece in middle:  # the first place is never a worse one
        found = piece.find(text, start, end)
        if found < 0:
            return False
        start = found + piece.size
    return True
