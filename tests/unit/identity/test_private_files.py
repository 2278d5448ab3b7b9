from __future__ import annotations

import os
import stat
import tempfile
import threading
from pathlib import Path

import pytest

from inward.identity import private_files
from inward.identity.private_files import (
    PrivateFileError,
    is_in_memory,
    private_folder,
    read_private,
    runtime_folder,
    write_private,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return private_folder(tmp_path / "private")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


class TestPrivateFolder:
    def test_it_makes_what_is_missing_with_mode_0700(self, tmp_path: Path) -> None:
        path = private_folder(tmp_path / "one" / "two")
        assert [mode(path), mode(path.parent)] == [0o700, 0o700]
        assert private_folder(path) == path

    def test_a_generous_umask_changes_nothing(self, tmp_path: Path) -> None:
        before = os.umask(0)
        try:
            path = private_folder(tmp_path / "one")
            write_private(path / "file", b"x")
        finally:
            os.umask(before)
        assert [mode(path), mode(path / "file")] == [0o700, 0o600]

    def test_relative_paths(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert private_folder(Path("here")) == tmp_path / "here"

    @pytest.mark.parametrize("open_to", [0o710, 0o701, 0o750, 0o777])
    def test_one_that_is_open_to_others(self, folder: Path, open_to: int) -> None:
        folder.chmod(open_to)
        with pytest.raises(PrivateFileError, match=f"its mode is 0{open_to:o}"):
            private_folder(folder)
        assert mode(folder) == open_to

    def test_one_that_is_a_link(self, tmp_path: Path, folder: Path) -> None:
        link = tmp_path / "link"
        link.symlink_to(folder)
        with pytest.raises(PrivateFileError, match="is a symbolic link"):
            private_folder(link)
        dangling = tmp_path / "dangling"
        dangling.symlink_to(tmp_path / "nowhere")
        with pytest.raises(PrivateFileError, match="is a symbolic link"):
            private_folder(dangling)

    def test_one_that_is_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(PrivateFileError, match="cannot open"):
            private_folder(tmp_path / "file")
        with pytest.raises(PrivateFileError, match="cannot"):
            private_folder(tmp_path / "file" / "inside")

    def test_one_of_somebody_else(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
        with pytest.raises(PrivateFileError, match="belongs to the account"):
            private_folder(folder)


class TestFiles:
    def test_what_is_written_is_read(self, folder: Path) -> None:
        file = folder / "key"
        assert read_private(file) is None
        write_private(file, b"one")
        write_private(file, b"two")
        assert read_private(file) == b"two"
        assert mode(file) == 0o600
        assert [file.name for file in folder.iterdir()] == ["key"]

    def test_what_a_crash_left_is_replaced(self, folder: Path) -> None:
        (folder / ".key.new").write_bytes(b"half a k")
        write_private(folder / "key", b"whole")
        assert read_private(folder / "key") == b"whole"
        assert [file.name for file in folder.iterdir()] == ["key"]

    @pytest.mark.parametrize("call", ["open", "fsync", "rename"])
    def test_a_write_that_fails_leaves_the_old_content(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, call: str
    ) -> None:
        file = folder / "key"
        write_private(file, b"old")
        real = getattr(os, call)

        def failing(*arguments: object, **named: object) -> object:
            if call == "open" and arguments[0] != ".key.new":
                return real(*arguments, **named)
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(os, call, failing)
            with pytest.raises(PrivateFileError, match="no space left on device"):
                write_private(file, b"new")
        assert read_private(file) == b"old"
        write_private(file, b"newer")
        assert read_private(file) == b"newer"

    def test_links_are_neither_read_nor_written_through(self, folder: Path, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        outside.write_bytes(b"mine")
        outside.chmod(0o600)
        (folder / "key").symlink_to(outside)
        (folder / ".key.new").symlink_to(outside)
        with pytest.raises(PrivateFileError, match="is a symbolic link"):
            read_private(folder / "key")
        write_private(folder / "key", b"new")
        assert outside.read_bytes() == b"mine"
        assert read_private(folder / "key") == b"new"

    def test_files_that_are_open_to_others_too_large_or_no_files(self, folder: Path) -> None:
        write_private(folder / "key", b"12345")
        with pytest.raises(PrivateFileError, match="larger than 4 bytes"):
            read_private(folder / "key", limit=4)
        (folder / "key").chmod(0o640)
        with pytest.raises(PrivateFileError, match="open to other accounts"):
            read_private(folder / "key")
        (folder / "inside").mkdir()
        with pytest.raises(PrivateFileError, match="not of the kind"):
            read_private(folder / "inside")
        os.mkfifo(folder / "pipe", 0o600)
        with pytest.raises(PrivateFileError, match="not of the kind"):
            read_private(folder / "pipe")

    def test_a_folder_that_is_not_private(self, folder: Path) -> None:
        write_private(folder / "key", b"x")
        folder.chmod(0o755)
        with pytest.raises(PrivateFileError, match="open to other accounts"):
            read_private(folder / "key")
        with pytest.raises(PrivateFileError, match="open to other accounts"):
            write_private(folder / "key", b"y")
        folder.chmod(0o700)
        assert read_private(folder / "key") == b"x"

    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(PrivateFileError, match="no such file or directory"):
            write_private(tmp_path / "none" / "key", b"x")

    def test_writers_at_the_same_time(self, folder: Path) -> None:
        contents = [bytes([letter]) * 50_000 for letter in b"abcd"]

        def write(content: bytes) -> None:
            for _ in range(10):
                write_private(folder / "key", content)

        writers = [threading.Thread(target=write, args=(content,)) for content in contents]
        for writer in writers:
            writer.start()
        seen = {read_private(folder / "key") for _ in range(50)}
        for writer in writers:
            writer.join()
        assert seen <= {None, *contents}
        assert read_private(folder / "key") in contents
        assert [file.name for file in folder.iterdir()] == ["key"]


class TestRuntimeFolder:
    def test_xdg_runtime_dir_where_it_is_in_memory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(private_files, "is_in_memory", lambda path: path == tmp_path)
        found = runtime_folder("run-1", {"XDG_RUNTIME_DIR": str(tmp_path)})
        assert found.path == tmp_path / f"inward-{os.geteuid()}" / "run-1"
        assert found.in_memory
        assert [mode(found.path), mode(found.path.parent)] == [0o700, 0o700]

    def test_shared_memory_else(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        shared = tmp_path / "shm"
        shared.mkdir()
        monkeypatch.setattr(private_files, "_SHARED_MEMORY", shared)
        monkeypatch.setattr(private_files, "is_in_memory", lambda path: path == shared)
        for environment in ({}, {"XDG_RUNTIME_DIR": str(tmp_path)}, {"XDG_RUNTIME_DIR": "relative"}):
            found = runtime_folder("run-1", environment)
            assert found.path.is_relative_to(shared)
            assert found.in_memory

    def test_the_folder_for_temporary_files_else(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(private_files, "is_in_memory", lambda _: False)
        monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
        found = runtime_folder("run-1", {})
        assert found.path.is_relative_to(tmp_path)
        assert not found.in_memory

    def test_an_account_folder_that_somebody_else_made(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(private_files, "is_in_memory", lambda path: path == tmp_path)
        theirs = tmp_path / f"inward-{os.geteuid()}"
        theirs.mkdir(mode=0o777)
        theirs.chmod(0o777)
        with pytest.raises(PrivateFileError, match="open to other accounts"):
            runtime_folder("run-1", {"XDG_RUNTIME_DIR": str(tmp_path)})

    def test_which_file_systems_are_in_memory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        device = tmp_path.stat().st_dev
        number = f"{os.major(device)}:{os.minor(device)}"
        mounts = tmp_path / "mountinfo"
        monkeypatch.setattr(private_files, "_MOUNTS", mounts)
        for kind, expected in (("tmpfs", True), ("ramfs", True), ("ext4", False), ("overlay", False)):
            mounts.write_text(f"30 1 99:9 / / rw - ext4 x rw\n36 35 {number} / /x rw shared:1 - {kind} {kind} rw\n")
            assert is_in_memory(tmp_path) is expected
        mounts.write_text("nonsense\n\n")
        assert not is_in_memory(tmp_path)
        mounts.unlink()
        assert not is_in_memory(tmp_path)
        assert not is_in_memory(tmp_path / "none")
