"""What is counted while a system runs, and that the record does not end for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from inward.control.recording.metrics.tally import Tally
from inward.control.run.events import Event
from inward.record.call import Call, Gap
from inward.record.metrics import defined
from inward.record.metrics.defined import Histogram

if TYPE_CHECKING:
    from collections.abc import Callable

    from inward.record.metrics.defined import Metric

NOW = datetime(2026, 11, 26, 12, 0, 1, tzinfo=UTC)
NAMES = SimpleNamespace(services={}, operations={}, data_classes={})


def tally(told: Callable[[str], None] = pytest.fail, *, counts: bool = True) -> Tally:
    return Tally(lambda: NAMES, told, counts=counts, now=lambda: NOW)


def call(time: str = "2026-11-26T12:00:00.000Z", **fields: Any) -> Call:
    return Call(time=time, id="r", decision="allow", carried_out="allow", reason="granted", **fields)


def values(counted: Tally, metric: Metric) -> dict[tuple[str, ...], Any]:
    [reading] = [each for each in counted.readings() if each.metric is metric]
    return {sample.labels: sample.value for sample in reading.samples}


def delays(counted: Tally) -> Histogram:
    found = values(counted, defined.RECORD_DELAY)[()]
    assert isinstance(found, Histogram)
    return found


def test_what_is_recorded_is_counted() -> None:
    counted = tally()
    counted.recorded([call(), Gap(time="", why="")])
    counted.recorded([call()])
    assert list(values(counted, defined.CALLS).values()) == [2]
    assert values(counted, defined.GAPS) == {("_unknown",): 1}


def test_where_nobody_looks_nothing_is_counted() -> None:
    counted = tally(counts=False)
    counted.recorded([call()])
    assert values(counted, defined.CALLS) == {}


def test_the_delay_is_from_the_end_of_the_newest_call_of_a_batch() -> None:
    counted = tally()
    counted.recorded([call("2020-01-01T00:00:00.000Z"), call(duration_us=250_000), Gap(time="", why="")])
    assert delays(counted).count == 1
    assert delays(counted).total == 0.75


@pytest.mark.parametrize(
    "odd",
    [
        call("nonsense"),
        call("2026-11-26T12:00:00"),
        call("9999-12-31T23:59:59Z", duration_us=10**12),
        call(duration_us=10**400),
    ],
)
def test_a_time_that_somebody_made_up_is_no_delay(odd: Call) -> None:
    counted = tally()
    counted.recorded([odd])
    assert delays(counted).count == 0
    assert list(values(counted, defined.CALLS).values()) == [1]


def test_a_clock_that_was_set_back_is_no_negative_delay() -> None:
    counted = tally()
    counted.recorded([call((NOW + timedelta(hours=1)).isoformat())])
    assert delays(counted).total == 0


def test_what_goes_wrong_with_counting_is_told_once_and_raised_to_nobody() -> None:
    told: list[str] = []

    def broken() -> Any:
        raise LookupError("no catalog")

    counted = Tally(broken, told.append)
    counted.recorded([call()])
    counted.recorded([call()])
    assert told == ["the metrics miss some calls: LookupError: no catalog"]


def test_what_a_run_tells_is_counted() -> None:
    counted = tally()
    for event in (
        Event("warning", "x"),
        Event("warning", "y"),
        Event("service", "", {"service": "orders.envoy", "state": "ended"}),
        Event("service", "", {"service": "orders", "state": "ready"}),
        Event("mistakes", "", {"mistakes": [1, 2, 3]}),
    ):
        counted.noticed(event)
    alert = {"detector": "probing", "severity": "high"}
    for what in ("new", "again"):
        counted.noticed(Event("alert", "", {"what": what, "alert": alert}))
    counted.noticed(Event("alert", "", {"what": "new"}))
    assert values(counted, defined.ALERTS) == {("probing", "high"): 1, ("_unknown", "None"): 1}
    assert values(counted, defined.WARNINGS) == {(): 2}
    assert values(counted, defined.ENDED) == {("orders.envoy",): 1}
    assert values(counted, defined.MISTAKES) == {(): 3}
    counted.noticed(Event("policy", "enforced"))
    assert values(counted, defined.MISTAKES) == {(): 0}
