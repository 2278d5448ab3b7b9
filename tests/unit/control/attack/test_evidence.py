from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inward.control.attack.attempt import Sent
from inward.control.attack.evidence import Evidence
from inward.identity.private_files import private_folder
from inward.record.call import Call
from inward.record.recorder import Recorder

if TYPE_CHECKING:
    from pathlib import Path


def call(reference: str, **fields: Any) -> Call:
    given = {"decision": "deny", "carried_out": "deny", "reason": "no_grant", "callee": "orders"}
    return Call(time="2026-01-01T00:00:00.000Z", id=reference, **(given | fields))


def test_only_what_was_expected_and_came_since_is_kept(tmp_path: Path) -> None:
    folder = private_folder(tmp_path / "record")
    with Recorder(folder) as recorder:
        recorder.append([call("old", caller="till")], [])
        evidence = Evidence(folder)
        for reference in ("old", "new", "never"):
            evidence.expect(Sent(403, "no_grant", reference))
        evidence.expect(Sent(port=4711, said="closed"), "orders")
        recorder.append(
            [
                call("new", caller="till"),
                call("another"),
                call("shake", reason="bad_identity", detail="port 4711: TLS_error"),
                call("other", reason="bad_identity", detail="port 471: TLS_error"),
            ],
            [],
        )
        evidence.collect(0.0)
    assert evidence.call("old") is None  # it was there before
    found = evidence.call("new")
    assert (found.caller if found else None) == "till"
    assert evidence.call("another") is None
    assert evidence.call("never") is None
    assert evidence.call(None) is None
    shake = evidence.handshake("orders", 4711)
    assert shake is not None
    assert shake.id == "shake"
    assert evidence.handshake("people", 4711) is None
    assert evidence.recorded("shake") is shake
    assert evidence.recorded("other") is None


def test_one_call_speaks_for_one_attempt(tmp_path: Path) -> None:
    folder = private_folder(tmp_path / "record")
    with Recorder(folder) as recorder:
        evidence = Evidence(folder)
        evidence.expect(Sent(403, "no_grant", "r"))
        recorder.append([call("r")], [])
        evidence.collect(0.0)
        assert evidence.call("r") is not None
        evidence.expect(Sent(200, None, "r"))
        assert evidence.call("r") is None


def test_it_does_not_wait_where_all_is_there(tmp_path: Path) -> None:
    evidence = Evidence(private_folder(tmp_path / "record"))
    evidence.expect(Sent(said="nothing answered"))
    evidence.collect(3600.0)
