"""Files that only their owner reads, written whole or not at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from inward.record.disk import Disk, RecordError, make_private_folder

if TYPE_CHECKING:
    from pathlib import Path


class ShortDisk(Disk):
    """Takes three bytes at a time."""

    def write(self, descriptor: int, data: memoryview) -> int:
        return super().write(descriptor, data[:3])


class BrokenDisk(Disk):
    def fsync(self, descriptor: int) -> None:
        super().fsync(descriptor)
        raise OSError(5, os.strerror(5))


def test_everything_is_written_however_little_at_a_time(tmp_path: Path) -> None:
    disk = ShortDisk()
    disk.store(tmp_path / "x", b"0123456789")
    assert (tmp_path / "x").read_bytes() == b"0123456789"
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o600


def test_a_store_that_fails_leaves_the_old_content(tmp_path: Path) -> None:
    Disk().store(tmp_path / "x", b"old")
    with pytest.raises(OSError, match="Input/output"):
        BrokenDisk().store(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"old"
    Disk().store(tmp_path / "x", b"newer")
    assert (tmp_path / "x").read_bytes() == b"newer"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_links_and_existing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    with pytest.raises(FileExistsError):
        Disk().create(tmp_path / "there")
    with pytest.raises(FileExistsError):
        Disk().create(tmp_path / "link")
    with pytest.raises(OSError, match="symbolic links"):
        Disk().open(tmp_path / "link")


def test_a_folder_is_made_private(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir(mode=0o755)
    for name in ("old", "new"):
        make_private_folder(tmp_path / name)
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_made_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordError, match="cannot be made"):
        make_private_folder(tmp_path / "file" / "record")


def test_writing_again_changes_nothing_and_works_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inward.record.disk._BLOCK_BYTES", 3)
    (tmp_path / "x").write_bytes(b"0123456789")
    for start in (0, 4, 10, 99):
        Disk().write_again(tmp_path / "x", start)
        assert (tmp_path / "x").read_bytes() == b"0123456789"
