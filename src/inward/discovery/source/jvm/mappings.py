"""The arguments of Spring's mapping annotations: paths, methods, and the constants that they are put together from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inward.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inward.discovery.source.jvm.classes import Annotation, Class
    from inward.discovery.source.jvm.lexer import Token

MAX_HOPS = 16  # constants that are made of constants
MAX_PATHS = 100  # of one mapping
MAX_TEXT = 4096
_VERBS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})


class InvalidMappingError(BadInputError):
    """A mapping cannot be told without running the program."""

    code = "invalid_mapping"


@dataclass(frozen=True, slots=True)
class Mapping:
    """What an annotation maps: its paths (an empty one where it has none) and methods (none: all)."""

    paths: tuple[str, ...]
    methods: tuple[str, ...]


class Constants:
    """The constants of all classes, by their classes' names."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[Class, tuple[Token, ...]]] = {}
        self._top: dict[str, tuple[Class, tuple[Token, ...]]] = {}

    def add(self, cls: Class) -> None:
        """Take those of a class; they are found by the names of the classes that it stands in too."""
        for name, value in cls.constants.items():
            if not cls.name:
                self._top[name] = (cls, value)
            for owner in (cls.name, *cls.outer):
                self._found.setdefault((owner, name), (cls, value))

    def text(self, names: Sequence[str], within: Class, hops: int) -> str:
        """Return what a name stands for, as seen from a class. Raises `InvalidMappingError`."""
        owners = names[-2:-1] if len(names) > 1 else (within.name, *reversed(within.outer), *within.supers)
        found = next((self._found[owner, names[-1]] for owner in owners if (owner, names[-1]) in self._found), None)
        found = found or (self._top.get(names[0]) if len(names) == 1 else None)
        if found is None:
            raise InvalidMappingError(f"`{'.'.join(names)}` is no constant that is known")
        return self.sum(found[1], found[0], hops + 1)

    def sum(self, tokens: Sequence[Token], within: Class, hops: int = 0) -> str:
        """Return the text that tokens stand for: texts and constants, with plus signs between. Raises as above."""
        if hops > MAX_HOPS:
            raise InvalidMappingError("its constants lead back to themselves")
        text, names = "", list[str]()
        for token in (*tokens, None):
            if token is not None and token.kind == "name":
                names.append(token.value)
                continue
            if token is not None and token.value == "." and names:
                continue
            if names:
                text += self.text(names, within, hops)
                names = []
            if token is None or token.value in {"+", "(", ")"}:
                continue
            if token.kind != "text" or not token.plain:
                raise InvalidMappingError("a path is no constant")
            text += token.value
            if len(text) > MAX_TEXT:
                raise InvalidMappingError("a path is too long")
        return text


def mapping_of(annotation: Annotation, constants: Constants, within: Class) -> Mapping:
    """Return what an annotation maps. Raises `InvalidMappingError`."""
    paths: list[str] = []
    methods: list[str] = []
    for key, value in _pairs(annotation.arguments):
        if key in {"", "value", "path"}:
            paths += [constants.sum(item, within) for item in _items(value)]
        elif key == "method":
            methods += [item[-1].value for item in _items(value) if item]
    if any(method not in _VERBS for method in methods):
        raise InvalidMappingError("a method is no constant")
    if len(paths) > MAX_PATHS:
        raise InvalidMappingError(f"it has more than {MAX_PATHS} paths")
    return Mapping(tuple(paths) or ("",), tuple(dict.fromkeys(methods)))


def _pairs(tokens: Sequence[Token]) -> Iterator[tuple[str, list[Token]]]:
    for part in _split(tokens):
        if len(part) > 1 and part[0].kind == "name" and part[1].value == "=":
            yield part[0].value, part[2:]
        else:
            yield "", part


def _items(tokens: list[Token]) -> list[list[Token]]:
    """Return the items of an array (`{…}`, `[…]`, `arrayOf(…)`), or the one value that stands in its place."""
    if tokens and tokens[0].value == "arrayOf":
        tokens = tokens[1:]
    if tokens and (tokens[0].value, tokens[-1].value) in {("{", "}"), ("[", "]"), ("(", ")")}:
        tokens = tokens[1:-1]
    return [part for part in _split(tokens) if part]


def _split(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    part: list[Token] = []
    depth = 0
    for token in tokens:
        if token.kind == "sign":
            depth += (token.value in "([{") - (token.value in ")]}")
            if token.value == "," and depth == 0:
                yield part
                part = []
                continue
        part.append(token)
    if part:
        yield part


def template_of(path: str) -> str:
    """Return a mapping's path as a template: `{id:[0-9]+}` is `{id}`. Raises `InvalidMappingError` for wildcards."""
    made, at, unnamed = "", 0, 0
    while at < len(path):
        character = path[at]
        if character == "{":
            end = _closing(path, at)
            name = path[at + 1 : end].partition(":")[0].strip()
            if name.startswith("*") or not name:
                raise InvalidMappingError(
                    f"`{path}` takes more than one segment", hint="no template can; it is left out"
                )
            made, at = f"{made}{{{name}}}", end + 1
        elif path.startswith("**", at):
            raise InvalidMappingError(f"`{path}` takes more than one segment", hint="no template can; it is left out")
        elif character == "*":
            unnamed += 1
            made, at = f"{made}{{any{unnamed}}}", at + 1
        else:
            made, at = made + character, at + 1
    return made if made.startswith("/") else "/" + made


def _closing(path: str, at: int) -> int:
    depth = 0
    for index in range(at, len(path)):
        depth += (path[index] == "{") - (path[index] == "}")
        if depth == 0:
            return index
    raise InvalidMappingError(f"`{path}` has braces that do not pair", hint="it is left out")
