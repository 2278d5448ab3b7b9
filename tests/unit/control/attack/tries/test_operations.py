from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.control.attack.test_intruder import Recorded

from inward.control.attack.attempt import Sent
from inward.control.attack.tries.operations import ungranted, unknown

if TYPE_CHECKING:
    from tests.unit.control.attack.conftest import MakeIntruder

    from inward.control.attack.attempt import Attempt


def verdict_of(attempt: Attempt) -> tuple[str, str]:
    """Return what is said of an attempt that is not sent."""
    assert attempt.send is None
    verdict = attempt.judge(Sent(), Recorded())
    return verdict.outcome, verdict.why


def test_each_operation_without_a_grant_is_tried(make_intruder: MakeIntruder) -> None:
    found = {each.target: each for each in ungranted(make_intruder())}
    assert {name: each.what for name, each in found.items()} == {
        "orders:deleteOrder": "DELETE /orders/0",
        "orders:getKeys": "GET /admin/keys",
    }
    assert all(each.send is not None for each in found.values())


def test_nothing_that_may_pass_and_change_something_is_sent(make_intruder: MakeIntruder) -> None:
    intruder = make_intruder(mode="mode: observe,")
    found = {each.target: each for each in ungranted(intruder)}
    assert found["orders:getKeys"].send is not None
    outcome, why = verdict_of(found["orders:deleteOrder"])
    assert (outcome, "was not sent" in why) == ("open", True)
    sent = [each.what for each in unknown(intruder) if each.send is not None]
    assert not [what for what in sent if what.startswith(("POST", "PUT", "PATCH", "DELETE"))]
    assert [what for what in sent if what.startswith("TRACE")]


def test_safe_only_leaves_out_what_may_change_something(make_intruder: MakeIntruder) -> None:
    intruder = make_intruder(safe_only=True)
    found = {each.target: each for each in ungranted(intruder)}
    assert verdict_of(found["orders:deleteOrder"]) == ("untried", "left out by --safe-only")
    assert {verdict_of(each) for each in unknown(intruder) if each.send is None} == {
        ("untried", "left out by --safe-only")
    }


def test_methods_that_are_described_are_not_unknown(make_intruder: MakeIntruder) -> None:
    tried = {each.what for each in unknown(make_intruder())}
    assert "PATCH /orders/0" in tried
    assert not {"DELETE /orders/0", "GET /orders/0"} & tried
    assert "DELETE /orders/0, called GET by a header" in tried
