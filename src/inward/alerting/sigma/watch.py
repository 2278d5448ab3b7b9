"""The rules of a team at work: from recorded entries to alerts.

An alert is about who called what: a rule's by caller, callee and operation, a correlation's by its group. Rules of
level `informational`, and those that a correlation names (unless it says `generate`), alert nobody by themselves.

Rules: the same entries in the same order give the same alerts, however they are cut into batches, but that the calls of
one alert are counted together within a batch. A rule that was changed begins anew.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from inward.alerting.alert import MOST_CALLS, Alert, Severity, alert_id
from inward.alerting.sigma import fields
from inward.alerting.sigma.counting import Counter, Event, Group, Held, Hit
from inward.record.call import Call, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from inward.alerting.sigma.correlation import Correlation
    from inward.alerting.sigma.rule import Rule
    from inward.record.call import Entry

_LIMIT = 300  # characters of a value that a sentence holds


class _Snapshot(msgspec.Struct):
    """What correlations hold, by the digest of what they ask for."""

    held: dict[str, list[tuple[Group, Held]]] = {}


_decoder = msgspec.msgpack.Decoder(_Snapshot)


@dataclass(slots=True)
class _Named:
    """A correlation at work, and how it reads the calls of each of its rules."""

    rule: Rule
    wanted: Correlation
    counter: Counter
    digest: str
    sources: tuple[int, ...]  # numbers of the rules that it names
    groups: tuple[tuple[Callable[[Call], fields.Values], ...], ...]  # of each of them
    value: Callable[[Call], fields.Values] | None


class Watch:
    """Holds entries against rules, which are in the order that `load_rules` gives them."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = [rule for rule in rules if not rule.retired]
        numbers = {name: number for number, rule in enumerate(self._rules) for name in (rule.id, rule.name) if name}
        self._tests = [(number, rule.test) for number, rule in enumerate(self._rules) if rule.test is not None]
        self._correlations = {
            number: _named(rule, rule.correlation, numbers)
            for number, rule in enumerate(self._rules)
            if rule.correlation is not None
        }
        quiet = {source for each in self._correlations.values() if not each.wanted.generate for source in each.sources}
        self._quiet = quiet | {number for number, rule in enumerate(self._rules) if rule.level == "informational"}

    def feed(self, entries: Iterable[Entry]) -> list[Alert]:
        """Take entries in the order of the record; return what they give rise to."""
        if not self._rules:
            return []
        found: dict[str, Alert] = {}
        for entry in entries:
            if isinstance(entry, Call):
                self._see(entry, found)
        return list(found.values())

    def _see(self, call: Call, found: dict[str, Alert]) -> None:
        matched = {number for number, test in self._tests if test(call)}
        if not matched:
            return
        for number in matched - self._quiet:
            _add(found, _of_call(self._rules[number], call))
        moment = _moment(call)
        if moment is None:
            return
        event = Event(moment, call.id)
        for number, named in self._correlations.items():
            # backwards, so that one call is not two steps of an order
            for step in reversed(range(len(named.sources))):
                if named.sources[step] not in matched:
                    continue
                group = tuple(_one(get(call)) or "" for get in named.groups[step])
                value = _one(named.value(call)) if named.value is not None else None
                hit = named.counter.see(step, group, event, value)
                if hit is not None:
                    matched.add(number)
                    if number not in self._quiet:
                        _add(found, _of_hit(named, hit, call))

    def snapshot(self) -> bytes:
        """Return what is held of calls that may still be part of an alert."""
        held = {named.digest: named.counter.snapshot() for named in self._correlations.values()}
        return msgspec.msgpack.encode(_Snapshot(held))

    def restore(self, snapshot: bytes) -> None:
        """Take what `snapshot` gave, of the rules that are still the same. Raises `ValueError` where it is damaged."""
        try:
            held = _decoder.decode(snapshot).held
        except (msgspec.MsgspecError, RecursionError) as error:
            raise ValueError(str(error)) from error
        for named in self._correlations.values():
            named.counter.restore(held.get(named.digest, []))

    @property
    def forgotten(self) -> Mapping[str, int]:
        """How many groups were forgotten so that memory stays bounded, by rule."""
        return {each.rule.id: count for each in self._correlations.values() if (count := each.counter.forgotten)}


def _named(rule: Rule, wanted: Correlation, numbers: Mapping[str, int]) -> _Named:
    asked = (
        rule.id,
        wanted.type,
        wanted.rules,
        wanted.span,
        wanted.least,
        wanted.group_by,
        wanted.counted,
        wanted.aliases,
    )
    return _Named(
        rule=rule,
        wanted=wanted,
        counter=Counter(wanted),
        digest=hashlib.sha256(msgspec.json.encode(asked)).hexdigest()[:32],
        sources=tuple(numbers[name] for name in wanted.rules),
        groups=tuple(
            tuple(fields.getter(wanted.field_of(name, source)) for name in wanted.group_by) for source in wanted.rules
        ),
        value=fields.getter(wanted.counted) if wanted.counted is not None else None,
    )


def _moment(call: Call) -> float | None:
    try:
        return datetime.fromisoformat(call.time).timestamp()
    except (ValueError, OverflowError):
        return None


def _one(values: fields.Values) -> str | None:
    """Return what groups and distinct values are told apart by; a long text, which is a caller's, by its hash."""
    if not values:
        return None
    text = ",".join(map(str, values))
    if len(text) <= _LIMIT:
        return text
    return f"{text[:_LIMIT]}…{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def _severity(rule: Rule) -> Severity:
    return "low" if rule.level == "informational" else rule.level


def _of_call(rule: Rule, call: Call) -> Alert:
    who, what = call.caller or "a caller without an identity", call.operation or f"{call.callee or 'a service'}:?"
    return Alert(
        id=alert_id(rule.detector, call.caller or "", call.callee or "", call.operation or ""),
        time=call.time,
        began=call.time,
        detector=rule.detector,
        severity=_severity(rule),
        why=f"{rule.title}: {who} called {what}",
        caller=call.caller,
        callee=call.callee,
        operation=call.operation,
        calls=(call.id,),
    )


def _of_hit(named: _Named, hit: Hit, call: Call) -> Alert:
    names = named.wanted.group_by
    group = ", ".join(f"{name} {value or 'unknown'}" for name, value in zip(names, hit.group, strict=True))
    many = {"event_count": "calls", "value_count": f"values of {named.wanted.counted}"}.get(named.wanted.type, "steps")
    span = f"within {named.wanted.span} s"
    why = f"{named.rule.title}: {len(hit.events)} {many} {span}{f' of {group[:_LIMIT]}' if group else ''}"
    said = dict(zip(names, hit.group, strict=True))
    return Alert(
        id=alert_id(named.rule.detector, *hit.group),
        time=call.time,
        began=timestamp(datetime.fromtimestamp(hit.events[0].moment, UTC)),
        detector=named.rule.detector,
        severity=_severity(named.rule),
        why=why,
        caller=said.get("caller") or None,
        callee=said.get("callee") or None,
        operation=said.get("operation") or None,
        count=len(hit.events),
        calls=tuple(event.call for event in hit.events[:MOST_CALLS]),
    )


def _add(found: dict[str, Alert], alert: Alert) -> None:
    """Add an alert to those of the batch; the same finding again is the same alert, with more calls."""
    before = found.get(alert.id)
    if before is not None:
        alert = msgspec.structs.replace(
            before,
            time=max(before.time, alert.time),
            count=before.count + alert.count,
            calls=(*before.calls, *alert.calls)[:MOST_CALLS],
        )
    found[alert.id] = alert
