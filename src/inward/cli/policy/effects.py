"""What a comparison found, in words: lines in sections, of plain words and of names, which each format marks.

Changes of one kind that the same policies make to one service are one line. Every line names the owner, so that
reviewers can be found. Names are of unknown origin: whoever prints them makes them harmless.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from inward.policy.comparing.change import Change, Unknown
from inward.policy.resources.model import OF_OBJECTS

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence
    from datetime import datetime

    from inward.control.bundle import Policy as System
    from inward.policy.comparing.change import Comparison, Example
    from inward.policy.comparing.shifts import Shift
    from inward.policy.model import Policy

SECTIONS = {
    "enforcement": "enforced differently",
    "allowed": "newly allowed",
    "wider": "allowed more widely",
    "changed": "allowed under other conditions",
    "narrower": "allowed more narrowly",
    "refused": "newly refused",
    "unknown": "not known",
    "catalog": "in the catalog",
    "idle": "policies that differ, and apply to nothing there is today",
}
MOST_NAMES = 5  # in one list, where not all is asked for


class Name(str):
    """A word that is the name of something, and may hold anything."""

    __slots__ = ()


Words: TypeAlias = "list[str | Name]"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a section, with details below it; `cells` is how many pairs of caller and target it is about."""

    words: Words
    details: tuple[Words, ...] = ()
    cells: int = 1


@dataclass(frozen=True, slots=True)
class Compared:
    """The two systems, and what was found."""

    old: System
    new: System
    found: Comparison
    now: datetime

    def place_of(self, target: str) -> tuple[str, str]:
        """Return the service of an operation, on objects or not, or the data class itself, and its owner."""
        for system in (self.new, self.old):
            name = target
            if system.policies.resources.by_name.get(target.rpartition(OF_OBJECTS)[2]) is not None:
                name = target.rpartition(OF_OBJECTS)[0] or target
            operation = system.catalog.operations.get(name)
            if operation is not None:
                return operation.service, system.catalog.services[operation.service].owner
            data_class = system.catalog.data_classes.get(target)
            if data_class is not None:
                return target, data_class.owner
        return target, ""

    def is_new(self, policy: Policy) -> bool:
        """Whether a policy is the new system's."""
        return self.new.policies.by_id.get(policy.id) is policy


def sections_of(compared: Compared, *, everything: bool) -> dict[str, list[Line]]:
    """Return the lines of each section that is not empty, in the order of `SECTIONS`."""
    most = None if everything else MOST_NAMES
    found: dict[str, list[Line]] = defaultdict(list)
    for shift in compared.found.shifts:
        words, owner = _shift_words(shift, most), shift.owner
        line = Line([*words, *_owned(owner)], cells=max(1, len(shift.operations)))
        found["enforcement" if shift.widens or shift.narrows else "catalog"].append(line)
    for change in _merged(compared):
        if isinstance(change, Change):
            found[change.kind].append(_change_line(change, compared, most))
        else:
            found["unknown"].append(_unknown_line(change, compared, most))
    for policy in compared.found.idle:
        side = "" if compared.is_new(policy) else " before"
        found["idle"].append(Line([Name(policy.id), " (", Name(str(policy.place)), f"{side})"]))
    return {name: found[name] for name in SECTIONS if name in found}


def _merged(compared: Compared) -> list[Change | Unknown]:
    """Return the changes and what is unknown, those that read alike as one: targets put together, then callers."""
    by_target: dict[Hashable, Change | Unknown] = {}
    every: tuple[Change | Unknown, ...] = (*compared.found.changes, *compared.found.unknown)
    for each in every:
        key = (compared.place_of(each.targets[0])[0], each.callers, *_same(each))
        known = by_target.get(key)
        by_target[key] = each if known is None else replace(known, targets=(*known.targets, *each.targets))
    by_caller: dict[Hashable, Change | Unknown] = {}
    for each in by_target.values():
        key = (tuple(sorted(each.targets)), *_same(each))
        known = by_caller.get(key)
        by_caller[key] = each if known is None else replace(known, callers=(*known.callers, *each.callers))
    return sorted(by_caller.values(), key=lambda each: (compared.place_of(each.targets[0]), each.callers, each.targets))


def _same(each: Change | Unknown) -> tuple[Hashable, ...]:
    told: tuple[Hashable, ...] = ()
    if isinstance(each, Change):
        examples = ((example.by, example.against, example.odd) for _, example in _examples(each))
        told = (each.kind, each.until, *examples)
    return (*told, each.old_policies, each.new_policies, each.constructs)


def _change_line(change: Change, compared: Compared, most: int | None) -> Line:
    words = [*_who(change, most), *_because(change), *_owned(compared.place_of(change.targets[0])[1])]
    several = len(change.callers) > 1
    told = [_example(word, example, compared.now, several=several) for word, example in _examples(change)]
    details = [words for words in told if len(words) > 1]  # that of a disclosure is no more than the line says
    if change.constructs:
        details.append(["not known whether the other way round too: ", ", ".join(change.constructs)])
    return Line(words, tuple(details), len(change.callers) * len(change.targets))


