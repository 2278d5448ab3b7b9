from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.alerting.conftest import DAY, HOUR, VIEW, act, call, engine, week

from inward.alerting.engine import Engine, EngineSettings
from inward.alerting.registry import REGISTRY, parse_settings
from inward.alerting.stream.saved import SnapshotError
from inward.alerting.view import View
from inward.record.call import Entry, Gap

if TYPE_CHECKING:
    from inward.alerting.alert import Alert


def attacked() -> list[Entry]:
    """Return a stream in which every detector fires, as the test below makes sure."""
    at = 30 * DAY
    quiet: list[Entry] = [
        call(hour * HOUR, parameters={"id": "1"}, address="10.0.0.7", bytes_out=900) for hour in range(24 * 30)
    ]
    return [
        *quiet,
        *(call(at + n * 0.2, parameters={"id": str(n)}, address="10.0.0.7", bytes_out=9000) for n in range(1500)),
        call(at + 1000, "checkout", "old:v1", address="10.9.0.1"),
        call(at + 1001, "old", "billing:pay"),
        call(at + 1002, address="10.0.0.7"),
        *(call(at + 1100 + n, "checkout", f"orders:op{n}", reason="no_grant") for n in range(9)),
        call(at + 1200, "checkout", None, reason="unknown_operation", carried_out="allow", status=200, path="/x"),
        Gap(time="nonsense", why="something was lost"),
        act(at + 1300, "quarantine", "checkout"),
        *(call(at + 1400 + n, reason="quarantined") for n in range(5)),
        call(at + 9 * HOUR),
        call(at + 10 * HOUR),
    ]


ATTACKED = attacked()
WHOLE = engine().feed(ATTACKED)


def test_every_detector_fires() -> None:
    assert {each.detector for each in WHOLE} == set(REGISTRY)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, len(ATTACKED)), max_size=4), st.lists(st.integers(700, len(ATTACKED)), max_size=4))
def test_a_restart_neither_repeats_nor_forgets_an_alert(early: list[int], late: list[int]) -> None:
    running, found, begin = engine(), list[object](), 0
    for end in [*sorted([*early, *late]), len(ATTACKED)]:
        found += running.feed(ATTACKED[begin:end])
        begin, snapshot = end, running.snapshot()
        running = engine()
        running.restore(snapshot)
    assert found == WHOLE


def test_a_batch_more_or_less_changes_nothing() -> None:
    running = engine()
    assert [alert for entry in ATTACKED for alert in running.feed([entry])] == WHOLE


@pytest.mark.parametrize("damaged", [b"", b"\x00", b"nonsense", msgspec.msgpack.encode([2, "s", {}, {}])])
def test_a_damaged_snapshot_is_an_error_and_leaves_an_engine_that_works(damaged: bytes) -> None:
    begun = engine()
    with pytest.raises(SnapshotError):
        begun.restore(damaged)
    assert {each.detector for each in begun.feed(ATTACKED)} == set(REGISTRY)


