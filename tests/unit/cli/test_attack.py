from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from inward.cli.attacking.report import print_report, report_as_json
from inward.control.attack.attempt import Result, Verdict, not_sent
from inward.control.attack.intruder import Intruder
from inward.control.attack.run import Plan, Report
from inward.control.bundle import load_policy, store_bundle
from inward.control.layout import Layout
from inward.control.running import Running, RunningService, store_running
from inward.identity.private_files import private_folder
from inward.record.lock import FolderLock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.cli.conftest import Inward

    from inward.control.attack.attempt import Outcome

NOW = datetime(2026, 1, 1, tzinfo=UTC)
VISITOR = RunningService(listen=None, egress="127.0.0.1:1", credential="secret", app=None)


@pytest.fixture
def running(system: Path) -> Iterator[Layout]:
    """A run of which nothing is there but what it says of itself, and that somebody holds it."""
    layout = Layout.of(system)
    with FolderLock(private_folder(layout.state)):
        store_bundle(private_folder(layout.bundle), load_policy(system))
        say(layout)
        yield layout


def say(layout: Layout, **fields: Any) -> None:
    given: dict[str, Any] = {"pid": os.getpid(), "since": "", "services": {"visitor": VISITOR}, "may_be_attacked": True}
    store_running(layout, Running(**(given | fields)))


def test_nothing_runs(inward: Inward, system: Path) -> None:
    done = inward("attack", "visitor", "--yes")
    assert (done.code, "start it with `inward up`" in done.err) == (1, True)
    del system


def test_nobody_records(inward: Inward, system: Path) -> None:
    say(Layout.of(system))
    done = inward("attack", "visitor", "--yes")
    assert (done.code, "nothing would be recorded" in done.err) == (1, True)


def test_a_run_that_nobody_allowed_to_be_attacked(inward: Inward, running: Layout) -> None:
    say(running, may_be_attacked=False)
    done = inward("attack", "visitor", "--yes")
    assert (done.code, done.out) == (1, "")
    assert "this run may not be attacked" in done.err
    assert "INWARD_ALLOW_ATTACK=1 inward up" in done.err


def test_a_service_that_does_not_run(inward: Inward, running: Layout) -> None:
    done = inward("attack", "visitr", "--yes")
    assert (done.code, "did you mean `visitor`?" in done.err) == (3, True)
    del running


def test_a_service_in_quarantine(inward: Inward, running: Layout) -> None:
    inward("quarantine", "visitor")
    done = inward("attack", "visitor", "--yes")
    assert (done.code, "inward quarantine visitor --release" in done.err) == (3, True)
    del running


def test_where_nobody_can_be_asked_nothing_is_done(inward: Inward, running: Layout) -> None:
    done = inward("attack", "visitor")
    assert (done.code, "give `--yes`" in done.err) == (3, True)
    assert not running.log("inward").exists()


def test_somebody_who_says_no(inward: Inward, running: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("inward.cli.attack._at_terminal", lambda: True)
    monkeypatch.setattr("typer.confirm", lambda text, **_: asked.append(text))
    done = inward("attack", "visitor")
    assert (done.code, done.out) == (1, "nothing was done\n")
    assert "in the place of visitor" in done.err
    assert len(asked) == 1
    assert not running.log("inward").exists()


def result(kind: str, outcome: Outcome, why: str, what: str = "GET /") -> Result:
    verdict = Verdict(outcome, why, f"ref-{outcome}")
    return Result(not_sent(kind, "greeter", what, verdict), verdict)


RESULTS = [
    result("path", "held", "no_grant"),
    result("path", "open", "observed", "GET /1"),
    result("path", "open", "observed", "GET /2\n\x1b[2J"),
    result("data", "breached", "it holds \x1b[2J"),
    result("user", "untried", "no issuer"),
]


def told(running: Layout, results: list[Result], **fields: Any) -> tuple[Intruder, Plan, Report]:
    intruder = Intruder("visitor", Running(pid=1, since="", services={}), load_policy(running.system), running)
    return intruder, Plan([], 7), Report(NOW, NOW, results, 3, **fields)


def test_a_report_for_people(running: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    print_report(
        *told(running, RESULTS, alerts=[], unnoticed=["path"], notes=["changed"]), " --system x", everything=True
    )
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0].split() == ["kind", "what", "was", "tried", "held", "breached", "open", "untried"]
    assert next(line.split()[-4:] for line in lines if line.startswith("path")) == ["1", "-", "2", "-"]
    gave_way = lines[lines.index("gave way:") + 2 :]
    assert gave_way[0].split()[0] == "data"  # what was breached comes first
    assert "2 tries, such as GET /1" in gave_way[1]
    assert "no alert fired" in lines
    assert "noticed by no detector: path" in lines
    assert lines[-1] == "3 of 5 tries in the place of visitor gave way"
    assert "\x1b" not in printed.out
    for text in (
        "left out: 7 tries",
        "interrupted: 3 tries were not made",
        "changed",
        "inward explain --system x ref-",
    ):
        assert text in printed.err


def test_a_report_where_everything_holds_and_nobody_watches(
    running: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    print_report(*told(running, RESULTS[:1]), "", everything=False)
    out = capsys.readouterr().out
    assert "gave way" not in out.replace("none gave way", "")
    assert "nobody watches this system" in out
    assert out.endswith("held: 1 tries in the place of visitor, none gave way\n")


def test_a_report_for_programs(running: Layout) -> None:
    document = report_as_json(*told(running, RESULTS))
    assert document["counts"] == {"held": 1, "breached": 1, "open": 2, "untried": 1}
    assert (document["alerts"], document["interrupted"], document["left_out"]) == (None, True, 7)
    assert document["tries"][3] == {
        "kind": "data",
        "target": "greeter",
        "tried": "GET /",
        "gain": "it reads what its owner withholds",
        "outcome": "breached",
        "why": "it holds \x1b[2J",
        "reference": "ref-breached",
        "technique": "T1213 Data from Information Repositories",
        "owasp": "API3:2023 Broken Object Property Level Authorization",
    }
