"""`inward policy replay` on a record that the recorder wrote, against folders and revisions."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from inward.control.bundle import load_policy, store_bundle
from inward.control.layout import Layout
from inward.identity.private_files import private_folder
from inward.record.call import Call, Gap, timestamp
from inward.record.recorder import Recorder

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Inward

    from inward.record.call import Entry

POLICY = "policies/greeter.cedar"
GRANT = 'permit (principal == Service::"visitor", action == Action::"greeter:{}", resource == Service::"greeter") {};'


def grant(name: str, operation: str, condition: str = "") -> str:
    return f'@id("{name}") @reason("r") {GRANT.format(operation, condition)}\n'


def call(number: int, **fields: Any) -> Call:
    given = {
        "time": timestamp(datetime.now(UTC) - timedelta(seconds=100 - number)),
        "id": f"id-{number}",
        "caller": "visitor",
        "callee": "greeter",
        "operation": "greeter:getGreeting",
        "method": "GET",
        "path": f"/greetings/{number}",
        "decision": "allow",
        "carried_out": "allow",
        "reason": "granted",
    }
    return Call(**{**given, **fields})


def forgetting(number: int) -> Call:
    asked = {"operation": "greeter:forgetGreeting", "method": "DELETE"}
    return call(number, decision="deny", carried_out="deny", reason="no_grant", **asked)


def record(system: Path, *entries: Entry) -> None:
    with Recorder(private_folder(Layout.of(system).record)) as recorder:
        recorder.append(list(entries), [])


@pytest.fixture
def proposal(system: Path, tmp_path: Path) -> Path:
    """A folder beside the system's: no grant to read any more, and one to forget."""
    folder = tmp_path / "proposal"
    shutil.copytree(system, folder)
    (folder / POLICY).write_text(grant("forgets", "forgetGreeting"))
    return folder


def test_what_would_change_and_whose(inward: Inward, system: Path, proposal: Path) -> None:
    gap = Gap(time=timestamp(datetime.now(UTC)), why="the log was cut", service="greeter")
    unreachable = call(4, decision="deny", carried_out="deny", reason="unreachable", enforcer="egress")
    record(system, *(call(number) for number in (1, 2, 3)), unreachable, forgetting(5), gap)
    done = inward("policy", "replay", str(proposal))
    lines = done.out.splitlines()
    assert done.code == 2
    assert lines[0].startswith("4 calls since ")
    assert lines[0].endswith("3 would newly be refused, 1 newly allowed, 0 unknown, 1 skipped")
    assert [
        word for word in ("visitor", "greeter:getGreeting", "refused", "granted → no_grant") if word not in lines[2]
    ] == []
    assert (lines[2].split()[-1], lines[3].split()[-1]) == ("id-3", "id-5")
    assert "1 unreachable" in lines[4]
    assert "a gap of greeter" in lines[5]
    assert "`inward explain id-3`" in done.err


def test_nothing_changes(inward: Inward, system: Path) -> None:
    assert "no call that a policy decided" in inward("policy", "replay").err
    record(system, call(1), forgetting(2))
    done = inward("policy", "replay")
    assert (done.code, done.out.count("\n")) == (0, 1)
    assert "0 would newly be refused, 0 newly allowed, 0 unknown" in done.out
    assert inward("policy", "replay", "--since", "1s").out.startswith("0 calls since ")


