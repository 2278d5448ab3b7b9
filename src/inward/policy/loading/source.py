"""Splits a policy file into single policies with their lines; refuses what must never reach Cedar's parser.

Nothing here knows Cedar's grammar, only its tokens: a policy ends at a `;` outside strings and comments.
Cedar's parser is recursive and overflows the process's stack on text that nests deeply, and it writes some
operators out in full (`x has a.b` becomes `x has a && x.a has b`), which doubles at every nesting. So both
are bounded here, by the tokens alone: a text that passes builds a tree of at most `MAX_DEPTH` levels that
`MAX_GROWTH` copies can add to.

Characters that make a reviewed text look unlike what it means are refused too.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from inward.errors import Mistake, Place
from inward.policy.loading.characters import deceptive_in, hidden_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_FILE_BYTES = 16 * 1024 * 1024
MAX_POLICIES = 20_000  # of one file: a load keeps some 14 KiB of each
MAX_POLICY_CHARACTERS = 256 * 1024
MAX_BRACKETS = 50
MAX_DEPTH = 300  # far from where cedarpy 4.12 overflows 2 MiB of stack; it refuses trees of over 100 by itself
MAX_GROWTH = 10_000  # tokens that writing `has` and `is … in` out in full may add
MAX_MISTAKES = 100  # of one file: after these, the rest is more of the same

_TOKEN = re.compile(
    r"""
      (?P<space>\s+|//[^\n]*)
    | (?P<string>"(?:[^"\\]|\\[^\n])*+")
    | (?P<end>;)
    | (?P<open>[(\[{])
    | (?P<close>[)\]}])
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*+)
    | (?P<other>&&|\|\||[^"])
    | (?P<unterminated>")
    """,
    re.VERBOSE,
)
_NESTING = frozenset({"&&", "||", "+", "-", "*", "!", "if", "has", "is"})  # each may add a level to the tree
_SEPARATING = frozenset({"&&", "||", ",", "if", "then", "else"})  # these stand between what `has` and `is` copy
_WORDS = frozenset({"if", "then", "else", "has", "is", "in", "like"})  # operators that are words


@dataclass(frozen=True, slots=True)
class Statement:
    """One policy's source, from its first annotation to its `;`, and where it stands.

    `line` counts from 1 and is its first token's; `start` and `end` are offsets in the file's decoded text.
    """

    text: str
    line: int
    start: int
    end: int


def read_regular(path: Path, limit: int) -> bytes:
    """Return the bytes of a regular file, one more than `limit` at most; `OSError` for anything else."""
    # non-blocking, so that a FIFO of that name does not stop us
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("it is no regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(limit + 1)
    finally:
        os.close(descriptor)


def parse_statements(data: bytes, file: str) -> tuple[list[Statement], list[Mistake]]:
    """Split the bytes of a policy file into what may be given to Cedar; `file` is its name in mistakes."""
    if len(data) > MAX_FILE_BYTES:
        return [], [Mistake(Place(file), f"a file of more than {MAX_FILE_BYTES:,} bytes")]
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return [], [Mistake(Place(file, line), f"the byte 0x{data[error.start]:02x} is no UTF-8", "save it as UTF-8")]
    if refusal := hidden_in(text):
        offset, what, hint = refusal
        return [], [Mistake(Place(file, text.count("\n", 0, offset) + 1), what, hint)]
    statements, mistakes = _split(text, file)
    return statements, [*mistakes, *islice(_deceptive_strings(text, file), MAX_MISTAKES - len(mistakes))]


def _split(text: str, file: str) -> tuple[list[Statement], list[Mistake]]:
    statements: list[Statement] = []
    mistakes: list[Mistake] = []
    start: int | None = None  # of the policy that is being read
    line, counted = 1, 0  # the line at offset `counted`
    shape = _Shape()
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "space":
            continue
        if start is None:
            start = token.start()
            line, counted = line + text.count("\n", counted, start), start
            shape = _Shape()
        if kind == "unterminated":
            here = line + text.count("\n", counted, token.start())
            mistakes.append(Mistake(Place(file, here), "a string that does not end", 'close it with `"`'))
            return statements, mistakes
        if kind != "end":
            shape.add(kind, token[0])
            continue
        if refusal := _refusal(shape, token.end() - start, len(statements) + 1):
            mistakes.append(Mistake(Place(file, line), *refusal))
            if len(mistakes) == MAX_MISTAKES or len(statements) == MAX_POLICIES:
                return statements, mistakes
        else:
            statements.append(Statement(text[start : token.end()], line, start, token.end()))
        start = None
    if start is not None:
        mistakes.append(Mistake(Place(file, line), "a policy that does not end", "close it with `;`"))
    return statements, mistakes


def _deceptive_strings(text: str, file: str) -> Iterator[Mistake]:
    if text.isascii():
        return
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "string" and (found := deceptive_in(token[0])):
            offset, what, hint = found
            yield Mistake(Place(file, text.count("\n", 0, token.start() + offset) + 1), what, hint)


def _refusal(shape: _Shape, length: int, number: int) -> tuple[str, str] | None:
    """Return why a policy is not given to Cedar, and what to do about it."""
    if length == 1:
        return "a `;` without a policy", "take it out"
    if length > MAX_POLICY_CHARACTERS:
        return f"a policy of more than {MAX_POLICY_CHARACTERS:,} characters", "split it into several"
    if number > MAX_POLICIES:
        return f"more than {MAX_POLICIES:,} policies in one file", "grant to groups, zones or teams instead"
    return (shape.excess, "split it into several") if shape.excess else None


@dataclass(slots=True)
class _Frame:
    """What stands between two brackets, measured up to the present token.

    A part ends at a comma, a term at any operator. A tree is as high as its highest term, and higher by the operators
    of that part: which of them stands above which is Cedar's business.
    """

    size: int = 0  # tokens of the operands before, copies included
    operand: int = 0  # tokens since the last of `_SEPARATING`, which is what `has` and `is` may copy
    base: int = 0  # the size of what stands before a `has`, while its path is read
    highest_part: int = 0
    operators: int = 0
    highest_term: int = 0
    term: int = 0  # the height of the present term: its brackets, attributes, indices and calls

    def end_term(self) -> None:
        self.highest_term = max(self.highest_term, self.term)
        self.term = self.base = 0

    def end_part(self) -> None:
        self.end_term()
        self.highest_part = max(self.highest_part, self.operators + self.highest_term)
        self.operators = self.highest_term = 0

    @property
    def height(self) -> int:
        # one more for the brackets and one for a comparison, of which there is at most one between other operators
        return max(self.highest_part, self.operators + max(self.highest_term, self.term)) + 2


class _Shape:
    """Upper bounds of the tree that Cedar will build of one policy, kept up token by token."""

    def __init__(self) -> None:
        self.excess: str | None = None  # what is too much, if anything
        self._growth = 0
        self._frame = _Frame()
        self._outer: list[_Frame] = []

    def add(self, kind: str | None, text: str) -> None:
        """Take the next token into account."""
        if kind == "open":
            self._open(text)
        elif kind == "close":
            self._close()
        else:
            self._frame.operand += 1
            if kind == "other" and text != ".":
                self._operator(text)
            elif kind != "string":
                self._word(text)

    def _open(self, text: str) -> None:
        frame = self._frame
        if text == "[":
            frame.term += 1  # it may be an index
        self._outer.append(frame)
        self._frame = _Frame()
        if len(self._outer) > MAX_BRACKETS:
            self.excess = self.excess or f"brackets nested more than {MAX_BRACKETS} deep"

    def _close(self) -> None:
        if not self._outer:
            return  # Cedar will say so
        inner, self._frame = self._frame, self._outer.pop()
        self._frame.operand += inner.size + inner.operand + 1
        self._frame.term = max(self._frame.term, inner.height)
        self._measure()

    def _operator(self, text: str) -> None:
        frame = self._frame
        if text == ",":
            frame.end_part()
        else:
            frame.end_term()
            frame.operators += text in _NESTING
        if text in _SEPARATING:
            frame.size, frame.operand = frame.size + frame.operand, 0
        self._measure()

    def _word(self, text: str) -> None:
        frame = self._frame
        if text == ".":
            frame.term += 1
            if frame.base:
                frame.operators += 1  # `x has a.b` is written out as `x has a && x.a has b`
                self._copy(frame.base)
            self._measure()
        elif text in _WORDS:
            self._operator(text)
            if text == "has":
                frame.base = frame.operand
            elif text == "is":
                self._copy(frame.operand)

    def _measure(self) -> None:
        if self._frame.height > MAX_DEPTH:
            self.excess = self.excess or f"an expression of more than {MAX_DEPTH} levels"

    def _copy(self, size: int) -> None:
        self._frame.operand += size
        self._growth += size
        if self._growth > MAX_GROWTH:
            self.excess = self.excess or "`has` and `is` nested in one another too deeply"
