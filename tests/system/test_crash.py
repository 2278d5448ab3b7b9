"""What is killed comes back, and what is not there is closed, never open."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import time
from typing import TYPE_CHECKING

import psutil
from tests.system import wire
from tests.system.company import SMALL
from tests.system.guarded import eventually
from tests.system.load import Load

from inward.policy.decision import Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.system.guarded import Guarded


def by_egress(system: Guarded, target: str = "http://orders/orders/42") -> wire.Answer:
    with wire.Connection.plain(system.egress("checkout")) as connection:
        credential = wire.basic(system.running("checkout").credential)
        return connection.call("GET", target, host="orders", proxy_authorization=credential)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def is_closed(address: tuple[str, int]) -> bool:
    with socket.socket() as client:
        return client.connect_ex(address) == errno.ECONNREFUSED


def test_without_its_envoy_a_service_cannot_be_reached(guard: Callable[..., Guarded]) -> None:
    system = guard(SMALL).start()
    assert by_egress(system).status == 200
    before = system.envoy_pid("orders")
    address = system.ingress("orders")
    os.kill(before, signal.SIGSTOP)  # so that it is not started again before it was looked at
    system.process.send_signal(signal.SIGSTOP)  # type: ignore[union-attr]  # it runs
    kill(before)
    try:
        eventually("the end of Envoy", lambda: is_closed(address))
        assert all(is_closed(address) for _ in range(20))
        answer = by_egress(system)
        assert (answer.status, answer.code) == (503, Reason.UNREACHABLE)
    finally:
        system.process.send_signal(signal.SIGCONT)  # type: ignore[union-attr]  # it runs
    eventually("calls", lambda: by_egress(system).status == 200)
    assert system.envoy_pid("orders") != before
    assert system.ingress("orders") == address
    refused = [call for call in system.recorded_since(0) if call.reason == Reason.UNREACHABLE]
    assert refused
    assert {(call.caller, call.callee, call.enforcer, call.carried_out) for call in refused} == {
        ("checkout", "orders", "egress", "deny")
    }


def test_without_its_app_a_service_answers_503(guard: Callable[..., Guarded]) -> None:
    system = guard(SMALL).start()
    assert by_egress(system).status == 200
    system.process.send_signal(signal.SIGSTOP)  # type: ignore[union-attr]  # it runs
    try:
        before = system.pid("orders")
        kill(before)
        answer = eventually("503", lambda: (found := by_egress(system)).status == 503 and found)
        assert answer.code == Reason.UNREACHABLE
    finally:
        system.process.send_signal(signal.SIGCONT)  # type: ignore[union-attr]  # it runs
    eventually("calls", lambda: by_egress(system).status == 200)
    assert system.pid("orders") != before
    call = system.recorded(answer)
    # it was allowed, and answered by the enforcer
    assert (call.caller, call.decision, call.status) == ("checkout", "allow", 503)
    assert call.detail is not None


def kill_envoy_of_orders(system: Guarded) -> float:
    """Return the moment when it was dead for certain, and another one runs."""
    before = system.envoy_pid("orders")
    kill(before)
    moment = time.monotonic()
    eventually("another Envoy", lambda: system.envoy_pid("orders") != before)
    return moment


def answered_since(load: Load, since: float) -> None:
    eventually("calls", lambda: load.statuses(since)["GET", 200] > 5)


def test_an_envoy_that_is_killed_under_load_loses_only_its_last_moments_and_says_so(
    guard: Callable[..., Guarded],
) -> None:
    system = guard(SMALL).start()
    kills = []
    with Load(system, direct=False) as load:
        for _ in range(3):
            kills.append(kill_envoy_of_orders(system))
            answered_since(load, time.monotonic())
    wrong = [made for made in load.failed() if made.status != 503]
    assert wrong == []
    # Envoy answers, then logs: what it answered in its last moments may be missing. All else is waited for.
    missing, twice = load.unrecorded(near=kills)
    assert twice == []
    assert len(missing) < len(load.made) / 2
    gaps = [gap for gap in system.gaps() if gap.service == "orders" and "without a warning" in gap.why]
    assert len(gaps) == len(kills)


def test_calls_go_on_without_the_control_process(guard: Callable[..., Guarded]) -> None:
    system = guard(SMALL).start()
    names = ("orders", "orders.envoy", "checkout", "checkout.envoy", "inward.slow-path")
    pids = {name: system.pid(name) for name in names}
    version = system.event("ready")["policy"]
    with Load(system) as load:
        for _ in range(2):
            load.go_on(0.5)
            system.kill()
            alone = time.monotonic()
            load.go_on(1)
            found = load.statuses(alone)
            assert found["GET", 200] > 20
            assert found["DELETE", 403] > 10
            system.start()
            load.go_on(0.5)
    assert load.failed() == []
    assert {name: system.pid(name) for name in names} == pids  # all of them were taken over
    assert load.unrecorded() == ([], [])
    assert {call.policy_version for call in system.calls()} == {version}
    assert system.gaps() == []


def test_a_run_ends_with_all_that_it_started(guard: Callable[..., Guarded]) -> None:
    for ending in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        system = guard(SMALL).start()
        started = system.processes()
        assert len(started) >= 6
        assert system.process is not None
        answer = system.call("orders", "reader", "GET", "/orders/42")
        system.process.send_signal(ending)
        system.event("stopping")
        assert system.stop() == 0
        assert system.processes() == []
        assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in started)
        assert [call.id for call in system.calls()] == [answer.header("x-request-id")]


def test_a_run_that_was_killed_is_ended_by_the_next(guard: Callable[..., Guarded]) -> None:
    """And what it left is what the next one ends."""
    system = guard(SMALL).start()
    system.kill()
    assert len(system.processes()) >= 5
    system.start()
    assert system.stop() == 0
    assert system.processes() == []


def test_a_second_run_says_who_holds_the_system(guard: Callable[..., Guarded]) -> None:
    system = guard(SMALL).start()
    assert system.process is not None
    second = system.inward("up")
    assert second.returncode != 0
    assert str(system.process.pid) in second.stderr
    assert len(second.stderr.splitlines()) == 1
    assert "Traceback" not in second.stderr
    assert by_egress(system).status == 200


def test_two_systems_do_not_share_an_address(guard: Callable[..., Guarded]) -> None:
    """Envoys of one account can, and the kernel would deal the calls out between them."""
    first = guard(SMALL).start()
    host, port = first.ingress("orders")
    second = guard({**SMALL, "inward.yaml": SMALL["inward.yaml"].replace("127.0.0.1:0", f"{host}:{port}", 1)})
    done = second.inward("up", "--json")
    assert done.returncode == 1
    assert f"`orders` cannot listen on `{host}:{port}`" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert second.processes() == []
    for _ in range(20):
        assert by_egress(first).status == 200
    assert first.stop() == 0
    assert second.start().ingress("orders") == (host, port)
    assert by_egress(second).status == 200


def test_a_request_that_a_dying_envoy_was_given_is_not_made_twice(guard: Callable[..., Guarded]) -> None:
    """The egress repeats only what certainly never reached the callee."""
    system = guard(SMALL).start()
    assert by_egress(system).status == 200
    since = system.seen_count("orders")
    with wire.Connection.plain(system.egress("checkout")) as connection:
        credential = wire.basic(system.running("checkout").credential)
        fields = f"host: orders\r\nproxy-authorization: {credential}\r\nx-delay: 5\r\n"
        connection.send(f"GET http://orders/orders/once HTTP/1.1\r\n{fields}\r\n".encode())
        eventually("the request in the app", lambda: system.seen_count("orders") > since)
        kill(system.envoy_pid("orders"))
        answer = connection.answer()
    assert (answer.status, answer.code) == (503, Reason.UNREACHABLE)
    eventually("calls", lambda: by_egress(system).status == 200)
    assert [seen.target for seen in system.seen("orders", since)].count("/orders/once") == 1
    assert json.loads(answer.body)["status"] == 503
