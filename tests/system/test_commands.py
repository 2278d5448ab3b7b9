"""Every command against a system that runs, as a person uses it: what it prints, where, and its exit code."""

from __future__ import annotations

import json
import os
import pty
import shlex
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from tests.system.company import COMPANY
from tests.system.guarded import INWARD, Guarded, eventually, stop_and_look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

GREETING = "http://orders/orders/42"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """The company, of this module's own: its tests change policies, and put them back."""
    made = Guarded(tmp_path_factory.mktemp("commands"), COMPANY)
    try:
        yield made.start()
        assert list(stop_and_look(made)) == []
    finally:
        made.destroy()


def run(system: Guarded, command: str) -> subprocess.CompletedProcess[str]:
    done = system.inward(*shlex.split(command))
    assert "Traceback" not in done.stderr
    return done


def answer_of(system: Guarded, command: str) -> Any:
    done = run(system, f"{command} --json")
    assert done.stdout.count("\n") == 1, done
    return json.loads(done.stdout)


def refused_call(system: Guarded, arguments: str) -> str:
    """Make a call that is refused; return its reference."""
    found = answer_of(system, f"call {arguments}")
    assert found["outcome"] in {"refused", "observed"}, found
    return str(found["reference"])


# --- call


def test_an_allowed_call_prints_the_body_alone_on_standard_output(system: Guarded) -> None:
    done = run(system, f"call checkout GET {GREETING}")
    assert done.returncode == 0
    assert json.loads(done.stdout)["target"] == "/orders/42"
    assert done.stderr.startswith("200 OK")
    assert "allowed by readers-read-one (policies/orders.cedar:1)" in done.stderr


def test_a_refused_call_exits_2_and_says_how_to_go_on(system: Guarded) -> None:
    done = run(system, "call checkout DELETE http://orders/orders/42")
    assert done.returncode == 2
    assert json.loads(done.stdout)["code"] == "no_grant"
    assert "refused: no_grant" in done.stderr
    reference = done.stderr.strip().rsplit(" ", 1)[-1]
    assert run(system, f"explain {reference}").returncode == 2


def test_a_condition_that_does_not_hold_names_its_policy(system: Guarded) -> None:
    held = run(system, "call checkout GET 'http://orders/orders?status=closed'")
    assert (held.returncode, "readers-list-what-is-closed" in held.stderr) == (0, True)
    done = run(system, "call checkout GET 'http://orders/orders?status=open'")
    assert done.returncode == 2
    assert "refused: condition" in done.stderr
    assert "readers-list-what-is-closed (policies/orders.cedar:9)" in done.stderr


def test_an_observed_call_exits_0_and_says_that_it_would_be_refused(system: Guarded) -> None:
    done = run(system, "call checkout GET http://shipping/shipments/1")
    assert done.returncode == 0
    assert json.loads(done.stdout)["method"] == "GET"
    assert "observed: no_grant" in done.stderr


@pytest.mark.parametrize(
    "path",
    [
        "/orders//42",
        "/orders/./42",
        "/orders/a/../42",
        "/orders/%34%32",
        "/orders/42;x=y",
        "/orders/42/",
        "/ORDERS/42",
        "/orders/%2e",
    ],
)
def test_the_path_goes_out_as_typed(system: Guarded, path: str) -> None:
    """Proven at the egress, which logs what it could not deliver: nothing of the path was tidied up before."""
    found = answer_of(system, f"call checkout GET 'http://nobody{path}'")
    assert found["call"]["path"] == path


