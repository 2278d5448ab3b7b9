"""Entries of the record as a table for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.text import Text

from inward.cli.output import Cell, Table, print_line, printable, styled
from inward.cli.verdict import STYLES, outcome
from inward.record.call import Act, Call, Gap, timestamp

if TYPE_CHECKING:
    from inward.record.call import Entry

MOST_CHARACTERS = 100  # of a method and a path
_HEADINGS = ("time, UTC", "caller → callee", "request", "outcome", "why", "status", "ms", "reference")
_RIGHT = (5, 6)


class TablePrinter:
    """Prints a row for each call, and a line for each gap and act."""

    def __init__(self) -> None:
        self._table = Table(_HEADINGS, right=_RIGHT)
        self._day = timestamp(datetime.now(UTC))[:10]

    def add(self, entries: list[Entry]) -> None:
        """Print entries."""
        rows: list[list[Cell]] = []
        for entry in entries:
            if entry.time[:10] != self._day or not isinstance(entry, Call):
                self._table.add(rows)
                rows = []
            if entry.time[:10] != self._day:
                self._day = entry.time[:10]
                print_line(styled(f"{self._day} (UTC)", "bold"))
            if isinstance(entry, Gap):
                print_line(_gap(entry))
            elif isinstance(entry, Act):
                print_line(_act(entry))
            else:
                rows.append(_row(entry))
        self._table.add(rows)


def _row(call: Call) -> list[Cell]:
    became = outcome(call)
    why = call.reason if became != "allowed" or not call.policies else ",".join(call.policies)
    if became not in {"allowed", "unreachable"} and call.policies:
        why += f" ({','.join(call.policies)})"
    if call.sent:
        why += f" ({','.join(call.sent)})"
    return [
        printable(call.time[11:23]),
        Text.assemble(printable(call.caller or "?"), (" → ", "dim"), printable(call.callee or "?")),
        _cut(f"{call.method or '?'} {call.full_path or '?'}") if call.method or call.path else "",
        styled(became, STYLES[became]),
        printable(why),
        _status(call),
        "" if call.duration_us is None else f"{call.duration_us / 1000:.1f}",
        "" if became == "allowed" else styled(call.id, "dim"),
    ]


def _status(call: Call) -> str:
    if call.grpc_status is not None:
        return f"grpc {call.grpc_status}"
    return "" if call.status is None else str(call.status)


def _cut(text: str) -> str:
    return printable(text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + "…")


def _gap(gap: Gap) -> Text:
    lost = [f"{gap.lost_lines} lines" if gap.lost_lines else "", f"{gap.lost_bytes} bytes" if gap.lost_bytes else ""]
    size = " and ".join(part for part in lost if part)
    whose = f" of {gap.service}" if gap.service else ""
    return styled(f"{gap.time[11:23]}  a gap{whose}{f', {size}' if size else ''}: {gap.why}", "yellow")


def _act(act: Act) -> Text:
    about = f" {act.about}" if act.about else ""
    by = f" by {act.by}" if act.by else ""
    return styled(f"{act.time[11:23]}  {act.what}{about}{by}{f': {act.detail}' if act.detail else ''}", "bold")
