"""What a run says of itself, in a private file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inward.catalog.model import Address
from inward.control.running import (
    DamagedRunError,
    NotRunningError,
    Running,
    RunningService,
    load_running,
    parse_address,
    require_running,
    store_running,
)

if TYPE_CHECKING:
    from inward.control.layout import Layout

RUN = Running(
    pid=77,
    since="2026-08-01T12:00:00.000Z",
    services={"orders": RunningService(listen=None, egress="127.0.0.1:1", credential="c", app="/a")},
)


def test_what_is_said_is_read_back_and_private(layout: Layout) -> None:
    assert load_running(layout) is None
    with pytest.raises(NotRunningError, match="nothing runs"):
        require_running(layout)
    store_running(layout, RUN)
    assert load_running(layout) == require_running(layout) == RUN
    assert layout.running.stat().st_mode & 0o777 == 0o600  # it holds the credentials of the run
    assert "credential" not in str(layout.running)


@pytest.mark.parametrize("content", [b"", b"{", b"null", b'{"pid":"x"}', b"\xff", b"[" * 200_000])
def test_a_damaged_file_is_one_clear_error(layout: Layout, content: bytes) -> None:
    store_running(layout, RUN)
    layout.running.write_bytes(content)
    with pytest.raises(DamagedRunError) as raised:
        load_running(layout)
    assert str(layout.running) in raised.value.message


@pytest.mark.parametrize("address", [Address("127.0.0.1", 7001), Address("::1", 1), Address("::ffff:1.2.3.4", 65535)])
def test_an_address_is_read_as_it_was_written(address: Address) -> None:
    assert parse_address(str(address)) == address
