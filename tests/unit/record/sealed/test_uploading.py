"""Sealed segments in a bucket: a real server that speaks S3."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
from collections import deque
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from tests.unit.record.audit.log import Log

from inward.catalog.retention import Keep
from inward.errors import BadInputError
from inward.record import follow, reader
from inward.record.audit.fsck import look_through
from inward.record.audit.prove import prove_call
from inward.record.call import Call
from inward.record.disk import Disk, RecordError
from inward.record.filter import Filter
from inward.record.follow import Follower, Place
from inward.record.pieces import list_pieces
from inward.record.reader import find_calls, read_calls
from inward.record.sealed import bucket
from inward.record.sealed.files import list_local
from inward.record.sealed.query import asked
from inward.record.sealed.retention import retire
from inward.record.sealed.shelf import list_sealed
from inward.record.sealed.uploading import upload_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.record.call import Entry

URL = "s3://records/some/prefix"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    reading = threading.Thread(target=deque, args=(process.stderr, 0))  # else it stops once the pipe is full
    try:
        assert any(b"Running on" in line for line in process.stderr)
        reading.start()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
        if reading.ident is not None:
            reading.join()
        process.stderr.close()


@pytest.fixture(autouse=True)
def environment(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    known = {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": server,
    }
    for name, value in known.items():
        monkeypatch.setenv(name, value)
    bucket.store_of.cache_clear()
    yield
    bucket.store_of.cache_clear()


@pytest.fixture(scope="module")
def sealed_log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    log = Log.make(tmp_path_factory.mktemp("log"), 1500)
    assert log.seal()
    return log


@pytest.fixture
def log(sealed_log: Log, tmp_path: Path, server: str) -> Log:
    shutil.copytree(sealed_log.folder, tmp_path / "record")
    shutil.copy(sealed_log.head, tmp_path / "head")
    client = boto3.client("s3", endpoint_url=server, region_name="us-east-1")
    client.create_bucket(Bucket="records")
    for item in client.list_objects_v2(Bucket="records").get("Contents", []):
        client.delete_object(Bucket="records", Key=item["Key"])
    return Log(tmp_path / "record", sealed_log.signer, tmp_path / "head", sealed_log.count)


def test_everything_reads_a_bucket_as_it_reads_a_folder(log: Log) -> None:
    before = [call.id for call in read_calls(log.folder)]
    names = [each.name for each in list_local(log.folder)]
    assert [each.name for each in upload_all(log.folder, URL, Disk())] == names
    assert list_local(log.folder) == []
    assert [(each.place, each.name) for each in list_sealed(log.folder)] == [(URL, name) for name in names]
    assert [call.id for call in read_calls(log.folder)] == before
    assert [call.id for call in read_calls(log.folder, Filter(caller="nobody"))] == []
    assert [call.id for call in find_calls(log.folder, "call-17")] == ["call-17"]
    assert (log.verified().damages, log.verified().size, look_through(log.folder)) == ([], log.count, [])
    assert prove_call(log.folder, "call-300", log.signer.verifier)
    with asked(log.folder, "SELECT count(*) FROM calls") as answer:
        assert list(answer.rows()) == [(1500,)]
    log.grow(log.count + 700)
    assert log.seal()
    assert log.verified().damages == []


def test_retention_reaches_a_bucket(log: Log) -> None:
    list(upload_all(log.folder, URL, Disk()))
    later = datetime(2027, 11, 26, tzinfo=UTC)
    for sealed in list_sealed(log.folder):
        assert retire(sealed, log.folder, Keep(allowed=timedelta(days=1)), later, log.note)
    found = log.verified()
    assert (found.damages, found.gone) == ([], [])
    assert found.retired


def test_what_was_changed_in_a_bucket_is_found(log: Log, server: str) -> None:
    list(upload_all(log.folder, URL, Disk()))
    client = boto3.client("s3", endpoint_url=server, region_name="us-east-1")
    first, second = (each.name for each in list_sealed(log.folder)[:2])
    body = bytearray(client.get_object(Bucket="records", Key=f"some/prefix/{first}")["Body"].read())
    body[len(body) // 2] ^= 1
    client.put_object(Bucket="records", Key=f"some/prefix/{first}", Body=bytes(body))
    assert {damage.file for damage in log.verified().damages} == {first}
    client.delete_object(Bucket="records", Key=f"some/prefix/{second}")
    assert [part.name[-15:-7] for part in log.verified().gone] == [Path(second).stem[-8:]]


def test_nothing_is_deleted_here_where_the_bucket_does_not_take_it(log: Log, server: str) -> None:
    boto3.client("s3", endpoint_url=server, region_name="us-east-1").delete_bucket(Bucket="records")
    before = list_local(log.folder)
    with pytest.raises(OSError, match="404"):
        list(upload_all(log.folder, URL, Disk()))
    assert list_local(log.folder) == before


def test_a_bucket_is_of_one_record(log: Log, tmp_path: Path) -> None:
    list(upload_all(log.folder, URL, Disk()))
    other = Log.make(tmp_path / "other", 700)
    other.seal()
    before = list_local(other.folder)
    with pytest.raises(RecordError, match="another record"):
        list(upload_all(other.folder, URL, Disk()))
    assert list_local(other.folder) == before
    with pytest.raises(RecordError, match="is in the bucket"):
        list(upload_all(log.folder, "s3://records/elsewhere", Disk()))
    assert log.verified().damages == []
    assert list(upload_all(other.folder, "s3://records/other", Disk()))


def test_a_bucket_that_is_away_is_said(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    list(upload_all(log.folder, URL, Disk()))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    bucket.store_of.cache_clear()
    with pytest.raises(RecordError, match="cannot be read") as caught:
        list(read_calls(log.folder))
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("url", ["", "records", "http://records/x", "s3://", "file:///tmp"])
def test_what_is_no_bucket(url: str) -> None:
    with pytest.raises(BadInputError, match="`"):
        bucket.store_of(url)


def test_a_segment_that_stays_here_hides_none_that_moved(log: Log) -> None:
    list(upload_all(log.folder, URL, Disk()))
    first = list_sealed(log.folder)[0]
    here = log.folder / first.name
    here.parent.mkdir(exist_ok=True)
    here.write_bytes(bucket.read(URL, first.name) or b"")
    follower = Follower(log.folder)
    entries: list[tuple[Place, Entry]] = []
    while some := follower.read(100):
        entries += some
    assert [entry.id for _, entry in entries if isinstance(entry, Call)] == [f"call-{n}" for n in range(1500)]
    assert follower.missing() == []


def test_what_moves_while_it_is_read_is_not_missed(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    follower, wanted = Follower(log.folder), [call.id for call in read_calls(log.folder)]
    pieces = list_pieces(log.folder)
    list(upload_all(log.folder, URL, Disk()))
    with monkeypatch.context() as patch:
        patch.setattr(follow, "list_pieces", lambda *_, **__: pieces)  # as they were listed before
        with pytest.raises(RecordError):
            follower.read(10)
    with monkeypatch.context() as patch:
        lists = iter([pieces])
        patch.setattr(reader, "list_pieces", lambda *given, **more: next(lists, None) or list_pieces(*given, **more))
        assert [call.id for call in read_calls(log.folder)] == wanted
    assert [entry.id for _, entry in follower.read(2000) if isinstance(entry, Call)] == wanted
    assert follower.missing() == []