def test_headers_and_data_arrive(system: Guarded, tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(b"line\r\n\xff\x00")
    command = f"call checkout GET {GREETING} -H 'X-One: 1' -H x-one:2 --header 'X-Empty:' --data @{body}"
    seen = json.loads(run(system, command).stdout)
    named = [(name.lower(), value) for name, value in seen["headers"]]
    assert [value for name, value in named if name == "x-one"] in (["1", "2"], ["1,2"])
    assert ("x-empty", "") in named
    assert seen["body"].encode("latin-1") == b"line\r\n\xff\x00"
    assert "proxy-authorization" not in dict(named)


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("call nobody GET http://orders/", 3, "no service `nobody` runs here"),
        ("call chekout GET http://orders/", 3, "did you mean `checkout`?"),
        ("call reader GET http://orders/", 3, "no service `reader` runs here"),
        ("call checkout GET https://orders/", 3, "is no URL of a service"),
        ("call checkout GET /orders/42", 3, "is no URL of a service"),
        ("call checkout 'GET /' http://orders/", 3, "is no HTTP method"),
        ("call checkout GET http://orders/ -H nocolon", 3, "has no colon"),
        ("call checkout GET http://orders/ -H ': x'", 3, "a header without a name"),
        ("call checkout GET http://orders/ -H 'Proxy-Authorization: x'", 3, "this command's own"),
        ("call checkout GET 'http://orders/\r\nx: y'", 3, "a line break"),
        ("call checkout GET http://orders/ -H 'a: b\nc: d'", 3, "a line break"),
        ("call checkout GET http://orders/ -d @/nonexistent", 3, "cannot be read"),
        ("call checkout GET http://orders/ --timeout 0", 3, "--timeout"),
        ("call checkout GET http://nobody/", 2, "unknown_service"),
        ("call checkout GET http://checkout/", 2, "unknown_service"),
    ],
)
def test_what_cannot_be_called_is_said_in_one_line(system: Guarded, command: str, code: int, said: str) -> None:
    done = run(system, command)
    assert (done.returncode, said in done.stderr) == (code, True), done
    if code == 3:
        assert done.stderr.count("\n") == 1
        assert done.stdout == ""


# --- calls


def test_the_record_is_a_table_newest_last(system: Guarded) -> None:
    reference = refused_call(system, "checkout DELETE http://orders/orders/7")
    lines = run(system, "calls --denied --callee orders").stdout.splitlines()
    assert lines[0].split()[:3] == ["time,", "UTC", "caller"]
    assert lines[-1].endswith(reference)
    assert "DELETE /orders/7" in lines[-1]
    assert "no_grant" in lines[-1]


def test_filters_and_limits(system: Guarded) -> None:
    for number in range(3):
        run(system, f"call checkout GET http://orders/orders/{number}")
    found = run(
        system, "calls --caller checkout --operation orders:getOrder --since 10m --limit 2 --json"
    ).stdout.splitlines()
    assert [json.loads(line)["parameters"] for line in found] == [{"id": "1"}, {"id": "2"}]
    assert run(system, "calls --caller auditor --callee shipping --json").stdout == ""


def test_following_shows_what_comes_and_ends_with_control_c(system: Guarded) -> None:
    argv = [*INWARD, "calls", "--follow", "--limit", "1", "--json", "--system", str(system.folder)]
    run(system, f"call checkout GET {GREETING}")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()  # the newest one
        reference = answer_of(system, f"call checkout GET {GREETING}")["reference"]
        seen = next(line for line in process.stdout if reference in line)
        process.send_signal(2)
        assert process.wait(20) == 0
        assert process.stderr.read() == ""
    assert json.loads(seen)["caller"] == "checkout"


