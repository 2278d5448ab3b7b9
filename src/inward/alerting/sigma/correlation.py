"""Correlation rules: several calls that are found by other rules, within a time, of one group.

Sigma correlation rules specification 2.0: `event_count`, `value_count`, `temporal` and `temporal_ordered`, of rules and
of other correlations, with `group-by` and `aliases`. Counts have a lower bound (`gt`, `gte`): that something did not
happen often enough can only be known when the time has passed, and no call says so.

What it leaves out: following a correlation over calls, which is `counting`'s.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from inward.alerting.sigma import fields
from inward.catalog.document import did_you_mean, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from inward.catalog.document import Value

Type: TypeAlias = Literal["event_count", "value_count", "temporal", "temporal_ordered"]

MAX_COUNT = 10_000  # that a rule may ask for
MOST_RULES = 50  # that one correlation names
_KEYS = ("type", "rules", "group-by", "timespan", "condition", "aliases", "generate")
_SPAN = re.compile(r"([0-9]{1,6})([smhd])", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MAX_SPAN = 31 * 86400


@dataclass(frozen=True, slots=True)
class Correlation:
    """What a correlation rule asks for. `span` in seconds; `least` is how many there must be."""

    type: Type
    rules: tuple[str, ...]  # by id or name
    span: int
    least: int
    group_by: tuple[str, ...] = ()
    counted: str | None = None  # the field whose distinct values are
    aliases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # alias → rule → field
    generate: bool = False  # whether the rules that it names fire by themselves, too
    places: Mapping[str, Value] = field(default_factory=dict, compare=False)  # of the rules' names

    def field_of(self, name: str, rule: str) -> str:
        """Return the field that `name` of `group-by` means in calls that were found by a rule, as `rules` names it."""
        by_rule = self.aliases.get(name)
        return name if by_rule is None else by_rule[rule]


def read_correlation(value: Value) -> Correlation | None:
    """Return a correlation; None, and mistakes, where it is none."""
    before = len(value.mistakes)
    if not value.is_a(dict):
        return None
    value.check_keys(_KEYS)
    kind = _type(value.need("type", "such as `event_count`"))
    rules = {
        text: item for item in _listed(value.need("rules", "name rules, by `id` or `name`")) if (text := item.text())
    }
    if len(rules) > MOST_RULES:
        value.mistake(f"a correlation of more than {MOST_RULES} rules")
    if kind is not None and kind.startswith("temporal") and len(rules) == 1:
        value.child("type").mistake(f"`{kind}` of one rule", "name at least two, or count one with `event_count`")
    aliases = _aliases(value.get("aliases"), rules)
    group_by = tuple(_group_by(value.get("group-by"), aliases))
    span = _timespan(value.need("timespan", "such as `10m`"))
    condition = value.get("condition")
    least, counted = 0, None
    if kind in {"event_count", "value_count"}:
        condition = value.need("condition", "such as `{gte: 100}`")
        least, counted = _condition(condition, kind) if condition is not None else (0, None)
    elif condition is not None:
        condition.mistake(f"`{kind}` takes no `condition`", "all of its rules must have found something")
    generate = value.get("generate")
    generated = generate.boolean() if generate is not None else False
    if len(value.mistakes) > before or kind is None or span is None:
        return None
    return Correlation(
        type=kind,
        rules=tuple(rules),
        span=span,
        least=least,
        group_by=group_by,
        counted=counted,
        aliases=aliases,
        generate=bool(generated),
        places=rules,
    )


def _type(value: Value | None) -> Type | None:
    text = value.text() if value is not None else None
    known: dict[str, Type] = {each: each for each in get_args(Type)}
    if value is not None and text is not None and text not in known:
        value.mistake(f"the correlation `{shown(text)}` is not supported", did_you_mean(text, known))
    return known.get(text or "")


def _listed(value: Value | None) -> Iterator[Value]:
    if value is None:
        return
    if isinstance(value.data, str):
        yield value
        return
    items = list(value.items())
    if not items:
        value.mistake(f"{value.label} is an empty list")
    yield from items


def _aliases(value: Value | None, rules: Mapping[str, Value]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for alias, by_rule in value.entries() if value is not None else ():
        found[alias] = {}
        if fields.is_field(alias):
            by_rule.mistake(f"the alias `{shown(alias)}` is a field of calls", "give it another name")
        for rule, name in by_rule.entries():
            if rule not in rules:
                name.mistake(f"`{shown(rule)}` is none of the `rules`", did_you_mean(rule, rules))
            elif (text := _field(name)) is not None:
                found[alias][rule] = text
        for rule in rules.keys() - by_rule.data.keys() if isinstance(by_rule.data, dict) else ():
            by_rule.mistake(f"the alias does not say which field it is in calls of `{shown(rule)}`")
    return found


def _group_by(value: Value | None, aliases: Mapping[str, object]) -> Iterator[str]:
    for item in _listed(value):
        if isinstance(item.data, str) and item.data in aliases:
            yield item.data
        elif (name := _field(item)) is not None:
            yield name


def _field(value: Value) -> str | None:
    text = value.text()
    if text is not None and not fields.is_field(text):
        value.mistake(f"calls have no field `{shown(text)}`", did_you_mean(text, fields.NAMES))
        return None
    return text


def _timespan(value: Value | None) -> int | None:
    text = value.text() if value is not None else None
    if value is None or text is None:
        return None
    found = _SPAN.fullmatch(text)
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not 0 < seconds <= _MAX_SPAN:
        value.mistake(f"`{shown(text)}` is no timespan", "such as `30s`, `10m`, `2h`, `7d`; `31d` at most")
        return None
    return seconds


def _condition(value: Value, kind: str) -> tuple[int, str | None]:
    least, counted = 0, None
    if not value.is_a(dict):
        return least, counted
    keys = ("field", "gt", "gte") if kind == "value_count" else ("gt", "gte")
    for key, item in value.entries():
        if key in {"lt", "lte", "eq", "neq"}:
            item.mistake(f"`{key}` is not supported", "no call says that something did not happen: write `gte`")
        elif key not in keys:
            item.mistake(f"unknown key `{shown(key)}`", did_you_mean(key, keys))
        elif key == "field":
            counted = _field(item)
        elif least:
            item.mistake("`gt` and `gte` are both given", "keep one")
        elif isinstance(item.data, bool) or not isinstance(item.data, int) or not 0 < item.data <= MAX_COUNT:
            item.mistake(f"`{key}` takes a whole number from 1 to {MAX_COUNT}")
        else:
            least = item.data + (key == "gt")
    if least == 0:
        value.mistake("the condition has no `gte`", "such as `gte: 100`")
    if kind == "value_count" and counted is None:
        value.need("field", "whose distinct values are counted")
    return least, counted
