"""Finds and reads the tests of a system folder, `policies/*.test.yaml`, and runs them.

Tests are no policies: they are not part of what is enforced, nor of its version, and a mistake in them keeps no policy
from being enforced. Every mistake is reported in one run; where there is any, no test is returned.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inward.catalog.document import shown
from inward.catalog.folder import SystemFolder
from inward.errors import Mistake, Place
from inward.policy.cases.read import Subject, read_tests
from inward.policy.cases.run import run
from inward.policy.loading.load import FOLDER
from inward.policy.loading.source import MAX_MISTAKES
from inward.policy.resources.model import NO_RESOURCES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inward.catalog.model import Catalog
    from inward.policy.cases.model import Outcome, PolicyTest
    from inward.policy.decide import Engine
    from inward.policy.resources.model import Resources

SUFFIX = ".test.yaml"
_ALMOST = re.compile(r".*[._-]tests?\.(ya?ml|json)", re.IGNORECASE | re.DOTALL)  # a test that would never be run


def load_and_run(folder: Path, catalog: Catalog, engine: Engine) -> tuple[list[Outcome], list[Mistake]]:
    """Run the tests of the system in `folder`; with a mistake in any, none is run."""
    tests, mistakes = load_tests(folder, catalog, engine.index.resources)
    return list(run(tests, engine)), mistakes


def load_tests(
    folder: Path, catalog: Catalog, resources: Resources = NO_RESOURCES
) -> tuple[tuple[PolicyTest, ...], list[Mistake]]:
    """Load the tests of the system in `folder`, or the mistakes in them, both in the order of files and lines."""
    mistakes: list[Mistake] = []
    tests: list[PolicyTest] = []
    subject: Subject | None = None  # made for the first file: it takes longer than to find that there is none
    for name in _find(folder, mistakes):
        reading = SystemFolder(folder)
        root = reading.open(name)
        if root is not None:
            subject = subject or Subject.of(catalog, resources)
            tests += read_tests(root, subject)
        found = sorted(set(reading.mistakes))
        mistakes += found[:MAX_MISTAKES]
        if len(found) > MAX_MISTAKES:
            mistakes.append(Mistake(Place(name), f"{len(found) - MAX_MISTAKES} more mistakes"))
    return ((), sorted(set(mistakes))) if mistakes else (tuple(tests), [])


def _find(folder: Path, mistakes: list[Mistake]) -> Iterator[str]:
    """Yield the names of the test files, relative to the system folder."""
    try:
        names = sorted(path.name for path in (folder / FOLDER).iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        mistakes.append(Mistake(Place(FOLDER), f"the folder cannot be read: {error.strerror}"))
        return
    for name in names:
        if name.startswith("."):
            continue  # an editor's
        if name.endswith(SUFFIX):
            yield f"{FOLDER}/{name}"
        elif _ALMOST.fullmatch(name):
            what = "is not named like a test of policies, so it would never be run"
            mistakes.append(Mistake(Place(f"{FOLDER}/{shown(name)}"), what, f"let its name end with `{SUFFIX}`"))
