"""Recorded calls against a proposed policy: counted once, told apart, and nothing guessed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from tests.unit.envoy import shop
from tests.unit.insight.conftest import call, refused

from inward.insight import replay as module
from inward.insight.recorded import DECIDED
from inward.insight.replay import Replay, Replayer, alike
from inward.policy.decision import Reason
from inward.record.call import Gap

if TYPE_CHECKING:
    from tests.unit.insight.conftest import Make

    from inward.insight.recorded import Decider
    from inward.record.call import Entry

QUERY = 'when { context.query has region && context.query.region == "eu" }'


def replay(new: Decider, *entries: Entry, today: Decider | None = None, at: datetime | None = None) -> Replay:
    found = Replayer(new, today, at).add(entries)
    changed = sum(group.calls for group in found.groups.values()) + found.rest.total()
    assert found.calls == found.unchanged + changed
    return found


def counts(found: Replay) -> tuple[int, int, int]:
    return (
        found.count("refused", already=False),
        found.count("allowed", already=False),
        found.count("unknown", already=False),
    )


def test_what_stays_as_it_is_changes_nothing(make: Make) -> None:
    found = replay(
        make(shop.GRANT), call(1), call(2), refused(caller="monitor"), refused(reason="forbidden", caller="audit")
    )
    assert (found.calls, found.unchanged, found.groups) == (4, 4, {})


def test_changes_are_grouped_with_whose_they_are_and_an_example(make: Make) -> None:
    new = make(shop.policy("m", caller="monitor"))
    found = replay(new, call(3), call(5), call(4), refused(6, caller="monitor"), refused(7))
    assert (found.calls, found.unchanged, counts(found)) == (5, 1, (3, 1, 0))
    (first, lost), (second, gained) = found.ordered()
    assert (first.change, first.caller, first.operation) == ("refused", "checkout", "orders:getOrder")
    assert (first.was, first.becomes) == ("granted", "no_grant")
    assert (lost.calls, lost.owner, lost.reference) == (3, "team-orders", "id-5")
    assert (lost.first, lost.last) == ("2026-08-01T12:00:03.000Z", "2026-08-01T12:00:05.000Z")
    assert (second.change, second.caller, second.becomes, gained.calls) == ("allowed", "monitor", "granted", 1)


def test_what_no_policy_decided_is_skipped_and_counted(make: Make) -> None:
    reasons = [reason for reason in Reason if reason not in DECIDED]
    egress = [refused(reason=reason, enforcer="egress") for reason in reasons]
    found = replay(
        make(),
        *egress,
        refused(reason="of a later version"),
        refused(enforcer="guard"),
        refused(caller=None),
        refused(path=None),
        refused(time="yesterday"),
        refused(time="2026-08-01T12:00:00"),
        refused(),
    )
    assert (found.calls, found.unchanged) == (1, 1)
    assert found.skipped == {
        **{str(reason): 1 for reason in reasons},
        "of a later version": 1,
        "guard": 1,
        "no_caller": 1,
        "no_request": 3,
    }


def test_a_call_that_its_egress_tells_too_counts_once(make: Make) -> None:
    lost = call(1, operation=None, decision="deny", carried_out="deny", reason="unreachable", enforcer="egress")
    found = replay(make(), call(1), lost)
    assert (found.calls, counts(found), found.skipped) == (1, (1, 0, 0), {"unreachable": 1})


def test_a_query_that_would_decide_is_unknown_and_named(make: Make) -> None:
    found = replay(make(shop.policy("g", QUERY)), call(1), refused(2), call(3, caller="monitor"))
    assert counts(found) == (1, 0, 2)
    named = {(key.was, key.becomes, key.parameters) for key in found.groups if key.change == "unknown"}
    assert named == {("granted", "", ("region",)), ("no_grant", "", ("region",))}


def test_the_same_policies_decide_the_same_whatever_the_query_was(make: Make) -> None:
    today = make(shop.policy("g", QUERY))
    new = make(shop.policy("g", QUERY) + shop.policy("m", caller="monitor"))
    then, of_new, old = (call(policy_version=version) for version in (today.version, new.version, "other"))
    found = replay(new, then, of_new, old, today=today)
    assert (found.unchanged, counts(found), found.count("unknown", already=True)) == (2, (0, 0, 0), 1)
    changed = make(shop.policy("g", QUERY.replace("eu", "us")))
    assert counts(replay(changed, then, today=today)) == (0, 0, 1)
    assert counts(replay(new, then)) == (0, 0, 1)
    other_time = replay(new, then, of_new, today=today, at=datetime(2026, 8, 1, tzinfo=UTC))
    assert (other_time.unchanged, other_time.count("unknown", already=True)) == (0, 2)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("checkout: {owner: team-checkout", "checkout: {owner: team-other"),
        ("checkout: {owner: team-checkout", "checkout: {zone: web, owner: team-checkout"),
        ("monitor: {owner: team-checkout", "monitor: {groups: [a], owner: team-checkout"),
    ],
)
def test_the_same_policies_of_systems_that_are_not_alike_may_decide_otherwise(
    make: Make, before: str, after: str
) -> None:
    today = make(shop.policy("g", QUERY))
    new = make(shop.policy("g", QUERY), system=shop.SYSTEM.replace(before, after))
    assert new.version != today.version
    assert alike(today.catalog, today.catalog)
    assert not alike(new.catalog, today.catalog)
    assert counts(replay(new, call(policy_version=today.version), today=today)) == (0, 0, 1)


def test_what_todays_policy_changes_too_is_told_apart(make: Make) -> None:
    today, new = make(), make(shop.policy("m", caller="monitor"))
    found = replay(new, call(1), refused(2, caller="monitor"), today=today)
    assert counts(found) == (0, 1, 0)
    assert found.count("refused", already=True) == 1
    assert [key.already for key, _ in found.ordered()] == [False, True]
    undecided = make(shop.policy("g", QUERY))
    assert counts(replay(new, call(1), today=undecided)) == (1, 0, 0)


def test_observed_calls_are_compared_by_what_was_decided(make: Make) -> None:
    system = shop.SYSTEM.replace("api: apis/orders.json", "api: apis/orders.json\n    mode: observe")
    observed = refused(carried_out="allow", mode="observe")
    assert replay(make(system=system), observed).unchanged == 1
    assert counts(replay(make(shop.GRANT, system=system), observed)) == (0, 1, 0)
    [group] = replay(make(system=system), call()).groups.values()
    assert group.observed
    [group] = replay(make(), call()).groups.values()
    assert not group.observed


def test_a_changed_description_is_a_change(make: Make) -> None:
    new = make(api='{"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {}}')
    [(key, _)] = replay(new, call()).groups.items()
    assert (key.operation, key.new_operation, key.becomes) == ("orders:getOrder", None, "unknown_operation")
    undocumented = refused(operation=None, reason="unknown_operation")
    [(key, _)] = replay(make(shop.GRANT), undocumented).groups.items()
    assert (key.change, key.operation, key.new_operation) == ("allowed", None, "orders:getOrder")
    gone = shop.SYSTEM.replace('  foreign: {owner: team-checkout, listen: "192.0.2.7:7443"}\n', "")
    [(key, group)] = replay(make(system=gone), call(callee="foreign"), today=make()).groups.items()
    assert (key.becomes, group.owner) == ("unknown_service", "team-checkout")


def test_one_moment_for_all(make: Make) -> None:
    new = make(shop.policy("g", more='@expires("2026-12-31")'))
    assert counts(replay(new, call())) == (0, 0, 0)
    [(key, _)] = replay(new, call(), at=datetime(2027, 1, 1, tzinfo=UTC)).groups.items()
    assert key.becomes == "expired"
    assert counts(replay(new, call(time="2027-01-01T00:00:00.000Z"))) == (1, 0, 0)
    assert counts(replay(new, call(time="2026-12-31T23:59:59.999Z"))) == (0, 0, 0)


def test_gaps_are_named_and_bounded(make: Make) -> None:
    gaps = [Gap(time=f"2026-08-01T12:00:{number:02d}.000Z", why="w") for number in range(30)]
    found = replay(make(shop.GRANT), *gaps, call())
    assert (found.gap_count, found.gaps, found.calls) == (30, gaps[: module.MAX_GAPS], 1)


def test_memory_is_bounded_whatever_the_record_holds(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_GROUPS", 10)
    monkeypatch.setattr(module, "MAX_SKIPPED", 10)
    strangers = (call(number, caller=f"spiffe://else.where/{number}") for number in range(100))
    odd = (refused(reason=f"odd-{number}") for number in range(100))
    found = replay(make(), *strangers, *odd)
    assert (len(found.groups), counts(found), found.rest) == (10, (100, 0, 0), {("refused", False): 90})
    assert (len(found.skipped), found.skipped["other"], found.skipped.total()) == (11, 90, 100)
