"""When what a policy says can change, as far as it can be said beforehand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from tests.unit.insight.test_exposure import POLICIES, grant, load

from inward.control.bundle import load_policy
from inward.policy.moments import EPOCH, moments_of

if TYPE_CHECKING:
    from pathlib import Path

MAY = datetime(2027, 5, 1, tzinfo=UTC)


def microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def moments(folder: Path, when: str, more: str = "") -> frozenset[int] | None:
    own = grant("timed", "checkout", "disclose", 'DataClass::"pii.email"', more, when)
    load(folder, {**POLICIES, "orders": POLICIES["orders"] + own})
    return moments_of(load_policy(folder).policies.by_id["timed"])


@pytest.mark.parametrize(
    "condition",
    [
        'context.time < datetime("2027-05-01")',
        'datetime("2027-05-01") <= context.time',
        'context has time && !(context.time == datetime("2027-05-01"))',
        'if context.time > datetime("2027-05-01") then true else principal.owner == Team::"team-web"',
        'context.time < datetime("2027-04-30").offset(duration("1d"))',
    ],
)
def test_comparisons_with_constants_are_followed(tmp_path: Path, condition: str) -> None:
    at = microseconds(MAY)
    assert moments(tmp_path, f"when {{ {condition} }}") == frozenset({at, at + 1000})


@pytest.mark.parametrize(
    "condition",
    [
        'context.time.toTime() < duration("8h")',
        'context.time.toDate() == datetime("2027-05-01")',
        'context.time.durationSince(datetime("2027-05-01")) < duration("1d")',
        'context.time.offset(duration("1d")) < datetime("2027-05-01")',
    ],
)
def test_any_other_use_of_the_time_is_not(tmp_path: Path, condition: str) -> None:
    assert moments(tmp_path, f"when {{ {condition} }}") is None


def test_what_does_not_read_the_time_never_changes(tmp_path: Path) -> None:
    assert moments(tmp_path, 'when { principal.owner == Team::"team-orders" }') == frozenset()
    assert moments(tmp_path, "") == frozenset()


def test_an_expiry_is_a_moment(tmp_path: Path) -> None:
    at = microseconds(MAY)
    assert moments(tmp_path, "", '@expires("2027-04-30")') == frozenset({at})
