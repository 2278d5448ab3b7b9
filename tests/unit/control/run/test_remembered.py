"""What was changed while nothing ran."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.insight.surveyed import grant, on, system, to

from inward.control.acts import policies_in
from inward.control.run.remembered import changed_meanwhile, remember
from inward.identity.private_files import private_folder
from inward.record.call import Act

if TYPE_CHECKING:
    from pathlib import Path

LIST, CREATE, OLD = (grant(name, to("web"), on(name)) for name in ("listOrders", "createOrder", "oldOrders"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return private_folder(tmp_path / "state") / "enforced.json"


def test_a_start_says_what_was_changed_since_the_last_run(tmp_path: Path, path: Path) -> None:
    before = system(tmp_path / "a", LIST, CREATE)
    remember(path, before)
    assert changed_meanwhile(path, before) == ""
    said = changed_meanwhile(path, system(tmp_path / "b", LIST.replace('"r"', '"other"'), OLD))
    assert said == f"; in the place of {before.version}; added: oldOrders; removed: createOrder; changed: listOrders"
    act = Act(time="2026-11-26T12:00:00.000Z", what="start", detail=f"2 services{said}")
    assert policies_in(act) == ({"oldOrders", "listOrders"}, False)


def test_many_changes_are_counted(tmp_path: Path, path: Path) -> None:
    remember(path, system(tmp_path / "a", LIST))
    many = [grant(f"g{number}", to("web"), on("listOrders")) for number in range(30)]
    said = changed_meanwhile(path, system(tmp_path / "b", LIST, *many))
    names, more = policies_in(Act(time="2026-11-26T12:00:00.000Z", what="start", detail=f"2 services{said}"))
    assert (len(names), more) == (20, True)


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff", b"[" * 100_000, b'{"version": "x", "policies": [1]}'])
def test_what_cannot_be_read_says_nothing(tmp_path: Path, path: Path, content: bytes | None) -> None:
    if content is not None:
        path.write_bytes(content)
        path.chmod(0o600)
    assert changed_meanwhile(path, system(tmp_path / "a", LIST)) == ""


def test_what_cannot_be_written_is_forgotten(tmp_path: Path, path: Path) -> None:
    before = system(tmp_path / "a", LIST)
    remember(path, before)
    (path.parent / ".enforced.json.new").mkdir()
    remember(path, system(tmp_path / "b", CREATE))
    assert not path.exists()
    remember(tmp_path / "nowhere" / "enforced.json", before)
