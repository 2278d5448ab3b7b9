"""The process of the slow path: what it is started as. What it answers is tested with the application itself."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from inward.control.run.services import SLOW_PATH, envoy_name
from inward.control.run.slow_path import slow_path_process

if TYPE_CHECKING:
    from inward.control.layout import Layout


def test_it_is_given_the_bundle_a_socket_and_no_secret(layout: Layout) -> None:
    environment = {"PATH": "/bin", "HOME": "/root", "INWARD_CA_PASSPHRASE": "s3cret", "AWS_SECRET": "x"}
    spec = slow_path_process(layout, environment)
    assert spec.argv == [
        sys.executable,
        "-m",
        "inward.control.run.slow_path",
        str(layout.bundle),
        str(layout.slow_socket),
    ]
    assert set(spec.environment) == {"PATH", "HOME"}
    assert spec.output == layout.output(SLOW_PATH)


def test_its_name_is_that_of_no_service() -> None:
    """A service may be called `slow-path`; names of services have no dots."""
    assert "." in SLOW_PATH
    assert not SLOW_PATH.endswith(envoy_name(""))
