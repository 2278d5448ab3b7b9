"""A record with entries, and the notary of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from inward.record.audit.notary import Notary
from inward.record.audit.verify import Verified, verify_record
from inward.record.call import Call, Entry
from inward.record.recorder import Recorder
from inward.record.sealed.sealer import Sealer
from inward.record.segment import list_segments
from inward.tlog.note import Signer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from inward.record.disk import Disk
    from inward.record.sealed.files import Sealed

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def call(number: int) -> Call:
    return Call(
        time="2026-11-26T12:00:00.000Z",
        id=f"call-{number}",
        caller="checkout",
        callee="orders",
        path=f"/orders/{number}",
        decision="allow",
        carried_out="allow",
        reason="granted",
    )


@dataclass
class Log:
    """A record in `folder`, written and signed; `head` is the copy of the last checkpoint."""

    folder: Path
    signer: Signer
    head: Path
    count: int = 0
    entry: Callable[[int], Entry] = call

    @classmethod
    def make(cls, folder: Path, *sizes: int, entry: Callable[[int], Entry] = call) -> Log:
        """Return a log with a checkpoint at each of these sizes, in segments of some hundred entries."""
        signer = Signer("shop.internal/record", Ed25519PrivateKey.generate())
        log = cls(folder / "record", signer, folder / "head", entry=entry)
        log.grow(*sizes)
        return log

    def grow(self, *sizes: int, disk: Disk | None = None) -> None:
        """Write entries up to each of these sizes, and sign at each."""
        with Recorder(self.folder, segment_bytes=100_000) as recorder:
            notary = Notary(self.folder, self.signer, self.head, disk)
            for size in sizes:
                while self.count < size:
                    more = min(size - self.count, 100)
                    recorder.append([self.entry(self.count + each) for each in range(more)])
                    self.count += more
                notary.advance(*recorder.durable())
                notary.sign(NOW)

    def note(self, entries: Sequence[Entry]) -> None:
        """Write some entries, and sign."""
        with Recorder(self.folder, segment_bytes=100_000) as recorder:
            notary = Notary(self.folder, self.signer, self.head)
            self.count += recorder.append(entries)
            notary.advance(*recorder.durable())
            notary.sign(NOW)

    def seal(self, disk: Disk | None = None) -> list[Sealed]:
        """Seal every segment that can be sealed."""
        with Recorder(self.folder, segment_bytes=100_000) as recorder:
            notary = Notary(self.folder, self.signer, self.head)

            def sign() -> None:
                notary.advance(*recorder.durable())
                notary.sign(NOW)

            def append(entries: Sequence[Entry]) -> None:
                self.count += recorder.append(entries)

            recorder.append([])
            sign()
            sealer = Sealer(self.folder, append, sign, disk)
            current, _ = recorder.durable()
            return list(iter(lambda: sealer.seal_one(current), None))

    def verified(self) -> Verified:
        """Verify it."""
        return verify_record(self.folder, self.signer.verifier, self.head)

    def segments(self) -> list[Path]:
        """Return its files."""
        return [segment.path for segment in list_segments(self.folder)]
