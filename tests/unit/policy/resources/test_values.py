from __future__ import annotations

import enum
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from ipaddress import ip_address, ip_network
from typing import Any

import cedarpy
import pytest

from inward.policy.resources import values
from inward.policy.resources.declarations import parse_declarations
from inward.policy.resources.model import Resource, ResourceError, Resources, ResourceType
from inward.policy.resources.values import as_json, attributes_of, entity_of


def kind(declared: str) -> ResourceType:
    (found,), mistakes = parse_declarations(f"entity Order {{ {declared} }};".encode(), "orders", "f")
    assert mistakes == []
    return found


def converted(declared: str, value: object) -> Any:
    return attributes_of(Resource("Order", {"a": value}), kind(f"a: {declared}"))["a"]


class State(enum.StrEnum):
    OPEN = "open"


class Old(str, enum.Enum):  # noqa: UP042 - what programs older than Python 3.11 have
    OPEN = "open"


class Level(enum.IntEnum):
    HIGH = 3


def extension(function: str, text: str) -> dict[str, Any]:
    return {"__extn": {"fn": function, "arg": text}}


@pytest.mark.parametrize(
    ("declared", "value", "json"),
    [
        ("String", "ü\0", "ü\0"),
        ("String", "", ""),
        ("String", State.OPEN, "open"),
        ("String", Old.OPEN, "open"),
        ("Long", -(2**63), -(2**63)),
        ("Long", Level.HIGH, 3),
        ("Bool", False, False),
        ("datetime", datetime(2027, 1, 1, 1, 2, 3, 4999, UTC), extension("datetime", "2027-01-01T01:02:03.004Z")),
        (
            "datetime",
            datetime(2027, 1, 1, tzinfo=timezone(timedelta(hours=2))),
            extension("datetime", "2026-12-31T22:00:00.000Z"),
        ),
        ("datetime", datetime.min.replace(tzinfo=UTC), extension("datetime", "0001-01-01T00:00:00.000Z")),
        ("datetime", datetime.max.replace(tzinfo=UTC), extension("datetime", "9999-12-31T23:59:59.999Z")),
        ("decimal", Decimal("1.5"), extension("decimal", "1.5000")),
        ("decimal", Decimal("-0.0001"), extension("decimal", "-0.0001")),
        ("decimal", Decimal("-0"), extension("decimal", "0.0000")),
        ("decimal", Decimal("1.500000"), extension("decimal", "1.5000")),
        ("decimal", Decimal("1E+3"), extension("decimal", "1000.0000")),
        ("decimal", Decimal("922337203685477.5807"), extension("decimal", "922337203685477.5807")),
        ("decimal", Decimal("-922337203685477.5808"), extension("decimal", "-922337203685477.5808")),
        ("ipaddr", ip_address("10.0.0.1"), extension("ip", "10.0.0.1")),
        ("ipaddr", ip_network("10.0.0.0/8"), extension("ip", "10.0.0.0/8")),
        ("ipaddr", ip_address("::ffff:1.2.3.4"), extension("ip", "0000:0000:0000:0000:0000:ffff:0102:0304")),
        ("Set<Long>", [1, 1], [1, 1]),
        ("Set<String>", frozenset({"a"}), ["a"]),
        ("Set<{b?: Long}>", ({"b": 1}, {}), [{"b": 1}, {}]),
        ("{b: {c: Bool}}", {"b": {"c": True}}, {"b": {"c": True}}),
    ],
)
def test_a_value_is_as_cedar_has_it(declared: str, value: object, json: object) -> None:
    found = converted(declared, value)
    assert found == json
    assert type(found) is type(json)
    entity = entity_of(Resource("Order", {"a": value}), kind(f"a: {declared}"))
    schema = f"entity Service; entity Order in [Service] {{ a: {declared} }};"
    cedarpy.Entities.from_json_str(__import__("json").dumps([entity]), schema=schema)  # which validates it


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("String", 1),
        ("String", b"a"),
        ("String", None),
        ("String", "\ud800"),
        ("Long", True),
        ("Long", 1.0),
        ("Long", "1"),
        ("Long", 2**63),
        ("Long", -(2**63) - 1),
        ("Bool", 1),
        ("Bool", "true"),
        ("datetime", datetime(2027, 1, 1)),  # noqa: DTZ001 - that is what is wrong with it
        ("datetime", "2027-01-01T00:00:00Z"),
        ("datetime", datetime.max.replace(tzinfo=timezone(-timedelta(hours=1)))),
        ("decimal", 1.5),
        ("decimal", 1),
        ("decimal", Decimal("1.00001")),
        ("decimal", Decimal("NaN")),
        ("decimal", Decimal("sNaN")),
        ("decimal", Decimal("Infinity")),
        ("decimal", Decimal("922337203685477.5808")),
        ("decimal", Decimal("1E+1000000")),
        ("decimal", Decimal("1E-1000000")),
        ("decimal", Decimal("1" * 100)),
        ("ipaddr", "10.0.0.1"),
        ("ipaddr", ip_address("fe80::1%eth0")),
        ("Set<Long>", "12"),
        ("Set<Long>", [1, "2"]),
        ("Set<Long>", {1: 2}),
        ("{b: Long}", [("b", 1)]),
    ],
)
def test_what_is_of_another_type_is_an_error_that_does_not_say_it(declared: str, value: object) -> None:
    with pytest.raises(ResourceError) as raised:
        converted(declared, value)
    assert raised.value.message.startswith("`Order.a")
    if isinstance(value, str | datetime | Decimal) and len(str(value)) > 3:
        assert str(value) not in raised.value.message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "`Order.a` is missing"),
        ({"a": 1, "b": 2}, "`Order` has no attribute `b`"),
        ({"a": 1, "c": {}}, "`Order.c.d` is missing"),
        ({"a": 1, "c": {"d": 1, "e": 2}}, "`Order.c` has no attribute `e`"),
    ],
)
def test_what_is_missing_or_undeclared_is_an_error(given: dict[str, object], message: str) -> None:
    with pytest.raises(ResourceError) as raised:
        attributes_of(Resource("Order", given), kind("a: Long, c?: {d: Long}"))
    assert raised.value.message == message


