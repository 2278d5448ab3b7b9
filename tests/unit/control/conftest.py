"""A small system in a folder of its own, with its private folders where a socket's path is short enough."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.unit.envoy import shop

from inward.control.bundle import Policy, load_policy
from inward.control.layout import Layout
from inward.control.run.ports import Ports
from inward.identity.private_files import private_folder

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """A system folder without a mistake."""
    return shop.write(tmp_path / "system", shop.files())


@pytest.fixture
def layout(system: Path) -> Iterator[Layout]:
    """The layout of `system`, whose run folder is taken away after the test."""
    with tempfile.TemporaryDirectory(prefix="inw") as folder:
        private_folder(system / ".inward")
        yield Layout(system, private_folder(Path(folder) / "r"), in_memory=False)


@pytest.fixture
def policy(system: Path) -> Policy:
    """What the system folder says."""
    return load_policy(system)


@pytest.fixture
def ports() -> Iterator[Ports]:
    """The ports of a run, held until the end of the test."""
    found = Ports()
    yield found
    found.close()


@pytest.fixture(autouse=True)
def no_run_folder_is_left(system: Path) -> Iterator[None]:
    """Take away what `Layout.of` made for the system, if a test asked it."""
    yield
    if (system / ".inward").is_dir():
        shutil.rmtree(Layout.of(system).run, ignore_errors=True)