def test_a_reader_that_has_enough_is_no_error_worth_a_word(system: Guarded) -> None:
    run(system, f"call checkout GET {GREETING}")
    argv = [*INWARD, "calls", "--limit", "0", "--system", str(system.folder)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1


def test_hostile_paths_and_names_do_no_harm(system: Guarded) -> None:
    run(system, "call checkout GET 'http://nobody/\x1b[31mred\x1b[2J'")
    run(system, "call checkout GET 'http://\x1b]0;title\x07/x'")
    output = subprocess.run([*INWARD, "calls", "--system", str(system.folder)], capture_output=True, check=True).stdout
    assert b"\x1b" not in output
    assert b"\x07" not in output


def test_an_empty_answer_says_what_to_do(system: Guarded) -> None:
    done = run(system, "calls --caller chekout")
    assert done.returncode == 0
    assert "did you mean `checkout`?" in done.stderr


# --- explain


def test_explaining_a_refused_reference(system: Guarded) -> None:
    reference = refused_call(system, "checkout DELETE http://orders/orders/8")
    for written in (reference, f"urn:uuid:{reference}"):
        done = run(system, f"explain {written}")
        assert done.returncode == 2
        assert "DELETE /orders/8" in done.stdout
        assert "no grant allows this caller to do this" in done.stdout
        assert 'action == Action::"orders:deleteOrder"' in done.stdout
        assert "the enforcer said" in done.stdout


def test_explaining_an_allowed_reference(system: Guarded) -> None:
    reference = answer_of(system, f"call checkout GET {GREETING}")["reference"]
    done = run(system, f"explain {reference}")
    assert done.returncode == 0
    assert "permit readers-read-one (policies/orders.cedar:1)" in done.stdout


def test_explaining_an_unknown_operation_names_the_documented_ones(system: Guarded) -> None:
    reference = refused_call(system, "checkout PATCH http://orders/orders/42")
    done = run(system, f"explain {reference}")
    assert "that path is documented for GET (orders:getOrder" in done.stdout
    assert "that path is documented for DELETE (orders:deleteOrder" in done.stdout


def test_a_condition_on_a_query_can_be_evaluated_afterwards(system: Guarded) -> None:
    reference = refused_call(system, "checkout GET 'http://orders/orders?status=open'")
    unsure = run(system, f"explain {reference}")
    assert "the query is not recorded" in unsure.stdout
    sure = run(system, f"explain {reference} --query status=open")
    assert 'context.query.status == "closed"  does not hold' in sure.stdout


def test_it_says_when_the_policy_has_changed_since(system: Guarded) -> None:
    reference = refused_call(system, "checkout POST http://orders/orders")
    assert run(system, "allow checkout orders:createOrder --reason 'for a moment'").returncode == 0
    try:
        done = run(system, f"explain {reference}")
        assert "the policy has changed since" in done.stdout
        assert "the same call would be allowed" in done.stdout
        assert done.returncode == 2  # it was refused
    finally:
        assert run(system, "revoke checkout orders:createOrder").returncode == 0


# --- allow, revoke


def test_a_grant_is_enforced_when_the_command_returns_and_revoked_likewise(system: Guarded) -> None:
    before = system.read("policies/orders.cedar")
    call = "call checkout DELETE http://orders/orders/9"
    assert run(system, call).returncode == 2
    done = run(system, "allow checkout orders:deleteOrder --reason 'tests clean up' --until 2099-12-31")
    assert done.returncode == 0
    assert '+ @reason("tests clean up")' in done.stdout
    assert "enforced by the Envoy of orders after" in done.stdout
    assert done.stdout.splitlines()[-1] == "checkout → orders:deleteOrder: allowed"
    assert run(system, call).returncode == 0
    gone = run(system, "revoke checkout orders:deleteOrder")
    assert gone.returncode == 0
    assert "enforced by the Envoy of orders after" in gone.stdout
    assert run(system, call).returncode == 2
    assert system.read("policies/orders.cedar") == before


def test_a_change_that_only_the_slow_path_sees_is_waited_for(system: Guarded) -> None:
    """The routes stay as they are: it is the slow path that has to take the policy over."""
    call = "call checkout GET 'http://orders/regions?region=us-1'"
    assert run(system, call).returncode == 2
    command = """allow checkout orders:getRegions --reason 'for a moment' --when
                 '(if context.query has region then context.query.region else "none") like "us-*"'"""
    try:
        assert run(system, command).returncode == 0
        assert run(system, call).returncode == 0
    finally:
        text = system.read("policies/orders.cedar")
        system.write("policies/orders.cedar", COMPANY["policies/orders.cedar"])
        assert text != COMPANY["policies/orders.cedar"]
        eventually("the old policy", lambda: run(system, call).returncode == 2)


def test_what_would_take_access_from_others_is_refused(system: Guarded) -> None:
    done = run(system, "revoke checkout orders:getOrder")
    assert done.returncode == 1
    assert "readers-read-one" in done.stderr
    assert system.read("policies/orders.cedar") == COMPANY["policies/orders.cedar"]


def test_json_of_an_edit(system: Guarded) -> None:
    found = answer_of(system, "allow checkout orders:getOrder --reason again")
    assert (found["changes"], found["note"], found["enforced"]) == ([], "granted already", False)


# --- quarantine


def test_a_quarantined_caller_is_cut_off_and_released(system: Guarded) -> None:
    run(system, f"call checkout GET {GREETING}")
    try:
        done = run(system, "quarantine checkout --reason 'it behaves oddly'")
        assert done.returncode == 0
        assert "was called by checkout in the last 7 days, and cannot be now: orders" in done.stdout
        assert "enforced by 3 of 3 Envoys in" in done.stdout
        assert run(system, f"call checkout GET {GREETING}").returncode == 2
        assert "it behaves oddly" in run(system, "quarantine").stdout
        assert run(system, "quarantine checkout").stdout.startswith("checkout was in quarantine already")
    finally:
        released = answer_of(system, "quarantine checkout --release")
    assert (released["quarantined"], released["enforced_by"], released["not_yet"]) == (False, 3, [])
    assert run(system, f"call checkout GET {GREETING}").returncode == 0
    assert run(system, "quarantine checkout --release").stdout == "`checkout` is not in quarantine\n"


def test_a_policy_change_after_a_quarantine_is_confirmed_as_ever(system: Guarded) -> None:
    answer_of(system, "quarantine payments")
    try:
        assert run(system, "allow checkout orders:deleteOrder --reason 'for a moment'").returncode == 0
    finally:
        assert run(system, "revoke checkout orders:deleteOrder").returncode == 0
        answer_of(system, "quarantine payments --release")
    assert answer_of(system, "status")["services"]["orders"]["state"] == "up"


# --- status, up, down


def test_the_status_is_read_back_from_the_envoys(system: Guarded) -> None:
    done = run(system, "status")
    assert done.returncode == 0, done
    found = answer_of(system, "status")
    assert found["supervised"] is True
    assert set(found["services"]) == {"orders", "payments", "shipping", "checkout"}
    orders = found["services"]["orders"]
    assert orders["state"] == "up"
    assert orders["mode"] == "enforce"
    assert len(orders["policy"]) == 12
    assert orders["svid_expires"] > "2"
    assert found["services"]["checkout"]["listen"] is None


def test_a_second_up_says_who_holds_the_system(system: Guarded) -> None:
    assert system.process is not None
    done = run(system, "up")
    assert done.returncode == 1
    assert done.stderr.startswith(f"inward: it runs here already: process {system.process.pid} since ")
    assert done.stderr.count("\n") == 1


def test_down_leaves_a_living_run_alone(system: Guarded) -> None:
    assert system.process is not None
    done = run(system, "down")
    assert done.returncode == 1
    assert str(system.process.pid) in done.stderr
    assert run(system, "status").returncode == 0


def test_a_mistake_in_the_folder_is_reported_by_all_who_read_it(system: Guarded) -> None:
    good = system.read("policies/orders.cedar")
    system.write("policies/orders.cedar", good + "\npermit (nonsense);\n")
    try:
        for command in ("check", "explain checkout orders:getOrder", "allow checkout orders:deleteOrder --reason x"):
            done = run(system, command)
            assert done.returncode == 3
            assert done.stderr.startswith("policies/orders.cedar:"), done
        assert "mistake" in run(system, "status").stderr
        assert run(system, f"call checkout GET {GREETING}").returncode == 0  # what was enforced still is
        assert answer_of(system, "quarantine payments")["enforced_by"] == 3
    finally:
        system.write("policies/orders.cedar", good)
        assert answer_of(system, "quarantine payments --release")["enforced_by"] == 3


def test_colours_are_for_terminals_only(system: Guarded) -> None:
    argv = [*INWARD, "status", "--system", str(system.folder)]
    environment = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "FORCE_COLOR"}}
    environment["TERM"] = "xterm"
    assert b"\x1b[" in on_a_terminal(argv, environment)
    assert b"\x1b[" not in on_a_terminal(argv, environment | {"NO_COLOR": "1"})
    assert "\x1b[" not in run(system, "status").stdout


