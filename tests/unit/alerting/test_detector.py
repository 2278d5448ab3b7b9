from __future__ import annotations

import pytest

from inward.alerting.alert import MOST_CALLS
from inward.alerting.detector import alert, day_text, shown, span_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1, "1 seconds"), (60, "a minute"), (600, "10 minutes"), (3600, "an hour"), (7200, "2 hours"), (86400, "a day")],
)
def test_lengths_of_time_are_said_as_people_say_them(seconds: float, text: str) -> None:
    assert span_text(seconds) == text


def test_long_names_are_cut_in_sentences() -> None:
    assert shown("x" * 80) == "x" * 80
    assert shown("x" * 81) == "x" * 79 + "…"


def test_a_day_is_named_by_its_date() -> None:
    assert day_text(20458) == "2026-01-05"


def test_an_alert_is_named_by_its_detector_and_subject_alone() -> None:
    first = alert("probing", ("a", "b"), "low", "one", time="2026-01-05T00:00:00.000Z", calls=("c",) * 50)
    second = alert("probing", ("a", "b"), "high", "two", time="2026-01-06T00:00:00.000Z", count=9)
    other = alert("probing", ("a\0b",), "low", "one", time="2026-01-05T00:00:00.000Z")
    assert first.id == second.id
    assert other.id != alert("volume", ("a", "b"), "low", "one", time="2026-01-05T00:00:00.000Z").id
    assert first.began == first.time
    assert len(first.calls) == MOST_CALLS
