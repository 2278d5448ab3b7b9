"""The pages of the detectors are held against the registry: no detector without a page, no default that is not true."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from inward.alerting.registry import REGISTRY

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "alerts"
SECTIONS = ["Settings", "What it cannot see", "When it fires"]


def table(page: str) -> dict[str, str]:
    return dict(re.findall(r"^\| `([a-z0-9_]+)` \| ([^|]+) \| [^|]{10,} \|$", page, re.MULTILINE))


def test_there_is_a_page_for_each_detector_and_no_other() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} == {*REGISTRY, "README"}
    listed = re.findall(r"^\| \[([a-z-]+)\]\(\1\.md\) \|", (FOLDER / "README.md").read_text(), re.MULTILINE)
    assert listed == list(REGISTRY)


@pytest.mark.parametrize("slug", REGISTRY)
def test_a_page_says_what_the_detector_is(slug: str) -> None:
    kind, page = REGISTRY[slug], (FOLDER / f"{slug}.md").read_text()
    technique = kind.technique
    assert page.startswith(f"# {slug}: {kind.title}\n")
    assert (
        f"- MITRE ATT&CK: [{technique.id} {technique.name}](https://attack.mitre.org/techniques/{technique.id}/)"
        in page
    )
    assert f"\n- OWASP: {kind.owasp}\n" in page
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == SECTIONS
    assert re.search(r"^> ", page, re.MULTILINE)  # a sentence as it fires


@pytest.mark.parametrize("slug", REGISTRY)
def test_a_page_has_every_setting_with_its_default_and_why(slug: str) -> None:
    defaults = msgspec.to_builtins(REGISTRY[slug].settings())
    assert {name: float(value) for name, value in table((FOLDER / f"{slug}.md").read_text()).items()} == defaults
