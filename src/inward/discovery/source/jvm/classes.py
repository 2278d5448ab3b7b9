"""Java and Kotlin classes with their annotations, in the order of the file: no types, no bodies, nothing inherited yet.

What is read of a class: its annotations, what it extends and implements, its methods that have annotations, and its
constants. A file that is no valid program gives what can be made out of it; nothing here raises for what a file holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inward.discovery.source.jvm.lexer import Token, tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_ARGUMENTS = 2_000  # tokens of one annotation
MAX_METHODS = 5_000  # of a file
_TYPES = frozenset({"class", "interface", "record", "enum", "object"})
_ENDS_HEADER = frozenset({
    "class", "interface", "object", "fun", "val", "var", "enum", "typealias", "data", "sealed", "internal", "private",
    "public",
})  # fmt: skip
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")


@dataclass(frozen=True, slots=True)
class Annotation:
    """An annotation: its last name, and the tokens between its brackets."""

    name: str
    arguments: tuple[Token, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Method:
    """A method that has annotations."""

    name: str
    annotations: tuple[Annotation, ...]
    line: int


@dataclass
class Class:
    """A class, an interface, an object; `outer` are the names of those that it stands in."""

    name: str
    kind: str
    file: str
    line: int
    outer: tuple[str, ...]
    annotations: tuple[Annotation, ...]
    supers: tuple[str, ...]
    methods: list[Method] = field(default_factory=list)
    constants: dict[str, tuple[Token, ...]] = field(default_factory=dict)

    def annotation(self, *names: str) -> Annotation | None:
        """Return its first annotation with one of the names."""
        return next((each for each in self.annotations if each.name in names), None)


def read_classes(source: str, file: str) -> list[Class]:
    """Return the classes of a file, and at first one without a name for what stands outside of classes (Kotlin)."""
    return _Reader(list(tokens(source, kotlin=file.endswith(".kt"))), file).read()


class _Reader:
    def __init__(self, listed: Sequence[Token], file: str) -> None:
        self._tokens = listed
        self._file = file
        self._kotlin = file.endswith(".kt")
        self._at = 0
        self._depth = 0
        self._pending: list[Annotation] = []
        self._classes = [Class("", "file", file, 1, (), (), ())]
        self._open: list[tuple[int, Class]] = [(0, self._classes[0])]
        self._methods = 0

    def read(self) -> list[Class]:
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            self._at += 1
            if token.kind == "sign":
                self._sign(token)
            elif token.kind == "name":
                self._name(token)
        return self._classes

    def _peek(self, ahead: int = 0) -> Token:
        at = self._at + ahead
        return self._tokens[at] if 0 <= at < len(self._tokens) else Token("end", "", 0)

    def _sign(self, token: Token) -> None:
        if token.value == "@" and self._peek().kind == "name":
            if self._peek().value != "interface":
                self._annotation()
        elif token.value == "{":
            self._depth += 1
            self._pending.clear()
        elif token.value == "}":
            self._depth = max(0, self._depth - 1)
            if len(self._open) > 1 and self._depth < self._open[-1][0]:
                self._open.pop()
            self._pending.clear()
        elif token.value == ";":
            self._pending.clear()

    def _annotation(self) -> None:
        first = self._peek()
        name = first.value
        self._at += 1
        while self._peek().value in {".", ":"} and self._peek(1).kind == "name":
            name = self._peek(1).value
            self._at += 2
        arguments: list[Token] = []
        if self._peek().value == "(" and (not self._kotlin or self._peek().line == first.line):
            self._at += 1
            depth = 1
            while (token := self._peek()).kind != "end":
                self._at += 1
                if token.kind == "sign":
                    depth += (token.value in _OPEN) - (token.value in _CLOSE)
                if depth == 0:
                    break
                if len(arguments) < MAX_ARGUMENTS:
                    arguments.append(token)
        self._pending.append(Annotation(name, tuple(arguments), first.line))

    def _name(self, token: Token) -> None:
        before = self._tokens[self._at - 2].value if self._at > 1 else ""
        if (
            token.value in _TYPES
            and before not in {".", ":"}
            and (self._peek().kind == "name" or token.value == "object")
        ):
            self._class(token)
            return
        own = self._depth == self._open[-1][0]
        if not own:
            return
        if self._peek().value == "(" and self._pending and token.value not in {"constructor", "if", "for", "while"}:
            if self._methods < MAX_METHODS:
                self._methods += 1
                self._open[-1][1].methods.append(Method(token.value, tuple(self._pending), token.line))
            self._pending.clear()
        elif token.value == "String" and self._peek().kind == "name" and self._peek(1).value == "=":
            self._constant(2)
        elif token.value == "val" and before == "const" and self._peek().kind == "name":
            self._constant(4 if self._peek(1).value == ":" else 2)

    def _constant(self, length: int) -> None:
        name = self._peek().value
        if self._peek(length - 1).value != "=":
            return
        self._at += length
        value: list[Token] = []
        line = self._peek().line
        while (
            (token := self._peek()).kind != "end"
            and token.value not in {";", "{", "}", "@"}
            and len(value) < MAX_ARGUMENTS
        ):
            if self._kotlin and token.line > line and value and value[-1].value != "+":
                break
            line = token.line
            value.append(token)
            self._at += 1
        self._open[-1][1].constants[name] = tuple(value)

    def _class(self, token: Token) -> None:
        name = ""
        if self._peek().kind == "name":
            name = self._peek().value
            self._at += 1
        supers: list[str] = []
        inherits, depth = False, 0
        while (each := self._peek()).kind != "end" and each.value not in {"{", ";", "}", "@"}:
            if self._kotlin and depth == 0 and each.value in _ENDS_HEADER:
                break
            self._at += 1
            depth += (each.value in "([") - (each.value in ")]") if each.kind == "sign" else 0
            if depth == 0 and (each.value in {"extends", "implements"} or (each.value == ":" and self._kotlin)):
                inherits = True
            elif depth == 0 and inherits and each.kind == "name" and each.value[:1].isupper():
                supers.append(each.value)
        if self._kotlin and self._peek().value == "@" and depth > 0:
            self._skip_constructor(supers, depth)
        outer = tuple(cls.name for _, cls in self._open if cls.name)
        made = Class(
            name or "Companion", token.value, self._file, token.line, outer, tuple(self._pending), tuple(supers)
        )
        self._classes.append(made)
        self._pending.clear()
        if self._peek().value == "{":
            self._at += 1
            self._depth += 1
            self._open.append((self._depth, made))

    def _skip_constructor(self, supers: list[str], depth: int) -> None:
        """Go past a constructor whose parameters have annotations, and take what follows the class's colon."""
        inherits = False
        while (each := self._peek()).kind != "end" and not (
            depth == 0 and each.value in {"{", ";", "}", "@", *_ENDS_HEADER}
        ):
            self._at += 1
            depth += (each.value in "([{") - (each.value in ")]}") if each.kind == "sign" else 0
            inherits |= depth == 0 and each.value == ":"
            if depth == 0 and inherits and each.kind == "name" and each.value[:1].isupper():
                supers.append(each.value)
