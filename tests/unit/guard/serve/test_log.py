"""The log of a guard: lines that the tailer reads as calls, and what happens where none can be written."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.contract.guard.people import FILES, followed

from inward.catalog.system import load_catalog
from inward.envoy.access_log import ANSWERED, parse_line
from inward.envoy.log_folder import LogFolder
from inward.envoy.tail import Line, Tailer
from inward.guard.core import Inbound
from inward.guard.serve import log
from inward.guard.serve.log import KIND, Asked, CallLog, CallLogError
from inward.policy.decision import Reason
from inward.record.verdict import Verdict, encode_verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inward.record.call import Call, Gap

NOW = datetime(2027, 1, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(microseconds=1500)


@pytest.fixture
def folder(tmp_path: Path) -> LogFolder:
    made = LogFolder(tmp_path, KIND)
    made.switch()
    return made


@pytest.fixture
def calls(folder: LogFolder) -> Iterator[CallLog]:
    made = CallLog(folder.symlink)
    yield made
    made.close()


def read(folder: LogFolder) -> list[Line | Gap]:
    tailer = Tailer(folder, "people")
    found: list[Line | Gap] = []
    while more := tailer.read():
        found += more
    tailer.close()
    return found


def only_call(folder: LogFolder, catalog: Any) -> Call:
    (line,) = read(folder)
    assert isinstance(line, Line)
    call = parse_line(line.data, "people", catalog, line.src)
    assert call is not None
    return call


def test_the_form_says_that_the_service_answered_as_envoys_does() -> None:
    assert log.ANSWERED == ANSWERED


@pytest.mark.parametrize(("mode", "carried_out"), [("get", "deny"), ("watch", "allow")])
def test_what_the_guard_says_becomes_the_call(
    tmp_path: Path, folder: LogFolder, calls: CallLog, mode: str, carried_out: str
) -> None:
    core = followed(tmp_path / "people").follow()
    path = {"get": "/people/1", "watch": "/watched/1"}[mode]
    peer = "spiffe://people.test/stranger"
    admission = core.admit(Inbound("GET", path, "", (f"URI={peer}",), private=True, reference="r"), NOW)
    assert admission.verdict is not None
    asked = Asked(NOW, "r", peer, "GET", path, None, 403, 1, 2, encode_verdict(admission.verdict), admission, "v1")
    calls.call(asked, LATER)
    catalog, _ = load_catalog(tmp_path / "people" / "system")
    call = only_call(folder, catalog)
    assert (call.decision, call.carried_out, call.reason, call.enforcer) == ("deny", carried_out, "no_grant", "guard")
    assert (call.caller, call.operation, call.policy_version) == ("stranger", f"people:{mode}Person", "v1")
    assert (call.time, call.duration_us, call.bytes_in, call.bytes_out) == ("2027-01-01T12:00:00.000Z", 1500, 1, 2)


def test_a_failed_handshake_names_no_caller(tmp_path: Path, folder: LogFolder, calls: CallLog) -> None:
    calls.handshake(NOW, "r", "certificate has expired", "10.0.0.1")
    followed(tmp_path / "people")
    catalog, _ = load_catalog(tmp_path / "people" / "system")
    call = only_call(folder, catalog)
    assert (call.reason, call.caller, call.id) == ("bad_identity", None, "r")
    assert (call.address, call.detail) == ("10.0.0.1", "certificate has expired")


def test_the_next_line_goes_to_the_file_that_the_symlink_leads_to(folder: LogFolder, calls: CallLog) -> None:
    for _ in range(3):
        calls.call(Asked(NOW, "r"), NOW)
        folder.switch()
    assert [folder.size(number) > 0 for number in folder.numbers()] == [True, True, True, False]
    assert len(read(folder)) == 3


def test_a_line_that_the_disk_took_in_part_spoils_no_other(
    folder: LogFolder, calls: CallLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:10]))
    with pytest.raises(CallLogError, match="the disk took a part of it"):
        calls.call(Asked(NOW, "lost"), NOW)
    monkeypatch.undo()
    calls.call(Asked(NOW, "kept"), NOW)
    lines = [line.data for line in read(folder) if isinstance(line, Line)]
    assert lines[0] == b'{"e":"i","'
    assert b'"id":"kept"' in lines[1]
    assert len(lines) == 2


def test_what_cannot_be_written_is_said(folder: LogFolder, calls: CallLog, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(CallLogError, match="no space left on device"):
        calls.call(Asked(NOW, "r"), NOW)
    monkeypatch.undo()
    calls.call(Asked(NOW, "r"), NOW)
    assert len(read(folder)) == 1


def test_a_log_that_is_not_there_is_said_at_start(tmp_path: Path) -> None:
    with pytest.raises(CallLogError, match="cannot be written: no such file or directory"):
        CallLog(tmp_path / "guard.log")


def test_what_the_server_refuses_is_the_guards_refusal(folder: LogFolder, calls: CallLog, tmp_path: Path) -> None:
    asked = Asked(NOW, "r", "spiffe://people.test/till", "GET", "/people//1")
    asked.refuse(Reason.BAD_REQUEST, 400)
    assert asked.verdict == encode_verdict(Verdict(reason="bad_request"))
    calls.call(asked, NOW)
    assert "people.test" in FILES["inward.yaml"]
    followed(tmp_path / "people")
    catalog, _ = load_catalog(tmp_path / "people" / "system")
    call = only_call(folder, catalog)
    assert (call.reason, call.enforcer, call.carried_out, call.status) == ("bad_request", "guard", "deny", 400)
