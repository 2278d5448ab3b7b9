"""The page of the attack is held against what is tried."""

from __future__ import annotations

import re
from pathlib import Path

from inward.control.attack.kinds import KINDS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "attack.md"


def test_each_kind_of_try_is_on_the_page_with_its_technique_and_item() -> None:
    rows = re.findall(r"^\| `([a-z]+)` \| [^|]{20,} \| ([^|]+) \| ([^|]+) \|$", PAGE.read_text(), re.MULTILINE)
    assert rows == [(kind.name, kind.technique, kind.owasp) for kind in KINDS.values()]


def test_techniques_and_items_are_written_as_their_sources_do() -> None:
    for kind in KINDS.values():
        assert re.fullmatch(r"T1[0-9]{3}(\.[0-9]{3})? [A-Z][A-Za-z ]+", kind.technique)
        assert re.fullmatch(r"API([1-9]|10):2023 [A-Z][A-Za-z ]+", kind.owasp)
