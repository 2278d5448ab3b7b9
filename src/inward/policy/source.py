"""Splits a policy file into single policies with their lines; refuses what must never reach Cedar's parser.

Nothing here knows Cedar's grammar, only its tokens: a policy ends at a `;` outside strings and comments.
Cedar's parser is recursive and overflows the process's stack on text that nests deeply, and it writes some
operators out in full (`x has a.b` becomes `x has a && x.a has b`), which doubles at every nesting. So both
are bounded here, by the tokens alone: a text that passes builds a tree of at most `MAX_DEPTH` levels that
`MAX_GROWTH` copies can add to.

Characters that make a reviewed text look unlike what it means (controls, bidirectional overrides) are
refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from inward.errors import Mistake, Place

MAX_FILE_BYTES = 16 * 1024 * 1024
MAX_POLICY_CHARACTERS = 256 * 1024
MAX_BRACKETS = 50
MAX_DEPTH = 600  # cedarpy 4.12 overflows 8 MiB of stack at 1,000 to 1,500, its syntax tree stops at 100 of its own
MAX_GROWTH = 10_000  # tokens that writing `has` and `is … in` out in full may add
MAX_MISTAKES = 100  # of one file: after these, the rest is more of the same

_HIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]|\r(?!\n)")
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
_NESTING = frozenset({"&&", "||", ".", "+", "-", "*", "!", "if", "has", "is"})  # these and `[` add a level
_SEPARATING = frozenset({"&&", "||", ",", "if", "then", "else"})  # what stands between the operands of `has` and `is`


@dataclass(frozen=True, slots=True)
class Statement:
    """One policy's source, from its first annotation to its `;`, and where it stands.

    `line` counts from 1 and is its first token's; `start` and `end` are offsets in the file's decoded text.
    """

    text: str
    line: int
    start: int
    end: int


def parse_statements(data: bytes, file: str) -> tuple[list[Statement], list[Mistake]]:
    """Split the bytes of a policy file into what may be given to Cedar; `file` is its name in mistakes."""
    if len(data) > MAX_FILE_BYTES:
        return [], [Mistake(Place(file), f"a file of more than {MAX_FILE_BYTES:,} bytes")]
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return [], [Mistake(Place(file, line), f"the byte 0x{data[error.start]:02x} is no UTF-8", "save it as UTF-8")]
    if hidden := _HIDDEN.search(text):
        line = text.count("\n", 0, hidden.start()) + 1
        what = f"the character U+{ord(hidden[0]):04X}, which cannot be seen in a review"
        return [], [Mistake(Place(file, line), what, rf"take it out; in a string, write \u{{{ord(hidden[0]):x}}}")]
    return _split(text, file)


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
        if refusal := _refusal(shape, token.end() - start):
            mistakes.append(Mistake(Place(file, line), *refusal))
            if len(mistakes) == MAX_MISTAKES:
                return statements, mistakes
        else:
            statements.append(Statement(text[start : token.end()], line, start, token.end()))
        start = None
    if start is not None:
        mistakes.append(Mistake(Place(file, line), "a policy that does not end", "close it with `;`"))
    return statements, mistakes


def _refusal(shape: _Shape, length: int) -> tuple[str, str] | None:
    """Return why a policy is not given to Cedar, and what to do about it."""
    if length == 1:
        return "a `;` without a policy", "take it out"
    if length > MAX_POLICY_CHARACTERS:
        return f"a policy of more than {MAX_POLICY_CHARACTERS:,} characters", "split it into several"
    return (shape.excess, "split it into several") if shape.excess else None


class _Shape:
    """Upper bounds of the tree that Cedar will build of one policy, kept up token by token.

    A frame is what stands between two brackets. The depth is at most the number of open frames and of nesting
    tokens since the last comma of each. An operand is what stands between two separating tokens of a frame:
    what `has` and `is` may copy.
    """

    __slots__ = ("_base", "_depth", "_frames", "_growth", "_nesting", "_operand", "_total", "excess")

    def __init__(self) -> None:
        self.excess: str | None = None  # what is too much, if anything
        self._frames: list[tuple[int, int, int, int]] = []
        self._depth = self._growth = 0
        self._nesting = self._total = self._operand = 0  # of the innermost frame
        self._base = 0  # the size of what stands before a `has`, while its path is read

    def add(self, kind: str | None, text: str) -> None:
        """Take the next token into account."""
        if kind == "open":
            if text == "[":
                self._nest()  # it may be an index, `a["b"]["c"]`, whose levels stay when it is closed
            self._open()
        elif kind == "close":
            self._close()
        else:
            self._operand += 1
            if kind == "string":
                return
            if text in _NESTING:
                self._nest()
            if text in _SEPARATING:
                self._separate(comma=text == ",")
            elif text in {"has", "is"}:
                self._base = self._operand if text == "has" else 0
                self._copy(self._operand if text == "is" else 0)
            elif text == ".":
                self._copy(self._base)
            elif kind == "other":
                self._base = 0

    def _nest(self) -> None:
        self._nesting += 1
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self.excess = f"an expression of more than {MAX_DEPTH} levels"

    def _open(self) -> None:
        self._frames.append((self._nesting, self._total, self._operand, self._base))
        self._nesting = self._total = self._operand = self._base = 0
        self._depth += 1
        if len(self._frames) > MAX_BRACKETS:
            self.excess = f"brackets nested more than {MAX_BRACKETS} deep"

    def _close(self) -> None:
        if not self._frames:
            return  # Cedar will say so
        inner = self._total + self._operand
        self._depth -= self._nesting + 1
        self._nesting, self._total, self._operand, self._base = self._frames.pop()
        self._operand += inner + 1

    def _separate(self, *, comma: bool) -> None:
        self._total += self._operand
        self._operand = self._base = 0
        if comma:
            self._depth -= self._nesting
            self._nesting = 0

    def _copy(self, size: int) -> None:
        self._operand += size
        self._growth += size
        if self._growth > MAX_GROWTH:
            self.excess = "`has` and `is` nested in one another too deeply"
