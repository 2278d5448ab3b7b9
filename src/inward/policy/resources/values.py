"""Python values as Cedar has them: an object's attributes, held to the type that its service declares.

Nothing is converted that could be meant otherwise: a `Long` is an `int`, and no `bool`, no `float` and no text. What is
missing, undeclared or of another type is a `ResourceError` that names the attribute, and not what stands in it.

| declared | Python |
|---|---|
| `String` | `str`, an enumeration of texts too |
| `Long` | `int` of 64 bits |
| `Bool` | `bool` |
| `datetime` | `datetime` with a time zone; truncated to milliseconds |
| `decimal` | `Decimal` with up to four places |
| `ipaddr` | an address or a network of `ipaddress` |
| `Set<…>` | `list`, `tuple`, `set`, `frozenset` |
| a record | a mapping |
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, Any

from inward.policy.request import cedar_datetime
from inward.policy.resources.model import THE_OBJECT, Attribute, AttributeType, RecordOf, ResourceError, Scalar, SetOf

if TYPE_CHECKING:
    from collections.abc import Callable

    from inward.policy.resources.model import Resource, ResourceType

MAX_CHARACTERS = 1 << 20  # of all texts of one object
MAX_ELEMENTS = 10_000  # of all sets of one object
_LONG = 1 << 63
_PLACES = 4  # of a decimal
_ADDRESSES = (IPv4Address, IPv4Network, IPv6Address, IPv6Network)


def attributes_of(resource: Resource, type_: ResourceType) -> dict[str, Any]:
    """Return the attributes of an object in the JSON form of Cedar's entities, or raise `ResourceError`."""
    if not isinstance(resource.attributes, Mapping):
        raise ResourceError(f"the attributes of a `{type_.name}` are no mapping")
    return _Object(type_.name).record(type_.attributes, resource.attributes, type_.name)


def entity_of(resource: Resource, type_: ResourceType) -> dict[str, Any]:
    """Return an object as an entity in Cedar's JSON form, or raise `ResourceError`."""
    return {
        "uid": {"type": type_.name, "id": THE_OBJECT},
        "attrs": attributes_of(resource, type_),
        "parents": [{"type": "Service", "id": type_.service}],
    }


def as_json(resource: Resource) -> dict[str, Any]:
    """Return the type and the attributes of an object for people and programs: what JSON has no type for is text."""
    attributes: dict[str, Any] = json.loads(json.dumps(dict(resource.attributes), default=str))
    return {"type": resource.type, "attributes": attributes}


class _Object:
    """One object that is converted; what it may still hold."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._characters = MAX_CHARACTERS
        self._elements = MAX_ELEMENTS

    def record(self, attributes: tuple[Attribute, ...], given: Mapping[str, object], path: str) -> dict[str, Any]:
        undeclared = given.keys() - {each.name for each in attributes}
        if undeclared:
            names = ", ".join(sorted(f"`{name}`"[:100] for name in undeclared)[:5])
            raise ResourceError(f"`{path}` has no attribute {names}", hint="declare it, or leave it out")
        found = {}
        for attribute in attributes:
            where = f"{path}.{attribute.name}"
            if attribute.name in given:
                found[attribute.name] = self._value(attribute.type, given[attribute.name], where)
            elif attribute.required:
                raise ResourceError(f"`{where}` is missing", hint=f"or declare it as `{attribute.name}?`")
        return found

    def _value(self, type_: AttributeType, value: object, path: str) -> Any:  # noqa: ANN401 - what JSON holds
        match type_:
            case RecordOf(attributes) if isinstance(value, Mapping):
                return self.record(attributes, value, path)
            case SetOf(element) if isinstance(value, list | tuple | set | frozenset):
                self._elements -= len(value)
                if self._elements < 0:
                    raise ResourceError(f"`{path}` holds more than {MAX_ELEMENTS:,} elements, with all before it")
                return [self._value(element, each, f"{path}[]") for each in value]
            case Scalar(name):
                converted = _CONVERTERS[name](value)
                if converted is not None:
                    self._count(converted, path)
                    return converted
        what = f"`{path}` is a `{type(value).__name__}`, which is no {type_}"
        raise ResourceError(what, hint=_HINTS.get(str(type_), "docs/policies.md says what each type is in Python"))

    def _count(self, converted: object, path: str) -> None:
        if isinstance(converted, str):
            self._characters -= len(converted)
            if self._characters < 0:
                raise ResourceError(f"`{path}` is too long, with all before it")


def _string(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    text = str.__str__(value)  # of an enumeration the text, and not the name of its member
    return text if _is_unicode(text) else None


def _long(value: object) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool) or not -_LONG <= value < _LONG:
        return None
    return int(value)


def _bool(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _datetime(value: object) -> dict[str, Any] | None:
    if not isinstance(value, datetime) or value.tzinfo is None:
        return None
    try:
        return cedar_datetime(value)
    except (ValueError, OverflowError):  # beyond the first or the last year in UTC
        return None


def _decimal(value: object) -> dict[str, Any] | None:
    if not isinstance(value, Decimal) or not value.is_finite():
        return None
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int) or not -_PLACES <= exponent + len(digits) <= len(str(_LONG)):
        return None
    units = int(value.scaleb(_PLACES)) if len(digits) <= len(str(_LONG)) else _LONG
    if not -_LONG <= units < _LONG or Decimal(units).scaleb(-_PLACES) != value:
        return None
    whole, part = divmod(abs(units), 10**_PLACES)
    return _extension("decimal", f"{'-' if sign and units else ''}{whole}.{part:04d}")


def _ipaddr(value: object) -> dict[str, Any] | None:
    if not isinstance(value, _ADDRESSES) or getattr(value, "scope_id", None) is not None:
        return None
    return _extension("ip", value.exploded)  # never with an IPv4 address in it, which Cedar does not read


def _extension(function: str, text: str) -> dict[str, Any]:
    return {"__extn": {"fn": function, "arg": text}}


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_CONVERTERS: dict[str, Callable[[object], Any]] = {
    "String": _string,
    "Long": _long,
    "Bool": _bool,
    "datetime": _datetime,
    "decimal": _decimal,
    "ipaddr": _ipaddr,
}
_HINTS = {
    "String": "give a `str`, without halves of characters",
    "Long": "give an `int` of 64 bits",
    "datetime": "give a `datetime` with a time zone",
    "decimal": "give a `Decimal` with up to four places",
    "ipaddr": "give an address of `ipaddress`",
}
