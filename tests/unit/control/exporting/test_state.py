"""What is kept of a destination: private, whole, and of one run."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from inward.control.exporting.state import DamagedStateError, ExportState, load_state, store_state, stored_states
from inward.record.follow import Place

if TYPE_CHECKING:
    from pathlib import Path


def test_it_comes_back(tmp_path: Path) -> None:
    state = ExportState(place=Place(3, 14), sent=15, skipped=9, refused=2, untold=6, trouble="away", waiting=5, run=7)
    store_state(tmp_path / "export", "ocsf", state)
    assert load_state(tmp_path / "export", "ocsf") == state
    path = tmp_path / "export" / "ocsf.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_there_may_be_none(tmp_path: Path) -> None:
    assert load_state(tmp_path / "export", "ocsf") is None
    assert stored_states(tmp_path / "export", 7) == {}


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"version":2}', b'{"place":[0,-1]}', b'{"place":[1]}', b'{"more":1}', b"[" * 99999]
)
def test_what_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    store_state(tmp_path / "export", "ocsf", ExportState())
    (tmp_path / "export" / "ocsf.json").write_bytes(content)
    with pytest.raises(DamagedStateError):
        load_state(tmp_path / "export", "ocsf")
    assert stored_states(tmp_path / "export", 0) == {}


def test_only_those_of_a_run_are_listed(tmp_path: Path) -> None:
    for name, run in (("ocsf", 7), ("otlp-logs", 7), ("otlp-traces", 6)):
        store_state(tmp_path / "export", name, ExportState(run=run))
    assert list(stored_states(tmp_path / "export", 7)) == ["ocsf", "otlp-logs"]
