"""Opening a record again: checkpoints, torn lines, positions."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING

import pytest

from inward.record.call import Call, encode_entry
from inward.record.disk import Disk, RecordError
from inward.record.position import Position
from inward.record.recovery import Checkpoint, load_checkpoint, recover, store_checkpoint
from inward.record.segment import Segment

if TYPE_CHECKING:
    from pathlib import Path

LOG = "orders/access"
DAY = date(2026, 8, 1)


def line(offset: int) -> bytes:
    call = Call(
        time="2026-08-01T12:00:00.000Z",
        id=f"id-{offset}",
        decision="allow",
        carried_out="allow",
        reason="granted",
        src=f"orders/access-00000001.log:{offset}",
    )
    return encode_entry(call)


def write(folder: Path, number: int, content: bytes) -> Path:
    path = Segment.make(folder, number, DAY).path
    path.write_bytes(content)
    return path


def at(offset: int) -> Position:
    return Position(LOG, 1, 0, offset)


def test_an_empty_folder(tmp_path: Path) -> None:
    state = recover(tmp_path, Disk())
    assert (state.next_number, state.last, state.positions, state.notes, state.lost_bytes) == (1, None, {}, [], 0)


def test_a_last_line_torn_at_every_byte_is_cut_off_and_kept_aside(tmp_path: Path) -> None:
    good, last = line(10) + line(20), line(30)
    for length in range(len(last)):
        folder = tmp_path / str(length)
        folder.mkdir()
        path = write(folder, 1, good + last[:length])
        state = recover(folder, Disk())
        assert path.read_bytes() == good
        assert state.size == len(good)
        assert state.positions == {LOG: at(20)}
        torn = list(folder.glob("*.torn"))
        assert [file.read_bytes() for file in torn] == ([last[:length]] if length else [])
        assert len(state.notes) == bool(length)
        assert recover(folder, Disk()).notes == []


def test_two_torn_lines_at_one_place_are_both_kept(tmp_path: Path) -> None:
    for torn in (b'{"one', b'{"two'):
        path = write(tmp_path, 1, line(10) + torn)
        recover(tmp_path, Disk())
        assert path.read_bytes() == line(10)
    assert sorted(file.read_bytes() for file in tmp_path.glob("*.torn")) == [b'{"one', b'{"two']


@pytest.mark.parametrize("damage", [b"\0" * 50 + b"\n", b"{}\n", b"\n", b"\xff\xfe\n", line(25).replace(b":25", b":x")])
def test_what_follows_a_damaged_line_of_the_last_batch_is_read_again(tmp_path: Path, damage: bytes) -> None:
    path = write(tmp_path, 1, line(10) + line(20) + damage + line(30))
    store_checkpoint(
        tmp_path, Checkpoint(segment=path.name, offset=len(line(10)), positions={LOG: str(at(10))}), Disk()
    )
    state = recover(tmp_path, Disk())
    assert path.read_bytes() == line(10) + line(20)
    assert state.positions == {LOG: at(20)}
    assert [file.read_bytes() for file in tmp_path.glob("*.torn")] == [damage + line(30)]


def test_damage_before_the_checkpoint_stays_where_it_is(tmp_path: Path) -> None:
    path = write(tmp_path, 1, b"damage\n" + line(20))
    store_checkpoint(tmp_path, Checkpoint(segment=path.name, offset=7, positions={LOG: str(at(10))}), Disk())
    state = recover(tmp_path, Disk())
    assert path.read_bytes() == b"damage\n" + line(20)
    assert state.positions == {LOG: at(20)}


def test_damage_in_a_finished_segment_stays_and_is_noted(tmp_path: Path) -> None:
    write(tmp_path, 1, line(10) + b"damage\n" + line(20))
    write(tmp_path, 2, line(30))
    state = recover(tmp_path, Disk())
    assert state.notes == ["the segment `calls-2026-08-01-00000001.ndjson` has 1 damaged lines"]
    assert state.positions == {LOG: at(30)}
    assert state.next_number == 3


def test_positions_of_a_checkpoint_hold_where_no_entry_says_more(tmp_path: Path) -> None:
    path = write(tmp_path, 1, line(10))
    positions = {LOG: str(at(50)), "checkout/access": "checkout/access-00000003.log~2:9"}
    store_checkpoint(tmp_path, Checkpoint(segment=path.name, offset=0, positions=positions), Disk())
    assert recover(tmp_path, Disk()).positions == {
        LOG: at(50),
        "checkout/access": Position("checkout/access", 3, 2, 9),
    }


def test_given_up_bytes_do_not_come_back(tmp_path: Path) -> None:
    first = write(tmp_path, 1, line(10) + line(20))
    second = write(tmp_path, 2, line(20))
    cut = {first.name: len(line(10)), "calls-2026-08-01-00000009.ndjson": 5, "../lock": 0}
    store_checkpoint(tmp_path, Checkpoint(segment=second.name, offset=0, cut=cut), Disk())
    (tmp_path / "lock").write_bytes(b"untouched")
    recover(tmp_path, Disk())
    assert first.read_bytes() == line(10)
    assert second.read_bytes() == line(20)
    assert (tmp_path / "lock").read_bytes() == b"untouched"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\0\0\0",
        b"[]",
        b'{"offset":"x"}',
        b'{"positions":{"a":"nonsense"}}',
        b'{"version":2}',
        b"[" * 100_000,
    ],
)
def test_a_bad_checkpoint_costs_time_and_nothing_else(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, 1, line(10) + line(20))
    (tmp_path / "positions.json").write_bytes(content)
    with pytest.raises(RecordError, match="checkpoint"):
        load_checkpoint(tmp_path)
    state = recover(tmp_path, Disk())
    assert state.positions == {LOG: at(20)}
    assert len(state.notes) == 1


def test_a_record_that_was_shortened_or_deleted_is_known_as_lost(tmp_path: Path) -> None:
    path = write(tmp_path, 1, line(10))
    store_checkpoint(
        tmp_path, Checkpoint(segment=path.name, offset=len(line(10)) + 7, positions={LOG: str(at(20))}), Disk()
    )
    state = recover(tmp_path, Disk())
    assert state.lost_bytes == 7
    assert state.positions == {LOG: at(20)}
    path.unlink()
    state = recover(tmp_path, Disk())
    assert state.lost_bytes is None
    assert state.next_number == 2


def test_the_checkpoint_is_readable_by_people(tmp_path: Path) -> None:
    store_checkpoint(tmp_path, Checkpoint(segment="s", offset=3, positions={LOG: str(at(1))}), Disk())
    assert json.loads((tmp_path / "positions.json").read_text()) == {
        "version": 1,
        "segment": "s",
        "offset": 3,
        "positions": {LOG: "orders/access-00000001.log:1"},
        "cut": {},
    }
