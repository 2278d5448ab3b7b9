"""Workflow commands of GitHub Actions: an annotation at the line of each entry, without an upload.

A command is one line, `::error file=…,line=…,title=…::text`. In the text `%` and line ends are percent-encoded, in a
property `:` and `,` too, as GitHub's toolkit writes them; nothing that a file holds can end a command or begin one.
GitHub shows the first ten errors, warnings and notices of a step, so the worst come first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inward.cli.formats.entries import entries_of
from inward.cli.formats.rules import RULES

if TYPE_CHECKING:
    from inward.cli.formats.entries import Entry, Level
    from inward.control.checking.steps import Report

_COMMANDS: dict[Level, str] = {"error": "error", "warning": "warning", "note": "notice"}
_TEXT = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def render(report: Report, prefix: str) -> str:
    """Return the commands, one a line; `prefix` leads from the repository's root to the system folder."""
    return "".join(_command(entry, prefix) + "\n" for entry in entries_of(report))


def _command(entry: Entry, prefix: str) -> str:
    properties = {"file": prefix + entry.file, "line": entry.line, "title": RULES[entry.kind].name}
    told = ",".join(
        f"{name}={str(value).translate(_PROPERTY)}" for name, value in properties.items() if value is not None
    )
    return f"::{_COMMANDS[entry.level]} {told}::{entry.text.translate(_TEXT)}"
