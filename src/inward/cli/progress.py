"""How far long work is, on standard error, for a person who waits at a terminal."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Watch = Callable[[str, int, int], None]


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
