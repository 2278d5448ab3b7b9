from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from inward.errors import BadInputError
from inward.policy.authoring.replace import EditRefusedError, read_file, replace_file

if TYPE_CHECKING:
    from pathlib import Path

FILE = "policies/orders.cedar"


def test_a_file_comes_into_being_and_is_replaced_whole(tmp_path: Path) -> None:
    assert read_file(tmp_path, FILE) == b""
    replace_file(tmp_path, FILE, b"", b"one")
    (tmp_path / FILE).chmod(0o604)
    replace_file(tmp_path, FILE, b"one", b"two")
    assert read_file(tmp_path, FILE) == b"two"
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o604
    assert [path.name for path in (tmp_path / "policies").iterdir()] == ["orders.cedar"]


def test_what_somebody_else_wrote_meanwhile_stays(tmp_path: Path) -> None:
    replace_file(tmp_path, FILE, b"", b"theirs")
    with pytest.raises(EditRefusedError, match="changed meanwhile"):
        replace_file(tmp_path, FILE, b"ours", b"new")
    assert read_file(tmp_path, FILE) == b"theirs"


def test_what_is_no_file_of_the_system_is_not_read(tmp_path: Path) -> None:
    system = tmp_path / "system"
    (system / "policies").mkdir(parents=True)
    (tmp_path / "outside.cedar").write_text("theirs")
    (system / FILE).symlink_to(tmp_path / "outside.cedar")
    with pytest.raises(EditRefusedError, match="outside of the system"):
        read_file(system, FILE)
    (system / FILE).unlink()
    os.mkfifo(system / FILE)
    with pytest.raises(BadInputError, match="no regular file"):
        read_file(system, FILE)
    (system / FILE).unlink()
    (system / FILE).symlink_to(system / FILE)
    with pytest.raises(BadInputError, match=f"{FILE} cannot be read"):
        read_file(system, FILE)
