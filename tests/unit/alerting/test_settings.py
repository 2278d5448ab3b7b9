"""What a system says of its alerts: everything with its line, and what is wrong is used nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inward.alerting.detectors.enumeration import EnumerationSettings
from inward.alerting.engine import LEARN_DAYS
from inward.alerting.settings import AlertSettings, QuarantineSettings, load_settings

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "trust_domain: x.test\nservices: {orders: {owner: a}, billing: {owner: a}}\n"
RULE = """\
title: x
logsource: {product: inward, category: calls}
detection: {a: {caller: x}, condition: a}
"""


def load(folder: Path, text: str, *, rule: str = "") -> tuple[AlertSettings | None, list[str]]:
    (folder / "inward.yaml").write_text(HEAD + text)
    if rule:
        (folder / "alerts").mkdir()
        (folder / "alerts" / "mine.yml").write_text(rule)
    settings, mistakes = load_settings(folder)
    return settings, [f"{each.place}: {each.what}" for each in mistakes]


def test_nothing_is_said(tmp_path: Path) -> None:
    settings, mistakes = load(tmp_path, "")
    assert (settings, mistakes) == (AlertSettings(), [])
    assert settings is not None
    assert settings.engine.of("probing") is not None
    assert not settings.quarantine.wants("probing", "critical")


def test_all_that_can_be_said(tmp_path: Path) -> None:
    text = """\
alerts:
  learn_days: 3
  detectors:
    volume: off
    first-seen-edge: false
    enumeration: {distinct: 99, quarantine: true}
    "sigma:mine": {quarantine: true}
  quarantine: {at_least: critical, never: [orders], an_hour: 4}
"""
    settings, mistakes = load(tmp_path, text, rule=RULE)
    assert mistakes == []
    assert settings is not None
    assert settings.engine.learn_days == 3
    assert (settings.engine.of("volume"), settings.engine.of("first-seen-edge")) == (None, None)
    found = settings.engine.of("enumeration")
    assert isinstance(found, EnumerationSettings)
    assert found == EnumerationSettings(distinct=99)
    assert settings.quarantine == QuarantineSettings(
        frozenset({"enumeration", "sigma:mine"}), "critical", frozenset({"orders"}), 4
    )
    assert settings.quarantine.wants("enumeration", "critical")
    assert not settings.quarantine.wants("enumeration", "high")
    assert [rule.id for rule in settings.rules] == ["mine"]


def test_what_is_not_said_has_its_default(tmp_path: Path) -> None:
    settings, _ = load(tmp_path, "alerts: {detectors: {probing: {quarantine: true}}}\n")
    assert settings is not None
    assert settings.engine.learn_days == LEARN_DAYS
    assert settings.quarantine == QuarantineSettings(frozenset({"probing"}))
    assert settings.quarantine.wants("probing", "high")
    assert not settings.quarantine.wants("probing", "medium")


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("alerts: off\n", 3, "`alerts` must be a mapping"),
        ("alerts: {detector: {}}\n", 3, "unknown key `detector`"),
        ("alerts: {learn_days: 999}\n", 3, "`learn_days` must be a whole number from 0 to 90"),
        ("alerts: {learn_days: true}\n", 3, "`learn_days` must be a whole number"),
        ("alerts:\n  detectors: [probing]\n", 4, "`detectors` must be a mapping"),
        ("alerts:\n  detectors:\n    prob: off\n", 5, "there is no detector `prob`"),
        ("alerts:\n  detectors:\n    'sigma:none': off\n", 5, "there is no detector `sigma:none`"),
        ("alerts:\n  detectors:\n    probing: on\n", 5, "`probing` must be a mapping"),
        ("alerts:\n  detectors:\n    probing:\n      minuts: 3\n", 6, "`probing` has no setting `minuts`"),
        ("alerts:\n  detectors:\n    probing:\n      minutes: 0\n", 6, "the settings of `probing` cannot be used"),
        ("alerts:\n  detectors:\n    probing:\n      minutes: x\n", 6, "the settings of `probing` cannot be used"),
        ("alerts:\n  detectors:\n    probing:\n      quarantine: 1\n", 6, "`quarantine` must be true or false"),
        ("alerts:\n  quarantine: {at_least: grave}\n", 4, "`grave` is no severity"),
        ("alerts:\n  quarantine: {never: [nobody]}\n", 4, "there is no service `nobody`"),
        ("alerts:\n  quarantine: {never: orders}\n", 4, "`never` must be a list"),
        ("alerts:\n  quarantine: {an_hour: 1000}\n", 4, "`an_hour` must be a whole number"),
        ("alerts:\n  quarantine: {per_hour: 1}\n", 4, "unknown key `per_hour`"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, line: int, what: str) -> None:
    settings, mistakes = load(tmp_path, text)
    assert settings is None
    assert len(mistakes) == 1, mistakes
    assert mistakes[0].startswith(f"inward.yaml:{line}: {what}")


def test_a_rule_has_no_settings(tmp_path: Path) -> None:
    settings, mistakes = load(tmp_path, "alerts: {detectors: {'sigma:mine': {minutes: 3}}}\n", rule=RULE)
    assert (settings, mistakes) == (None, ["inward.yaml:3: a rule has no setting `minutes`"])
    (tmp_path / "alerts" / "mine.yml").write_text("title: x\n")
    assert load(tmp_path, "")[0] is None


def test_what_is_not_about_alerts_is_not_told_here(tmp_path: Path) -> None:
    (tmp_path / "inward.yaml").write_text("nonsense: [\n")
    assert load_settings(tmp_path) == (None, [])
    (tmp_path / "inward.yaml").unlink()
    assert load_settings(tmp_path) == (None, [])
