"""One process at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from inward.record.disk import RecordError
from inward.record.lock import FolderLock, FolderLockedError, Holder

if TYPE_CHECKING:
    from pathlib import Path


def noon() -> datetime:
    return datetime(2026, 8, 1, 12, tzinfo=UTC)


def test_the_second_is_told_who_holds_it(tmp_path: Path) -> None:
    with FolderLock(tmp_path, now=noon):
        with pytest.raises(FolderLockedError) as caught:
            FolderLock(tmp_path)
        assert caught.value.holder == Holder(os.getpid(), "2026-08-01T12:00:00.000Z")
        assert f"process {os.getpid()} since 2026-08-01T12:00:00.000Z" in caught.value.message
    with FolderLock(tmp_path) as lock:
        pass
    assert lock.released
    lock.release()


def test_another_process_is_told_and_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from inward.record.lock import FolderLock;"
        "lock = FolderLock(pathlib.Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(FolderLockedError, match=f"process {other.pid} since"):
            FolderLock(tmp_path)
        other.kill()
    FolderLock(tmp_path).release()


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b'{"pid":"x"}', b"[" * 5000])
def test_a_holder_that_says_nonsense_is_still_refused(tmp_path: Path, text: bytes) -> None:
    with FolderLock(tmp_path):
        (tmp_path / "lock").write_bytes(text)
        with pytest.raises(FolderLockedError, match="another process") as caught:
            FolderLock(tmp_path)
        assert caught.value.holder is None


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RecordError, match="cannot be opened"):
        FolderLock(tmp_path)
    assert not (tmp_path / "elsewhere").exists()
