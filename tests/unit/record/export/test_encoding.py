"""What tells entries from each other: their leaf in the Merkle log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from hypothesis import given
from tests.unit.record.export.calls import ANY, FULL

from inward.record.call import Call, Entry, Gap, encode_entry, parse_entry
from inward.record.export.encoding import entry_uid
from inward.record.recorder import Recorder
from inward.record.segment import list_segments
from inward.tlog.merkle import leaf_hash

if TYPE_CHECKING:
    from pathlib import Path


def test_it_is_the_leaf_of_the_entry(tmp_path: Path) -> None:
    entries: list[Entry] = [FULL, Gap(time=FULL.time, why="it is a test")]
    with Recorder(tmp_path) as recorder:
        recorder.append(entries)
    lines = list_segments(tmp_path)[0].path.read_bytes().splitlines()
    assert [leaf_hash(line) for line in lines] == [entry_uid(entry) for entry in entries]


def test_two_calls_that_a_caller_gave_one_id_are_two() -> None:
    assert entry_uid(FULL) != entry_uid(msgspec.structs.replace(FULL, src="orders/access-00000001.log:100"))


@given(ANY)
def test_it_is_the_same_after_the_entry_was_read_again(call: Call) -> None:
    assert entry_uid(parse_entry(encode_entry(call))) == entry_uid(call)
