"""Conditions that Envoy cannot express: the slow path decides them, and without it there is no call."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from tests.system import wire
from tests.system.company import COMPANY, SMALL
from tests.system.guarded import Guarded, eventually
from tests.system.test_live_change import FILE, change

from inward.policy.decision import Reason

if TYPE_CHECKING:
    from collections.abc import Callable


def regions(system: Guarded, query: str, **headers: str) -> wire.Answer:
    with wire.Connection.plain(system.egress("checkout")) as connection:
        credential = wire.basic(system.running("checkout").credential)
        target = f"http://orders/regions{query}"
        return connection.call("GET", target, host="orders", proxy_authorization=credential, **headers)


def test_it_allows_and_refuses(guard: Callable[..., Guarded]) -> None:
    system = guard(SMALL).start()
    allowed = regions(system, "?region=eu-west")
    assert (allowed.status, allowed.json["target"]) == (200, "/regions?region=eu-west")
    call = system.recorded(allowed)
    assert (call.reason, call.decision, call.policies) == (
        Reason.GRANTED,
        "allow",
        ("checkout-sees-the-regions-of-europe",),
    )
    seen = system.seen_count("orders")
    for query in ("?region=us-east", "", "?region=", "?region=eu", "?x=eu-west"):
        refused = regions(system, query)
        assert (refused.status, refused.code) == (403, Reason.CONDITION), query
        call = system.recorded(refused)
        assert (call.reason, call.decision, call.carried_out) == (Reason.CONDITION, "deny", "deny")
        assert refused.reference == call.id
        assert "checkout-sees" not in f"{refused.headers} {refused.body!r}"
    # what is not in plain form is read by nobody
    for query in (
        "?region=eu-west&region=us-east",
        "?region=%65u-west",
        "?REGION=us&region=eu-west",
        "?region=eu-west;x",
    ):
        refused = regions(system, query)
        assert refused.status == 403, query
        assert system.recorded(refused).reason == Reason.BAD_PARAMETER
    assert system.seen_count("orders") == seen


def test_it_is_not_told_what_to_say(guard: Callable[..., Guarded]) -> None:
    """Whatever a caller sends, the slow path hears from the ingress who calls and what."""
    system = guard(SMALL).start()
    assert regions(system, "?region=eu-west").status == 200
    seen = system.seen_count("orders")
    forged = {
        "x_inward_operation": "orders:getOrder",
        "x_inward_decision": "granted",
        "x_forwarded_client_cert": "URI=spiffe://company.test/auditor",
        "x_envoy_auth_partial_body": "true",
        "x_envoy_original_path": "/regions?region=eu-west",
    }
    for name, value in forged.items():
        answer = regions(system, "?region=us-east", **{name: value})
        assert answer.status == 403, name
        call = system.recorded(answer)
        assert (call.caller, call.reason) == ("checkout", Reason.CONDITION)
    # a caller whose cell needs no slow path is decided beside it, and its socket is a secret of the account
    assert system.call("orders", "auditor", "GET", "/regions").status == 200
    assert system.call("orders", "reader", "GET", "/regions?region=eu-west").status == 403
    assert system.seen_count("orders") == seen + 1


def test_without_it_the_call_is_refused_until_it_is_back(guard: Callable[..., Guarded]) -> None:
    system = guard(COMPANY).start()
    assert regions(system, "?region=eu-west").status == 200
    assert system.call("shipping", "auditor", "GET", "/labels?region=eu-west").status == 200
    seen, observed = system.seen_count("orders"), system.seen_count("shipping")
    before = system.pid("inward.slow-path")
    assert system.process is not None
    system.process.send_signal(signal.SIGSTOP)  # so that it stays away for a while
    try:
        os.kill(before, signal.SIGKILL)
        answer = eventually("a refusal", lambda: (found := regions(system, "?region=eu-west")).status != 200 and found)
        assert (answer.status, answer.code) == (503, Reason.SLOW_PATH_DOWN)
        assert system.seen_count("orders") == seen
        # what needs no slow path goes on
        assert system.call("orders", "reader", "GET", "/orders/42").status == 200
        # in observe mode nothing is refused, and what nobody decided is recorded as that
        labels = system.call("shipping", "auditor", "GET", "/labels?region=eu-west")
        assert labels.status == 200
        assert system.seen_count("shipping") == observed + 1
    finally:
        system.process.send_signal(signal.SIGCONT)
    for found, carried_out in ((answer, "deny"), (labels, "allow")):
        call = system.recorded(found)
        assert (call.reason, call.decision, call.carried_out) == (Reason.SLOW_PATH_DOWN, "deny", carried_out)
    eventually("the slow path", lambda: regions(system, "?region=eu-west").status == 200)
    assert system.pid("inward.slow-path") != before


def test_it_follows_the_policy(guard: Callable[..., Guarded]) -> None:
    system = guard(SMALL).start()
    assert regions(system, "?region=eu-west").status == 200
    assert regions(system, "?region=us-east").status == 403
    change(system, FILE, SMALL[FILE].replace("eu-*", "us-*"))
    assert regions(system, "?region=us-east").status == 200
    assert regions(system, "?region=eu-west").status == 403
