from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from inward.cli.template import files

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Inward


def test_what_it_writes_is_right_and_without_a_finding(inward: Inward, tmp_path: Path) -> None:
    folder = tmp_path / "My Shop"
    done = inward("init", str(folder))
    assert (done.code, done.err) == (0, "")
    assert "cd " in done.out
    assert "inward up" in done.out
    checked = inward("check", "--system", str(folder), "--json")
    assert checked.code == 0
    assert checked.json["trust_domain"] == "my-shop.internal"
    assert [finding["level"] for finding in checked.json["findings"]] == ["note"]


def test_its_commented_examples_are_right_too(system: Path, inward: Inward) -> None:
    """A person takes the `//` and `#` away, and nothing else."""
    for name in ("policies/greeter.cedar", "guardrails.cedar"):
        path = system / name
        lines = path.read_text().splitlines()
        uncommented = [
            line[3:] if line[3:4] in {"@", "p", "f", " ", ")", "}"} and line.startswith("// ") else line
            for line in lines
        ]
        kept = [
            line if line.startswith(("@", "permit", "forbid", " ", ")", "}")) else f"// {line}" for line in uncommented
        ]
        path.write_text("\n".join(kept))
    done = inward("check", "--json")
    assert (done.code, done.json["policies"]) == (0, 3), done


def test_its_programs_are_python() -> None:
    for name, content in files("x.test").items():
        if name.endswith(".py"):
            ast.parse(content)


def test_it_overwrites_nothing(inward: Inward, tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "greeter.cedar").write_text("mine")
    done = inward("init", str(tmp_path))
    assert (done.code, done.out) == (3, "")
    assert "`policies/greeter.cedar`" in done.err
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["greeter.cedar", "policies"]
    assert (tmp_path / "policies" / "greeter.cedar").read_text() == "mine"


def test_a_link_to_nowhere_is_there(inward: Inward, tmp_path: Path) -> None:
    (tmp_path / "inward.yaml").symlink_to(tmp_path / "elsewhere")
    assert inward("init", str(tmp_path)).code == 3
    assert not (tmp_path / "elsewhere").exists()


def test_in_the_current_folder(inward: Inward, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = inward("init", "--trust-domain", "shop.test", "--json")
    assert done.json["trust_domain"] == "shop.test"
    assert (tmp_path / "inward.yaml").is_file()


@pytest.mark.parametrize("domain", ["Shop", "a b", "x" * 300, "\x1b"])
def test_a_trust_domain_that_is_none(inward: Inward, tmp_path: Path, domain: str) -> None:
    done = inward("init", str(tmp_path), "--trust-domain", domain)
    assert (done.code, done.err.count("\n")) == (3, 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["茶", "...", "-", "\udcff"])
def test_a_folder_whose_name_makes_no_trust_domain(inward: Inward, tmp_path: Path, name: str) -> None:
    done = inward("init", str(tmp_path / name), "--json")
    assert done.json["trust_domain"] == "example.internal"


def test_where_it_cannot_write(inward: Inward, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = inward("init", str(tmp_path / "file"))
    assert (done.code, done.err.count("\n")) == (1, 1)
