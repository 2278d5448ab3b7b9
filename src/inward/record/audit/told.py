"""What the record tells of its sealed segments: acts that say which file each is, and where retention dropped entries.

An act is an entry, and so it is signed with all others: whoever changes a sealed segment cannot make it tell otherwise.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from inward.record.audit.locate import Damage
from inward.record.audit.notary import signed_size
from inward.record.audit.parts import list_parts
from inward.record.call import Act, DamagedLineError, parse_entry
from inward.record.disk import RecordError
from inward.record.sealed.files import Sealed
from inward.record.segment import Segment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from inward.record.audit.parts import Part

SEAL, RETENTION = "seal", "retention"  # `what` of the acts; `about` is the name of the file
REMOVED = "removed"  # `detail` of an act of retention after which no file is left
_ACT = b'{"kind":"act"'
_DIGEST = "sha256:"


class Told:
    """The newest act about each sealed segment, as far as the record was read."""

    def __init__(self) -> None:
        self._acts: dict[str, Act] = {}
        self._digests: dict[str, set[str]] = {}

    def hear(self, line: bytes) -> None:
        """Take in an entry."""
        if not line.startswith(_ACT):
            return
        try:
            act = parse_entry(line)
        except DamagedLineError:
            return
        if isinstance(act, Act) and act.what in {SEAL, RETENTION} and act.about:
            self._acts[act.about] = act
            if (digest := self.digest(act.about)) is not None:
                self._digests.setdefault(act.about, set()).add(digest)

    def was(self, file: str, digest: str) -> bool:
        """Return whether some act tells of that SHA-256; after a crash it may be the one before the last."""
        return digest in self._digests.get(file, ())

    def digest(self, file: str) -> str | None:
        """Return the SHA-256 that a file ought to have, hexadecimal; None where no act tells."""
        act = self._acts.get(file)
        detail = act.detail if act is not None and act.detail else ""
        return detail[len(_DIGEST) :].partition(" ")[0] if detail.startswith(_DIGEST) else None

    def dropped(self, file: str) -> bool:
        """Return whether entries of a file may be missing in it."""
        act = self._acts.get(file)
        return act is not None and act.what == RETENTION

    def explains(self, part: Part) -> bool:
        """Return whether an act tells that there is no file of a part any more."""
        segment = Segment.of(part.path)
        act = self._acts.get(Sealed.make("", segment).name) if segment is not None else None
        return act is not None and act.what == RETENTION and act.detail == REMOVED


def read_told(folder: Path) -> Told:
    """Return what the signed acts of the record in `folder` tell; a damaged file tells nothing.

    Raises `RecordError` where there is nothing to read.
    """
    told, signed = Told(), signed_size(folder)
    for part in list_parts(folder):
        try:
            if part.sealed is None:
                for line, _ in islice(part.lines(), max(0, min(part.count, signed - part.first))):
                    told.hear(line)
                continue
            from inward.record.sealed.reading import rows_in  # noqa: PLC0415 - DuckDB is needed for sealed segments only

            for row in rows_in(part.sealed, part.first, min(part.end, signed), where="kind = 'act'"):
                told.hear(row.line or b"")
        except (OSError, RecordError):
            continue
    return told


def digest_detail(digest: str) -> str:
    """Return what an act about a file of that digest has as its detail."""
    return _DIGEST + digest


def damaged_files(parts: list[Part], told: Told, thinned: Mapping[str, int]) -> list[Damage]:
    """Return which sealed segments are not the files that the record tells of. Reads each once."""
    found = []
    for part in parts:
        if part.sealed is None:
            continue
        from inward.record.sealed.reading import digest_of  # noqa: PLC0415 - DuckDB is needed for sealed segments only

        try:
            digest = digest_of(part.sealed)
        except RecordError as error:
            found.append(Damage(part.first, part.end, part.file, error.message))
            continue
        expected = told.digest(part.file)
        if expected is None:
            found.append(Damage(part.first, part.end, part.file, "no act of the record tells of this file"))
        elif digest != expected:
            found.append(Damage(part.first, part.end, part.file, "the file is not the one that was sealed"))
        elif thinned.get(part.file) and not told.dropped(part.file):
            found.append(Damage(part.first, part.end, part.file, "entries are missing, and no act tells of it"))
    return found
