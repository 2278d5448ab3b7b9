"""The list of services in quarantine as a server follows it: at once, and closed where it cannot be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inward.guard.serve.quarantine import FollowedQuarantine
from inward.identity.private_files import private_folder, write_private
from inward.identity.spiffe_id import SpiffeID

if TYPE_CHECKING:
    from pathlib import Path

OWN = SpiffeID.parse("spiffe://a.test/orders")
TILL = "spiffe://a.test/till"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return private_folder(tmp_path / "state") / "quarantine.json"


def test_a_change_holds_at_once(path: Path) -> None:
    followed = FollowedQuarantine(path, OWN)
    assert not followed.holds(TILL)
    write_private(path, b'{"till":{}}')
    assert followed.holds(TILL)
    assert not followed.holds("spiffe://a.test/office")
    write_private(path, b"{}")
    assert not followed.holds(TILL)
    write_private(path, b'{"orders":{}}')
    assert followed.holds(TILL)
    path.unlink()
    assert not followed.holds(TILL)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"till":', b'{"no name":{}}', b"\xff", b"[" * 100_000])
def test_a_list_that_cannot_be_read_holds_for_everybody(
    path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    write_private(path, content)
    followed = FollowedQuarantine(path, OWN)
    assert followed.holds(TILL)
    assert followed.holds(TILL)
    assert len(caplog.records) == 1


def test_a_list_that_others_could_have_written_holds_for_everybody(path: Path) -> None:
    write_private(path, b"{}")
    path.chmod(0o666)
    assert FollowedQuarantine(path, OWN).holds(TILL)
