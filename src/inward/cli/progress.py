"""How far long work is, on standard error, for a person who waits at a terminal."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.text import Text

from inward.cli.output import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from inward.record.call import Entry

    Watch = Callable[[str, int, int], None]

EVERY = 20_000  # entries after which how far the reading is is shown


@contextmanager
def shown_progress(*, wanted: bool = True) -> Iterator[Watch | None]:
    """Give a function to call with what is being done, how much of it is done, and of how much; the line ends with it.

    It gives None where nobody waits: where progress is not wanted, or standard error is no terminal.
    """
    if not (wanted and sys.stderr.isatty()):
        yield None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("")
        yield lambda what, done, of: progress.update(task, description=what, completed=done, total=of)


@contextmanager
def shown_reading(entries: Iterable[Entry], *, wanted: bool = True) -> Iterator[Iterable[Entry]]:
    """Give the entries of the record as they are, and show how far their reading is, while it lasts."""
    if not (wanted and sys.stderr.isatty()):
        yield entries
        return
    with Console(stderr=True).status("reading the record") as status:

        def counted() -> Iterator[Entry]:
            for number, entry in enumerate(entries, 1):
                if number % EVERY == 0:
                    status.update(Text(f"{number:,} entries, until {printable(entry.time[:16])}"))
                yield entry

        yield counted()
