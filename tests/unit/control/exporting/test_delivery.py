"""Sending to one destination: each entry at least once, in order; what is given up is counted and told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.unit.control.exporting.record import AWAY, BROKEN, TAKEN, UNFIT, World, ids
from tests.unit.record.audit.log import call

from inward.control.exporting import delivery as module
from inward.control.exporting.answer import Answer
from inward.control.exporting.state import ExportState, load_state
from inward.record.call import Gap
from inward.record.follow import Follower
from inward.record.segment import list_segments

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    with world.recorder:
        yield world


@pytest.fixture
def small(tmp_path: Path) -> Iterator[World]:
    """Return one whose limit is that of some forty calls, in segments of some ten."""
    world = World(tmp_path, limit=6000, segment_bytes=1500)
    with world.recorder:
        yield world


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IDLE_SECONDS", "FIRST_WAIT_SECONDS", "LONGEST_WAIT_SECONDS"):
        monkeypatch.setattr(module, name, 0.001)


def stored(world: World) -> ExportState:
    state = load_state(world.states, "ids")
    assert state is not None
    return state


def test_what_is_recorded_from_the_start_on_is_sent_once_and_in_order(world: World) -> None:
    world.record(1, 2)
    delivery = world.delivery()
    world.record(*range(3, 2000))
    world.send(delivery)
    assert world.line.taken == ids(*range(3, 2000))
    assert max(world.line.sizes) <= module.BATCH_ENTRIES
    assert (stored(world).sent, stored(world).waiting, stored(world).run) == (1997, 0, 7)
    assert world.line.closed
    again = world.delivery()
    world.record(2000)
    world.send(again)
    assert world.line.taken == ids(*range(3, 2001))
    assert world.told == []


def test_it_follows_a_record_that_grows(world: World) -> None:
    delivery = world.delivery()

    async def follow() -> None:
        keeping = asyncio.create_task(delivery.keep())
        for number in range(5):
            world.record(number)
            while len(world.line.taken) <= number:
                await asyncio.sleep(0.001)
        delivery.finish()
        await keeping

    asyncio.run(asyncio.wait_for(follow(), 30))
    assert world.line.taken == ids(*range(5))


def test_a_receiver_that_is_away_is_waited_for(world: World) -> None:
    delivery = world.delivery()
    world.record(*range(10))
    answers = iter([AWAY] * 5)
    world.line.behave = lambda _: next(answers, TAKEN)

    async def follow() -> None:
        keeping = asyncio.create_task(delivery.keep())
        while not world.line.taken:
            await asyncio.sleep(0.001)
        delivery.finish()
        await keeping

    asyncio.run(asyncio.wait_for(follow(), 30))
    assert world.line.taken == ids(*range(10))
    assert world.told == [
        "ids: nothing is sent, and waits in the record: it is away",
        "ids: it is sent to again; 0 entries were passed over so far",
    ]
    assert stored(world).trouble is None


def test_what_waits_and_why_is_kept_for_others_to_see(world: World) -> None:
    delivery = world.delivery()
    world.record(*range(100))
    world.line.behave = lambda _: AWAY
    world.send(delivery)
    assert stored(world).trouble == "it is away"
    assert stored(world).waiting > 5000
    assert stored(world).sent == 0


def test_one_entry_that_waits_is_seen_to(world: World) -> None:
    delivery = world.delivery()
    world.record(1)
    world.line.behave = lambda _: AWAY
    world.send(delivery)
    assert stored(world).waiting == list_segments(world.folder / "record")[0].path.stat().st_size
    world.line.behave = lambda _: TAKEN
    world.send(world.delivery())
    assert stored(world).waiting == 0


@pytest.mark.parametrize("failures", range(12))
def test_waits_grow_to_a_limit_and_are_never_less_than_was_asked_for(
    world: World, failures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_WAIT_SECONDS", 1.0)
    monkeypatch.setattr(module, "LONGEST_WAIT_SECONDS", 60.0)
    delivery = world.delivery()
    delivery._failures = failures
    longest = min(60, 2**failures)
    assert longest / 2 <= asyncio.run(delivery._wait("away")) <= longest
    assert asyncio.run(delivery._wait("away", 300.0)) == 300


# --- the limit ---


@pytest.mark.parametrize("at_once", [32, 10_000])
def test_more_than_the_limit_is_passed_over_counted_and_told(
    small: World, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SKIP_ENTRIES", at_once)
    delivery = small.delivery()
    small.line.behave = lambda _: AWAY
    small.record(*range(20))
    small.send(delivery)
    for number in range(20, 500):
        small.record(number)
    delivery = small.delivery()
    small.send(delivery)
    assert stored(small).skipped > 400
    small.line.behave = lambda _: TAKEN
    small.send(small.delivery())
    skipped = stored(small).skipped
    assert small.line.taken == [f"call-{skipped}+{skipped}", *ids(*range(skipped + 1, 500))]  # not one is lost untold
    assert stored(small).sent == 500 - skipped
    assert any("more than the limit was waiting; " in text for text in small.told)
    assert stored(small).untold == 0
    small.record(500)
    small.send(small.delivery())
    assert small.line.taken[-1] == "call-500"  # it is said once


def test_what_was_deleted_before_it_was_sent_is_told(small: World) -> None:
    small.record(0)
    delivery = small.delivery()
    for number in range(1, 40):
        small.record(number)
    first = list_segments(small.folder / "record")[0]
    gone = first.path.read_bytes().count(b"\n")
    first.path.unlink()
    small.line.behave = lambda _: AWAY
    small.send(delivery)
    small.line.behave = lambda _: TAKEN
    small.send(small.delivery())
    assert small.line.taken == ids(*range(gone, 40))
    assert sum("segments were deleted before they were read" in text for text in small.told) == 1


# --- what is refused ---


@pytest.mark.parametrize("answer", [UNFIT, BROKEN])
@pytest.mark.parametrize("wrong", [[0], [999], [500, 501], [63, 64, 511, 512], list(range(0, 1000, 100))])
def test_entries_that_are_refused_are_given_up_alone(world: World, answer: Answer, wrong: list[int]) -> None:
    delivery = world.delivery()
    world.record(*range(1000))
    bad = set(ids(*wrong))
    world.line.behave = lambda found: answer if bad & set(found) else TAKEN
    world.send(delivery)
    assert list(dict.fromkeys(world.line.taken)) == [name for name in ids(*range(1000)) if name not in bad]
    assert (stored(world).refused, stored(world).sent) == (len(wrong), 1000 - len(wrong))
    assert f"ids: an entry is not sent: call call-{wrong[0]}: {answer.why}" in world.told[0]


def test_a_receiver_that_refuses_everything_is_waited_for(world: World) -> None:
    delivery = world.delivery()
    world.record(*range(1000))
    world.line.behave = lambda _: UNFIT
    world.send(delivery)
    assert (stored(world).sent, stored(world).refused, stored(world).trouble) == (0, 0, "it answers 400")
    assert len(world.line.sizes) == 2 + module.ALONE_ENTRIES
    world.line.behave = lambda _: TAKEN
    world.send(world.delivery())
    assert world.line.taken == ids(*range(1000))


def test_one_entry_that_is_refused_waits_for_another_to_be_told_by(world: World) -> None:
    delivery = world.delivery()
    world.record(0)
    world.line.behave = lambda found: UNFIT if "call-0" in found else TAKEN
    world.send(delivery)
    assert stored(world).trouble == "it answers 400"
    world.record(1)
    world.send(world.delivery())
    assert (stored(world).refused, stored(world).trouble, world.line.taken) == (1, None, ["call-1"])


def test_one_that_failed_the_receiver_by_chance_is_not_given_up(world: World) -> None:
    delivery = world.delivery()
    world.record(*range(20))
    failures = iter([True, *[False] * 3, True])
    world.line.behave = lambda _: BROKEN if next(failures, False) else TAKEN
    world.send(delivery)
    assert sorted(world.line.taken) == sorted(ids(*range(20)))
    assert (stored(world).sent, stored(world).refused) == (20, 0)


def test_a_receiver_that_goes_away_amid_pieces_loses_nothing(world: World) -> None:
    delivery = world.delivery()
    world.record(*range(20))
    answers = iter([UNFIT, TAKEN, UNFIT, AWAY])
    world.line.behave = lambda _: next(answers, TAKEN)
    world.send(delivery)
    assert (stored(world).sent, stored(world).refused) == (0, 0)
    world.send(world.delivery())
    assert set(world.line.taken) == set(ids(*range(20)))


def test_what_cannot_be_encoded_keeps_nothing_back(world: World) -> None:
    delivery = world.delivery()
    hostile = call(1).__class__(
        time="2026-11-26T12:00:00.000Z", id="!" * 5000, decision="allow", carried_out="allow", reason="granted"
    )
    world.recorder.append([call(1), hostile, Gap(time="2026-11-26T12:00:00.000Z", why="a test"), call(2)])
    world.send(delivery)
    assert world.line.taken == ids(1, 2)
    assert (stored(world).sent, stored(world).refused) == (2, 1)
    assert len(world.told[0]) < 500


def test_what_a_receiver_took_in_part_is_counted(world: World) -> None:
    delivery = world.delivery()
    world.record(*range(10))
    world.line.behave = lambda _: Answer("taken", body=b"3")
    world.send(delivery)
    assert (stored(world).sent, stored(world).refused) == (7, 3)
    assert "the receiver dropped a part: a part" in world.told[0]


def test_hostile_calls_tell_once_a_minute(world: World) -> None:
    delivery = world.delivery()
    world.record(*range(5000))
    world.line.behave = lambda _: Answer("taken", body=b"1")
    world.send(delivery)
    assert stored(world).refused == len(world.line.sizes) > 5
    assert len(world.told) == 1


# --- its state ---


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"version":1,"place":[1', b'{"version":9}', b'{"place":[-1,0]}', b"[" * 10000]
)
def test_a_damaged_state_sends_again_and_never_less(world: World, content: bytes) -> None:
    world.delivery()
    world.record(*range(10))
    (world.states / "ids.json").write_bytes(content)
    world.send(world.delivery())
    assert world.line.taken == ids(*range(10))
    assert "the record is sent again, as far back as the limit" in world.told[0]
    assert stored(world).skipped == 0


@pytest.mark.parametrize("at_once", [32, 10_000])
def test_a_damaged_state_sends_no_more_than_the_limit(
    small: World, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SKIP_ENTRIES", at_once)
    small.delivery()
    for number in range(500):
        small.record(number)
    (small.states / "ids.json").write_bytes(b"{")
    small.send(small.delivery())
    assert 10 < len(small.line.taken) < 100
    assert small.line.taken[-1] == "call-499"
    assert stored(small).skipped == 0  # nobody knows whether they were sent


def test_a_state_that_cannot_be_stored_keeps_nothing_back(world: World) -> None:
    delivery = world.delivery()
    world.record(*range(3))
    (world.states / "ids.json").unlink()
    world.states.rmdir()
    world.states.write_text("no folder")
    world.send(delivery)
    assert world.line.taken == ids(*range(3))
    assert sum("would be sent again" in text for text in world.told) == 1


def test_a_record_that_cannot_be_read_is_told_and_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    delivery = world.delivery()
    world.record(1)

    def refuse(*_: object) -> None:
        raise RuntimeError("x" * 1000)

    with monkeypatch.context() as patched:
        patched.setattr(Follower, "read", refuse)
        world.send(delivery)
    assert stored(world).trouble is not None
    assert stored(world).trouble.startswith("RuntimeError: xxx")  # type: ignore[union-attr]  # it is not None
    assert len(world.told[0]) < 400
    world.send(world.delivery())
    assert world.line.taken == ids(1)
