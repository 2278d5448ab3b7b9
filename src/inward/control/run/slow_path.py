"""The slow path's process: loads the bundle in force, follows its changes, and answers the Envoys.

It is a process of its own, so that it goes on deciding while no control process is there.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from inward.control.bundle import CURRENT, BundleError, Policy, load_bundle
from inward.control.run.process import ProcessSpec
from inward.control.run.services import SLOW_PATH, search_path
from inward.envoy.slow_path import SlowPath

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inward.control.layout import Layout


class FollowedPolicy:
    """The policy of the current bundle in `folder`, loaded anew when another one becomes current."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._policy: Policy | None = None

    def __call__(self) -> Policy:
        """Return the policy in force; one small file is read a request, which this path can afford."""
        version = (self._folder / CURRENT).read_text()
        if self._policy is None or version != self._policy.version:
            self._policy = load_bundle(self._folder)
        if self._policy is None:
            raise BundleError(f"there is no bundle in `{self._folder}`")
        return self._policy


def slow_path_process(layout: Layout, environment: Mapping[str, str]) -> ProcessSpec:
    """Return the process of the slow path of a run."""
    argv = [sys.executable, "-m", "inward.control.run.slow_path", str(layout.bundle), str(layout.slow_socket)]
    given = {"PATH": search_path(environment), "HOME": environment.get("HOME", os.sep)}
    return ProcessSpec(SLOW_PATH, argv, layout.run, given, layout.output(SLOW_PATH))


def main(bundle: str, socket: str) -> None:
    """Serve the bundles in the folder `bundle` on the Unix socket `socket`."""
    Path(socket).unlink(missing_ok=True)
    followed = FollowedPolicy(Path(bundle))
    followed()
    os.umask(0o077)
    uvicorn.run(SlowPath(followed), uds=socket, log_level="warning", access_log=False, lifespan="off")


if __name__ == "__main__":
    main(*sys.argv[1:])