def test_against_a_revision(inward: Inward, system: Path, proposal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    for arguments in (["init", "-q", "-b", "main", "."], ["add", "-A"], ["commit", "-q", "-m", "m"]):
        identity = ["-c", "user.name=n", "-c", "user.email=e@x"]
        subprocess.run(["git", *identity, *arguments], cwd=proposal, check=True)  # noqa: S607 - the one on the PATH
    shutil.move(proposal / ".git", system / ".git")
    record(system, call(1))
    done = inward("policy", "replay", "main", "--json")
    assert (done.code, done.json["changes"]) == (2, {"refused": 1, "allowed": 0, "unknown": 0})
    assert done.json["groups"][0]["owner"] == "team-greeter"
    done = inward("policy", "replay", "mian")
    assert (done.code, done.out) == (3, "")
    assert "no system folder and no revision" in done.err


@pytest.mark.parametrize(("changes", "codes"), [("refused", (2, 0)), ("allowed", (0, 2)), ("any", (2, 2))])
def test_which_changes_fail(inward: Inward, system: Path, proposal: Path, changes: str, codes: tuple[int, int]) -> None:
    record(system, call(1))
    assert inward("policy", "replay", str(proposal), "--fail-on", changes).code == codes[0]
    shutil.rmtree(system / ".inward/record")
    record(system, forgetting(1))
    assert inward("policy", "replay", str(proposal), "--fail-on", changes).code == codes[1]


def test_what_the_folder_changes_already_is_no_change_of_the_proposal(
    inward: Inward, system: Path, proposal: Path
) -> None:
    record(system, call(1))
    (system / POLICY).write_text("")
    done = inward("policy", "replay", str(proposal))
    assert done.code == 0
    assert "1 more differ from the record" in done.out
    assert "already so today" in done.out
    # The folder itself is held against what is in force.
    assert inward("policy", "replay").code == 2
    store_bundle(private_folder(Layout.of(system).bundle), load_policy(system))
    assert inward("policy", "replay").code == 0
    # So is a proposal while the folder has mistakes.
    (system / POLICY).write_text("permit(")
    assert inward("policy", "replay", str(proposal)).code == 0


def test_one_moment_for_all(inward: Inward, system: Path) -> None:
    expiring = '@expires("2030-01-01") ' + grant("reads", "getGreeting")
    (system / POLICY).write_text(expiring)
    record(system, call(1))
    assert [inward("policy", "replay", "--at", at).code for at in ("2029-12-31", "2030-01-02T00:00:00Z", "now")] == [
        0,
        2,
        0,
    ]
    assert [inward("policy", "replay", "--at", at).code for at in ("then", "")] == [3, 3]
    assert inward("policy", "replay", "--since", "then").code == 3


def test_mistakes_are_told_with_where_they_are(inward: Inward, system: Path, proposal: Path) -> None:
    (proposal / POLICY).write_text("\npermit(")
    done = inward("policy", "replay", str(proposal))
    assert (done.code, done.out) == (3, "")
    assert f"{proposal}/{POLICY}:2: " in done.err
    done = inward("policy", "replay", str(proposal), "--json")
    assert (done.code, done.json["mistakes"][0]["line"]) == (3, 2)
    del system


def test_the_limit_counts_groups(inward: Inward, system: Path, proposal: Path) -> None:
    record(system, call(1), call(2), forgetting(3))
    done = inward("policy", "replay", str(proposal), "--limit", "1")
    assert "and 1 more groups (`--limit 0` shows all)" in done.out
    assert "id-3" not in done.out
    done = inward("policy", "replay", str(proposal), "--limit", "1", "--json")
    assert (len(done.json["groups"]), done.json["more_groups"]) == (1, 1)
    assert "id-3" in inward("policy", "replay", str(proposal), "--limit", "0").out


def test_a_query_that_would_decide_is_named(inward: Inward, system: Path, proposal: Path) -> None:
    text = (proposal / "apis/greeter.yaml").read_text()
    query = "    get:\n      parameters: [{name: tone, in: query, schema: {type: string}}]\n"
    (proposal / "apis/greeter.yaml").write_text(text.replace("    get:\n", query))
    condition = 'when { context.query has tone && context.query.tone == "kind" }'
    (proposal / POLICY).write_text(grant("reads", "getGreeting", condition))
    record(system, call(1))
    done = inward("policy", "replay", str(proposal))
    assert done.code == 0
    assert "0 would newly be refused, 0 newly allowed, 1 unknown" in done.out
    assert "granted → needs what is not recorded: tone" in done.out


def test_hostile_content_stays_on_its_line(inward: Inward, system: Path, proposal: Path) -> None:
    stranger = "spiffe://x\x1b[2J\n"
    record(system, call(1, caller=stranger, id="\x1b]0;\n"), forgetting(2), call(3, time="\x1b", reason="\x1bodd"))
    done = inward("policy", "replay", str(proposal))
    assert "\x1b" not in done.out + done.err
    assert len(done.out.splitlines()) == 5
    assert inward("policy", "replay", str(proposal), "--json").json["calls"] == 2
