"""What is counted while a system runs: entries as they are recorded, and what the run tells of itself.

Rule: it is called by the intake, with what is durable already, and costs it nothing but time: whatever goes wrong with
counting is told once, and the record goes on.
"""

from __future__ import annotations

import logging
import threading
from bisect import bisect_left
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from inward.record.call import Call
from inward.record.metrics import defined
from inward.record.metrics.counting import CallCounters
from inward.record.metrics.defined import SECONDS, Histogram, Reading, Sample
from inward.record.metrics.labels import Label

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inward.control.run.events import Event
    from inward.record.call import Entry
    from inward.record.metrics.labels import Names

_logger = logging.getLogger(__name__)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Tally:
    """The counters of one run, from zero. Where nobody is to see them (`counts` is false) nothing is counted."""

    def __init__(
        self,
        names: Callable[[], Names],
        told: Callable[[str], None],
        *,
        counts: bool = True,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.since = now()
        self._calls = CallCounters(names)
        self._counts = counts
        self._told = told
        self._now = now
        self._failed = False
        self._turn = threading.Lock()
        self._delays = [0] * (len(SECONDS) + 1)
        self._delay_seconds = 0.0
        self._warnings = 0
        self._mistakes = 0
        self._ended: Counter[str] = Counter()
        self._alerts: Counter[tuple[str, str]] = Counter()
        self._detectors = Label()

    def recorded(self, entries: Sequence[Entry]) -> None:
        """Count entries that have just become durable."""
        if not self._counts:
            return
        try:
            self._calls.add(entries)
            self._time(entries)
        except Exception as error:  # the record does not end for its counters
            _logger.debug("entries are not counted", exc_info=True)
            if not self._failed:
                self._failed = True
                self._told(f"the metrics miss some calls: {type(error).__name__}: {error}")

    def noticed(self, event: Event) -> None:
        """Count what the run has told."""
        data = event.data
        with self._turn:
            if event.kind == "warning":
                self._warnings += 1
            elif event.kind == "mistakes":
                self._mistakes = len(data.get("mistakes", ()))
            elif event.kind == "policy":
                self._mistakes = 0
            elif event.kind == "service" and data.get("state") == "ended":
                self._ended[str(data.get("service"))] += 1
            elif event.kind == "alert" and data.get("what") == "new":
                alert = data.get("alert", {})
                self._alerts[self._detectors.value(alert.get("detector")), str(alert.get("severity"))] += 1

    def readings(self) -> list[Reading]:
        """Return all that was counted."""
        with self._turn:
            delays = Histogram(tuple(self._delays), self._delay_seconds)
            warnings, mistakes = self._warnings, self._mistakes
            ended, alerts = self._ended.copy(), self._alerts.copy()
        return [
            *self._calls.readings(),
            Reading(defined.RECORD_DELAY, [Sample((), delays)]),
            Reading(defined.WARNINGS, [Sample((), warnings)]),
            Reading(defined.MISTAKES, [Sample((), mistakes)]),
            Reading(defined.ENDED, [Sample((name,), count) for name, count in ended.items()]),
            Reading(defined.ALERTS, [Sample(labels, count) for labels, count in alerts.items()]),
        ]

    def _time(self, entries: Sequence[Entry]) -> None:
        """Take how long one call of a batch has waited, from its end on."""
        call = next((each for each in reversed(entries) if isinstance(each, Call)), None)
        if call is None:
            return
        try:
            ended = datetime.fromisoformat(call.time) + timedelta(microseconds=call.duration_us or 0)
            delay = (self._now() - ended).total_seconds()
        except (ValueError, OverflowError, TypeError):
            return  # a time that a service made up
        delay = max(0.0, delay)  # a clock that was set back
        with self._turn:
            self._delays[bisect_left(SECONDS, delay)] += 1
            self._delay_seconds += delay