def _unknown_line(unknown: Unknown, compared: Compared, most: int | None) -> Line:
    policies = _listed([Name(policy.id) for policy in (*unknown.old_policies, *unknown.new_policies)], most)
    words = [*_who(unknown, most), "  ", *policies, *_owned(compared.place_of(unknown.targets[0])[1])]
    cells = len(unknown.callers) * len(unknown.targets)
    return Line(words, (["it holds ", ", ".join(unknown.constructs)],), cells)


def _who(each: Change | Unknown, most: int | None) -> Words:
    return [*_listed(sorted(each.callers), most), " → ", *_listed(each.targets, most)]


def _owned(owner: str) -> Words:
    return [", owner ", Name(owner)] if owner else []


def _listed(names: Iterable[str], most: int | None) -> Words:
    listed = list(dict.fromkeys(names))
    shown = listed if most is None else listed[:most]
    words: Words = []
    for name in shown:
        words += [", ", Name(name)] if words else [Name(name)]
    if len(listed) > len(shown):
        words.append(f" and {len(listed) - len(shown):,} more")
    return words


def _because(change: Change) -> Words:
    """Say which policies make the difference."""
    words: Words = []
    if change.until is not None:
        was, becomes = (_end(moment) for moment in change.until)
        words += [f"  {becomes} rather than {was}, by ", *_policies(change.new_policies)]
        return words
    if change.gained is not None:
        words += ["  by ", *_policies(change.gained.by)]
        forbidding = [policy for policy in change.gained.against if policy.effect == "forbid"]
        if forbidding:
            words += ["; it was forbidden by ", *_policies(forbidding, before=True)]
    if change.lost is not None:
        forbidding = [policy for policy in change.lost.against if policy.effect == "forbid"]
        words.append("; " if words else "  ")
        if forbidding:
            words += ["forbidden by ", *_policies(forbidding)]
        else:
            words += ["it was allowed by ", *_policies(change.lost.by, before=True)]
    return words


def _policies(policies: Sequence[Policy], *, before: bool = False) -> Words:
    words: Words = []
    for policy in policies[:MOST_NAMES]:
        words += [", "] if words else []
        words += [Name(policy.id), " (", Name(str(policy.place)), " before)" if before else ")"]
    if len(policies) > MOST_NAMES:
        words.append(f" and {len(policies) - MOST_NAMES:,} more")
    return words


def _end(moment: datetime | None) -> str:
    """Say until when something holds; a whole day is called by its name."""
    if moment is None:
        return "without an end"
    last = moment - timedelta(microseconds=1)
    return f"until {last:%Y-%m-%d}" if moment.date() != last.date() else f"until {moment:%Y-%m-%d %H:%M:%S} UTC"


def _examples(change: Change) -> Iterator[tuple[str, Example]]:
    if change.gained is not None:
        yield "now allowed", change.gained
    if change.lost is not None:
        yield "now refused", change.lost


def _example(word: str, example: Example, now: datetime, *, several: bool) -> Words:
    """Say which request it is; `several` tells that the line has more than one caller."""
    witness = example.witness
    words: Words = [f"{word}, e.g. " if witness.path else word]
    if witness.path:
        request = f"{witness.method} {witness.path}{'?' + witness.query if witness.query else ''}"
        words += [Name(request), *([" of ", Name(witness.caller)] if several else [])]
    if witness.resource is not None:
        words.append(Name(witness.on_object))
    if witness.moment != now:
        words.append(f" at {witness.moment:%Y-%m-%d %H:%M:%S} UTC")
    if example.odd:
        words += [", with ", *_listed(example.odd, None), " not in plain form"]
    return words


def _shift_words(shift: Shift, most: int | None) -> Words:
    names: Words = _listed(shift.operations or [shift.about], most)
    before, after = Name(shift.before) or "none", Name(shift.after) or "none"
    match shift.kind:
        case "trust_domain":
            words: Words = ["the trust domain is ", after, ", was ", before, ": every identity is another one"]
        case "added":
            words = [*names, f" new: {shift.after}" if shift.after else " new"]
        case "gone":
            words = [*names, " gone"]
        case "renamed":
            words = [before, " is called ", after, " now"]
        case "moved":
            words = [*names, " is ", after, " now, was ", before]
        case "mode":
            whole = "" if shift.operations else ", for calls that match no operation"
            effect = "nothing is refused" if shift.widens else "what is not granted is refused"
            was = f", was {shift.before}" if shift.before else ""
            words = [*names, f"{whole}: mode {shift.after}{was}: {effect}"]
        case _:
            words = [*names, ": ", "" if shift.kind == "parameter" else f"{shift.kind} ", after, ", was ", before]
    return words
