"""Counters of the record: right, bounded, and not to be broken by what a call holds."""

from __future__ import annotations

import random
import threading
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from inward.record.call import Act, Call, Gap
from inward.record.metrics import defined
from inward.record.metrics.counting import CallCounters
from inward.record.metrics.defined import SECONDS, Histogram, Metric, Value
from inward.record.metrics.labels import STRANGERS

NAMES = SimpleNamespace(
    services={"till": 0, "orders": 0},
    operations={"orders:getOrder": 0, "orders:list": 0},
    data_classes={"pii.email": 0},
)
EXACT = {"caller": "till", "callee": "orders", "operation": "orders:getOrder"}


def call(**fields: Any) -> Call:
    known = {"decision": "allow", "carried_out": "allow", "reason": "granted", **EXACT, **fields}
    return Call(time="2026-11-26T12:00:00.000Z", id="0f3c", **known)


def counters(**limits: int) -> CallCounters:
    return CallCounters(lambda: NAMES, **limits)


def values(counted: CallCounters, metric: Metric) -> dict[tuple[str, ...], Value]:
    [reading] = [each for each in counted.readings() if each.metric is metric]
    found = {sample.labels: sample.value for sample in reading.samples}
    assert len(found) == len(reading.samples)
    return found


def histogram(counted: CallCounters, *labels: str) -> Histogram:
    found = values(counted, defined.DURATION)[labels]
    assert isinstance(found, Histogram)
    return found


def test_each_call_is_counted_once_by_what_became_of_it() -> None:
    counted = counters()
    counted.add([call(), call(), call(decision="deny", carried_out="deny", reason="no_grant")])
    counted.add([call(caller=None, operation=None, decision="deny", carried_out="allow", reason="unknown_operation")])
    assert values(counted, defined.CALLS) == {
        ("till", "orders", "orders:getOrder", "allow", "allow", "granted"): 2,
        ("till", "orders", "orders:getOrder", "deny", "deny", "no_grant"): 1,
        ("_unknown", "orders", "_unknown", "deny", "allow", "unknown_operation"): 1,
    }


@pytest.mark.parametrize("bound", range(len(SECONDS)))
def test_a_bucket_holds_what_is_as_long_as_its_end_and_no_longer(bound: int) -> None:
    counted = counters()
    end = round(SECONDS[bound] * 1_000_000)
    counted.add([call(duration_us=end), call(duration_us=end + 1)])
    found = histogram(counted, "orders", "orders:getOrder")
    assert found.counts[bound : bound + 2] == (1, 1)
    assert found.count == 2
    assert found.total == pytest.approx((2 * end + 1) / 1_000_000)


def test_bytes_are_summed_by_operation() -> None:
    counted = counters()
    counted.add([call(bytes_in=3, bytes_out=5), call(caller=None, bytes_in=4), call(operation="orders:list")])
    assert values(counted, defined.REQUEST_BYTES) == {("orders", "orders:getOrder"): 7, ("orders", "orders:list"): 0}
    assert values(counted, defined.RESPONSE_BYTES) == {("orders", "orders:getOrder"): 5, ("orders", "orders:list"): 0}


@pytest.mark.parametrize("number", [-1, -(10**30), 2**53, 10**400])
def test_what_no_counter_can_add_is_left_out(number: int) -> None:
    counted = counters()
    counted.add([call(duration_us=number, bytes_in=number, bytes_out=number)])
    counted.add([Gap(time="", why="", service="orders", lost_bytes=number, lost_lines=number)])
    assert list(values(counted, defined.CALLS).values()) == [1]
    assert values(counted, defined.DURATION) == {}
    for metric in (defined.REQUEST_BYTES, defined.RESPONSE_BYTES, defined.LOST_BYTES, defined.LOST_LINES):
        assert list(values(counted, metric).values()) == [0]


def test_the_newest_call_is_the_example() -> None:
    counted = counters()
    older, newer = call(duration_us=2_000), call(duration_us=1_500, trace="a" * 32)
    counted.add([older, newer, call(duration_us=90_000_000)])
    [series] = next(each for each in counted.readings() if each.metric is defined.CALLS).samples
    assert series.example is not None
    assert (series.example.value, series.example.reference, series.example.trace) == (1, "0f3c", None)
    examples = histogram(counted, "orders", "orders:getOrder").examples
    assert [(at, each.value, each.trace) for at, each in enumerate(examples) if each] == [
        (1, 0.0015, "a" * 32),
        (len(SECONDS), 90, None),
    ]


@pytest.mark.parametrize("field", ["id", "time", "trace"])
def test_an_example_takes_no_memory_that_a_call_can_choose(field: str) -> None:
    counted = counters()
    counted.add([msgspec.structs.replace(call(duration_us=1), **{field: "x" * 10_000})])
    [series] = counted._series.values()
    [traffic] = counted._traffic.values()
    assert series.last == traffic.last[0] == ("", None, "", None)
    assert histogram(counted, "orders", "orders:getOrder").examples[0] is not None


