"""Entries of the record for programs: lines of JSON, OCSF events, CSV.

In CSV nothing that a caller sent is a formula to whoever opens the file with a spreadsheet (OWASP, CSV injection): what
begins like one gets an apostrophe in front, and what cannot be seen is written as an escape, as in tables.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

import msgspec

from inward.cli.output import print_json_line, print_text, printable
from inward.record.call import Call, encode_entry
from inward.record.export.ocsf import api_activity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inward.record.call import Entry

_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # full-width forms too
_FIELDS: Final = Call.__struct_fields__


class JSONPrinter:
    """Prints each entry as it stands in the record."""

    def add(self, entries: list[Entry]) -> None:
        """Print entries."""
        for entry in entries:
            print_json_line(encode_entry(entry))


class OCSFPrinter:
    """Prints each call as an OCSF event."""

    def add(self, entries: list[Entry]) -> None:
        """Print entries."""
        for entry in entries:
            if isinstance(entry, Call):  # there is no event for what was lost
                print_json_line(msgspec.json.encode(api_activity(entry)))


class CSVPrinter:
    """Prints each call as a row of CSV (RFC 4180), with a header; gaps and acts are left out."""

    def __init__(self) -> None:
        self._begun = False

    def add(self, entries: list[Entry]) -> None:
        """Print entries."""
        if not self._begun:
            self._begun = True
            print_rows([_FIELDS])
        print_rows(_row(entry) for entry in entries if isinstance(entry, Call))


def _row(call: Call) -> list[object]:
    fields = {**{name: getattr(call, name) for name in _FIELDS}, "path": call.full_path}
    return [_joined(value) for value in fields.values()]


def _joined(value: object) -> object:
    if isinstance(value, dict):
        return " ".join(f"{name}={each}" for name, each in value.items())
    return " ".join(value) if isinstance(value, tuple) else value


def print_rows(rows: Iterable[Sequence[object]]) -> None:
    """Print rows of CSV, made harmless."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([harmless(value) for value in row] for row in rows)
    print_text(text.getvalue())


def harmless(value: object) -> object:
    """Return a value as a cell that no spreadsheet takes for a formula; numbers stay what they are."""
    if value is None or isinstance(value, int | float):
        return value
    text = printable(str(value))
    return f"'{text}" if text.startswith(_FORMULA) else text
