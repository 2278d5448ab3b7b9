"""How tests are dealt out to workers, and what none of them may touch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xdist.remote import Producer

SYSTEMS = "tests/system/"


class OneWorkerForSystems(LoadScopeScheduling):  # type: ignore[misc] # it has no types
    """Gives all tests that start whole systems to one worker, and every other test to whoever is free.

    Two workers could take more inotify instances than an account has by default, and an Envoy without one aborts.
    (The mark `xdist_group` would say the same, but has no effect with pytest 9.)
    """

    def _split_scope(self, nodeid: str) -> str:
        return SYSTEMS if nodeid.startswith(SYSTEMS) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneWorkerForSystems:
    """Return the scheduler, whatever `--dist` says."""
    return OneWorkerForSystems(config, log)


@pytest.fixture(autouse=True, scope="session")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let no test use or fill the caches of whoever runs it, in its own process or in one that it starts."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("caches")))
        yield
