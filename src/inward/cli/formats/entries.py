"""A report as one list of entries, mistakes and findings alike, and what each kind of entry is about.

Formats for other programs are made from entries only. Texts in them are harmless: one line, no control characters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from inward.cli.output import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.control.checking.steps import Report, Taken

MISTAKE = "mistake"
Level = Literal["error", "warning", "note"]
_LEVELS: dict[Literal["finding", "note"], Level] = {"finding": "warning", "note": "note"}
_LINE = re.compile(r"(?<=[a-z]):[0-9]+\b")  # of a place within a text, as in `taken by policies/orders.cedar:12`


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was found. `file` is relative to the system folder; `line` counts from 1, None is the whole file.

    `key` tells entries of one file and kind apart, and stays as it is when lines move or days pass.
    """

    level: Level
    kind: str
    file: str
    line: int | None
    what: str
    hint: str
    key: str

    @property
    def text(self) -> str:
        """What is wrong, and what to do about it."""
        return self.what + (f" ({self.hint})" if self.hint else "")


def entries_of(step: Report | Taken) -> Iterator[Entry]:
    """Yield the entries of a report, or of one of its steps: errors, then warnings, then notes."""
    for mistake in step.mistakes:
        what = printable(mistake.what)
        yield _entry("error", MISTAKE, mistake.place.file, mistake.place.line, what, mistake.hint, _LINE.sub("", what))
    for finding in step.findings:
        what = printable(finding.what)
        key = printable(finding.about) or _LINE.sub("", what)
        place = finding.place
        yield _entry(_LEVELS[finding.level], finding.kind, place.file, place.line, what, finding.hint, key)


def _entry(level: Level, kind: str, file: str, line: int, what: str, hint: str, key: str) -> Entry:
    return Entry(level, kind, file, line or None, what, printable(hint), key)
