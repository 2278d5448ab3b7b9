"""Quarantine: a service is cut off at once, whatever is granted, and whatever mode there is."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.system import wire
from tests.system.company import COMPANY, SMALL

from inward.catalog.system import load_catalog
from inward.control.quarantine import Quarantined, change_quarantine
from inward.policy.decision import Reason
from inward.record.call import timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from tests.system.guarded import Guarded

    from inward.record.call import Call

WAYS = ["http/1.1", "h2"]


def cut_off(system: Guarded, service: str) -> None:
    """Do it as a person does."""
    done = system.inward("quarantine", service, "--reason", "a test", "--json")
    assert done.returncode == 0, done
    assert json.loads(done.stdout)["not_yet"] == []


def release(system: Guarded, service: str) -> None:
    assert system.inward("quarantine", service, "--release").returncode == 0


def assert_refused(system: Guarded, answer: wire.Answer, caller: str) -> Call:
    assert (answer.status, answer.code) == (403, Reason.QUARANTINED)
    call = system.recorded(answer)
    assert (call.caller, call.decision, call.carried_out) == (caller, "deny", "deny")
    assert call.reason == Reason.QUARANTINED
    return call


def test_a_caller_is_cut_off_and_released(guard: Callable[..., Guarded]) -> None:
    system = guard(COMPANY).start()
    with (
        system.connect("orders", "reader") as mine,
        wire.Frames(system.ingress("orders"), system.identity("reader")) as frames,
        system.connect("orders", "auditor") as others,
    ):
        fields = [(":method", "GET"), (":path", "/orders/42"), (":scheme", "https"), (":authority", "orders")]
        assert mine.call("GET", "/orders/42", host="orders").status == 200
        assert frames.exchange(fields).status == 200
        assert others.call("GET", "/orders/42", host="orders").status == 200
        cut_off(system, "reader")
        seen = system.seen_count("orders")
        # connections that were open before are cut off with the rest
        assert_refused(system, mine.call("GET", "/orders/42", host="orders"), "reader")
        assert_refused(system, frames.exchange(fields), "reader")
        assert_refused(system, system.call("orders", "reader", "GET", "/orders/42"), "reader")
        assert system.seen_count("orders") == seen
        assert others.call("GET", "/orders/42", host="orders").status == 200
        # in observe mode too
        observed = system.seen_count("shipping")
        assert_refused(system, system.call("shipping", "reader", "GET", "/shipments/7"), "reader")
        assert_refused(system, system.call("shipping", "reader", "GET", "/nothing/of/that/name"), "reader")
        assert system.seen_count("shipping") == observed
        assert system.call("shipping", "stranger", "GET", "/shipments/7").status == 200
        release(system, "reader")
        assert mine.call("GET", "/orders/42", host="orders").status == 200
        assert system.call("shipping", "reader", "GET", "/shipments/7").status == 200


def test_a_callee_is_cut_off_and_released(guard: Callable[..., Guarded]) -> None:
    system = guard(COMPANY).start()
    for service, target in (("orders", "/orders/42"), ("shipping", "/shipments/7")):
        assert system.call(service, "auditor", "GET", target).status == 200
        cut_off(system, service)
        seen = system.seen_count(service)
        assert_refused(system, system.call(service, "auditor", "GET", target), "auditor")
        assert system.seen_count(service) == seen
        assert system.call("payments", "auditor", "GET", "/payments/1").status == 200
        # it is a caller too
        assert_refused(system, system.call("payments", service, "GET", "/payments/1"), service)
        release(system, service)
        assert system.call(service, "auditor", "GET", target).status == 200


def test_it_outlives_the_run_and_needs_no_control_process(guard: Callable[..., Guarded]) -> None:
    system = guard(SMALL).start()
    assert system.call("orders", "reader", "GET", "/orders/42").status == 200
    system.kill()
    cut_off(system, "reader")
    answer = system.call("orders", "reader", "GET", "/orders/42")
    assert (answer.status, answer.code) == (403, Reason.QUARANTINED)
    system.start()
    assert_refused(system, answer, "reader")
    assert_refused(system, system.call("orders", "reader", "GET", "/orders/42"), "reader")
    system.stop()
    system.start()
    assert_refused(system, system.call("orders", "reader", "GET", "/orders/42"), "reader")
    release(system, "reader")
    assert system.call("orders", "reader", "GET", "/orders/42").status == 200


def test_how_soon_it_is_enforced(guard: Callable[..., Guarded], capsys: pytest.CaptureFixture[str]) -> None:
    """From the call of the function to the first call refused, on a connection that goes on calling."""
    system = guard(SMALL).start()
    catalog, _ = load_catalog(system.folder)
    assert catalog is not None
    took = []
    with system.connect("orders", "reader") as connection:
        for _ in range(5):
            assert connection.call("GET", "/orders/42", host="orders").status == 200
            started = time.monotonic()
            entry = Quarantined("reader", timestamp(datetime.now(UTC)), "a test")
            assert "orders" in change_quarantine(system.layout, catalog, entry, None)
            while connection.call("GET", "/orders/42", host="orders").status == 200:
                assert time.monotonic() < started + 5
            took.append((time.monotonic() - started) * 1000)
            for _ in range(20):
                assert connection.call("GET", "/orders/42", host="orders").status == 403
            change_quarantine(system.layout, catalog, None, "reader")
            while connection.call("GET", "/orders/42", host="orders").status == 403:
                assert time.monotonic() < started + 10
    with capsys.disabled():
        print(f" quarantine enforced after {', '.join(f'{each:.1f}' for each in took)} ms ", end="")  # noqa: T201 - a measurement