def test_a_body_can_do_a_terminal_no_harm(system: Guarded) -> None:
    """The app answers with the header as it came; on a terminal, its escape is written out."""
    argv = [*INWARD, "call", "checkout", "GET", GREETING, "-d", "\x1b[2J", "--system", str(system.folder)]
    assert b"\x1b[2J" not in on_a_terminal(argv, dict(os.environ) | {"NO_COLOR": "1"})


def on_a_terminal(argv: list[str], environment: dict[str, str]) -> bytes:
    """Run a command on a terminal of its own; return all that it printed."""
    leader, follower = pty.openpty()
    output = bytearray()

    def read() -> None:
        try:
            while data := os.read(leader, 65536):
                output.extend(data)
        except OSError:  # the last process with the terminal has ended
            return

    with subprocess.Popen(argv, stdin=follower, stdout=follower, stderr=follower, env=environment) as process:
        os.close(follower)
        reader = threading.Thread(target=read)
        reader.start()
        process.wait(60)
        reader.join(60)
    os.close(leader)
    return bytes(output)


def test_without_the_control_process(guard: Callable[..., Guarded]) -> None:
    """It is killed: calls go on, a quarantine is enforced, `status` says so, and `down` ends what is left."""
    system = guard(COMPANY).start()
    system.kill()
    status = run(system, "status")
    assert (status.returncode, "is gone" in status.stdout) == (1, True)
    called = run(system, f"call checkout GET {GREETING}")
    assert called.returncode == 0
    assert "no `inward up` is there" in called.stderr
    assert run(system, "call checkout DELETE http://orders/orders/1").returncode == 2
    assert "enforced by 3 of 3 Envoys" in run(system, "quarantine checkout").stdout
    assert run(system, f"call checkout GET {GREETING}").returncode == 2
    granted = run(system, "allow checkout orders:deleteOrder --reason x")
    assert (granted.returncode, "`inward up` is gone" in granted.stderr) == (0, True)
    done = run(system, "down")
    assert done.returncode == 0
    assert "orders.envoy" in done.stdout
    assert system.processes() == []
    assert run(system, "down").stdout == "nothing was left\n"
    assert run(system, "status").returncode == 1


