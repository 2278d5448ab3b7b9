"""Detections of Sigma rules: what of the specification is supported fires as it says, and the rest is a mistake."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.alerting.sigma.rules import HEAD, call, load, one

if TYPE_CHECKING:
    from pathlib import Path

SELECTION = "  selection:\n    {item}\n  condition: selection\n"


@pytest.mark.parametrize(
    ("item", "fields", "matches"),
    [
        # equality is of the whole value, whatever the case; numbers are their digits
        ("caller: CHECKOUT", {}, True),
        ("caller: check", {}, False),
        ("caller: check*", {}, True),
        ("status: 200", {}, True),
        ("status: '2??'", {}, True),
        ("status: 201", {}, False),
        ("status: [404, 200]", {}, True),
        # null is a field that is not there; an empty text is not that
        ("user: null", {}, True),
        ("user: null", {"user": "ada"}, False),
        ("user: ''", {}, False),
        ("user: ''", {"user": ""}, True),
        ("user|exists: true", {}, False),
        ("user|exists: false", {}, True),
        ("withheld|exists: true", {"withheld": ("pii",)}, True),
        # of several values one must fit
        ("withheld: pii.*", {"withheld": ("card", "pii.email")}, True),
        ("withheld: null", {}, True),
        # places
        ("path|contains: ORDER", {}, True),
        ("path|startswith: orders", {}, False),
        ("path|startswith: /ORD", {}, True),
        ("path|endswith: '}'", {}, True),
        ("full_path|endswith: /42", {}, True),
        ("path|contains|all: [ord, ers]", {}, True),
        ("path|contains|all: [ord, nothing]", {}, False),
        ("path|contains|cased: ORDER", {}, False),
        ("caller|cased: checkout", {}, True),
        ("path|contains: 'o*s'", {}, True),
        # not equal
        ("caller|neq: checkout", {}, False),
        ("caller|neq: other", {}, True),
        ("caller|neq: [other, checkout]", {}, False),
        ("caller|neq: [other, another]", {}, True),
        ("user|neq: ada", {}, True),
        ("caller|startswith|neq: check", {}, False),
        # numbers
        ("status|gte: 200", {}, True),
        ("status|gt: 200", {}, False),
        ("status|lt: 400", {}, True),
        ("status|lte: 199", {}, False),
        ("bytes_out|gt: 98.5", {}, True),
        ("bytes_in|gt: 0", {}, False),
        ("parameters.id|gt: 41", {}, True),
        ("parameters.id|gt: 41", {"parameters": {"id": "nothing"}}, False),
        ("parameters.id|gt: 41", {"parameters": {"id": "nan"}}, False),
        ("parameters.other: null", {}, True),
        # regular expressions, anywhere in the value, cased
        ("path|re: '^/orders/.id.$'", {}, True),
        ("path|re: ORDERS", {}, False),
        ("path|re|i: ORDERS", {}, True),
        ("detail|re: '^b$'", {"detail": "a\nb"}, False),
        ("detail|re|m: '^b$'", {"detail": "a\nb"}, True),
        ("detail|re: 'a.b'", {"detail": "a\nb"}, False),
        ("detail|re|s: 'a.b'", {"detail": "a\nb"}, True),
        ("path|re|neq: orders", {}, False),
        ("caller|re: '(a+)+$'", {"caller": "a" * 5000 + "!"}, False),
        # networks
        ("address|cidr: 10.0.0.0/8", {}, True),
        ("address|cidr: 192.168.0.0/16", {}, False),
        ("address|cidr: [192.168.0.0/16, 10.1.0.0/16]", {}, True),
        ("address|cidr: 10.0.0.0/8", {"address": "::ffff:10.1.1.1"}, True),
        ("address|cidr: '2001:db8::/32'", {"address": "2001:db8::7"}, True),
        ("address|cidr: 10.0.0.0/8", {"address": "nonsense"}, False),
        # other fields
        ("caller|fieldref: callee", {}, False),
        ("caller|fieldref: callee", {"callee": "Checkout"}, True),
        ("caller|fieldref|neq: callee", {}, True),
        ("user|fieldref: caller", {}, False),
        # time
        ("time|hour: 12", {}, True),
        ("time|hour|gte: 13", {}, False),
        ("time|minute|lt: 1", {}, True),
        ("time|day: 26", {}, True),
        ("time|month: 11", {}, True),
        ("time|year|gt: 2025", {}, True),
        ("time|week: 48", {}, True),
        ("time|hour: 12", {"time": "nonsense"}, False),
        # Base64
        ("parameters.id|base64: secret", {"parameters": {"id": "c2VjcmV0"}}, True),
        ("parameters.id|base64|contains: sec", {"parameters": {"id": "xxc2Vjxx"}}, True),
        ("parameters.id|base64: secret", {"parameters": {"id": "secret"}}, False),
    ],
)
def test_one_field(tmp_path: Path, item: str, fields: dict[str, Any], *, matches: bool) -> None:
    test = one(tmp_path, SELECTION.format(item=item)).test
    assert test is not None
    assert test(call(**fields)) is matches


@pytest.mark.parametrize("before", ["", "x", "xy", "xyz", "1234"])
@pytest.mark.parametrize("after", ["", "z", "zz", "zzz"])
def test_base64_at_any_offset(tmp_path: Path, before: str, after: str) -> None:
    test = one(tmp_path, SELECTION.format(item="parameters.id|base64offset|contains: 'http://'")).test
    assert test is not None
    held = base64.b64encode(f"{before}http://{after}".encode()).decode()
    assert test(call(parameters={"id": held}))
    assert not test(call(parameters={"id": base64.b64encode(b"nothing of that kind").decode()}))


@pytest.mark.parametrize(
    ("detection", "matches"),
    [
        ("  a: {caller: checkout, status: 200}\n  condition: a\n", True),
        ("  a: {caller: checkout, status: 500}\n  condition: a\n", False),
        ("  a: [{caller: nobody}, {status: 200}]\n  condition: a\n", True),
        ("  a: [granted]\n  condition: a\n", True),
        ("  a: [nowhere, checkout-reads]\n  condition: a\n", True),
        ("  a: [nowhere]\n  condition: a\n", False),
        ("  a: [200]\n  condition: a\n", True),
        ("  a: {'|all': [checkout, getOrder]}\n  condition: a\n", True),
        ("  a: {'|all': [checkout, nowhere]}\n  condition: a\n", False),
        ("  a: ['nowhere', {caller: checkout}]\n  condition: a\n", True),
        ("  a: {caller: checkout}\n  b: {status: 500}\n  condition: a and not b\n", True),
        ("  a: {caller: checkout}\n  b: {status: 200}\n  condition: a and not b\n", False),
        ("  a: {caller: x}\n  b: {status: 200}\n  c: {method: POST}\n  condition: a or b and c\n", False),
        ("  a: {caller: x}\n  b: {status: 200}\n  c: {method: POST}\n  condition: (a or b) and not c\n", True),
        ("  a: {caller: x}\n  condition: not not a\n", False),
        ("  a1: {caller: x}\n  a2: {status: 200}\n  condition: 1 of a*\n", True),
        ("  a1: {caller: x}\n  a2: {status: 200}\n  condition: any of a*\n", True),
        ("  a1: {caller: x}\n  a2: {status: 200}\n  condition: all of a*\n", False),
        ("  a1: {caller: x}\n  b: {status: 200}\n  condition: b and not 1 of a*\n", True),
        ("  a: {caller: x}\n  b: {status: 200}\n  condition: 1 of them\n", True),
        ("  a: {caller: x}\n  b: {status: 200}\n  condition: all of them\n", False),
        ("  _a: {caller: x}\n  b: {status: 200}\n  condition: all of them and not _a\n", True),
        ("  a: {caller: x}\n  b: {status: 200}\n  condition: [a, b]\n", True),
        ("  and1: {status: 200}\n  condition: and1\n", True),
    ],
)
def test_selections_and_conditions(tmp_path: Path, detection: str, *, matches: bool) -> None:
    test = one(tmp_path, detection).test
    assert test is not None
    assert test(call()) is matches


@pytest.mark.parametrize(
    ("detection", "line", "what"),
    [
        ("  a: {calller: x}\n  condition: a\n", 4, "calls have no field `calller`"),
        ("  a: {parameters: x}\n  condition: a\n", 4, "calls have no field `parameters`"),
        ("  a: {caller|nonsense: x}\n  condition: a\n", 4, "`nonsense` is no modifier"),
        ("  a: {caller|windash: x}\n  condition: a\n", 4, "the modifier `windash` is not supported"),
        ("  a: {caller|expand: x}\n  condition: a\n", 4, "the modifier `expand` is not supported"),
        ("  a: {caller|utf16le|base64: x}\n  condition: a\n", 4, "the modifier `utf16le` is not supported"),
        ("  a: {caller|contains|contains: x}\n  condition: a\n", 4, "stands there twice"),
        ("  a: {caller|contains|endswith: x}\n  condition: a\n", 4, "cannot be combined"),
        ("  a: {caller|i: x}\n  condition: a\n", 4, "cannot be combined"),
        ("  a: {caller|re|cidr: x}\n  condition: a\n", 4, "cannot be combined"),
        ("  a: {caller|base64offset: x}\n  condition: a\n", 4, "cannot be combined"),
        ("  a: {caller|gt: 3}\n  condition: a\n", 4, "which is no number"),
        ("  a: {caller|hour: 3}\n  condition: a\n", 4, "`hour` is asked of `caller`"),
        ("  a: {status|gt: x}\n  condition: a\n", 4, "`x` is no number"),
        ("  a: {caller|exists: 1}\n  condition: a\n", 4, "`exists` takes"),
        ("  a: {caller: true}\n  condition: a\n", 4, "no field of a call is true or false"),
        ("  a: {caller|contains: null}\n  condition: a\n", 4, "`null` takes no modifiers"),
        ("  a: {caller|contains|all: x}\n  condition: a\n", 4, "`all` is said of one value"),
        ("  a: {caller|re: '(?=x)'}\n  condition: a\n", 4, "the regular expression is not one of RE2"),
        ("  a: {caller|re: '(x'}\n  condition: a\n", 4, "the regular expression is not one of RE2"),
        ("  a: {caller|cidr: nowhere}\n  condition: a\n", 4, "is no network"),
        ("  a: {caller|fieldref: nowhere}\n  condition: a\n", 4, "`fieldref` takes the name of a field"),
        ("  a: {caller|base64: 'a*'}\n  condition: a\n", 4, "takes no wildcards"),
        ("  a: {caller: {x: y}}\n  condition: a\n", 4, "is no value"),
        ("  a: {caller: []}\n  condition: a\n", 4, "is an empty list"),
        ("  a: {}\n  condition: a\n", 4, "is empty"),
        ("  a: []\n  condition: a\n", 4, "is an empty list"),
        ("  a: word\n  condition: a\n", 4, "must be a list"),
        ("  a: {caller: x}\n", 3, "has no `condition`"),
        ("  a: {caller: x}\n  condition: b\n", 5, "there is no selection `b`"),
        ("  a: {caller: x}\n  b: {status: 1}\n  condition: a\n", 5, "is not used by the condition"),
        ("  a: {caller: x}\n  condition: a and\n", 5, "ends too early"),
        ("  a: {caller: x}\n  condition: (a\n", 5, "a bracket is not closed"),
        ("  a: {caller: x}\n  condition: a)\n", 5, "is not expected"),
        ("  a: {caller: x}\n  condition: a a\n", 5, "is not expected"),
        ("  a: {caller: x}\n  condition: a | count() > 3\n", 5, "aggregations"),
        ("  a: {caller: x}\n  condition: 2 of a*\n", 5, "`2 of` is not supported"),
        ("  a: {caller: x}\n  condition: 1 of b*\n", 5, "no selection is named like `b*`"),
        ("  a: {caller: x}\n  condition: []\n", 5, "the condition is empty"),
        ("  a: {caller: x}\n  condition: 7\n", 5, "must be text"),
        ("  a: {caller: x}\n  condition: " + "(" * 60 + "a" + ")" * 60 + "\n", 5, "brackets"),
        ("  a: {caller: x}\n  condition: " + "not " * 2000 + "a\n", 5, "longer than"),
        ("  a: {caller: x}\n  timeframe: 5m\n  condition: a\n", 5, "`timeframe` is not supported"),
    ],
)
def test_what_is_not_supported_is_a_mistake_with_its_line(tmp_path: Path, detection: str, line: int, what: str) -> None:
    rules, mistakes = load(tmp_path, rule=f"{HEAD}detection:\n{detection}")
    assert rules == []
    assert len(mistakes) == 1, mistakes
    assert mistakes[0].startswith(f"rule:{line}: ")
    assert what in mistakes[0]
