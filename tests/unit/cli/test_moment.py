from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from inward.cli.moment import parse_moment, parse_since
from inward.errors import BadInputError

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30s", NOW - timedelta(seconds=30)),
        ("15m", NOW - timedelta(minutes=15)),
        ("2h", NOW - timedelta(hours=2)),
        ("7d", NOW - timedelta(days=7)),
        ("1w", NOW - timedelta(weeks=1)),
        ("2026-07-01", datetime(2026, 7, 1, tzinfo=UTC)),
        ("2026-07-01T10:00:00+02:00", datetime(2026, 7, 1, 8, tzinfo=UTC)),
        ("2026-07-01T10:00:00Z", datetime(2026, 7, 1, 10, tzinfo=UTC)),
    ],
)
def test_since(text: str, moment: datetime) -> None:
    assert parse_since(text, NOW) == moment


@pytest.mark.parametrize(
    "text", ["", "x", "3x", "-3s", "999999w", "٣s", "2026-13-01", "0001-01-01T00:00:00+14:00", "\udcff"]
)
def test_no_time(text: str) -> None:
    with pytest.raises(BadInputError):
        parse_since(text, NOW)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-07-01", datetime(2026, 7, 1, tzinfo=UTC)),
        ("2026-07-01T10:00:00+02:00", datetime(2026, 7, 1, 8, tzinfo=UTC)),
    ],
)
def test_a_moment(text: str, moment: datetime) -> None:
    assert parse_moment(text) == moment


@pytest.mark.parametrize("text", ["", "7d", "2026-13-01", "0001-01-01T00:00:00+14:00", "\udcff"])
def test_no_moment(text: str) -> None:
    with pytest.raises(BadInputError):
        parse_moment(text)