def test_up_without_a_reader_ends_and_leaves_nothing(guard: Callable[..., Guarded]) -> None:
    system = guard(COMPANY)
    argv = [*INWARD, "up", "--json", "--system", str(system.folder)]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=system.environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert '"starting"' in process.stdout.readline()
        process.stdout.close()
        assert (process.wait(60), process.stderr.read()) == (1, "")
    assert system.processes() == []


def test_down_by_force(guard: Callable[..., Guarded]) -> None:
    system = guard(COMPANY).start()
    assert system.process is not None
    process = psutil.Process(system.process.pid)
    done = run(system, "down --force")
    assert done.returncode == 0, done
    assert system.process.wait(60) == 0
    assert not process.is_running()
    assert system.processes() == []


def test_what_init_writes_runs(tmp_path: Path, guard: Callable[..., Guarded]) -> None:
    folder = tmp_path / "fresh"
    made = subprocess.run([*INWARD, "init", str(folder)], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made
    files = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
    system = guard(files)
    checked = run(system, "check")
    assert (checked.returncode, checked.stderr) == (0, "")
    system.start()
    greeted = run(system, "call visitor GET http://greeter/greetings/ada")
    assert (greeted.returncode, json.loads(greeted.stdout)) == (0, {"greeting": "Hello, ada!"})
    assert run(system, "call visitor DELETE http://greeter/greetings/ada").returncode == 2
    own = "calls --caller visitor --operation greeter:getGreeting --json"
    eventually("its own call", lambda: '{"name":"visitor"}' in run(system, own).stdout)


def test_what_does_not_answer_is_unreachable_and_not_refused(guard: Callable[..., Guarded]) -> None:
    system = guard(COMPANY).start()
    app = psutil.Process(system.pid("orders"))
    app.suspend()
    late = run(system, f"call checkout GET {GREETING} --timeout 0.5")
    assert (late.returncode, late.stderr.startswith("inward: `orders` did not answer within 0.5 seconds")) == (1, True)
    system.kill()  # so that nobody starts the app again
    app.kill()
    done = run(system, f"call checkout GET {GREETING}")
    assert done.returncode == 1
    assert "unreachable" in done.stderr
    psutil.Process(system.envoy_pid("orders")).kill()
    gone = run(system, f"call checkout GET {GREETING}")
    assert gone.returncode == 1
    assert "unreachable" in gone.stderr
    psutil.Process(system.envoy_pid("checkout")).kill()
    closed = run(system, f"call checkout GET {GREETING}")
    assert (closed.returncode, "does not answer: connection refused" in closed.stderr) == (1, True)
    down = run(system, "status")
    assert (down.returncode, down.stdout.count("Envoy down")) == (1, 2)
    behind = run(system, "quarantine payments")
    assert (behind.returncode, "enforced by 2 of 3 Envoys" in behind.stdout) == (1, True)
    assert "not yet by orders" in behind.stderr
    system.start()  # takes over what is left, starts what is gone, and records what happened meanwhile
    found = [json.loads(line) for line in run(system, "calls --callee orders --json").stdout.splitlines()]
    answered = {(call["reason"], call.get("enforcer", "ingress")) for call in found if call.get("status") == 503}
    assert answered == {("granted", "ingress"), ("unreachable", "egress")}, found
