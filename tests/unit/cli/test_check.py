from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Inward

SHOP = Path(__file__).resolve().parents[3] / "examples" / "shop"


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


FORMATS = ("text", "json", "sarif", "junit", "github")


def shop(tmp_path: Path) -> Path:
    return shutil.copytree(SHOP, tmp_path / "shop")


def test_the_shop_is_told_in_every_format(inward: Inward, tmp_path: Path) -> None:
    folder = str(shop(tmp_path))
    told = {form: inward("check", "--system", folder, "--format", form) for form in FORMATS}
    assert {form: (done.code, done.err) for form, done in told.items()} == dict.fromkeys(FORMATS, (2, ""))
    findings = told["json"].json["findings"]
    levels = ["warning" if each["level"] == "finding" else "note" for each in findings]
    assert told["text"].out.count("\n") == len(findings) + 1
    # SARIF and the commands keep the order of the steps, so that they are compared without an order
    [run] = json.loads(told["sarif"].out)["runs"]
    results = [(each["level"], each["ruleId"]) for each in run["results"]]
    assert Counter(results) == Counter(zip(levels, (each["kind"] for each in findings), strict=True))
    commands = [line.split(" ")[0] for line in told["github"].out.splitlines()]
    assert Counter(commands) == Counter("::warning" if level == "warning" else "::notice" for level in levels)
    assert told["junit"].out.count("<failure") == levels.count("warning")


def test_a_broken_system_is_told_in_every_format(inward: Inward, system: Path) -> None:
    (system / "policies" / "greeter.cedar").write_text("permit (nonsense);\n")
    told = {form: inward("check", "--format", form) for form in FORMATS}
    assert {done.code for done in told.values()} == {3}
    assert told["text"].out == ""
    assert told["text"].err.startswith("policies/greeter.cedar:1: no valid Cedar policy")
    assert {told[form].err for form in FORMATS if form != "text"} == {""}
    [mistake] = told["json"].json["mistakes"]
    assert (mistake["file"], mistake["line"]) == ("policies/greeter.cedar", 1)
    [result] = json.loads(told["sarif"].out)["runs"][0]["results"]
    assert (result["level"], result["ruleId"]) == ("error", "mistake")
    assert told["github"].out.startswith("::error file=policies/greeter.cedar,line=1,title=Mistake in")
    assert '<testcase name="mistake: no valid Cedar policy' in told["junit"].out
    assert told["junit"].out.count("<failure") == 1


def test_paths_are_from_the_root_of_the_work_tree(inward: Inward, system: Path) -> None:
    (system.parent / ".git").mkdir()
    (system / "inward.yaml").write_text("nothing: 1\n")
    assert "::error file=system/inward.yaml" in inward("check", "--format", "github").out
    assert '"uri": "system/inward.yaml"' in inward("check", "--format", "sarif").out
    assert 'file="system/inward.yaml"' in inward("check", "--format", "junit").out
    assert inward("check", "--json").json["mistakes"][0]["file"] == "inward.yaml"


def test_json_is_the_format_json(inward: Inward, system: Path) -> None:
    del system
    assert inward("check", "--json").out == inward("check", "--format", "json").out
    assert inward("check", "--json", "--format", "json").code == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--json", "--format", "sarif"), "inward: `--json` and `--format sarif` (give one)"),
        (("--slow-path", "--format", "junit"), "inward: `--slow-path` and `--format junit`"),
        (("--format", "xml"), "inward: invalid value for `--format`"),
    ],
)
def test_what_does_not_go_together_is_bad_input(
    inward: Inward, system: Path, arguments: tuple[str, ...], told: str
) -> None:
    del system
    done = inward("check", *arguments)
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith(told)


def test_the_slow_path_of_a_broken_system_tells_the_mistakes(inward: Inward, system: Path) -> None:
    (system / "inward.yaml").write_text("nothing: 1\n")
    done = inward("check", "--slow-path")
    assert (done.code, done.out) == (3, "")
    assert inward("check", "--slow-path", "--json").json["mistakes"]


def test_the_construct_of_the_slow_path_is_told(inward: Inward, tmp_path: Path) -> None:
    listed = inward("check", "--slow-path", "--json", "--system", str(shop(tmp_path)))
    [cell, *_] = listed.json["slow_path"]
    assert cell["construct"].startswith("`to_date`")
    [place] = cell["policies"].values()
    assert re.fullmatch(r"policies/inventory\.cedar:[0-9]+", place)


def test_what_was_found_out_is_kept_unless_it_is_not_wanted(
    inward: Inward, system: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del system
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    first = inward("check", "--no-cache")
    assert not (tmp_path / "caches").exists()
    kept = [inward("check") for _ in range(2)]
    assert len(list((tmp_path / "caches" / "inward").iterdir())) == 1
    assert kept == [first, first]


def test_a_cache_that_is_open_to_others_is_told_and_not_used(
    inward: Inward, system: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del system
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "inward").mkdir()
    (tmp_path / "inward").chmod(0o777)
    done = inward("check")
    assert done.code == 0
    assert done.err.startswith("what was found out is not kept: ")
    assert "open to other accounts" in done.err
    assert inward("check", "--json").err == ""
    assert list((tmp_path / "inward").iterdir()) == []


def test_programs_are_started_only_where_that_is_wanted(inward: Inward, system: Path) -> None:
    path = system / "inward.yaml"
    program = "python -c 'raise SystemExit(\"alone\")' {socket}"
    path.write_text(re.sub(r"run: .*\{socket\}.*", f"guard: true\n    run: {program}", path.read_text(), count=1))
    assert inward("check").code == 0
    found = inward("check", "--probe", "--json")
    assert found.code == 2
    assert [each["kind"] for each in found.json["findings"] if each["level"] == "finding"] == ["not_asked"]
    told = inward("check", "--probe")
    assert (told.code, told.err) == (2, "asked 1 guarded program\n")
    assert "it has ended (1), and said `alone`" in told.out
    assert inward("check", "--probe", "--slow-path").code == 3
