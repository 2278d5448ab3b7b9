"""Moments as people write them on a command line: how long ago, a day, or a time. A day without a zone is in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from inward.catalog.document import shown
from inward.errors import BadInputError

_AGO = re.compile(r"([0-9]{1,6})\s*(s|m|h|d|w)", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_since(text: str, now: datetime) -> datetime:
    """Return the moment that `30s`, `15m`, `2h`, `7d` ago was, or that a date or an RFC 3339 time names."""
    found = _AGO.fullmatch(text.strip())
    try:
        if found:
            return now - timedelta(**{_UNITS[found[2]]: int(found[1])})
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadInputError(
            f"`{shown(text)}` is no time", hint="write 30s, 15m, 2h, 7d, or a time such as 2027-06-30T12:00:00Z"
        ) from None


def parse_moment(text: str) -> datetime:
    """Return the moment that a date or an RFC 3339 time names, in UTC; raise `BadInputError` for all else."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadInputError(f"`{shown(text)}` is no time", hint="write it as 2027-06-30T12:00:00Z") from None


def parse_span(text: str) -> timedelta:
    """Return how long `30s`, `15m`, `2h`, `7d`, `4w` is; raise `BadInputError` for all else."""
    found = _AGO.fullmatch(text.strip())
    if found is None:
        raise BadInputError(f"`{shown(text)}` is no length of time", hint="write 30s, 15m, 2h, 7d or 4w")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
