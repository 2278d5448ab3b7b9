"""Operations from source code, whichever framework it is of: that is told by looking.

Nothing of the source is imported or run. What is read is bounded (`files`), and what cannot be read is a note with its
place, never a guess.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inward.catalog.document import shown
from inward.discovery.source.jvm.spring import read_spring
from inward.discovery.source.python.django import read_django
from inward.discovery.source.python.modules import Python
from inward.discovery.source.python.routers import read_routers
from inward.errors import BadInputError

if TYPE_CHECKING:
    from pathlib import Path

    from inward.discovery.found import Discovery

_JVM = (".java", ".kt")


class UnreadableSourceError(BadInputError):
    """There is no such source."""

    code = "unreadable_source"


def read_source(path: Path, discovery: Discovery) -> None:
    """Add the operations of the services in a folder, or in a file; where there is none, a note.

    Raises `UnreadableSourceError`.
    """
    if not path.exists():
        raise UnreadableSourceError(
            f"there is no `{shown(str(path))}`", hint="name a folder with source code, or a file"
        )
    applications = 0
    if path.is_dir() or path.suffix == ".py":
        python = Python(path.absolute(), discovery)
        applications += read_routers(python, discovery) + read_django(python, discovery)
    if path.is_dir() or path.suffix in _JVM:
        applications += read_spring(path.absolute(), discovery)
    if not applications:
        what = "no FastAPI, Flask, Django or Spring application was found"
        discovery.note(str(path), what, "is it the right folder? logs and running services need no source")
