"""What is withheld from whom, said beforehand: the same as what is decided at every moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.unit.insight.test_exposure import LATE, POLICIES, grant, load

from inward.control.bundle import load_policy
from inward.policy.disclosures import Disclosures
from inward.policy.moments import EPOCH
from inward.viewing.withholding import MAX_PHASES, Phase, Withholding

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from inward.control.bundle import Policy

EMAIL = frozenset({"pii.email"})
CLASS = 'DataClass::"pii.email"'


def system(folder: Path, more: str = "", front: str = "") -> Policy:
    load(folder, {**POLICIES, "orders": POLICIES["orders"] + more, "front": POLICIES["front"] + front})
    return load_policy(folder)


def at(phases: tuple[Phase, ...], moment: datetime) -> frozenset[str]:
    since = (moment - EPOCH) // timedelta(microseconds=1)
    return [phase for phase in phases if phase.since <= since][-1].withheld


def test_what_is_said_beforehand_is_what_is_decided_then(tmp_path: Path) -> None:
    policy = system(
        tmp_path,
        grant("m1", "checkout", "disclose", CLASS, when='when { context.time >= datetime("2027-03-01T12:00:00.500Z") }')
        + grant("m2", "front", "disclose", CLASS, '@expires("2027-02-01")')
        + '@id("never") @reason("r") @expires("2027-06-01") forbid (principal == Service::"front", '
        'action == Action::"disclose", resource == DataClass::"pii.email") '
        'when { !(context.time < datetime("2027-04-01")) };\n',
    )
    withholding = Withholding(policy.catalog, policy.engine)
    disclosures = Disclosures(policy.catalog, policy.engine)
    edges = [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2026, 7, 2, tzinfo=UTC),
        datetime(2027, 2, 2, tzinfo=UTC),
        datetime(2027, 3, 1, 12, 0, 0, 500_000, tzinfo=UTC),
        datetime(2027, 4, 1, tzinfo=UTC),
        datetime(2027, 6, 2, tzinfo=UTC),
    ]
    steps = [
        timedelta(),
        timedelta(microseconds=1),
        timedelta(microseconds=999),
        timedelta(milliseconds=1),
        timedelta(hours=1),
    ]
    moments = [edge + step for edge in edges for step in steps] + [edge - step for edge in edges[1:] for step in steps]
    for caller in ("checkout", "front", "orders"):
        phases = withholding.phases(caller, EMAIL)
        for moment in moments:
            assert at(phases, moment) == disclosures.withheld(caller, EMAIL, moment), (caller, moment)
    assert len(withholding.phases("checkout", EMAIL)) > 2


def test_a_condition_that_cannot_be_followed_withholds(tmp_path: Path) -> None:
    policy = system(tmp_path)
    withholding = Withholding(policy.catalog, policy.engine)
    assert withholding.phases("reporting", EMAIL) == (Phase(0, EMAIL),)  # which is shown it in the evening
    viewed = withholding.viewed(policy.catalog.operations["orders:getOrder"])
    assert viewed is not None
    assert viewed.untold == {"reporting": EMAIL}
    assert LATE in POLICIES["orders"]


def test_only_who_may_call_makes_an_operation_one_that_is_viewed(tmp_path: Path) -> None:
    policy = system(tmp_path)
    operation = policy.catalog.operations["front:show"]
    viewed = Withholding(policy.catalog, policy.engine).viewed(operation)
    assert viewed is not None
    assert set(viewed.phases) == {"checkout"}
    policy = system(tmp_path, grant("all", "checkout", "disclose", CLASS))
    assert Withholding(policy.catalog, policy.engine).viewed(policy.catalog.operations["front:show"]) is None


def test_what_the_service_may_not_receive_counts(tmp_path: Path) -> None:
    callers = grant("put", "front", "orders:putOrder", 'Service::"orders"')
    policy = system(tmp_path, callers)
    viewed = Withholding(policy.catalog, policy.engine).viewed(policy.catalog.operations["orders:putOrder"])
    assert viewed is not None
    assert (viewed.requests, viewed.received) == (True, (Phase(0, EMAIL),))
    policy = system(tmp_path, callers + grant("own", "orders", "disclose", CLASS))
    viewed = Withholding(policy.catalog, policy.engine).viewed(policy.catalog.operations["orders:putOrder"])
    assert viewed is None or not viewed.requests


def test_more_changes_than_are_followed_withhold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_PHASES > 100
    monkeypatch.setattr("inward.viewing.withholding.MAX_PHASES", 1)
    policy = system(tmp_path)
    assert Withholding(policy.catalog, policy.engine).phases("checkout", EMAIL) == (Phase(0, EMAIL),)
