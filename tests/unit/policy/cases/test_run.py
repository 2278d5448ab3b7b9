from __future__ import annotations

from typing import TYPE_CHECKING

from inward.policy.cases.run import by_test

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.policy.cases.conftest import Ran

    Run = Callable[[str, str], Ran]

CEDAR = """
@id("closed") @reason("r") @expires("2027-06-30")
permit (principal == Service::"reporting", action == Action::"orders:getOrder", resource == Service::"orders")
when { context.path.id like "c-*" };
@id("till") @reason("r")
permit (principal == Service::"checkout", action in Action::"orders:*", resource == Service::"orders");
@id("never") @reason("r")
forbid (principal == Service::"checkout", action == Action::"orders:createOrder", resource == Service::"orders");
"""
TESTS = """
requests:
  closed: {path: {id: c-1}}
  open: {path: {id: o-1}}
  disguised: {path: /orders/%63-1}
tests:
  - name: reporting
    callers: [reporting, payments]
    operations: [orders:getOrder]
    requests: [closed, open]
    allow: {reporting: {orders:getOrder: [closed]}}
  - name: disguised
    callers: [reporting]
    operations: [orders:getOrder]
    requests: [disguised]
    reason: bad_parameter
  - name: the till
    callers: [checkout]
    operations: [orders:createOrder]
    reason: forbidden
  - name: the end
    now: 2027-07-01T00:00:00Z
    callers: [reporting]
    operations: [orders:getOrder]
    requests: [closed]
    reason: expired
"""


def test_what_is_as_expected_passes(ran: Run) -> None:
    done = ran(CEDAR, TESTS)
    assert done.failed == []
    assert [outcome.decision.allowed for outcome in done.outcomes] == [True, False, False, False, False, False, False]
    assert [(test.name, len(found)) for test, found in by_test(done.outcomes)] == [
        ("reporting", 4),
        ("disguised", 1),
        ("the till", 1),
        ("the end", 1),
    ]


def test_a_grant_that_is_too_wide_or_too_narrow_fails(ran: Run) -> None:
    wide = ran(CEDAR.replace("c-*", "*"), TESTS)
    assert wide.failed == [
        "reporting → orders:getOrder with open: expected refused, was allowed by closed (policies/orders.cedar:2)"
    ]
    narrow = ran(CEDAR.replace("c-*", "c-2"), TESTS)
    assert narrow.failed == [
        (
            "reporting → orders:getOrder with closed: expected allowed, was refused: condition, "
            "closed (policies/orders.cedar:2)"
        )
    ]
    gone = ran("", TESTS.replace("bad_parameter", "no_grant"))
    assert [line.partition(": ")[2] for line in gone.failed] == [
        "expected allowed, was refused: no_grant",
        "expected refused: forbidden, was refused: no_grant",
        "expected refused: expired, was refused: no_grant",
    ]


def test_a_refusal_for_another_reason_fails(ran: Run) -> None:
    (failed,) = ran(CEDAR.replace("06-30", "06-29"), TESTS.replace("reason: bad_parameter", "reason: condition")).failed
    assert failed.endswith("with disguised: expected refused: condition, was refused: bad_parameter")


def test_the_time_is_the_test_s_own(ran: Run) -> None:
    (failed,) = ran(CEDAR.replace("2027-06-30", "2027-07-01"), TESTS).failed
    assert failed.endswith("with closed: expected refused: expired, was allowed by closed (policies/orders.cedar:2)")
