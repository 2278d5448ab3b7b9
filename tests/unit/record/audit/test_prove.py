"""Evidence: what it shows is so, and what is not so it does not show."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from tests.unit.record.audit.log import Log

from inward.record.audit.prove import NotProvenError, prove_call, prove_growth
from inward.record.call import parse_entry
from inward.tlog.checkpoint import Checkpoint, verify_checkpoint
from inward.tlog.evidence import verify_evidence
from inward.tlog.note import NoteError
from inward.tlog.proof import ProofError, verify_consistency

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log.make(tmp_path, 300, 1111)


@pytest.mark.parametrize("number", [0, 255, 256, 300, 777, 1110])
def test_every_call_can_be_proven(log: Log, number: int) -> None:
    ((call, text),) = prove_call(log.folder, f"urn:uuid:call-{number}", log.signer.verifier)
    evidence = verify_evidence(text, "shop.internal/record", [log.signer.verifier])
    assert (evidence.index, evidence.checkpoint.size) == (number, 1111)
    assert parse_entry(evidence.entry) == call
    assert call.id == f"call-{number}"


def test_evidence_of_another_log_shows_nothing(log: Log, tmp_path: Path) -> None:
    other = Log.make(tmp_path / "other", 10)
    ((_, text),) = prove_call(other.folder, "call-3", other.signer.verifier)
    with pytest.raises(NoteError):
        verify_evidence(text, "shop.internal/record", [log.signer.verifier])


def test_evidence_that_was_changed_shows_nothing(log: Log) -> None:
    ((_, text),) = prove_call(log.folder, "call-3", log.signer.verifier)
    lines = text.splitlines(keepends=True)
    for at, line in enumerate(lines):
        for changed in ({*lines, "\n"} - {line}) | {line.replace("3", "4", 1), line[:-2] + "\n", ""} - {line}:
            with pytest.raises((NoteError, ProofError)):
                verify_evidence(
                    "".join([*lines[:at], changed, *lines[at + 1 :]]), "shop.internal/record", [log.signer.verifier]
                )


@pytest.mark.parametrize("reference", ["", "call-", "nobody", "call-9999", "\udc80", "x" * 100_000])
def test_there_is_no_evidence_of_what_is_not_there(log: Log, reference: str) -> None:
    with pytest.raises(NotProvenError, match="there is no call"):
        prove_call(log.folder, reference, log.signer.verifier)


def test_what_was_changed_is_not_proven(log: Log) -> None:
    path = log.segments()[0]
    path.write_bytes(path.read_bytes().replace(b"/orders/3", b"/orders/4", 1))
    with pytest.raises(NotProvenError, match="no longer what was signed"):
        prove_call(log.folder, "call-3", log.signer.verifier)


def test_a_record_without_a_checkpoint_proves_nothing(log: Log) -> None:
    shutil.rmtree(log.folder / "checkpoints")
    with pytest.raises(NotProvenError, match="not signed yet"):
        prove_call(log.folder, "call-3", log.signer.verifier)


def test_growth_is_proven_from_every_checkpoint(log: Log) -> None:
    note = log.head.read_text()
    old = verify_checkpoint(note, "shop.internal/record", [log.signer.verifier])
    log.grow(1500)
    new, path = prove_growth(log.folder, old, log.signer.verifier)
    assert (old.size, new.size) == (1111, 1500)
    verify_consistency(old.size, new.size, path, old.root, new.root)
    assert prove_growth(log.folder, new, log.signer.verifier) == (new, [])


def test_a_record_that_began_otherwise_or_was_put_back_is_told(log: Log) -> None:
    for old, why in [
        (Checkpoint("shop.internal/record", 300, bytes(32)), "not what it was"),
        (Checkpoint("shop.internal/record", 2000, bytes(32)), "it was put back"),
    ]:
        with pytest.raises(ProofError, match=why):
            prove_growth(log.folder, old, log.signer.verifier)
