from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Inward


def test_nothing_wrong_is_exit_0(inward: Inward, system: Path) -> None:
    done = inward("check")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1].endswith("2 services, 2 operations, 1 policy; no mistakes, no findings")
    assert done.out.startswith("note: inward.yaml:6: nobody was granted `greeter:forgetGreeting`")
    del system


def test_a_finding_is_exit_2(inward: Inward, system: Path) -> None:
    path = system / "inward.yaml"
    path.write_text(path.read_text().replace("mode: enforce", "mode: observe"))
    done = inward("check")
    assert done.code == 2
    assert done.out.startswith("finding: inward.yaml:6: `greeter` observes")
    assert done.out.endswith("; 1 finding\n")
    found = inward("check", "--json")
    assert (found.code, found.json["findings"][0]["kind"]) == (2, "observed")


def test_every_mistake_is_told_and_exit_3(inward: Inward, system: Path) -> None:
    (system / "policies" / "greeter.cedar").write_text("permit (nonsense);\n")
    path = system / "inward.yaml"
    path.write_text(path.read_text().replace("mode: enforce", "mode: maybe"))
    done = inward("check")
    assert (done.code, done.out) == (3, "")
    assert [line.split(":")[0] for line in done.err.splitlines()] == ["inward.yaml", "policies/greeter.cedar"]
    told = inward("check", "--json")
    assert (told.code, told.err) == (3, "")
    assert [mistake["file"] for mistake in told.json["mistakes"]] == ["inward.yaml", "policies/greeter.cedar"]
    assert told.json["mistakes"][0]["line"] > 1


def test_the_slow_path_is_listed(inward: Inward, system: Path) -> None:
    assert inward("check", "--slow-path").out == "Envoy decides everything by itself\n"
    with (system / "policies" / "greeter.cedar").open("a") as file:
        file.write("""
@id("slow") @reason("it is")
permit (principal == Service::"visitor", action == Action::"greeter:forgetGreeting", resource == Service::"greeter")
when { (if context.path.name == "x" then "y" else context.path.name) like "a*" };
""")
    done = inward("check")
    assert done.code == 0
    assert "`visitor → greeter:forgetGreeting`" in done.out
    listed = inward("check", "--slow-path").out.splitlines()[1]
    assert listed.split()[:2] == ["visitor", "greeter:forgetGreeting"]
    assert listed.endswith("slow (policies/greeter.cedar:22)")
    found = inward("check", "--slow-path", "--json").json["slow_path"]
    assert [(each["caller"], each["operation"], list(each["policies"])) for each in found] == [
        ("visitor", "greeter:forgetGreeting", ["slow"])
    ]
