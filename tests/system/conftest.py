"""Systems behind real Envoys for the tests: one for all that changes nothing, and fresh ones for the rest."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from tests.system.guarded import Guarded, stop_and_look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """The company, for tests that leave it as it is."""
    system = Guarded(tmp_path_factory.mktemp("company"))
    try:
        yield system.start()
        assert list(stop_and_look(system)) == []
    finally:
        system.destroy()
        shutil.rmtree(system.layout.run, ignore_errors=True)


@pytest.fixture
def guard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Guarded]]:
    """Make systems of this test's own; they are ended with it, and nothing of them may be left."""
    made: list[Guarded] = []

    def make(files: Mapping[str, str], environment: Mapping[str, str] | None = None) -> Guarded:
        system = Guarded(tmp_path_factory.mktemp("system"), files, environment)
        made.append(system)
        return system

    try:
        yield make
        assert [wrong for system in made for wrong in stop_and_look(system)] == []
    finally:
        for system in made:
            system.destroy()
            shutil.rmtree(system.layout.run, ignore_errors=True)
