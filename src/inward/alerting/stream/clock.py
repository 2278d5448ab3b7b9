"""The time of the stream: what `call.time` says, held against clocks that are wrong.

Rules:

1. The clock of this machine is never asked: the same entries give the same moments, whenever they are read.
2. An entry that comes `LATENESS` late at most keeps its own time. What comes later still is `late`, and is taken to be
   just so late: nothing goes back to windows that were judged.
3. The stream goes on over a quiet night or weekend, up to `JUMP`, with the first entry after it. What says that more
   time has passed is taken to have come now, until a second entry agrees: one clock that is wrong by a year moves
   nothing.
4. A stream that went ahead by mistake comes back once `STREAK` more entries were late than on time, over half an hour
   of their own time.

What it cannot do: tell apart a host whose clock is wrong for many calls in a row from a stream that really went on.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

LATENESS = 600.0  # seconds
JUMP = 3 * 86400.0
STREAK = 100
STREAK_SECONDS = 1800.0
HOUR = 3600
DAY = 86400
_PREFIX = len("2026-11-26T04:15")
_TEXT = len("2026-11-26T04:15:00.000Z")


class Clock(msgspec.Struct):
    """The time of one stream. `at` is the moment of the newest entry that is believed, seconds since the epoch."""

    at: float = -1.0
    began: float = -1.0
    late: int = 0  # entries that came too late for a window of their time
    unreadable: int = 0  # entries without a time
    _ahead: float = -1.0  # what one entry said that nothing has confirmed
    _streak: int = 0
    _streak_first: float = 0.0
    _streak_last: float = 0.0

    def see(self, moment: float) -> tuple[float, bool]:
        """Take the time of an entry; return the moment to use for it, and whether it came too late for windows."""
        if self.at < 0:
            self.at = self.began = moment
            return moment, False
        behind = self.at - moment
        if behind > LATENESS:
            return self._late(moment)
        if self._streak:
            self._streak -= 1
        if behind < -JUMP:
            if self._ahead < 0 or moment < self._ahead - LATENESS:
                self._ahead = moment
                return self.at, False
            moment = max(moment, self._ahead)
        if moment > self.at:
            self.at = moment
            if self._ahead >= 0:
                self._ahead = -1.0
        return moment, False

    def _late(self, moment: float) -> tuple[float, bool]:
        self.late += 1
        if not self._streak:
            self._streak_first = self._streak_last = moment
        self._streak += 1
        self._streak_last = max(self._streak_last, moment)
        if self._streak >= STREAK and self._streak_last - self._streak_first >= STREAK_SECONDS:
            self._streak = 0
            self._ahead = -1.0
            self.at = self._streak_last
            self.began = min(self.began, self._streak_first)
            return moment, False
        return self.at - LATENESS, True


class TimeReader:
    """Reads RFC 3339 times as `record.call.timestamp` writes them, and keeps the minute that it has worked out."""

    def __init__(self) -> None:
        self._minute = ""
        self._start = 0.0

    def seconds(self, text: str) -> float | None:
        """Return seconds since the epoch, or None for what is no such time."""
        prefix = text[:_PREFIX]
        if len(text) == _TEXT and prefix == self._minute and text[-1] == "Z":
            try:
                return self._start + float(text[_PREFIX + 1 : -1])
            except ValueError:
                return None
        try:
            moment = datetime.fromisoformat(text)
            seconds = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
        except (ValueError, OverflowError):
            return None
        if len(text) == _TEXT and text[-1] == "Z" and seconds >= 0:
            self._minute, self._start = prefix, seconds - moment.second - moment.microsecond / 1e6
        return seconds if seconds >= 0 else None
