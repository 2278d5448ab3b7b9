"""The gRPC service by every kind of server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.contract.guard.rpc.people import Handled, followed
from tests.contract.guard.rpc.servers import KINDS, Served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inward.guard.bundle import FollowedBundle


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rpc")


@pytest.fixture(scope="session")
def bundle(folder: Path) -> FollowedBundle:
    return followed(folder)


@pytest.fixture(scope="session", params=KINDS)
def serving(request: pytest.FixtureRequest, folder: Path, bundle: FollowedBundle) -> Iterator[Served]:
    served = Served(request.param, folder, bundle, max_bytes=100_000)
    try:
        yield served.start()
    finally:
        served.stop()


@pytest.fixture
def served(serving: Served) -> Served:
    serving.handled = Handled()
    return serving
