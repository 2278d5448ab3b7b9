"""Values of Cedar expressions of which some parts depend on the request.

Entities and IP addresses cannot come out of a request, so such a value is one of finitely many: a `Choice`, whose
conditions exclude one another and of which one is true. Datetimes and durations are whole milliseconds, decimals
are ten-thousandths, as in Cedar.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

from cedarpy import pst

from inward.policy import literals
from inward.policy.symbolic.term import (
    Bool,
    Int,
    Str,
    UnsupportedError,
    all_of,
    any_of,
    choose,
    choose_int,
    choose_str,
    conj,
    disj,
    iff,
    negate,
    same_str,
    string_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import z3

MOST_PAIRS = 40_000  # of elements, nested ones counted, that two sets are compared by


@dataclass(frozen=True, slots=True)
class Truth:
    """A Boolean."""

    term: Bool


@dataclass(frozen=True, slots=True)
class Number:
    """A Long, or a value of an extension type that is a number inside."""

    kind: Literal["long", "datetime", "duration", "decimal"]
    term: Int


@dataclass(frozen=True, slots=True)
class Text:
    """A String."""

    term: Str


@dataclass(frozen=True, slots=True)
class IP:
    """An IP address or range, as it is written."""

    text: str


Element: TypeAlias = Text | Number | Truth  # what may be in a set that is not known
Atom: TypeAlias = pst.EntityUid | IP


@dataclass(frozen=True, slots=True)
class Choice:
    """One of finitely many entities or addresses, and the condition of each."""

    options: tuple[tuple[Bool, Atom], ...]


@dataclass(frozen=True, slots=True)
class Several:
    """A set: its elements, each with the condition on which it is there."""

    elements: tuple[tuple[Bool, Value], ...]


@dataclass(frozen=True, eq=False, slots=True)
class Members:
    """A set of which nothing is known but its `name`: of each element that is asked for, whether it is in it.

    `asked` grows by those, so that a set can be shown that answers as the solver says; all of one name share it.
    """

    name: str
    array: z3.ArrayRef  # from elements to whether they are in it
    asked: list[Element]

    def holds(self, value: Value) -> Bool:
        """Return whether it holds a value."""
        if not isinstance(value, Text | Number | Truth):
            raise UnsupportedError(f"the set `{self.name}`")
        if value not in self.asked:
            self.asked.append(value)
        term: Bool = self.array[string_of(value.term) if isinstance(value, Text) else value.term]
        return term


@dataclass(frozen=True, slots=True)
class Opaque:
    """A value of which nothing can be said: whatever asks for it has no formula. `construct` is what it is called."""

    construct: str


@dataclass(frozen=True, slots=True)
class Fields:
    """A record: its attributes, each with the condition on which it is there."""

    fields: Mapping[str, tuple[Bool, Value]]


_Part = TypeVar("_Part")
Value: TypeAlias = Truth | Number | Text | Choice | Several | Fields | Members | Opaque


def one(atom: Atom) -> Choice:
    """Return the value that is this entity or address."""
    return Choice(((True, atom),))


def equal(left: Value, right: Value) -> Bool:
    """Return whether two values are equal (Cedar's `==`, which never fails); values of two types are not."""
    same: Bool = False
    for value in (left, right):
        if isinstance(value, Opaque | Members):
            raise _nothing_known(value)
    match left, right:
        case Truth(), Truth():
            same = iff(left.term, right.term)
        case Number(), Number():
            same = left.kind == right.kind and left.term == right.term
        case Text(), Text():
            same = same_str(left.term, right.term)
        case Choice(), Choice():
            pairs = ((a, b, x, y) for a, x in left.options for b, y in right.options)
            same = any_of(conj(a, b) for a, b, x, y in pairs if _same_atom(x, y))
        case Several(), Several():
            same = _same_sets(left, right)
        case Fields(), Fields():
            same = _same_fields(left, right)
    return same


def contains(several: Several | Members, value: Value) -> Bool:
    """Return whether a set holds a value."""
    if isinstance(several, Members):
        return several.holds(value)
    _require_comparable(several, value)
    return _holds(several, value)


def contains_all(several: Several | Members, others: Several | Members) -> Bool:
    """Return whether a set holds every element of another."""
    if isinstance(others, Members):
        raise _nothing_known(others)
    _require_comparable(several, others)
    return all_of(disj(negate(there), _holds(several, element)) for there, element in others.elements)


def contains_any(several: Several | Members, others: Several | Members) -> Bool:
    """Return whether a set holds some element of another."""
    if isinstance(others, Members):
        if isinstance(several, Members):
            raise _nothing_known(others)
        return contains_any(others, several)
    _require_comparable(several, others)
    return any_of(conj(there, _holds(several, element)) for there, element in others.elements)


def is_empty(several: Several | Members) -> Bool:
    """Return whether a set has no element."""
    if isinstance(several, Members):
        raise _nothing_known(several)
    return negate(any_of(there for there, _ in several.elements))


def merge(condition: Bool, then: Value, otherwise: Value) -> Value:
    """Return the value that is `then` where the condition is true, else `otherwise`; both are of one type."""
    if isinstance(condition, bool):
        return then if condition else otherwise
    merged: Value
    match then, otherwise:
        case Truth(), Truth():
            merged = Truth(choose(condition, then.term, otherwise.term))
        case Number(), Number() if then.kind == otherwise.kind:
            merged = Number(then.kind, choose_int(condition, then.term, otherwise.term))
        case Text(), Text():
            merged = Text(choose_str(condition, then.term, otherwise.term))
        case Choice(), Choice():
            merged = Choice((*_only(condition, then.options), *_only(negate(condition), otherwise.options)))
        case Several(), Several():
            merged = Several((*_only(condition, then.elements), *_only(negate(condition), otherwise.elements)))
        case Fields(), Fields():
            merged = _merged_fields(condition, then, otherwise)
        case (Opaque() | Members() as unknown, _) | (_, Opaque() | Members() as unknown):
            raise _nothing_known(unknown)
        case _:
            raise UnsupportedError("`if` between values of two types")
    return merged


def _nothing_known(value: Opaque | Members) -> UnsupportedError:
    return UnsupportedError(value.construct if isinstance(value, Opaque) else f"the set `{value.name}`")


def _holds(several: Several | Members, value: Value) -> Bool:
    if isinstance(several, Members):
        return several.holds(value)
    return any_of(conj(there, equal(element, value)) for there, element in several.elements)


def _require_comparable(left: Value, right: Value) -> None:
    if _size(left) * _size(right) > MOST_PAIRS:
        raise UnsupportedError("a comparison of sets of so many elements")


def _size(value: Value) -> int:
    match value:
        case Several(elements):
            return sum(_size(element) for _, element in elements)
        case Fields(fields):
            return sum(_size(part) for _, part in fields.values())
        case Choice(options):
            return len(options)
    return 1


def _only(condition: Bool, parts: tuple[tuple[Bool, _Part], ...]) -> tuple[tuple[Bool, _Part], ...]:
    return tuple((conj(condition, there), part) for there, part in parts)


def _same_atom(left: Atom, right: Atom) -> bool:
    if isinstance(left, IP) and isinstance(right, IP):
        return left == right or literals.same_ip(left.text, right.text)
    return left == right


def _same_sets(left: Several, right: Several) -> Bool:
    """Return whether each set holds all elements of the other; each pair of elements is compared once."""
    _require_comparable(left, right)
    pairs = [[equal(one, other) for _, other in right.elements] for _, one in left.elements]
    columns = [[row[at] for row in pairs] for at in range(len(right.elements))]
    return conj(_found(left, pairs, right), _found(right, columns, left))


def _found(several: Several, pairs: list[list[Bool]], others: Several) -> Bool:
    """Return whether every element of a set is found among the others: a row of `pairs` is what it equals of them."""
    return all_of(
        disj(negate(there), any_of(conj(other, same) for (other, _), same in zip(others.elements, row, strict=True)))
        for (there, _), row in zip(several.elements, pairs, strict=True)
    )


def _same_fields(left: Fields, right: Fields) -> Bool:
    terms: list[Bool] = []
    for name in left.fields.keys() | right.fields.keys():
        here, value = left.fields.get(name, (False, None))
        there, other = right.fields.get(name, (False, None))
        terms.append(iff(here, there))
        if value is not None and other is not None:
            terms.append(disj(negate(conj(here, there)), equal(value, other)))
    return all_of(terms)


def _merged_fields(condition: Bool, then: Fields, otherwise: Fields) -> Fields:
    merged: dict[str, tuple[Bool, Value]] = {}
    for name in then.fields.keys() | otherwise.fields.keys():
        here, value = then.fields.get(name, (False, None))
        there, other = otherwise.fields.get(name, (False, None))
        if value is None or other is None:
            known = value if value is not None else other
        else:
            known = merge(condition, value, other)
        if known is not None:
            merged[name] = (choose(condition, here, there), known)
    return Fields(merged)
