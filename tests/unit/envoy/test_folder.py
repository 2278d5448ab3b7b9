"""The files that an Envoy watches: whole, versioned, written only when they differ."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec
import pytest

from inward.envoy.folder import VERSION_STATS, EnvoyFolder
from inward.identity.private_files import PrivateFileError

if TYPE_CHECKING:
    from pathlib import Path

CDS = VERSION_STATS["clusters.json"]


@pytest.fixture
def folder(tmp_path: Path) -> EnvoyFolder:
    path = tmp_path / "s"
    path.mkdir(mode=0o700)
    return EnvoyFolder(path)


def test_a_file_says_its_version_and_is_replaced_by_another_one(folder: EnvoyFolder) -> None:
    assert folder.write("clusters.json", [{"name": "a"}])
    path = folder.path / "clusters.json"
    first = path.stat()
    content = msgspec.json.decode(path.read_bytes())
    assert content == {"version_info": folder.written["clusters.json"], "resources": [{"name": "a"}]}
    assert first.st_mode & 0o777 == 0o600
    assert not folder.write("clusters.json", [{"name": "a"}])
    assert path.stat().st_mtime_ns == first.st_mtime_ns
    assert folder.write("clusters.json", [{"name": "b"}])
    # Envoy sees renames, and no writing in place
    assert path.stat().st_ino != first.st_ino
    assert [each.name for each in folder.path.iterdir()] == ["clusters.json"]


def test_a_given_version_stands_for_the_content(folder: EnvoyFolder) -> None:
    assert folder.write("routes.json", [{}], 'v"1')
    assert not folder.write("routes.json", [{"x": 1}], 'v"1')
    assert msgspec.json.decode((folder.path / "routes.json").read_bytes())["version_info"] == 'v"1'


def test_a_file_that_could_not_be_written_is_written_the_next_time(folder: EnvoyFolder) -> None:
    folder.path.rmdir()
    with pytest.raises(PrivateFileError):
        folder.write("clusters.json", [{}])
    assert folder.written == {}
    folder.path.mkdir(mode=0o700)
    assert folder.write("clusters.json", [{}])


def test_what_another_process_wrote_is_learned_and_not_written_again(folder: EnvoyFolder) -> None:
    folder.write("clusters.json", [{"name": "a"}])
    folder.write("routes.json", [{}], "v1.abc")
    other = EnvoyFolder(folder.path)
    other.recall()
    assert other.written == folder.written
    assert not other.write("clusters.json", [{"name": "a"}])


@pytest.mark.parametrize("damaged", [b"", b"{", b'{"version_info":7}', b'{"version_info":"\xff"}', b"[" * 200_000])
def test_a_damaged_file_is_none(folder: EnvoyFolder, damaged: bytes) -> None:
    folder.write("clusters.json", [{}])
    (folder.path / "clusters.json").write_bytes(damaged)
    folder.recall()
    assert folder.written == {}
    assert folder.write("clusters.json", [{}])


def test_only_what_was_asked_for_is_recalled(folder: EnvoyFolder) -> None:
    other = EnvoyFolder(folder.path)
    other.write("quarantine.json", [{}])
    other.write("clusters.json", [{}])
    folder.recall(["quarantine.json"])
    assert set(folder.written) == {"quarantine.json"}
    (folder.path / "quarantine.json").unlink()
    folder.recall(["quarantine.json"])
    assert folder.written == {}


def test_outdated_is_what_envoy_says_it_enforces_another_version_of(folder: EnvoyFolder) -> None:
    folder.write("clusters.json", [{}], "v2")
    folder.write("routes.json", [{}], "r1")
    assert folder.outdated({CDS: "v1"}) == {"clusters.json": "v2"}
    assert folder.outdated({CDS: ""}) == {"clusters.json": "v2"}  # none yet
    assert folder.outdated({CDS: "v2"}) == {}
    # a service that only calls has no routes that it could enforce
    assert VERSION_STATS["routes.json"] not in {CDS: "v2"}


def test_a_reader_never_sees_half_a_file(folder: EnvoyFolder) -> None:
    folder.write("clusters.json", [{"fill": "0" * 50_000}])
    path, seen, done = folder.path / "clusters.json", set(), threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(msgspec.json.decode(path.read_bytes())["resources"][0]["fill"][0])

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(40):
            folder.write("clusters.json", [{"fill": str(number % 10) * 50_000}])
    finally:
        done.set()
        reader.join()
    assert seen <= set("0123456789")
    assert seen