def test_what_may_be_left_out_may() -> None:
    assert attributes_of(Resource("Order", {"a": 1}), kind("a: Long, c?: {d: Long}")) == {"a": 1}


def test_an_object_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "MAX_CHARACTERS", 10)
    monkeypatch.setattr(values, "MAX_ELEMENTS", 4)
    declared = kind("a: String, b: String, c: Set<Set<Long>>")

    def given(length: int, *sets: list[int]) -> dict[str, object]:
        return {"a": "x" * 5, "b": "x" * length, "c": list(sets)}

    attributes_of(Resource("Order", given(5, [1, 2])), declared)
    with pytest.raises(ResourceError, match=r"`Order.b` is too long"):
        attributes_of(Resource("Order", given(6)), declared)
    with pytest.raises(ResourceError, match=r"`Order.c\[\]` holds more than 4 elements"):
        attributes_of(Resource("Order", given(5, [1, 2], [3])), declared)


def test_an_object_for_people_is_json() -> None:
    found = as_json(Resource("Order", {"at": Decimal("1.5"), "tags": ["a"], "from": ip_address("10.0.0.1")}))
    assert found == {"type": "Order", "attributes": {"at": "1.5", "tags": ["a"], "from": "10.0.0.1"}}


def test_a_type_is_found_for_its_own_service_only() -> None:
    resources = Resources([kind("a: Long")])
    assert resources.find("orders", "Order").name == "Order"
    for service, name, hint in (
        ("payments", "Order", "declare it in policies/payments.cedarschema"),
        ("orders", "order", "it declares `Order`"),
    ):
        with pytest.raises(ResourceError) as raised:
            resources.find(service, name)
        assert raised.value.message == f"`{service}` declares no type `{name}`"
        assert raised.value.hint == hint
