"""Reading, filtering, following and finding."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.unit.record.audit.log import Log

from inward.errors import BadInputError
from inward.record import reader
from inward.record.call import Act, Call, Gap, encode_entry, timestamp
from inward.record.disk import RecordError
from inward.record.filter import Filter, Term
from inward.record.pieces import list_pieces
from inward.record.reader import find_call, find_calls, read_calls, read_entries
from inward.record.recorder import Recorder
from inward.record.sealed.files import list_local

if TYPE_CHECKING:
    from collections.abc import Callable

    from inward.record.call import Entry

    MakeCall = Callable[..., Call]

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)


def at(seconds: float) -> str:
    return timestamp(NOON + timedelta(seconds=seconds))


def test_gaps_and_acts_without_the_calls(tmp_path: Path, make_call: MakeCall) -> None:
    others: list[Entry] = [Gap(time=at(1), why="lost"), Act(time=at(2), what="start"), Act(time=at(3), what="policy")]
    with Recorder(tmp_path) as recorder:
        recorder.append([make_call(1), *others, make_call(2)])
    wanted = Filter(calls=False)
    assert list(read_entries(tmp_path, wanted)) == others
    assert wanted.sql() == ("raw IS NOT NULL", ())


def test_no_record_is_an_empty_one(tmp_path: Path) -> None:
    assert list(read_entries(tmp_path / "nowhere")) == []
    assert find_call(tmp_path / "nowhere", "x") is None


def test_a_folder_that_cannot_be_read_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordError, match="cannot be read"):
        list(read_entries(tmp_path / "file"))
    (tmp_path / "calls-2026-08-01-00000001.ndjson").mkdir()
    with pytest.raises(RecordError, match="cannot be read"):
        list(read_entries(tmp_path))
    with pytest.raises(RecordError, match="cannot be read"):
        find_call(tmp_path, "x")


def test_filters(tmp_path: Path, make_call: MakeCall) -> None:
    with Recorder(tmp_path) as recorder:
        recorder.append(
            [
                make_call(1, time=at(0)),
                make_call(2, time=at(1), caller="web", decision="deny"),
                make_call(3, time=at(2), callee="stock", operation="stock:take", decision="deny", carried_out="allow"),
                Gap(time=at(3), why="lost", src="orders/access-00000001.log:4"),
                make_call(5, time=at(4), caller=None),
            ]
        )

    def found(**fields: object) -> list[str | None]:
        wanted = Filter(**fields)  # type: ignore[arg-type]  # each case names fields and values that fit
        return [(entry.src or "")[-1] for entry in read_entries(tmp_path, wanted)]

    assert found() == ["1", "2", "3", "4", "5"]
    assert found(denied=True) == ["2", "3", "4"]
    assert found(caller="checkout") == ["1", "3", "4"]
    assert found(callee="stock") == ["3", "4"]
    assert found(operation="orders:getOrder") == ["1", "2", "4", "5"]
    assert found(caller="web", operation="stock:take") == ["4"]
    assert found(since=NOON + timedelta(seconds=2)) == ["3", "4", "5"]
    assert found(since=NOON + timedelta(seconds=4)) == ["5"]
    assert [call.src for call in read_calls(tmp_path)] == [make_call(n).src for n in (1, 2, 3, 5)]


def test_segments_that_are_too_old_are_not_opened(tmp_path: Path, make_call: MakeCall) -> None:
    for day, number in ((28, 1), (31, 2)):
        path = tmp_path / f"calls-2026-07-{day}-0000000{number}.ndjson"
        path.write_bytes(encode_entry(make_call(number, time=at(5))))
    found = list(read_calls(tmp_path, Filter(since=NOON)))
    assert [call.id for call in found] == ["id-2"]


def test_a_line_without_end_is_left_alone_and_a_damaged_one_is_a_gap(tmp_path: Path, make_call: MakeCall) -> None:
    path = tmp_path / "calls-2026-08-01-00000001.ndjson"
    path.write_bytes(b"\0\0\n" + encode_entry(make_call(1)) + b"{}\n" + encode_entry(make_call(2))[:-1])
    first, call, second = read_entries(tmp_path)
    assert isinstance(first, Gap)
    assert isinstance(second, Gap)
    assert first.time == "2026-08-01T00:00:00.000Z"
    assert (second.time, second.lost_lines, second.lost_bytes) == (make_call(1).time, 1, 2)
    assert "calls-2026-08-01-00000001.ndjson" in second.why
    assert call == make_call(1)
    assert find_call(tmp_path, "id-1") == make_call(1)
    assert find_call(tmp_path, "id-2") is None


def test_following_sees_every_call_once_across_segments(tmp_path: Path, make_call: MakeCall) -> None:
    steps = iter(range(1, 40))

    def wait() -> bool:
        step = next(steps, None)
        if step is not None:
            recorder.append([make_call(step * 10), make_call(step * 10 + 1)])
        return step is not None

    with Recorder(tmp_path, segment_bytes=700) as recorder:
        found = [call.id for call in read_calls(tmp_path, follow=True, wait=wait)]
    assert found == [f"id-{step * 10 + more}" for step in range(1, 40) for more in (0, 1)]


def test_following_waits_for_the_end_of_a_line(tmp_path: Path, make_call: MakeCall) -> None:
    path = tmp_path / "calls-2026-08-01-00000001.ndjson"
    line = encode_entry(make_call(1))
    written = 0

    def wait() -> bool:
        nonlocal written
        with path.open("ab") as file:
            file.write(line[written : written + 7])
        written += 7
        return written < len(line) + 7

    assert list(read_calls(tmp_path, follow=True, wait=wait)) == [make_call(1)]


@pytest.mark.parametrize("seen_short", [False, True])
@pytest.mark.parametrize("new_segment", [False, True])
def test_what_is_taken_back_and_stored_again_is_shown_once(
    tmp_path: Path, make_call: MakeCall, *, new_segment: bool, seen_short: bool
) -> None:
    one, two = (tmp_path / f"calls-2026-08-01-0000000{number}.ndjson" for number in (1, 2))
    first, other, second, third = (
        encode_entry(call)
        for call in (make_call(1), make_call(7, src="x/access-00000001.log:7"), make_call(2), make_call(3))
    )
    one.write_bytes(first + second)

    def take_back() -> None:
        one.write_bytes(first)

    def store_again() -> None:
        with (two if new_segment else one).open("ab") as file:
            file.write(other + second + third)

    def both() -> None:
        take_back()
        store_again()

    steps = iter([take_back, store_again] if seen_short else [both])

    def wait() -> bool:
        step = next(steps, None)
        if step is not None:
            step()
        return step is not None

    found = [call.id for call in read_calls(tmp_path, follow=True, wait=wait)]
    assert found == ["id-1", "id-2", "id-7", "id-3"]


def test_memory_stays_flat(tmp_path: Path, make_call: MakeCall) -> None:
    line = encode_entry(make_call(None, path="/" + "x" * 1000))
    (tmp_path / "calls-2026-08-01-00000001.ndjson").write_bytes(line * 10_000)
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_calls(tmp_path)) == 10_000
        assert find_call(tmp_path, "nowhere") is None
        assert tracemalloc.get_traced_memory()[1] < 6 << 20
    finally:
        tracemalloc.stop()


def test_the_newest_call_of_a_reference(tmp_path: Path, make_call: MakeCall) -> None:
    with Recorder(tmp_path, segment_bytes=1000) as recorder:
        recorder.append([make_call(1, id="ref", time=at(0), decision="deny")])
        for offset in range(2, 10):
            recorder.append([make_call(offset, time=at(100 + offset))])
        denied = make_call(10, id="ref", time=at(200), decision="deny", enforcer="ingress")
        egress = make_call(11, id="ref", time=at(199), enforcer="egress")
        recorder.append([denied])
        for offset in range(12, 20):
            recorder.append([make_call(offset, time=at(200), src=None)])
        recorder.append([egress])
    assert find_calls(tmp_path, "ref") == [egress, denied]
    assert find_call(tmp_path, "ref") == find_call(tmp_path, "urn:uuid:ref") == denied
    assert find_call(tmp_path, "id-2") == make_call(2, time=at(102))


@pytest.mark.parametrize(
    "reference", ["", "re", "refx", "id", "\ud800", "x" * 2000, "urn:uuid:", '"', "orders:getOrder"]
)
def test_what_is_no_reference_finds_nothing(tmp_path: Path, make_call: MakeCall, reference: str) -> None:
    with Recorder(tmp_path) as recorder:
        recorder.append([make_call(1, id="ref")])
    assert find_calls(tmp_path, reference) == []


@pytest.mark.parametrize("reference", ['quo"te', "back\\slash", "line\nfeed", "\x1b[2J", "größe\u202e", "\0"])
def test_a_hostile_id_is_found_as_it_is(tmp_path: Path, make_call: MakeCall, reference: str) -> None:
    with Recorder(tmp_path) as recorder:
        recorder.append([make_call(1, id=reference), make_call(2)])
    assert find_call(tmp_path, reference) == make_call(1, id=reference)


@pytest.mark.parametrize("text", ["status<", "duration_us>=", "status=x", "nothing=1", "status"])
def test_what_is_no_term(text: str) -> None:
    with pytest.raises(BadInputError, match="is no condition"):
        Term.parse(text)


def test_an_argument_that_is_no_text_finds_nothing(tmp_path: Path) -> None:
    log = Log.make(tmp_path, 700)
    assert log.seal()
    assert list(read_entries(log.folder, Filter(caller="\udcff"))) == []
    assert list(read_entries(log.folder, Filter(terms=(Term.parse("id=\udcff"),)))) == []


def test_a_damaged_file_hides_no_call_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log.make(tmp_path, 2300)
    before = list_pieces(log.folder)
    assert len(log.seal()) > 2
    with monkeypatch.context() as patch:
        patch.setattr(reader, "list_pieces", lambda *_, **__: before)  # as it was before it was sealed
        assert [call.id for call in find_calls(log.folder, "call-3")] == ["call-3"]
    Path(list_local(log.folder)[1].url).write_bytes(b"no file of ours")
    assert [call.id for call in find_calls(log.folder, "call-3")] == ["call-3"]
    with pytest.raises(RecordError, match="cannot be read"):
        find_calls(log.folder, "call-99999")
