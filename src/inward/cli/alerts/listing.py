"""How alerts are printed, and how they are found: what the commands of the group share."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
from rich.text import Text

from inward.alerting.keeping.database import FILE, Database
from inward.alerting.keeping.store import AlertStore, Kept
from inward.alerting.sinks.webhook import as_json
from inward.catalog.document import shown
from inward.cli.output import Cell, Table, print_json_line, printable, remark, styled
from inward.control.acts import ActError, account, note_act
from inward.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inward.alerting.alert import Alert, Severity
    from inward.cli.output import Style
    from inward.control.layout import Layout

SHORT = 12  # characters of an id that are printed; they are enough to name an alert
MOST_NOTE = 500
_LEAST = 4
_MOST_CHARACTERS = 160  # of a sentence in the table
_HEADINGS = ("time, UTC", "severity", "detector", "calls", "id", "why")
STYLES: dict[Severity, Style] = {"low": "dim", "medium": "", "high": "yellow", "critical": "red"}


@contextmanager
def opened(layout: Layout) -> Iterator[Database]:
    """Give the database of the alerts; raise `AlertStoreError` where there is none yet."""
    database = Database(layout.state / FILE, create=False)
    try:
        yield database
    finally:
        database.close()


def is_there(layout: Layout) -> bool:
    """Return whether alerts were ever watched here."""
    return (layout.state / FILE).exists()


def alert_named(store: AlertStore, text: str) -> Kept:
    """Return the alert whose id begins with `text`, or raise `BadInputError`."""
    if len(text) < _LEAST or not text.isascii() or not text.isalnum():
        raise BadInputError(f"`{shown(text)}` is no id of an alert", hint=f"give {_LEAST} of its characters at least")
    found = store.named(text.lower())
    if not found:
        raise BadInputError(f"there is no alert `{shown(text)}`", hint="`inward alerts` lists them")
    if len(found) > 1:
        raise BadInputError(f"more than one alert begins with `{shown(text)}`", hint="give more of its id")
    return found[0]


def one_line(what: str, text: str) -> str:
    """Return a text that a person gives, or raise `BadInputError` where it is no line that can be kept."""
    if not text.strip() or len(text) > MOST_NOTE or not text.isprintable():
        raise BadInputError(f"a {what} is one line", hint=f"of {MOST_NOTE} printable characters at most")
    return text


def noted(layout: Layout, what: str, about: str, detail: str | None = None) -> None:
    """Note for the record that somebody did something; it is done all the same where that is not possible."""
    try:
        note_act(layout, what, about, detail=detail, by=account())
    except ActError as error:
        remark(styled(f"it is done, and the record does not have it: {error.message}", "yellow"))


def unkept(alert: Alert) -> Kept:
    """Return an alert that is only shown, as one that was just found."""
    return Kept(alert, "open", 1, alert.time, None, None, 0)


def line_of(kept: Kept) -> bytes:
    """Return an alert as one line of JSON."""
    return msgspec.json.encode(as_json(kept))


class TablePrinter:
    """Prints alerts as rows of one table, as they come."""

    def __init__(self) -> None:
        self._table = Table(_HEADINGS, right=(3,))

    def add(self, alerts: Sequence[Kept]) -> None:
        """Print alerts."""
        self._table.add([_row(kept) for kept in alerts])


class JSONPrinter:
    """Prints alerts as JSON, one a line."""

    def add(self, alerts: Sequence[Kept]) -> None:
        """Print alerts."""
        for kept in alerts:
            print_json_line(line_of(kept))


def _row(kept: Kept) -> list[Cell]:
    alert = kept.alert
    quiet = kept.state != "open"
    why = alert.why if len(alert.why) <= _MOST_CHARACTERS else alert.why[:_MOST_CHARACTERS] + "…"
    return [
        printable(alert.time[:19].replace("T", " ")),
        styled(alert.severity, "dim" if quiet else STYLES[alert.severity]),
        printable(alert.detector),
        f"{alert.count:,}",
        styled(alert.id[:SHORT], "dim"),
        Text.assemble(styled(why, "dim" if quiet else ""), styled(" (acknowledged)" if quiet else "", "dim")),
    ]
