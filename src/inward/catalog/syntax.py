"""YAML and JSON as plain data, with the line of every key and item. Bounded, and the same data for both.

YAML is read by the core schema of YAML 1.2 (section 10.3.2), not by the surprises of 1.1: `no`, `on`,
`2024-01-01` and `12:30` are text. Every key is text as written, so that `200:` and `no:` are the keys "200"
and "no". Refused: tags, merge keys (`<<`), several documents in one file, aliases that multiply, and nesting
deeper than `MAX_DEPTH`.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

import msgspec
import yaml

from inward.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Data: TypeAlias = "dict[str, Data] | list[Data] | str | int | float | bool | None"
Container: TypeAlias = "dict[str, Data] | list[Data]"
DataPath = tuple[str | int, ...]

MAX_DEPTH = 200
MAX_ALIASED = 1_000_000  # values that all aliases of a document may stand for, together

_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # an installation without libyaml is slower, no more
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEAN = {text: text.lower() == "true" for text in ("true", "True", "TRUE", "false", "False", "FALSE")}
_NUMBERS: tuple[tuple[re.Pattern[str], Callable[[str], int | float]], ...] = (
    (re.compile(r"[-+]?[0-9]+"), int),
    (re.compile(r"0o[0-7]+"), lambda text: int(text, 8)),
    (re.compile(r"0x[0-9a-fA-F]+"), lambda text: int(text, 16)),
    (re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"), float),
    (re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"), lambda text: float(text.replace(".", ""))),
)
_MAX_DIGITS = 300  # of a number; what is longer is read as text

_JSON_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
_JSON_NEST = re.compile(r'(?P<text>"[^"\\]*(?:\\.[^"\\]*)*")(?P<colon>[ \t\r\n]*:)?|(?P<open>[\[{])|(?P<close>[\]}])')
_JSON_SCALAR = re.compile(r"[^,\]} \t\r\n]+")
_JSON_BETWEEN = re.compile(r"[ \t\r\n,:]*")
_ERROR_AT_BYTE = re.compile(r" \(byte ([0-9]+)\)$")


class InvalidSyntaxError(BadInputError):
    """A text is no YAML or JSON that is read here; `line` counts from 1."""

    code = "invalid_syntax"

    def __init__(self, message: str, line: int, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.line = line


@dataclass(frozen=True)
class Parsed:
    """What a text holds. `line_of` tells the line of a key or an item that exists, by the way to it.

    `lines_in` tells those of all keys or items of a container of the data; None where lines are looked up in the text.
    """

    data: Data
    line_of: Callable[[DataPath], int]
    repeated: tuple[tuple[str, int], ...]  # keys that a mapping has twice, with the line of the repetition
    lines_in: Callable[[Container], Mapping[str | int, int]] | None = None


def _too_deep(line: int) -> InvalidSyntaxError:
    return InvalidSyntaxError(f"is nested more than {MAX_DEPTH} levels deep", line)


def parse_json(text: str) -> Parsed:
    """Parse JSON (RFC 8259). Lines are looked up when asked for, so that large documents load fast."""
    content = text.encode()
    try:
        data: Data = msgspec.json.decode(content)
    except RecursionError:
        _JSONLines(text).check()  # finds the line: what stands before it is valid
        raise _too_deep(1) from None
    except msgspec.MsgspecError as error:
        found = _ERROR_AT_BYTE.search(str(error))
        line = content.count(b"\n", 0, int(found[1]) if found else len(content)) + 1
        what = _ERROR_AT_BYTE.sub("", str(error)).removeprefix("JSON is malformed: ").lower()
        raise InvalidSyntaxError(f"is not valid JSON: {what}", line) from None
    lines = _JSONLines(text)
    return Parsed(data, lines.line_of, lines.check())


def parse_checked_json(text: str) -> Parsed:
    """Parse JSON that `parse_json` has taken before, and found no repeated key in, without looking for one again."""
    return Parsed(msgspec.json.decode(text), _JSONLines(text).line_of, ())


class _JSONLines:
    """Finds the lines in a text that is known to be valid JSON."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._breaks = [found.start() for found in re.finditer("\n", text)]
        self._children = cache(self._find_children)

    def check(self) -> tuple[tuple[str, int], ...]:
        """Return the repeated keys; raise `InvalidSyntaxError` where the nesting is too deep."""
        repeated: list[tuple[str, int]] = []
        seen: list[set[str]] = []
        for found in _JSON_NEST.finditer(self._text):
            if found.lastgroup == "colon":
                key = json.loads(found[1]) if "\\" in found[1] else found[1][1:-1]
                if key in seen[-1]:
                    repeated.append((key, self._line(found.start())))
                seen[-1].add(key)
            elif found.lastgroup == "open":
                seen.append(set())
                if len(seen) > MAX_DEPTH:
                    raise _too_deep(self._line(found.start()))
            elif found.lastgroup == "close":
                seen.pop()
        return tuple(repeated)

    def line_of(self, path: DataPath) -> int:
        if not self._breaks:
            return 1
        key_at = value_at = self._skip_between(0)
        for key in path:
            key_at, value_at = self._children(value_at)[key]
        return self._line(key_at)

    def _line(self, offset: int) -> int:
        return bisect_left(self._breaks, offset) + 1

    def _skip_between(self, offset: int) -> int:
        found = _JSON_BETWEEN.match(self._text, offset)
        return found.end() if found else offset

    def _find_children(self, start: int) -> dict[str | int, tuple[int, int]]:
        """Return where the keys and values of the container at `start` begin."""
        children: dict[str | int, tuple[int, int]] = {}
        at = self._skip_between(start + 1)
        while self._text[at] not in "}]":
            key_at, key = at, len(children)
            if self._text[start] == "{":
                at = self._end_of_value(at)
                key = json.loads(self._text[key_at:at])
                at = self._skip_between(at)
            children[key] = (key_at, at)  # of a repeated key the last, as in the data
            at = self._skip_between(self._end_of_value(at))
        return children

    def _end_of_value(self, start: int) -> int:
        if self._text[start] not in "{[":
            found = (_JSON_STRING if self._text[start] == '"' else _JSON_SCALAR).match(self._text, start)
            return found.end() if found else len(self._text)
        depth = 0
        for token in _JSON_NEST.finditer(self._text, start):
            if token.lastgroup == "open":
                depth += 1
            elif token.lastgroup == "close":
                depth -= 1
                if depth == 0:
                    return token.end()
        return len(self._text)