def test_every_cut_of_a_snapshot_is_refused() -> None:
    begun = engine()
    begun.feed(ATTACKED)
    snapshot = begun.snapshot()
    for length in range(0, len(snapshot), max(1, len(snapshot) // 40)):
        with pytest.raises(SnapshotError):
            engine().restore(snapshot[:length])


def test_a_detector_that_is_off_says_nothing_and_one_with_other_settings_learns_anew() -> None:
    off = EngineSettings(dict.fromkeys(REGISTRY))
    assert engine(off).feed(ATTACKED) == []
    begun = engine()
    begun.feed(ATTACKED[:720])
    other = engine(EngineSettings({"enumeration": parse_settings("enumeration", {"distinct": 41})}))
    other.restore(begun.snapshot())
    found = {each.detector: each.severity for each in other.feed(ATTACKED[720:]) if each.detector == "enumeration"}
    assert found == {"enumeration": "low"}  # it has no usual any more
    assert {each.detector for each in WHOLE if each.detector == "volume"}


def test_a_changed_catalog_drops_nothing() -> None:
    begun = engine()
    begun.feed(ATTACKED[:720])
    more = View({**VIEW.classes, "orders:more": ("pii",)})
    changed = engine(view=more)
    changed.restore(begun.snapshot())
    assert {each.detector for each in changed.feed(ATTACKED[720:])} == set(REGISTRY)
    begun.change_view(more)
    assert {each.detector for each in begun.feed(ATTACKED[720:])} == set(REGISTRY)


def test_entries_without_a_time_are_counted_and_passed_over() -> None:
    begun = engine()
    assert begun.feed([msgspec.structs.replace(call(0), time="yesterday")]) == []
    assert begun.clock.unreadable == 1


def test_ids_say_what_was_found_and_not_when() -> None:
    later = Engine(EngineSettings(), VIEW, secret="another")
    assert [each.id for each in later.feed(ATTACKED)][:5] == [each.id for each in WHOLE][:5]


def test_no_alert_names_more_than_it_may() -> None:
    long = "x" * 5000
    entries = [*week(), *(call(9 * DAY + n, long, f"{long}:{n}", reason="no_grant") for n in range(50))]
    alerts = engine().feed(entries)
    assert alerts
    for each in alerts:
        assert len(each.why) < 500
        assert "\n" not in each.why
        assert len(each.calls) <= 20
        assert each.time.endswith("Z")


def hostile(chance: random.Random, count: int) -> list[Entry]:
    """Return calls in which everything that a caller can choose is different each time."""
    found: list[Entry] = []
    for number in range(count):
        name = f"{chance.getrandbits(60):x}"
        fields = {"parameters": {"id": name}, "user": name, "address": f"10.{number % 250}.{number // 250 % 250}.1"}
        observed = {"reason": "unknown_operation", "carried_out": "allow", "status": 200, "path": f"/{name}"}
        at = 9 * DAY + chance.uniform(0, HOUR)
        if number % 3 == 0:
            found.append(call(at, f"spiffe://x/{name}", f"orders:{name}", **fields))
        elif number % 3 == 1:
            found.append(call(at, f"spiffe://x/{name}", None, **{**fields, **observed}))
        else:
            found.append(call(at, "checkout", f"orders:{name}", reason="no_grant", **fields))
    return found


def test_memory_is_bounded_whatever_callers_send(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("probing", "enumeration", "two_places", "undocumented_operation", "lateral_movement", "volume"):
        path = f"inward.alerting.detectors.{module}"
        for name in ("MOST_CALLERS", "MOST_OPERATIONS", "MOST_CALLEES", "MOST_USERS", "MOST_PATHS", "MOST_EDGES"):
            monkeypatch.setattr(f"{path}.{name}", 100, raising=False)
    monkeypatch.setattr("inward.alerting.stream.novelty.MOST_EDGES", 500)
    monkeypatch.setattr("inward.alerting.detectors.lateral_movement.MOST_KNOWN", 100)
    chance, begun = random.Random(1), engine()  # noqa: S311 - the same each time
    begun.feed([*week(), *hostile(chance, 2500)])
    before = len(begun.snapshot())
    for _ in range(3):
        begun.feed(hostile(chance, 1000))
        assert len(begun.snapshot()) < 1.3 * before
    evicted = begun.evicted()
    assert {"enumeration", "volume", "undocumented-operation", "two-places", "lateral-movement"} <= evicted.keys()


def alerts_by_id(alerts: list[Alert]) -> dict[str, list[Alert]]:
    found: dict[str, list[Alert]] = {}
    for each in alerts:
        found.setdefault(each.id, []).append(each)
    return found


def test_what_is_told_again_is_about_more() -> None:
    for updates in alerts_by_id(WHOLE).values():
        assert [each.count for each in updates] == sorted(each.count for each in updates)
        assert len(updates) <= 12
