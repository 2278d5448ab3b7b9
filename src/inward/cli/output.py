"""What commands print: text for people, JSON for programs, errors and remarks on standard error.

Rules: whatever came from outside (paths, names, what a service answered) is made harmless before it is printed, so that
it can neither move a terminal's cursor nor break a line. Colours appear on a terminal only, and never with NO_COLOR.
Results go to standard output, remarks to standard error, so that a result can be piped.
"""

from __future__ import annotations

import io
import json
import os
import shlex
import sys
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import msgspec
from rich.console import Console
from rich.text import Text

from inward.errors import InvalidSystemError, InwardError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inward.control.run.events import Event
    from inward.errors import Mistake

Style = Literal["", "green", "red", "yellow", "bold", "dim", "cyan"]
Cell = str | Text
_ESCAPED = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}


def printable(text: str) -> str:
    """Return a text of unknown origin on one line, every character that cannot be seen written as an escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escaped(character) for character in text)


def _escaped(character: str) -> str:
    return _ESCAPED.get(character) or ascii(character)[1:-1]


def printable_lines(text: str) -> str:
    """Return a text of unknown origin with its line feeds and tabs, everything else that cannot be seen escaped."""
    return "".join(
        character if character.isprintable() or character in "\n\t" else _escaped(character) for character in text
    )


def styled(text: str, style: Style) -> Text:
    """Return a text of unknown origin in a style, harmless."""
    return Text(printable(text), style=style)


class _Console(Console):
    """Rich's console, but a reader that has gone is an error like any other, and not the end of the process."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


def _console(*, remarks: bool = False) -> _Console:
    # Made anew each time: standard output may have been replaced since (by a test, by a pipe that broke).
    return _Console(
        color_system=None if os.environ.get("NO_COLOR") else "auto",
        file=sys.stderr if remarks else sys.stdout,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=True,
    )


def print_line(line: Cell = "") -> None:
    """Print one line of a result."""
    _print(line, _console())


def remark(line: Cell = "") -> None:
    """Print one line that is no part of the result, on standard error."""
    _print(line, _console(remarks=True))


def _print(line: Cell, console: _Console) -> None:
    console.print(line)
    console.file.flush()


def be_lenient() -> None:
    """Let no character that a stream's encoding lacks (an arrow, a lone surrogate) end the program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class Table:
    """Rows in columns that line up; columns in `right` to the right.

    The widths grow with the rows, so rows can be printed as they come; `widths` are what they begin with.
    """

    def __init__(self, headings: Sequence[str], *, right: Sequence[int] = (), widths: Sequence[int] = ()) -> None:
        self._headings = [Text(heading, style="dim") for heading in headings]
        self._right = set(right)
        widest = zip_longest(widths, (heading.cell_len for heading in self._headings), fillvalue=0)
        self._widths = [max(pair) for pair in widest]
        self._begun = False

    def add(self, rows: Sequence[Sequence[Cell]]) -> None:
        """Print rows, the headings before the first ones."""
        texts = [[cell if isinstance(cell, Text) else Text(printable(cell)) for cell in row] for row in rows]
        for row in texts:
            self._widths = [max(width, cell.cell_len) for width, cell in zip(self._widths, row, strict=True)]
        if texts and not self._begun:
            self._begun = True
            print_line(self._line(self._headings))
        for row in texts:
            print_line(self._line(row))

    def _line(self, row: Sequence[Text]) -> Text:
        line = Text()
        for column, (cell, width) in enumerate(zip(row, self._widths, strict=True)):
            gap = " " * (width - cell.cell_len)
            line += Text.assemble(gap, cell) if column in self._right else Text.assemble(cell, gap)
            line.append("  ")
        line.rstrip()
        return line


def print_json(value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Print one JSON document on one line."""
    try:
        line = msgspec.json.encode(value)
    except UnicodeEncodeError:  # a file's name that is no Unicode
        line = json.dumps(msgspec.to_builtins(value), ensure_ascii=False).encode("utf-8", "replace")
    print_json_line(line)


def print_json_line(line: bytes) -> None:
    """Print one line of JSON that is there already; characters that cannot be seen are written as JSON escapes."""
    text = line.decode("utf-8").rstrip("\n")
    if not (text.isascii() and text.isprintable()):
        text = "".join(each if each.isprintable() else _json_escape(each) for each in text)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _json_escape(character: str) -> str:
    return json.dumps(character)[1:-1] if character != "\x7f" else r"\u007f"


def print_text(text: str) -> None:
    """Print a document of one of the formats for programs, in UTF-8 whatever the terminal's encoding is."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()


def mistake_as_json(mistake: Mistake) -> dict[str, Any]:
    """Return a mistake as JSON values."""
    return {
        "file": mistake.place.file,
        "line": mistake.place.line or None,
        "what": mistake.what,
        "hint": mistake.hint or None,
    }


def print_error(error: InwardError) -> None:
    """Say on standard error what went wrong and what to do."""
    if isinstance(error, InvalidSystemError):
        for mistake in error.mistakes:
            remark(printable(str(mistake)))
        return
    remark(Text.assemble(("inward: ", "red"), printable(error.advice)))


def print_event(event: Event, *, as_json: bool) -> None:
    """Print an event of a run."""
    if as_json:
        print_json({"event": event.kind, "text": event.text, **event.data})
    elif event.kind in {"mistakes", "warning"}:
        for line in event.text.splitlines():
            remark(styled(line, "yellow"))
    else:
        print_line(styled(event.text, "bold" if event.kind == "ready" else ""))


def option_for(system: Path) -> str:
    """Return ` --system DIR`, as commands that are suggested must say it; empty where the current folder is meant."""
    try:
        same = system.resolve() == Path.cwd()
    except (OSError, RuntimeError):
        same = False
    return "" if same else f" --system {shlex.quote(str(system))}"


def print_commands(commands: Sequence[tuple[str, str]]) -> None:
    """Print commands to try, each with a comment, which may be empty."""
    width = max(len(command) for command, _ in commands)
    for command, what in commands:
        print_line(
            styled(f"  {command:<{width if what else 0}}", "bold") + styled(f"  # {what}" if what else "", "dim")
        )
