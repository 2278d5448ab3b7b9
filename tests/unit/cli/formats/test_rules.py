from __future__ import annotations

from typing import get_args

from inward.cli.formats.entries import MISTAKE
from inward.cli.formats.rules import RULES
from inward.control.findings import Kind


def test_every_kind_has_a_rule_and_every_rule_a_kind() -> None:
    assert set(RULES) == {MISTAKE, *get_args(Kind)}


def test_rules_are_sentences() -> None:
    for rule in RULES.values():
        assert rule.meaning.endswith(".")
        assert rule.help.endswith(".")
        assert not rule.name.endswith(".")
