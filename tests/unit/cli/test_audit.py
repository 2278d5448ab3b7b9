"""The commands about the record as evidence, on a record that was signed."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from tests.unit.cli.test_calls import call
from tests.unit.record.audit.log import NOW

from inward.authority.signing import open_signer
from inward.control.layout import Layout
from inward.identity.private_files import private_folder
from inward.record.audit.notary import Notary
from inward.record.recorder import Recorder

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Inward


def sign(system: Path, *numbers: int) -> Layout:
    """Record some calls, and sign them."""
    layout = Layout.of(system)
    signer = open_signer(layout.state, "company.test", None)
    with Recorder(private_folder(layout.record)) as recorder:
        recorder.append([call(number) for number in numbers], [])
        notary = Notary(layout.record, signer, layout.signed)
        notary.advance(*recorder.durable())
        notary.sign(NOW)
    return layout


def segment(layout: Layout) -> Path:
    (found,) = layout.record.glob("calls-*.ndjson")
    return found


def test_what_was_signed_verifies(inward: Inward, system: Path) -> None:
    sign(system, *range(5))
    done = inward("audit", "verify")
    assert (done.code, done.out, done.err) == (0, "5 entries under 1 checkpoint: all as they were signed\n", "")
    assert inward("audit", "verify", "--json").json == {
        "whole": True,
        "entries": 5,
        "checkpoints": 1,
        "dropped": 0,
        "unsigned": 0,
        "damages": [],
        "gone": [],
    }
    assert inward("audit", "fsck").out == "nothing is damaged\n"


def test_what_was_changed_is_said_with_its_place(inward: Inward, system: Path) -> None:
    path = segment(sign(system, *range(5)))
    path.write_bytes(path.read_bytes().replace(b"/greetings/3", b"/greetings/4", 1))
    done = inward("audit", "verify")
    assert done.code == 2
    assert done.out.splitlines()[0] == f"entry 3, `{path.name}`: the entry was changed"
    assert "not all as they were signed" in done.out
    assert inward("audit", "verify", "--json").json["damages"][0]["begin"] == 3
    assert inward("audit", "fsck").code == 2
    assert inward("audit", "fsck", "--json").json["damages"][0]["why"] == "line 4 is not what it was"


def test_a_segment_that_was_deleted_can_be_allowed(inward: Inward, system: Path) -> None:
    segment(sign(system, *range(5))).unlink()
    assert inward("audit", "verify").code == 2
    assert "is not there any more" in inward("audit", "verify", "--allow-gone").out
    assert inward("audit", "verify", "--allow-gone").code == 0


def test_a_record_that_is_not_signed_says_so(inward: Inward, system: Path) -> None:
    done = inward("audit", "verify")
    assert (done.code, "there is no" in done.err, "`inward up` runs" in done.err) == (1, True, True)
    layout = sign(system, 1)
    shutil.rmtree(layout.record / "checkpoints")
    layout.signed.unlink()
    assert "not signed yet" in inward("audit", "verify").err


def test_evidence_goes_to_another_machine(
    inward: Inward, system: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = sign(system, *range(5))
    reference = call(2).id
    done = inward("audit", "prove", reference)
    assert done.code == 0
    proof = system / f"{reference}.tlog-proof"
    assert proof.is_file()
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(proof, other / "evidence")
    shutil.copy(layout.public_key, other / "key")
    monkeypatch.chdir(other)
    shutil.rmtree(system)
    done = inward("audit", "check", "evidence", "--key", "key")
    assert done.code == 0
    assert done.out.startswith("proven: entry 2 of 5 of the record company.test/record, signed at 2026-11-26T12:00:00")
    assert "/greetings/2" in done.out
    assert inward("audit", "check", "evidence", "--key", "key", "--json").json["index"] == 2
    (other / "evidence").write_text((other / "evidence").read_text().replace("index 2", "index 3"))
    done = inward("audit", "check", "evidence", "--key", "key")
    assert (done.code, done.out) == (2, "not proven: the log does not hold that entry at that place\n")
    assert inward("audit", "check", "evidence", "--key", "key", "--json").json["proven"] is False


@pytest.mark.parametrize("proof", ["nothing", "/", "\0"])
def test_what_cannot_be_read_is_told(inward: Inward, system: Path, proof: str) -> None:
    sign(system, 1)
    assert inward("audit", "check", proof, "--key", ".inward/record.pub").code == 3


def test_no_evidence_of_nothing(inward: Inward, system: Path) -> None:
    sign(system, 1)
    done = inward("audit", "prove", "nobody")
    assert (done.code, "there is no call" in done.err) == (1, True)
    done = inward("audit", "prove", call(1).id, "--output", "nowhere/x")
    assert (done.code, "cannot be written" in done.err) == (1, True)


def test_a_checkpoint_that_was_kept_shows_that_the_record_only_grew(
    inward: Inward, system: Path, tmp_path: Path
) -> None:
    layout = sign(system, *range(5))
    kept = tmp_path / "kept"
    shutil.copy(layout.signed, kept)
    shutil.copytree(layout.state, tmp_path / "state")
    sign(system, *range(5, 9))
    done = inward("audit", "consistency", str(kept))
    assert (done.code, done.out) == (0, "the record has grown from 5 to 9 entries, and begins as it did\n")
    shutil.copy(layout.signed, kept)
    shutil.rmtree(layout.state)
    shutil.copytree(tmp_path / "state", layout.state)
    assert inward("audit", "verify").code == 0  # all of it was put back, so nothing in it can tell
    done = inward("audit", "consistency", str(kept))
    assert (done.code, "it was put back" in done.out) == (2, True)
    assert inward("audit", "consistency", str(kept), "--json").json["consistent"] is False
    assert inward("audit", "consistency", "inward.yaml").code == 3