def test_data_classes_are_counted_by_mode() -> None:
    counted = counters()
    counted.add(
        [call(withheld=("pii.email",)), call(withheld=("pii.email",), mode="observe"), call(sent=("pii.email",))]
    )
    cut = ("pii.email", "orders", "orders:getOrder", "enforce")
    assert values(counted, defined.WITHHELD) == {cut: 1, (*cut[:3], "observe"): 1}
    assert values(counted, defined.UNDISCLOSED) == {cut: 1}


def test_gaps_are_counted_from_zero_for_each_service() -> None:
    counted = counters()
    assert values(counted, defined.GAPS) == {("till",): 0, ("orders",): 0}
    counted.add([Gap(time="", why="", service="orders", lost_lines=2, lost_bytes=90), Gap(time="", why="")])
    assert values(counted, defined.GAPS) == {("till",): 0, ("orders",): 1, ("_unknown",): 1}
    assert values(counted, defined.LOST_LINES) == {("orders",): 2, ("_unknown",): 0}
    assert values(counted, defined.LOST_BYTES) == {("orders",): 90, ("_unknown",): 0}


def test_acts_are_counted_by_what_was_done() -> None:
    counted = counters()
    counted.add([Act(time="", what="quarantine", about="till"), Act(time="", what="quarantine")])
    assert values(counted, defined.ACTS) == {("quarantine",): 2}


def test_strangers_are_one_after_the_first_few_and_services_never() -> None:
    counted = counters()
    foreign = [
        call(caller=f"spiffe://elsewhere/{number}", callee=f"host-{number}", operation=None) for number in range(500)
    ]
    counted.add(foreign)
    counted.add([call()])
    found = values(counted, defined.CALLS)
    assert len(found) == STRANGERS + 2
    assert found["_other", "_other", "_unknown", "allow", "allow", "granted"] == 500 - STRANGERS
    assert found["till", "orders", "orders:getOrder", "allow", "allow", "granted"] == 1
    assert values(counted, defined.FOLDED)["caller",] == 500 - STRANGERS
    assert values(counted, defined.FOLDED)["callee",] == 500 - STRANGERS


def test_whatever_is_called_memory_and_page_have_an_end_and_no_call_is_lost() -> None:
    names = SimpleNamespace(
        services={f"s{number}": 0 for number in range(60)},
        operations={f"s1:o{number}": 0 for number in range(400)},
        data_classes={},
    )
    counted = CallCounters(lambda: names, series=1_000, operations=100)
    dice = random.Random(7)  # noqa: S311 - no secret
    count = 20_000
    counted.add(
        call(
            caller=f"s{dice.randrange(60)}",
            callee=f"s{dice.randrange(60)}",
            operation=f"s1:o{dice.randrange(400)}",
            reason=dice.choice(["granted", "no_grant", f"made up {dice.random()}"]),
            withheld=(f"class-{dice.random()}",),
            duration_us=1,
        )
        for _ in range(count)
    )
    calls = values(counted, defined.CALLS)
    assert sum(value for value in calls.values() if isinstance(value, int)) == count
    durations = values(counted, defined.DURATION).values()
    assert sum(value.count for value in durations if isinstance(value, Histogram)) == count
    assert len(calls) <= 1_000 + 10
    assert len(durations) <= 100 + 60
    assert len(counted._known) <= 1_000
    sizes, limits = values(counted, defined.SERIES), values(counted, defined.SERIES_LIMIT)
    assert sizes["calls",] == len(calls)
    assert limits == {("calls",): 1_000, ("operations",): 100, ("classes",): 2_000}
    folded = values(counted, defined.FOLDED)["series",]
    assert isinstance(folded, int)
    assert folded > count / 2


def test_a_series_that_was_met_is_still_counted_when_there_is_no_more_room() -> None:
    counted = counters(series=10, operations=10)
    counted.add([call()])
    counted.add(call(caller=f"spiffe://elsewhere/{number}") for number in range(50))
    counted.add([call()])
    assert values(counted, defined.CALLS)["till", "orders", "orders:getOrder", "allow", "allow", "granted"] == 2


def test_reading_and_adding_take_turns() -> None:
    counted = counters()
    batch = [call(duration_us=number) for number in range(500)]

    def add() -> None:
        for _ in range(40):
            counted.add(batch)

    adding = threading.Thread(target=add)
    adding.start()
    seen = []
    while adding.is_alive():
        readings = {each.metric: each.samples for each in counted.readings()}
        calls = sum(sample.value for sample in readings[defined.CALLS] if isinstance(sample.value, int))
        timed = sum(sample.value.count for sample in readings[defined.DURATION] if isinstance(sample.value, Histogram))
        seen.append((calls, timed))
    adding.join()
    assert all(calls == timed and calls % 500 == 0 for calls, timed in seen)
    assert list(values(counted, defined.CALLS).values()) == [20_000]
