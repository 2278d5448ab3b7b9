"""The objects of a test file: `resource: {Order: {tenant: a, total: 3}}`, read as the type's declaration says.

What YAML has no type for is text: a time such as 2027-01-15T12:00:00Z, a decimal such as "1.50", an address.
"""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from inward.catalog.document import did_you_mean, shown
from inward.policy.loading.load import parse_expiry
from inward.policy.resources.model import RecordOf, Resource, ResourceError, Scalar, SetOf
from inward.policy.resources.values import attributes_of

if TYPE_CHECKING:
    from inward.catalog.document import Value
    from inward.policy.resources.model import Attribute, AttributeType, Resources, ResourceType


def read_object(value: Value, resources: Resources) -> tuple[ResourceType, Resource] | None:
    """Return the object that is described at `value`, and its type; None where that is a mistake."""
    before = len(value.mistakes)
    entries = list(value.entries())
    if len(entries) != 1:
        if isinstance(value.data, dict):
            value.mistake(f"{value.label} must have one key, the type of the object", "as in `{Order: {tenant: a}}`")
        return None
    [(name, given)] = entries
    kind = resources.by_name.get(name)
    if kind is None:
        given.mistake(f"there is no type `{shown(name)}`", did_you_mean(name, resources.by_name))
        return None
    resource = Resource(kind.name, _record(kind.attributes, given))
    if len(value.mistakes) == before:
        try:
            attributes_of(resource, kind)
        except ResourceError as error:
            given.mistake(error.message, error.hint)
    return None if len(value.mistakes) > before else (kind, resource)


def _record(attributes: tuple[Attribute, ...], value: Value) -> dict[str, object]:
    known = {each.name: each for each in attributes}
    found: dict[str, object] = {}
    for name, given in value.entries():
        attribute = known.get(name)
        if attribute is None:
            given.mistake(f"there is no attribute `{shown(name)}` in {value.label}", did_you_mean(name, known))
        else:
            found[name] = _value(attribute.type, given)
    for name in known.keys() - found.keys():
        if known[name].required:
            value.mistake(f"{value.label} needs the attribute `{name}`", f"it is declared as `{known[name]}`")
    return found


def _value(kind: AttributeType, value: Value) -> object:
    match kind:
        case RecordOf(attributes):
            return _record(attributes, value)
        case SetOf(element):
            return [_value(element, each) for each in value.items()]
        case Scalar("Bool"):
            return value.boolean()
        case Scalar("Long"):
            if type(value.data) is not int:
                value.mistake(f"{value.label} must be a whole number")
            return value.data
        case Scalar("String"):
            value.is_a(str)  # an empty one is a text too
            return value.data
    text = value.text()
    found = None if text is None else _read(kind, text)
    if text is not None and found is None:
        value.mistake(f"`{shown(text)}` is no {kind}", _WRITTEN[kind.name])
    return found


def _read(kind: Scalar, text: str) -> object:
    if kind.name == "datetime":
        return parse_expiry(text) if "T" in text else None
    if kind.name == "decimal":
        with suppress(InvalidOperation):
            return Decimal(text)
    with suppress(ValueError):
        return ipaddress.ip_network(text) if "/" in text else ipaddress.ip_address(text)
    return None


_WRITTEN = {
    "datetime": "write it as 2027-01-15T12:00:00Z",
    "decimal": 'write it as "1.50"',
    "ipaddr": "write it as 10.0.0.1 or 10.0.0.0/8",
}
