"""Rules as files: what stands around a detection, names, order, and mistakes with their lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.alerting.sigma.rules import HEAD, load

from inward.alerting.sigma.load import load_rules
from inward.catalog.folder import SystemFolder

if TYPE_CHECKING:
    from pathlib import Path

DETECTION = "detection: {a: {caller: x}, condition: a}\n"
WHOLE = """\
title: Somebody reads keys
id: 929a690e-bef0-4204-a928-ef5e620d6fcc
name: reads_keys
related: [{id: 08fbc97d-0a2f-491c-ae21-8ffcfd3174e9, type: derived}]
taxonomy: inward
status: test
description: Keys are for orders alone.
license: Apache-2.0
references: [https://example.com]
author: team-orders
date: 2026-11-26
modified: 2026-11-27
logsource: {product: inward, category: calls, definition: the record}
detection: {selection: {operation: 'orders:getKeys'}, condition: selection}
fields: [caller]
falsepositives: [the yearly audit]
level: high
tags: [attack.t1552, attack.t1078.004, attack.credential-access]
scope: [server]
x-owner: team-orders
"""


def test_a_whole_rule(tmp_path: Path) -> None:
    (rule,), mistakes = load(tmp_path, whole=WHOLE)
    assert mistakes == []
    assert (rule.id, rule.name, rule.level) == ("929a690e-bef0-4204-a928-ef5e620d6fcc", "reads_keys", "high")
    assert rule.detector == f"sigma:{rule.id}"
    assert rule.techniques == ("T1552", "T1078.004")


def test_a_rule_is_called_by_its_id_its_name_or_its_file(tmp_path: Path) -> None:
    rules, mistakes = load(tmp_path, stem=HEAD + DETECTION, other=f"{HEAD}name: named\n{DETECTION}")
    assert (mistakes, sorted(rule.id for rule in rules)) == ([], ["named", "stem"])
    assert {rule.level for rule in rules} == {"medium"}


def test_no_folder_is_no_rules(tmp_path: Path) -> None:
    assert load(tmp_path) == ([], [])
    (tmp_path / "alerts").rmdir()
    (tmp_path / "alerts").write_text("")
    from inward.alerting.sigma.load import rule_files  # noqa: PLC0415 - beside `load`, which makes the folder

    assert rule_files(tmp_path) == []


def test_a_folder_that_cannot_be_read_is_a_mistake_and_no_crash(tmp_path: Path) -> None:
    load(tmp_path)
    (tmp_path / "alerts").rmdir()
    (tmp_path / "alerts").symlink_to("alerts")
    folder = SystemFolder(tmp_path)
    assert load_rules(folder) == []
    assert [mistake.place.file for mistake in folder.mistakes] == ["alerts"]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (f"titel: x\n{HEAD}{DETECTION}", 1, "unknown key `titel`"),
        (HEAD.partition("\n")[2] + DETECTION, 1, "has no `title`"),
        (f"title: {'x' * 300}\n" + HEAD.partition("\n")[2] + DETECTION, 1, "the title is not one line"),
        (f"title: x\n{DETECTION}", 1, "has no `logsource`"),
        (f"title: x\nlogsource: {{product: windows, category: calls}}\n{DETECTION}", 2, "`windows` is not recorded"),
        (f"title: x\nlogsource: {{product: inward}}\n{DETECTION}", 2, "has no `category`"),
        (f"title: x\nlogsource: {{service: sshd}}\n{DETECTION}", 2, "unknown key `service`"),
        (HEAD, 1, "has no `detection`"),
        (f"{HEAD}level: grave\n{DETECTION}", 3, "`grave` is no level"),
        (f"{HEAD}status: new\n{DETECTION}", 3, "`new` is no status"),
        (f"{HEAD}id: 'a b'\n{DETECTION}", 3, "cannot name a rule"),
        (f"{HEAD}tags: attack.t1\n{DETECTION}", 3, "must be a list"),
        ("- a\n", 1, "must be a mapping"),
        (f"{HEAD}{DETECTION}---\n{HEAD}{DETECTION}", 4, "holds more than one document"),
        (f"{HEAD}{DETECTION}title: again\n", 4, "stands here a second time"),
        ("title: [\n", 2, "is not valid YAML"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, line: int, what: str) -> None:
    _, mistakes = load(tmp_path, rule=text)
    assert any(each.startswith(f"rule:{line}: ") and what in each for each in mistakes), mistakes


def test_two_rules_of_one_name(tmp_path: Path) -> None:
    _, mistakes = load(tmp_path, a=f"{HEAD}id: same\n{DETECTION}", b=f"{HEAD}name: same\n{DETECTION}")
    assert mistakes == ["b:1: `same` is the name of the rule in alerts/a.yml too"]


def correlation(*rules: str, more: str = "") -> str:
    names = ", ".join(rules)
    return f"title: x\ncorrelation:\n  type: temporal\n  rules: [{names}]\n  timespan: 5m\n{more}"


def test_correlations_come_after_what_they_name(tmp_path: Path) -> None:
    rules, mistakes = load(
        tmp_path, a=correlation("b", "z"), b=correlation("y", "z"), y=HEAD + DETECTION, z=HEAD + DETECTION
    )
    assert mistakes == []
    assert [rule.id for rule in rules] == ["y", "z", "b", "a"]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (correlation("y", "nothing"), 4, "there is no rule `nothing`"),
        (correlation("y"), 3, "`temporal` of one rule"),
        (correlation("y", "z", more="  condition: {gte: 2}\n"), 6, "takes no `condition`"),
        (correlation("y", "z", more="  near: 3\n"), 6, "unknown key `near`"),
        (correlation("y", "z", more="  group-by: [user, nothing]\n"), 6, "calls have no field `nothing`"),
        (correlation("y", "z", more="  generate: 3\n"), 6, "must be true or false"),
        (correlation("y", "z", more="  aliases: {who: {y: caller}}\n"), 6, "does not say which field it is in calls"),
        (correlation("y", "z", more="  aliases: {who: {y: caller, q: caller}}\n"), 6, "is none of the `rules`"),
        (correlation("y", "z", more="  aliases: {caller: {y: caller, z: callee}}\n"), 6, "is a field of calls"),
        (correlation("y", "z").replace("temporal", "value_avg"), 3, "`value_avg` is not supported"),
        (correlation("y", "z").replace("5m", "5M"), 5, "is no timespan"),
        (correlation("y", "z").replace("5m", "32d"), 5, "is no timespan"),
        (correlation("y").replace("temporal", "event_count"), 2, "has no `condition`"),
        (
            correlation("y", more="  condition: {lt: 3}\n").replace("temporal", "event_count"),
            6,
            "`lt` is not supported",
        ),
        (
            correlation("y", more="  condition: {gte: 0}\n").replace("temporal", "event_count"),
            6,
            "a whole number from 1",
        ),
        (
            correlation("y", more="  condition: {gt: 1, gte: 1}\n").replace("temporal", "event_count"),
            6,
            "are both given",
        ),
        (correlation("y", more="  condition: {gte: 3}\n").replace("temporal", "value_count"), 6, "has no `field`"),
        (
            correlation("y", more="detection: {}\n").replace("temporal", "event_count"),
            6,
            "a correlation has no `detection`",
        ),
    ],
)
def test_mistakes_of_correlations(tmp_path: Path, text: str, line: int, what: str) -> None:
    _, mistakes = load(tmp_path, rule=text, y=HEAD + DETECTION, z=HEAD + DETECTION)
    assert any(each.startswith(f"rule:{line}: ") and what in each for each in mistakes), mistakes


def test_a_circle_of_correlations(tmp_path: Path) -> None:
    _, mistakes = load(tmp_path, a=correlation("b", "y"), b=correlation("a", "y"), y=HEAD + DETECTION)
    assert [each.partition(": ")[2] for each in mistakes] == ["the correlations name each other in a circle"] * 2


def test_a_rule_that_is_retired_is_not_to_be_counted_on(tmp_path: Path) -> None:
    retired = f"{HEAD}status: deprecated\n{DETECTION}"
    _, mistakes = load(tmp_path, a=correlation("y", "z"), y=retired, z=HEAD + DETECTION)
    assert mistakes == ["a:4: the rule `y` is not used any more"]
