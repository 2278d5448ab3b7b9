"""`inward policy diff` on a system in a git repository, and on folders."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Done, Inward

POLICY = "policies/greeter.cedar"
VISITOR = 'principal == Service::"visitor"'
GRANT = 'permit ({who}, action == Action::"greeter:{what}", resource == Service::"greeter"){when};\n'


def grant(name: str, what: str = "getGreeting", when: str = "", who: str = VISITOR, expires: str = "") -> str:
    end = f'@expires("{expires}") ' if expires else ""
    condition = f" when {{ {when} }}" if when else ""
    return f'@id("{name}") @reason("r") {end}' + GRANT.format(who=who, what=what, when=condition)


@pytest.fixture(autouse=True)
def committed(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commit the system as it is."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(system.parent))
    git(system, "init", "--quiet", "--initial-branch=main", ".")
    commit(system)


def git(system: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=n", "-c", "user.email=e@x"]
    subprocess.run(["git", *identity, *arguments], cwd=system, capture_output=True, check=True)  # noqa: S607 - the one on the PATH


def commit(system: Path) -> None:
    git(system, "add", "--all")
    git(system, "commit", "--quiet", "--allow-empty", "-m", "m")


def lines(done: Done) -> list[str]:
    return [line.strip() for line in done.out.splitlines() if line]


def test_without_a_change_it_says_so(inward: Inward, system: Path) -> None:
    (system / POLICY).write_text("// another comment\n" + (system / POLICY).read_text())
    done = inward("policy", "diff")
    assert done.code == 0
    [line] = lines(done)
    assert line.startswith("HEAD → the system folder: nothing changes: from 2")
    assert inward("policy", "diff", "--fail-on", "any").code == 0


def test_a_grant_in_the_folder_against_the_last_commit(inward: Inward, system: Path) -> None:
    with (system / POLICY).open("a") as file:
        file.write(grant("forgets", "forgetGreeting"))
    done = inward("policy", "diff")
    line = (system / POLICY).read_text().count("\n")
    assert done.code == 0
    assert lines(done) == [
        "HEAD → the system folder: pairs of a caller and what it calls: 1 newly allowed",
        "newly allowed",
        f"visitor → greeter:forgetGreeting  by forgets ({POLICY}:{line}), owner team-greeter",
        "now allowed, e.g. DELETE /greetings/x",
    ]


def test_revisions_and_folders_are_compared(inward: Inward, system: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(system, copy, ignore=shutil.ignore_patterns(".git"))
    (system / POLICY).write_text("")
    commit(system)
    for old, new in (("HEAD~1", "main"), (str(copy), "HEAD"), (str(copy), str(system))):
        found = inward("policy", "diff", old, new, "--json").json
        [change] = found["changes"]
        assert (change["kind"], change["callers"], change["owner"]) == ("refused", ["visitor"], "team-greeter")
        assert (found["widens"], found["narrows"]) == (False, True)
        assert (found["old"]["name"], found["new"]["name"]) == (old, new)
    assert inward("policy", "diff", "HEAD~1", "--json").json["new"]["name"] is None


@pytest.mark.parametrize(
    ("after", "failing"),
    [
        (grant("g") + grant("h", "forgetGreeting"), {"widening", "any"}),
        ("", {"narrowing", "any"}),
        (grant("g", when='context.path.name == "a"') + grant("h", "forgetGreeting"), {"widening", "narrowing", "any"}),
        (grant("renamed"), set()),
    ],
)
def test_fail_on_names_what_ends_with_two(inward: Inward, system: Path, after: str, failing: set[str]) -> None:
    (system / POLICY).write_text(after)
    found = {
        name: inward("policy", "diff", "--fail-on", name).code for name in ("widening", "narrowing", "any", "none")
    }
    assert found == {name: 2 if name in failing else 0 for name in found}


def test_mode_observe_is_a_widening_of_its_own(inward: Inward, system: Path) -> None:
    yaml = system / "inward.yaml"
    yaml.write_text(yaml.read_text().replace("mode: enforce ", "mode: observe "))
    done = inward("policy", "diff", "--fail-on", "widening")
    assert done.code == 2
    assert "enforced differently" in lines(done)
    assert any("mode observe, was enforce: nothing is refused, owner team-greeter" in line for line in lines(done))


def test_an_expiry_that_moved_is_told_by_both_ends(inward: Inward, system: Path) -> None:
    (system / POLICY).write_text(grant("g", expires="2090-01-31"))
    commit(system)
    (system / POLICY).write_text(grant("g", expires="2091-06-30"))
    found = lines(inward("policy", "diff"))
    assert (
        f"visitor → greeter:getGreeting  until 2091-06-30 rather than until 2090-01-31, by g ({POLICY}:1)" in found[2]
    )
    assert "at 2090-02-01" in found[3]
    [change] = inward("policy", "diff", "--json").json["changes"]
    assert change["until"] == {"old": "2090-02-01T00:00:00+00:00", "new": "2091-07-01T00:00:00+00:00"}
    # where both have expired, nothing is left to compare
    assert inward("policy", "diff", "--at", "2092-01-01", "--fail-on", "any").code == 0


def test_much_is_summed_and_all_is_there_for_the_asking(inward: Inward, system: Path) -> None:
    yaml = system / "inward.yaml"
    many = "".join(f"  caller-{number:02}: {{owner: team-x}}\n" for number in range(30))
    yaml.write_text(yaml.read_text() + many)
    commit(system)
    (system / POLICY).write_text(grant("g", who="principal"))
    done = inward("policy", "diff")
    assert "caller-00, caller-01, caller-02, caller-03, caller-04 and 26 more → greeter:getGreeting" in done.out
    assert "31 newly allowed" in done.out
    assert "caller-29" in inward("policy", "diff", "--all").out
    each = "".join(grant(f"g{n}", who=f'principal == Service::"caller-{n:02}"') for n in range(30))
    (system / POLICY).write_text(each)
    done = inward("policy", "diff")
    assert "and 10 more, 10 pairs (`--all` has them)" in lines(done)[-4:] + lines(done)


def test_markdown_is_a_comment(inward: Inward, system: Path) -> None:
    (system / POLICY).write_text("")
    done = inward("policy", "diff", "--format", "markdown")
    assert done.out.splitlines()[0] == "### What the policies allow: `HEAD` → the system folder"
    assert "- `visitor` → `greeter:getGreeting` it was allowed by `visitor-reads-greetings`" in done.out


def test_mistakes_are_named_with_the_side_they_are_in(inward: Inward, system: Path) -> None:
    (system / POLICY).write_text("permit")
    commit(system)
    done = inward("policy", "diff", "HEAD", "HEAD~1")
    assert done.code == 3
    assert done.err.startswith(f"HEAD:{POLICY}:1: ")
    done = inward("policy", "diff", "HEAD", "HEAD~1", "--json")
    assert done.code == 3
    assert done.json["mistakes"][0]["file"] == f"HEAD:{POLICY}"


def test_what_cannot_be_compared_is_bad_input(inward: Inward) -> None:
    for arguments in (("nowhere",), ("HEAD", "nowhere"), ("--at", "soon"), ("--json", "--format", "text")):
        done = inward("policy", "diff", *arguments)
        assert (done.code, done.out) == (3, ""), arguments
        assert done.err.count("\n") == 1
