"""The system folder changes while everything runs: what is right takes effect, what is wrong changes nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from tests.system.company import SMALL
from tests.system.load import Load

from inward.policy.decision import Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.system.guarded import Guarded

GRANT = """
@id("readers-see-keys")
@reason("a test")
permit (principal == Service::"reader", action == Action::"orders:getKeys", resource == Service::"orders");
"""
FILE = "policies/orders.cedar"


def change(system: Guarded, name: str, content: str) -> str:
    """Change a file; wait until it is enforced; return the version."""
    since = len(system.events)
    system.write(name, content)
    found = system.event("policy", since, behind=[])
    return str(found["policy"])


def test_a_grant_takes_effect_without_a_restart_or_a_failed_call(
    guard: Callable[..., Guarded], capsys: pytest.CaptureFixture[str]
) -> None:
    system = guard(SMALL).start()
    before = system.event("ready")["policy"]
    pids = [system.envoy_pid(name) for name in ("orders", "checkout")]
    with Load(system) as load, system.connect("orders", "reader") as connection:
        assert connection.call("GET", "/admin/keys", host="orders").status == 403
        started = time.monotonic()
        version = change(system, FILE, SMALL[FILE] + GRANT)
        took = time.monotonic() - started
        answer = connection.call("GET", "/admin/keys", host="orders")
        assert answer.status == 200
        call = system.recorded(answer)
        assert (call.policies, call.policy_version) == (("readers-see-keys",), version)
        assert version != before
        for _ in range(3):
            assert change(system, FILE, SMALL[FILE]) == before
            assert connection.call("GET", "/admin/keys", host="orders").status == 403
            assert change(system, FILE, SMALL[FILE] + GRANT) == version
            assert connection.call("GET", "/admin/keys", host="orders").status == 200
    assert load.failed() == []
    assert [system.envoy_pid(name) for name in ("orders", "checkout")] == pids
    with capsys.disabled():
        print(f" grant enforced after {took * 1000:.0f} ms ", end="")  # noqa: T201 - a measurement


BROKEN = {
    "no Cedar": ("permit (principal, action, resource", 5),
    "an unknown operation": (GRANT.replace("getKeys", "getKey"), 4),
    "no reason": (GRANT.replace('@reason("a test")\n', ""), 3),
    "a permit for all": ('\n@id("x")\n@reason("y")\npermit (principal, action, resource);\n', 4),
    "an id that is taken": (GRANT.replace("readers-see-keys", "auditors-do-all"), 4),
    "no text": ("\0", 2),
}


@pytest.mark.parametrize("mistake", BROKEN)
def test_a_mistake_leaves_the_old_policy_in_force(guard: Callable[..., Guarded], mistake: str) -> None:
    system = guard(SMALL).start()
    lines = SMALL[FILE].count("\n")
    text, _ = BROKEN[mistake]
    with Load(system, threads=1) as load:
        since = len(system.events)
        # beside the mistake stands a grant that is right: it must not take effect alone
        system.write(FILE, SMALL[FILE] + GRANT.replace("readers-see-keys", "right") + text)
        told = system.event("mistakes", since)
        assert system.call("orders", "reader", "GET", "/admin/keys").status == 403
        assert system.call("orders", "reader", "GET", "/orders/42").status == 200
        checked = system.inward("check")
        assert checked.returncode == 3
        assert f"{FILE}:" in checked.stderr + checked.stdout
        assert "Traceback" not in checked.stderr
        for found in told["mistakes"]:
            assert found["file"] == FILE
            assert lines < found["line"] <= (SMALL[FILE] + GRANT + text).count("\n") + 1
            assert found["what"]
        assert told["mistakes"]
        # and when it is mended, it does
        change(system, FILE, SMALL[FILE] + GRANT)
        assert system.call("orders", "reader", "GET", "/admin/keys").status == 200
        assert system.inward("check").returncode in {0, 2}
    assert load.failed() == []


def test_a_mistake_is_told_at_a_start_and_nothing_is_started(guard: Callable[..., Guarded]) -> None:
    system = guard({**SMALL, FILE: SMALL[FILE] + "permit"})
    done = system.inward("up", "--json")
    assert done.returncode == 3
    assert f"{FILE}:" in done.stderr
    assert "Traceback" not in done.stderr
    assert system.processes() == []


def test_with_a_mistake_a_system_that_runs_is_taken_over(guard: Callable[..., Guarded]) -> None:
    """The control process dies while the folder is broken: what was enforced stays."""
    system = guard(SMALL).start()
    pid = system.envoy_pid("orders")
    assert system.call("orders", "reader", "GET", "/orders/42").status == 200
    system.kill()
    system.write(FILE, "permit")
    system.start()
    assert system.event("mistakes")["mistakes"][0]["file"] == FILE
    assert system.envoy_pid("orders") == pid
    assert system.call("orders", "reader", "GET", "/orders/42").status == 200
    assert system.call("orders", "reader", "GET", "/admin/keys").status == 403


def test_a_service_comes_and_goes(guard: Callable[..., Guarded]) -> None:
    system = guard(SMALL).start()
    pid = system.envoy_pid("orders")
    more = SMALL["inward.yaml"].replace("  reader:", "  newcomer: {owner: team-new, run: sleep 86400}\n  reader:")
    with Load(system, threads=1) as load:
        change(system, "inward.yaml", more)
        assert system.envoy_pid("newcomer")
        assert system.call("orders", "newcomer", "GET", "/orders/42").status == 403
        grant = GRANT.replace("readers-see-keys", "newcomers").replace('"reader"', '"newcomer"')
        change(system, FILE, SMALL[FILE] + grant)
        assert system.call("orders", "newcomer", "GET", "/admin/keys").status == 200
        change(system, FILE, SMALL[FILE])
        change(system, "inward.yaml", SMALL["inward.yaml"])
        answer = system.call("orders", "newcomer", "GET", "/orders/42")
        assert answer.status == 403
        assert system.recorded(answer).reason == Reason.UNKNOWN_CALLER
        assert not any("newcomer" in " ".join(process.cmdline()) for process in system.processes())
    assert load.failed() == []
    assert system.envoy_pid("orders") == pid


def test_a_mode_changes_alive(guard: Callable[..., Guarded]) -> None:
    system = guard(SMALL).start()
    assert system.call("orders", "stranger", "GET", "/orders/42").status == 403
    observed = SMALL["inward.yaml"].replace("mode: enforce", "mode: observe", 1)
    change(system, "inward.yaml", observed)
    answer = system.call("orders", "stranger", "GET", "/orders/42")
    assert answer.status == 200
    call = system.recorded(answer)
    assert (call.decision, call.carried_out, call.mode) == ("deny", "allow", "observe")
    change(system, "inward.yaml", SMALL["inward.yaml"])
    assert system.call("orders", "stranger", "GET", "/orders/42").status == 403
