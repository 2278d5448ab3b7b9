from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import cedarpy
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Inward

UGLY = """\
// ours

@id("a")@reason("r")permit(principal==Service::"visitor",action==Action::"greeter:getGreeting",resource);
"""
FILE = "policies/greeter.cedar"


@pytest.fixture
def ugly(system: Path) -> Path:
    (system / FILE).write_text(UGLY)
    return system


def test_a_file_is_laid_out_once(inward: Inward, ugly: Path) -> None:
    (ugly / FILE).chmod(0o640)
    done = inward("policy", "fmt")
    assert (done.code, done.out, done.err) == (0, f"laid out {FILE}\n", "1 changed, 1 as they should be\n")
    text = (ugly / FILE).read_text()
    assert text.startswith('// ours\n\n@id("a")\n@reason("r")\npermit (\n')
    assert (ugly / FILE).stat().st_mode & 0o777 == 0o640
    done = inward("policy", "fmt")
    assert (done.code, done.out, done.err) == (0, "", "0 changed, 2 as they should be\n")
    assert inward("check").code == 0


@pytest.mark.parametrize("options", [["--check"], ["--diff"], ["--check", "--diff"]])
def test_nothing_is_changed_where_that_is_asked(inward: Inward, ugly: Path, options: list[str]) -> None:
    done = inward("policy", "fmt", *options)
    assert done.code == 2
    assert done.err == "1 would change, 1 as they should be\n"
    assert (ugly / FILE).read_text() == UGLY
    if "--diff" in options:
        assert f"--- {FILE}\n+++ {FILE}\n@@ " in done.out
        assert '\n+@id("a")\n+@reason("r")\n+permit (\n' in done.out
    else:
        assert done.out == f"would lay out {FILE}\n"
    assert inward("policy", "fmt").code == 0
    assert inward("policy", "fmt", *options).code == 0


def test_files_and_folders_can_be_named_wherever_they_are(inward: Inward, ugly: Path, tmp_path: Path) -> None:
    (ugly / "guardrails.cedar").write_text("//   x\n\n\n\n// y\n")
    assert inward("policy", "fmt", "policies").out == f"laid out {FILE}\n"
    assert (ugly / "guardrails.cedar").read_text() == "//   x\n\n\n\n// y\n"
    alone = tmp_path / "alone.cedar"
    alone.write_text("permit(principal,action,resource);")
    assert inward("policy", "fmt", str(alone), "guardrails.cedar").code == 0
    assert alone.read_text() == "permit (principal, action, resource);\n"
    assert (ugly / "guardrails.cedar").read_text() == "//   x\n\n// y\n"


def test_a_file_with_mistakes_is_left_alone_and_the_others_are_not(inward: Inward, ugly: Path) -> None:
    (ugly / "guardrails.cedar").write_text("// x\n\n\nforbid (nonsense);\npermit (")
    done = inward("policy", "fmt")
    assert (done.code, done.out) == (3, f"laid out {FILE}\n")
    lines = done.err.splitlines()
    assert [line.split(" ")[0] for line in lines[:2]] == ["guardrails.cedar:4:", "guardrails.cedar:5:"]
    assert lines[2:] == ["1 changed, 0 as they should be, 1 left alone"]
    assert (ugly / "guardrails.cedar").read_text() == "// x\n\n\nforbid (nonsense);\npermit ("


def test_a_file_that_would_say_something_else_is_left_alone(
    inward: Inward, ugly: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = cedarpy.format_policies
    monkeypatch.setattr(cedarpy, "format_policies", lambda *given: honest(*given).replace("visitor", "anybody"))
    done = inward("policy", "fmt")
    assert (done.code, done.out) == (1, "")
    assert f"inward: {FILE} cannot be laid out without a change of what it says" in done.err
    assert (ugly / FILE).read_text() == UGLY


def test_as_json(inward: Inward, ugly: Path) -> None:
    (ugly / "guardrails.cedar").write_text("permit (")
    done = inward("policy", "fmt", "--check", "--json")
    assert done.code == 3
    broken, changed = done.json["files"]
    assert (broken["file"], broken["error"]) == ("guardrails.cedar", "invalid_system")
    assert [(each["file"], each["line"]) for each in broken["mistakes"]] == [("guardrails.cedar", 1)]
    assert changed == {"file": FILE, "changed": True, "error": None, "message": None, "mistakes": []}


@pytest.mark.parametrize("path", ["nope.cedar", "inward.yaml", "nope", "a\0b", "x" * 5_000])
def test_what_is_no_policy_file(inward: Inward, ugly: Path, path: str) -> None:
    done = inward("policy", "fmt", path)
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("inward: ")
    assert done.err.count("\n") == 1
    assert (ugly / FILE).read_text() == UGLY


def test_without_a_system_there_must_be_paths(inward: Inward, ugly: Path) -> None:
    (ugly / "inward.yaml").unlink()
    assert inward("policy", "fmt").code == 3
    assert inward("policy", "fmt", FILE).code == 0
    shutil.rmtree(ugly / "policies")
    assert inward("policy", "fmt", FILE).code == 3


def test_a_link_is_followed_within_the_system_and_not_out_of_it(inward: Inward, ugly: Path, tmp_path: Path) -> None:
    (ugly / FILE).rename(ugly / "real.cedar")
    (ugly / FILE).symlink_to("../real.cedar")
    assert inward("policy", "fmt", "policies").code == 0
    assert (ugly / FILE).is_symlink()
    assert (ugly / "real.cedar").read_text() != UGLY
    outside = tmp_path / "outside.cedar"
    outside.write_text(UGLY)
    (ugly / FILE).unlink()
    (ugly / FILE).symlink_to(outside)
    done = inward("policy", "fmt", "policies")
    assert (done.code, "outside of the system" in done.err) == (1, True)
    assert outside.read_text() == UGLY
