"""The detection of a Sigma rule: its selections and its condition, read into one test of a call.

Sigma rules specification 2.0, "Detection": a map joins by and, a list by or; words in a list are looked for anywhere in
the call. Rules: every selection must be used by the condition, and one that could match nothing, or everything, is a
mistake: a rule that silently does not fire is worse than none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inward.alerting.sigma.condition import ConditionError, parse_condition
from inward.alerting.sigma.modifiers import Modified, ModifierError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from inward.catalog.document import Value
    from inward.record.call import Call

    Test = Callable[[Call], bool]

MAX_VALUES = 10_000  # of one field


def read_detection(detection: Value) -> Test | None:
    """Return whether a call is what a detection is about; None, and mistakes, where it cannot be read."""
    selections: dict[str, Test] = {}
    places: dict[str, Value] = {}
    for name, value in detection.entries():
        if name in {"condition", "timeframe"}:
            continue
        places[name] = value
        test = _selection(value)
        if test is not None:
            selections[name] = test
    if (timeframe := detection.get("timeframe")) is not None:
        timeframe.mistake("`timeframe` is not supported", "write a correlation rule with a `timespan`")
    condition = detection.need("condition", "such as `condition: selection`")
    if condition is None or len(selections) < len(places):
        return None  # mistakes are told already
    tests, used = _conditions(condition, selections)
    for name in places.keys() - used if tests else ():
        places[name].mistake(f"{places[name].label} is not used by the condition", "take it out, or use it")
    return _any(tests) if tests else None


def _conditions(condition: Value, selections: dict[str, Test]) -> tuple[list[Test], set[str]]:
    """Return the test of each condition, and the selections that they name; no tests where one is wrong."""
    tests: list[Test] = []
    used: set[str] = set()
    items = list(condition.items()) if isinstance(condition.data, list) else [condition]
    if not items:
        condition.mistake("the condition is empty", "name a selection")
    for item in items:
        text = item.text()
        if text is None:
            return [], used
        try:
            test, names = parse_condition(text, selections)
        except ConditionError as error:
            item.mistake(error.message, error.hint)
            return [], used
        tests.append(test)
        used |= names
    return tests, used


def _selection(value: Value) -> Test | None:
    """Return the test of a map, or of a list of words and maps."""
    if isinstance(value.data, dict):
        return _map(value)
    tests: list[Test | None] = []
    for item in value.items():  # anything but a list is a mistake
        if isinstance(item.data, dict):
            tests.append(_map(item))
        else:
            tests.append(_field(Modified(""), item))
    if not tests and isinstance(value.data, list):
        value.mistake(f"{value.label} is an empty list", "write what to look for")
    return _known(tests, _any)


def _map(value: Value) -> Test | None:
    tests: list[Test | None] = []
    for key, item in value.entries():
        try:
            field = Modified(key)
        except ModifierError as error:
            item.mistake(error.message, error.hint)
            tests.append(None)
            continue
        tests.append(_field(field, item))
    if not tests:
        value.mistake(f"{value.label} is empty", "write a field and its value, such as `reason: no_grant`")
    return _known(tests, _all)


def _field(field: Modified, value: Value) -> Test | None:
    items = list(value.items()) if isinstance(value.data, list) else [value]
    if not items:
        value.mistake(f"{value.label} is an empty list", "it could never match")
        return None
    if len(items) > MAX_VALUES:
        value.mistake(f"{value.label} has more than {MAX_VALUES} values")
        return None
    if field.every and len(items) == 1:
        value.mistake("`all` is said of one value", "take it out, or give a list")
        return None
    tests = list(_tests(field, items))
    return _known(tests, _all if field.needs_all else _any)


def _tests(field: Modified, items: list[Value]) -> Iterator[Test | None]:
    for item in items:
        if isinstance(item.data, dict | list):
            item.mistake(f"{item.label} is no value", "give a text, a number or `null`")
            yield None
            continue
        try:
            yield field.test(item.data)
        except ModifierError as error:
            item.mistake(error.message, error.hint)
            yield None


def _known(tests: list[Test | None], join: Callable[[list[Test]], Test]) -> Test | None:
    known = [test for test in tests if test is not None]
    return join(known) if known and len(known) == len(tests) else None


def _any(tests: list[Test]) -> Test:
    return tests[0] if len(tests) == 1 else lambda call: any(test(call) for test in tests)


def _all(tests: list[Test]) -> Test:
    return tests[0] if len(tests) == 1 else lambda call: all(test(call) for test in tests)
