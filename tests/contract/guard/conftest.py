"""The service in every framework, and what its handlers are told to answer."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import pytest
from tests.contract.guard.frameworks import ASGI, WSGI, Asked
from tests.contract.guard.people import ANSWERS, followed, handled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.guard.bundle import FollowedBundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> FollowedBundle:
    return followed(tmp_path_factory.mktemp("people"))


@pytest.fixture(scope="module", params=[*ASGI, *WSGI])
def service(request: pytest.FixtureRequest, bundle: FollowedBundle) -> Asked:
    name = request.param.partition("-")[0]
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    return Asked(request.param, bundle, max_bytes=100_000)


@pytest.fixture(autouse=True)
def _script() -> Iterator[None]:
    for each in (handled.calls, handled.headers, handled.bodies):
        each.clear()
    before = dict(ANSWERS)
    yield
    ANSWERS.clear()
    ANSWERS.update(before)
