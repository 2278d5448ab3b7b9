"""Evidence of one call, and of growth: made from what is kept of the log, for somebody who has only its public key.

Both are checked before they are given away, by the same steps as whoever gets them: what would not verify there is told
here, since it means that the record was changed.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from inward.record.audit.hashes import KeptNodes
from inward.record.audit.notary import CHECKPOINTS
from inward.record.audit.parts import leaves_of, list_parts
from inward.record.audit.verify import load_checkpoints
from inward.record.call import Call, DamagedLineError, parse_entry
from inward.record.disk import RecordError
from inward.tlog.evidence import verify_evidence, write_evidence
from inward.tlog.proof import ProofError, prove_consistency, prove_inclusion, verify_consistency

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inward.record.audit.parts import Part
    from inward.tlog.checkpoint import Checkpoint
    from inward.tlog.note import Verifier


class NotProvenError(RecordError):
    """There is no evidence of what was asked for."""

    code = "not_proven"


def prove_call(folder: Path, reference: str, verifier: Verifier) -> list[tuple[Call, str]]:
    """Return each call with that reference, and evidence of it (`tlog.evidence`), the oldest first.

    A request passes two enforcers, so there may be several. Raises `NotProvenError` and `RecordError`.
    """
    reference = reference.removeprefix("urn:uuid:")
    checkpoint, note = _last(folder, verifier)
    parts = list_parts(folder)
    nodes = KeptNodes(folder, lambda begin, end: leaves_of(parts, begin, end))
    found = []
    for index, line, call in _calls(parts, reference):
        if index >= checkpoint.size:
            raise NotProvenError(
                "that call is not signed yet", hint="ask again in a few seconds, while the system runs"
            )
        text = write_evidence(line, index, prove_inclusion(index, checkpoint.size, nodes), note)
        try:
            verify_evidence(text, verifier.name, [verifier])
        except ProofError as error:
            raise NotProvenError(
                f"that call is no longer what was signed: {error.message}", hint="see `inward audit verify`"
            ) from error
        found.append((call, text))
    if not found:
        raise NotProvenError(
            f"there is no call with the reference `{reference[:100]}`", hint="`inward calls` lists them"
        )
    return found


def prove_growth(folder: Path, old: Checkpoint, verifier: Verifier) -> tuple[Checkpoint, list[bytes]]:
    """Return the newest checkpoint, and the proof that its log begins with the one of `old`.

    Raises `ProofError` where it does not: the record was changed since, or put back.
    """
    new, _ = _last(folder, verifier)
    if new.size < old.size:
        raise ProofError(f"the record is signed up to entry {new.size} only: it was put back")
    parts = list_parts(folder)
    nodes = KeptNodes(folder, lambda begin, end: leaves_of(parts, begin, end))
    path = prove_consistency(old.size, new.size, nodes)
    verify_consistency(old.size, new.size, path, old.root, new.root)
    return new, path


def _last(folder: Path, verifier: Verifier) -> tuple[Checkpoint, str]:
    checkpoints, _ = load_checkpoints(folder, verifier)
    if not checkpoints:
        raise NotProvenError("the record is not signed yet", hint="start the system with `inward up`")
    path = folder / CHECKPOINTS / f"{checkpoints[-1].size:020d}"
    try:
        return checkpoints[-1], path.read_text(encoding="utf-8")
    except OSError as error:
        raise RecordError(f"the checkpoint `{path}` cannot be read: {error.strerror}") from error


def _calls(parts: list[Part], reference: str) -> Iterator[tuple[int, bytes, Call]]:
    """Yield the calls with that reference: index in the log, line, and the call."""
    needle = reference.encode("utf-8", "replace")
    for part in parts:
        if part.gone or not needle:
            continue
        for index, line in _lines_with(part, reference, needle):
            try:
                entry = parse_entry(line)
            except DamagedLineError:
                continue
            if isinstance(entry, Call) and entry.id == reference:
                yield index, line, entry


def _lines_with(part: Part, reference: str, needle: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the index and line of each entry that may be the one of `reference`."""
    if part.sealed is None:
        for index, (line, _) in enumerate(islice(part.lines(), part.count), part.first):
            if needle in line:
                yield index, line
        return
    from inward.record.sealed.reading import rows_in  # noqa: PLC0415 - DuckDB is needed for sealed segments only

    for row in rows_in(part.sealed, where="id = ? OR raw IS NOT NULL", values=(reference,)):
        if row.line is not None and needle in row.line:
            yield row.entry, row.line
