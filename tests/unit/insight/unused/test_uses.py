"""Days of the rollups, counted."""

from __future__ import annotations

from tests.unit.insight.surveyed import TODAY, day

from inward.insight.unused.uses import Uses, restored
from inward.record.rollup.figures import key_text


def test_calls_of_an_operation_by_caller() -> None:
    uses = Uses(
        [
            day(3, "web", "listOrders", calls=5, refused=2, stopped=1, by="g"),
            day(1, "web", "listOrders", calls=2, refused=2, stopped=2, refused_by="g"),
        ]
    )
    tally = uses.by_operation()["orders:listOrders"]["web"]
    assert (tally.calls, tally.refused, tally.stopped, tally.through) == (7, 4, 3, 4)
    assert tally.last == (TODAY - 3) * 86_400_000 + 1_000, "nothing was let through later"
    assert uses.granting == {"g": 3}
    assert uses.refusing == {"g": 2}
    assert uses.days == {TODAY - 3}, "on the other day nothing was allowed"


def test_what_fits_no_operation_is_told_by_its_reason() -> None:
    outcomes = {
        "deny allow observe unknown_operation": 3,
        "deny deny enforce unknown_operation": 2,
        "deny deny enforce bad_identity": 4,
        "deny deny enforce unreachable": 1,
        "nonsense": 1,
    }
    uses = Uses([day(2, "web", "stock:", calls=11, refused=11, stopped=7, outcomes=outcomes)])
    unknown = uses.unknown["stock"]
    assert (unknown.through, unknown.stopped, unknown.days) == ({"web": 3}, 2, {TODAY - 2: 3})
    assert uses.handshakes == {"stock": 4}


def test_long_names_are_those_of_the_system_again() -> None:
    operation, policy = "orders:" + "x" * 300, "p" * 300
    short = day(1, "web", key_text(operation), by=key_text(policy))
    [restored_day] = restored([short], [operation, policy, "other"])
    assert restored_day.edge.operation == operation
    assert restored_day.granting == {policy: 1}
    assert list(restored([short], ["other"])) == [short]
