"""Lines become rows and come back byte for byte, whatever is in them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inward.record.audit.hashes import leaves_file
from inward.record.call import Act, Call, Entry, Gap, encode_entry
from inward.record.sealed.columns import COLUMNS
from inward.record.sealed.reading import Extent, connected, rows_at
from inward.record.sealed.seal import seal
from inward.record.segment import Segment
from inward.tlog.merkle import leaf_hash

if TYPE_CHECKING:
    from pathlib import Path

NUMBERS = st.none() | st.integers(-(2**70), 2**70)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["\x00", "\x01", "\x02", "=1+1", "\x1b[2J", "\u202e", "'; DROP TABLE calls", '"', "\\", "{id}", "é", "\r\n", ""]
)
OPTIONAL = st.none() | TEXTS
TIMES = st.sampled_from(
    ["2026-11-26T12:00:00.000Z", "2026-11-26T12:00:00Z", "2026-11-26T12:00:00.123456Z", "9999-12-31T23:59:59.999Z"]
)
CALLS = st.builds(
    Call,
    time=TIMES | TEXTS,
    id=TEXTS,
    caller=OPTIONAL,
    callee=OPTIONAL,
    user=OPTIONAL,
    address=OPTIONAL,
    operation=OPTIONAL,
    method=OPTIONAL,
    path=OPTIONAL,
    parameters=st.dictionaries(TEXTS, TEXTS, max_size=3),
    decision=st.sampled_from(["allow", "deny"]),
    carried_out=st.sampled_from(["allow", "deny"]),
    reason=TEXTS,
    policies=st.lists(TEXTS, max_size=3).map(tuple),
    mode=st.sampled_from(["observe", "enforce"]),
    enforcer=st.sampled_from(["ingress", "egress", "guard"]),
    policy_version=OPTIONAL,
    status=NUMBERS,
    grpc_status=NUMBERS,
    duration_us=NUMBERS,
    bytes_in=NUMBERS,
    bytes_out=NUMBERS,
    trace=OPTIONAL,
    span=OPTIONAL,
    withheld=st.lists(TEXTS, max_size=2).map(tuple),
    sent=st.lists(TEXTS, max_size=2).map(tuple),
    detail=OPTIONAL,
    src=st.none()
    | st.sampled_from(["orders/access-00000001.log:7", ":7", "a:07", "a", "a:b:8", "a:99999999999999999999"]),
)
GAPS = st.builds(Gap, time=TIMES, why=TEXTS, lost_lines=NUMBERS)
ACTS = st.builds(Act, time=TIMES, what=TEXTS, about=OPTIONAL)


def segment_of(folder: Path, lines: list[bytes]) -> tuple[Segment, int]:
    path = folder / "calls-2026-11-26-00000001.ndjson"
    path.write_bytes(b"".join(lines))
    found = Segment.of(path)
    assert found is not None
    leaves = leaves_file(folder, path.name)
    leaves.parent.mkdir(exist_ok=True)
    leaves.write_bytes(b"".join(leaf_hash(line.rstrip(b"\n")) for line in lines))
    return found, path.stat().st_size


def sealed_lines(folder: Path, lines: list[bytes]) -> list[bytes]:
    segment, size = segment_of(folder, lines)
    sealed = seal(segment, size, Extent(1000, len(lines)))
    rows = list(rows_at(sealed.url))
    assert [row.entry for row in rows] == list(range(1000, 1000 + len(lines)))
    return [(row.line or b"") + b"\n" for row in rows]


def test_the_columns_are_the_fields_of_a_call_in_their_order() -> None:
    assert [column.name for column in COLUMNS] == list(Call.__struct_fields__)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(CALLS | GAPS | ACTS, min_size=1, max_size=30))
def test_every_line_comes_back_as_it_was(tmp_path: Path, entries: list[Entry]) -> None:
    lines = [encode_entry(entry) for entry in entries]
    assert sealed_lines(tmp_path, lines) == lines


@pytest.mark.parametrize(
    "line",
    [
        b'{"id":"a","time":"2026-11-26T12:00:00.000Z"}',  # another order
        b'{"time":"2026-11-26T12:00:00.000Z","id":"a","new":{"deep":[1,2]}}',  # of another version
        b'{"time":"2026-11-26T12:00:00.000Z", "id":"a"}',
        b'{"time":"2026-11-26T12:00:00.000Z","id":"\\u0061"}',
        b'{"time":"2026-11-26T12:00:00.000Z","id":"a","id":"b"}',
        b'{"time":"2026-11-26T12:00:00.000Z","id":"a","status":200.0}',
        b'{"time":"2026-11-26T12:00:00.000Z","id":"a","status":"200"}',
        b'{"time":null,"id":null}',
        b"no JSON at all",
        b"[]",
    ],
)
def test_what_no_recorder_writes_comes_back_too(tmp_path: Path, line: bytes) -> None:
    assert sealed_lines(tmp_path, [line + b"\n"] * 2) == [line + b"\n"] * 2


def test_an_ordinary_call_needs_no_line_of_its_own(tmp_path: Path) -> None:
    fields: dict[str, Any] = {
        **dict.fromkeys(("caller", "callee", "user", "operation", "detail", "path", "trace", "span"), 'té"x'),
        **dict.fromkeys(("status", "duration_us", "bytes_in", "bytes_out", "grpc_status"), 7),
        **dict.fromkeys(("policies", "withheld", "sent"), ("a", "b")),
    }
    full = Call(
        time="2026-11-26T12:00:00.001Z",
        id="a",
        parameters={"id": "7", "b": "8"},
        decision="allow",
        carried_out="deny",
        reason="x",
        mode="observe",
        enforcer="guard",
        src="orders/access-00000001.log:7",
        **fields,
    )
    least = Call(time="2026-11-26T12:00:00.001Z", id="a", decision="allow", carried_out="deny", reason="x")
    lines = [encode_entry(full), encode_entry(least)]
    segment, size = segment_of(tmp_path, lines)
    sealed = seal(segment, size, Extent(0, 2))
    with connected(sealed.url) as connection:
        rows = connection.execute("SELECT * FROM read_parquet(?)", [sealed.url])
        names = [each[0] for each in rows.description]
        first, second = (dict(zip(names, row, strict=True)) for row in rows.fetchall())
    assert first["raw"] is second["raw"] is None
    assert (first["mode"], second["mode"], second["enforcer"]) == ("observe", "enforce", "ingress")
    assert first["parameters"] == {"id": "7", "b": "8"}
    assert (second["policies"], second["parameters"], second["user"]) == (None, None, None)
    known = json.loads(lines[0])
    same = known.keys() & first.keys() - {"time"}
    assert {name: first[name] for name in same} == {name: known[name] for name in same}
    assert first["time"] == datetime.fromisoformat(known["time"])
