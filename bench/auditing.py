"""What signing and verifying the record costs: each entry beside writing it, and proofs beside the length of the log.

Subjects of the first table: `record` appends entries durably, in batches of 1,000; `sign` takes them into the log and
signs; `verify` reads all of them again and compares every root. The second is one proof of inclusion, or of growth.
"""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.report import Series
from inward.record.audit.hashes import KeptNodes
from inward.record.audit.notary import Notary
from inward.record.audit.parts import leaves_of, list_parts
from inward.record.audit.verify import verify_record
from inward.record.call import Call
from inward.record.recorder import Recorder
from inward.tlog.note import Signer
from inward.tlog.proof import prove_consistency, prove_inclusion

ROUNDS = 5
BATCH = 1_000
BATCHES = 50
PROOFS = 200


def _call(number: int) -> Call:
    return Call(
        time="2026-11-26T12:00:00.000Z",
        id=f"{number:032x}",
        caller=f"service-{number % 20}",
        callee="orders",
        operation="orders:getOrder",
        method="GET",
        path=f"/orders/{number}",
        decision="allow",
        carried_out="allow",
        reason="granted",
        policies=("sellers-read",),
        policy_version="0123456789ab",
        status=200,
        duration_us=1234,
        bytes_in=0,
        bytes_out=999,
    )


def measure() -> tuple[Series, Series]:
    """Measure both tables, in rounds over a log that grows."""
    entries = Series("the record as evidence", "CPU us an entry", base="record")
    proofs = Series("proofs", "ms", base="of one entry")
    with tempfile.TemporaryDirectory(prefix="inward-bench-") as folder:
        record, head = Path(folder) / "record", Path(folder) / "head"
        signer = Signer("bench.internal/record", Ed25519PrivateKey.generate())
        with Recorder(record) as recorder:
            notary = Notary(record, signer, head)
            count = 0
            for _ in range(ROUNDS):
                batches = [
                    [_call(count + at + each) for each in range(BATCH)] for at in range(0, BATCHES * BATCH, BATCH)
                ]
                started = time.process_time()
                for batch in batches:
                    recorder.append(batch)
                    count += BATCH
                recorded = time.process_time()
                notary.advance(*recorder.durable())
                notary.sign(datetime.now(UTC))
                signed = time.process_time()
                verify_record(record, signer.verifier, head)
                verified = time.process_time()
                new = BATCHES * BATCH
                entries.add("record", us=(recorded - started) / new * 1e6)
                entries.add("sign", us=(signed - recorded) / new * 1e6)
                entries.add("verify", us=(verified - signed) / count * 1e6)
                _prove(proofs, record, count)
    return entries, proofs


def _prove(series: Series, record: Path, count: int) -> None:
    parts = list_parts(record)
    nodes = KeptNodes(record, lambda begin, end: leaves_of(parts, begin, end))
    started = time.perf_counter()
    for number in range(PROOFS):
        prove_inclusion(number * 7919 % count, count, nodes)
    of_entries = time.perf_counter()
    for number in range(PROOFS):
        prove_consistency(number * 7919 % count + 1, count, nodes)
    ended = time.perf_counter()
    series.add("of one entry", ms=(of_entries - started) / PROOFS * 1000, entries=count)
    series.add("of growth", ms=(ended - of_entries) / PROOFS * 1000, entries=count)