def parse_yaml(text: str) -> Parsed:
    """Parse one YAML document, from parser events: no constructor, no tag and no recursion takes part."""
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=_Loader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise _refusal(text, error) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise InvalidSyntaxError("holds a control character", line, hint="take it out") from None
    return Parsed(builder.data, builder.line_of, tuple(builder.repeated), builder.lines_in)


def _refusal(text: str, error: yaml.MarkedYAMLError) -> InvalidSyntaxError:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return InvalidSyntaxError(f"is not valid YAML: {error.problem}", 1)
    line = mark.line + 1
    at = (text + "\n").split("\n")[mark.line][mark.column :]
    if at.startswith("\t"):
        return InvalidSyntaxError("has a tab where YAML takes spaces only", line, hint="indent with spaces")
    context = f" {error.context}" if error.context else ""
    return InvalidSyntaxError(f"is not valid YAML: {error.problem}{context}", line)


@dataclass(slots=True)
class _Frame:
    """A container that is being read."""

    container: Container
    line: int
    lines: dict[str | int, int]
    anchor: str | None
    size: int = 1  # values in it, counting what its aliases stand for
    key: str | None = None
    key_line: int = 0


@dataclass(slots=True)
class _Builder:
    """Builds data from YAML events; lines of keys and items are kept by their container's identity."""

    data: Data = None
    repeated: list[tuple[str, int]] = field(default_factory=list)
    _lines: dict[int, dict[str | int, int]] = field(default_factory=dict)
    _root_line: int = 1
    _documents: int = 0
    _frames: list[_Frame] = field(default_factory=list)
    _anchors: dict[str, tuple[Data, int]] = field(default_factory=dict)
    _aliased: int = 0
    _alive: list[Container] = field(default_factory=list)  # an identity must not be used again

    def line_of(self, path: DataPath) -> int:
        line, value = self._root_line, self.data
        for key in path:
            line = self._lines[id(value)][key]
            value = value[key]  # type: ignore[index]  # the path exists, so `value` is its container
        return line

    def lines_in(self, container: Container) -> Mapping[str | int, int]:
        return self._lines[id(container)]

    def take(self, event: yaml.Event) -> None:
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise InvalidSyntaxError("holds more than one document", line, hint="split it into files")
        elif isinstance(event, yaml.AliasEvent):
            self._take_alias(event.anchor, line)
        elif isinstance(event, yaml.NodeEvent):
            if event.tag is not None:  # type: ignore[attr-defined]  # every node event but an alias has one
                raise InvalidSyntaxError("has a tag (`!…`)", line, hint="write plain values")
            self._take_node(event, line)
        elif isinstance(event, yaml.CollectionEndEvent):
            frame = self._frames.pop()
            self._add(frame.container, frame.line, frame.size, frame.anchor)

    def _take_node(self, event: yaml.NodeEvent, line: int) -> None:
        frame = self._frames[-1] if self._frames else None
        in_key = frame is not None and isinstance(frame.container, dict) and frame.key is None
        if isinstance(event, yaml.ScalarEvent):
            if frame is not None and in_key:
                if event.value == "<<" and event.implicit[0]:
                    raise InvalidSyntaxError("has a merge key (`<<`)", line, hint="write the keys out")
                frame.key, frame.key_line = event.value, line
                if event.anchor is not None:
                    self._anchors[event.anchor] = (event.value, 1)
            else:
                plain = event.implicit[0]
                self._add(_scalar(event.value) if plain else event.value, line, 1, event.anchor)
            return
        if in_key:
            raise InvalidSyntaxError("has a key that is no text", line)
        if len(self._frames) >= MAX_DEPTH:
            raise _too_deep(line)
        container: Container = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._alive.append(container)
        self._lines[id(container)] = {}
        if event.anchor is not None:
            self._anchors.pop(event.anchor, None)  # not to be used before it ends
        if frame is None:
            self._root_line = line
        self._frames.append(_Frame(container, line, self._lines[id(container)], event.anchor))

    def _take_alias(self, anchor: str | None, line: int) -> None:
        frame = self._frames[-1] if self._frames else None
        if frame is not None and isinstance(frame.container, dict) and frame.key is None:
            raise InvalidSyntaxError(f"has the alias `*{anchor}` as a key", line)
        if anchor is None or anchor not in self._anchors:
            raise InvalidSyntaxError(f"uses the alias `*{anchor}` before its anchor is complete", line)
        value, size = self._anchors[anchor]
        self._aliased += size
        if self._aliased > MAX_ALIASED:
            raise InvalidSyntaxError(f"has aliases that stand for more than {MAX_ALIASED} values", line)
        self._add(value, line, size, None)

    def _add(self, value: Data, line: int, size: int, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = (value, size)
        if not self._frames:
            self.data = value
            return
        frame = self._frames[-1]
        frame.size += size
        if isinstance(frame.container, list):
            frame.lines[len(frame.container)] = line
            frame.container.append(value)
            return
        key, frame.key = frame.key, None
        assert key is not None  # noqa: S101 (a value follows its key)
        if key in frame.container:
            self.repeated.append((key, frame.key_line))
        frame.container[key] = value
        frame.lines[key] = frame.key_line


def _scalar(text: str) -> Data:
    """Return what a plain scalar means (YAML 1.2, core schema)."""
    if text in _NULL:
        return None
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    if text[0] in "-+.0123456789" and len(text) <= _MAX_DIGITS:
        for form, number in _NUMBERS:
            if form.fullmatch(text):
                return number(text)
    return text
