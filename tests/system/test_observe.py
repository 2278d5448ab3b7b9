"""Observe mode: nothing is refused, and everything that would be is recorded with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inward.policy.decision import Reason

if TYPE_CHECKING:
    from tests.system.guarded import Guarded


def test_what_is_granted_is_no_finding(company: Guarded) -> None:
    call = company.recorded(company.call("shipping", "auditor", "GET", "/shipments/7"))
    assert (call.decision, call.carried_out, call.reason) == ("allow", "allow", Reason.GRANTED)
    assert call.policies == ("auditors-see-shipments",)


def test_a_call_without_a_grant_gets_through_and_is_recorded(company: Guarded) -> None:
    answer = company.call("shipping", "stranger", "GET", "/shipments/7")
    assert (answer.status, answer.json["target"]) == (200, "/shipments/7")
    call = company.recorded(answer)
    assert (call.decision, call.carried_out, call.reason) == ("deny", "allow", Reason.NO_GRANT)
    assert (call.mode, call.caller, call.operation, call.status) == ("observe", "stranger", "shipping:getShipment", 200)


def test_an_unknown_operation_gets_through_and_is_recorded(company: Guarded) -> None:
    answer = company.call("shipping", "auditor", "POST", "/nobody/wrote/this/down")
    assert (answer.status, answer.json["target"]) == (200, "/nobody/wrote/this/down")
    call = company.recorded(answer)
    assert (call.decision, call.carried_out, call.reason) == ("deny", "allow", Reason.UNKNOWN_OPERATION)
    assert (call.mode, call.operation, call.method) == ("observe", None, "POST")


def test_an_operation_that_is_enforced_is(company: Guarded) -> None:
    """One operation of a service that is observed otherwise."""
    assert company.call("shipping", "auditor", "DELETE", "/shipments/7").status == 200
    seen = company.seen_count("shipping")
    answer = company.call("shipping", "stranger", "DELETE", "/shipments/7")
    assert (answer.status, answer.code) == (403, Reason.NO_GRANT)
    call = company.recorded(answer)
    assert (call.decision, call.carried_out, call.mode) == ("deny", "deny", "enforce")
    assert company.seen_count("shipping") == seen


def test_an_identity_is_demanded_all_the_same(company: Guarded) -> None:
    """Without one there would be nobody to write a grant for."""
    assert company.call("shipping", "stranger", "GET", "/shipments/7").status == 200
    seen = company.seen_count("shipping")
    with company.connect("shipping", None) as connection:
        try:
            connection.send(b"GET /shipments/7 HTTP/1.1\r\nhost: shipping\r\n\r\n")
            assert connection.answer().status == 0
        except OSError:
            pass
    assert company.seen_count("shipping") == seen


@pytest.mark.parametrize("target", ["/shipments/7;a", "/shipments/7%0A", "/shipments/7%3Bpage", "/shipments/7%00?a=b"])
def test_what_could_be_taken_for_an_enforced_operation_is_refused(company: Guarded, target: str) -> None:
    seen = company.seen_count("shipping")
    for caller in ("auditor", "stranger"):
        refused = company.call("shipping", caller, "DELETE", target)
        assert (refused.status, refused.code) in {(403, "unknown_operation"), (400, "bad_request")}
    assert company.seen_count("shipping") == seen
    assert company.call("shipping", "stranger", "GET", "/shipments/7;a").status == 200  # nothing is enforced there


def test_what_only_the_slow_path_can_tell_is_observed(company: Guarded) -> None:
    granted = company.recorded(company.call("shipping", "auditor", "GET", "/labels?region=eu-west"))
    assert (granted.decision, granted.carried_out, granted.reason) == ("allow", "allow", Reason.GRANTED)
    assert granted.policies == ("labels-of-europe",)
    answer = company.call("shipping", "auditor", "GET", "/labels?region=us-east")
    assert answer.status == 200
    call = company.recorded(answer)
    assert (call.decision, call.carried_out, call.reason) == ("deny", "allow", Reason.CONDITION)
    assert call.mode == "observe"
    without = company.call("shipping", "stranger", "GET", "/labels?region=eu-west")
    assert without.status == 200
    call = company.recorded(without)
    assert (call.decision, call.carried_out, call.reason) == ("deny", "allow", Reason.NO_GRANT)
    assert call.mode == "observe"
