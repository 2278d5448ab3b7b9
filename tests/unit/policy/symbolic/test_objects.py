"""Objects in formulas: what is proven of them, what is shown, and what is not known."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from inward.policy.comparing.compare import System, compare
from inward.policy.proving.posture import posture
from inward.policy.proving.prove import prove

if TYPE_CHECKING:
    from tests.unit.policy.conftest import Load

    from inward.catalog.model import Catalog
    from inward.policy.comparing.change import Comparison
    from inward.policy.model import Policies
    from inward.policy.proving.prove import Answer

NOW = datetime(2030, 6, 15, 12, tzinfo=UTC)
TYPES = """\
entity Order {
  tenant: String, total: Long, open: Bool, note?: String, tags: Set<String>, sizes: Set<Long>, sets: Set<Set<Long>>,
  at: datetime, price: decimal, from: ipaddr, buyer: { name: String, age?: Long },
};
"""
EDGE_READS = 'principal in Zone::"edge", action in Action::"read"'
GET = 'principal == Service::"checkout", action == Action::"orders:getOrder", resource is Order'


def policies(load: Load, grant: str, guardrail: str = "", types: str = TYPES) -> Policies:
    def when(condition: str) -> str:
        return f" when {{ {condition} }}" if condition else ""

    files = {
        "policies/orders.cedarschema": types,
        "policies/orders.cedar": f'@id("g") @reason("r") permit ({GET}){when(grant)};',
        "guardrails.cedar": f'@id("f") @reason("r") forbid ({GET}){when(guardrail)};' if guardrail else "",
    }
    found, mistakes = load(files)
    assert mistakes == []
    return found


def proven(shop: Catalog, load: Load, grant: str, guardrail: str) -> Answer:
    (verdict,) = prove(shop, policies(load, grant, guardrail), NOW)
    assert verdict.tomorrow.status == "proven"  # the grant names who calls
    return verdict.today


@pytest.mark.parametrize(
    ("grant", "guardrail"),
    [
        ('resource.tenant == "a"', 'resource.tenant == "b"'),
        ('resource.tenant like "a*"', 'resource.tenant like "b*"'),
        ("resource.tenant == context.path.id", 'resource.tenant == "a/b"'),  # which is no segment of a path
        ("resource.total < 10", "resource.total > 9"),
        ("resource.total > 9223372036854775806 && resource.total != 9223372036854775807", "true"),
        ("resource.open", "!resource.open"),
        ("resource has note && resource.note == resource.tenant", 'resource.tenant == "a" && resource.note != "a"'),
        ('resource.tags.contains("a")', '!resource.tags.contains("a")'),
        ('resource.tags.containsAll(["a", "b"])', '!resource.tags.containsAny(["b", "c"])'),
        ("resource.sizes.contains(3)", "resource.total == 3 && !resource.sizes.contains(resource.total)"),
        ('resource.at < datetime("2020-01-01")', "resource.at > context.time"),
        ('resource.price.lessThan(decimal("1.0"))', 'resource.price == decimal("1.00")'),
        ('resource.buyer.name == "ann"', 'resource.buyer.name like "b*" && resource.buyer has age'),
        ('resource in Zone::"core"', '!(resource in Service::"orders")'),
        ('resource in Zone::"edge"', "true"),
        ("resource is Service", "true"),
    ],
)
def test_what_cannot_be_is_proven_for_every_object(shop: Catalog, load: Load, grant: str, guardrail: str) -> None:
    if "note != " in guardrail:
        guardrail = f"resource has note && {guardrail}"
    assert proven(shop, load, grant, guardrail).status == "proven"


@pytest.mark.parametrize(
    ("grant", "guardrail", "shown"),
    [
        ("", 'resource.tenant == "a\\"b"', {"tenant": 'a"b'}),
        ("", "resource.total == -9223372036854775808", {"total": -(2**63)}),
        ("", "resource.open", {"open": True}),
        ("", 'resource has note && resource.note == "x"', {"note": "x"}),
        (
            'resource.tags.contains("a")',
            'resource.tags.contains("b") && !resource.tags.contains("c")',
            {"tags": ["b", "a"]},
        ),
        ("", "resource.sizes.contains(3)", {"sizes": [3]}),
        ("", 'resource.at == datetime("2020-01-01")', {"at": datetime(2020, 1, 1, tzinfo=UTC)}),
        (
            "",
            'resource.buyer has age && resource.buyer.age == 3 && resource.buyer.name == "ann"',
            {"buyer": {"name": "ann", "age": 3}},
        ),
    ],
)
def test_a_breach_is_shown_with_the_object(
    shop: Catalog, load: Load, grant: str, guardrail: str, shown: dict[str, object]
) -> None:
    (breach,) = proven(shop, load, grant, guardrail).breaches
    resource = breach.witness.resource
    assert resource is not None
    assert resource.type == "Order"
    got = {name: resource.attributes[name] for name in shown}
    assert {name: set(v) if isinstance(v, list) else v for name, v in got.items()} == {
        name: set(v) if isinstance(v, list) else v for name, v in shown.items()
    }
    assert " on Order {tenant: " in str(breach.witness)


@pytest.mark.parametrize(
    ("grant", "guardrail", "construct"),
    [
        ("resource.sets.contains([1])", "!resource.sets.contains([1])", "the set `resource.sets`"),
        ("resource.from.isLoopback()", "!resource.from.isLoopback()", "the address `resource.from`"),
        ("resource.tags == resource.tags", "!(resource.tags == resource.tags)", "the set `resource.tags`"),
        (
            "resource.tags.isEmpty()",
            '["a"].containsAll(resource.tags) && !resource.tags.isEmpty()',
            "the set `resource.tags`",
        ),
    ],
)
def test_what_has_no_formula_is_not_known_and_never_proven(
    shop: Catalog, load: Load, grant: str, guardrail: str, construct: str
) -> None:
    answer = proven(shop, load, grant, guardrail)
    assert (answer.status, answer.constructs) == ("unknown", (construct,))


def test_a_guardrail_that_names_operations_is_about_their_objects_too(shop: Catalog, load: Load) -> None:
    files = {
        "policies/orders.cedarschema": TYPES,
        "policies/orders.cedar": f'@id("g") @reason("r") permit ({GET});',
        "guardrails.cedar": f'@id("f") @reason("r") forbid ({EDGE_READS}, resource);',
    }
    found, mistakes = load(files)
    assert mistakes == []
    (verdict,) = prove(shop, found, NOW)
    assert [str(each.witness).partition(" {")[0] for each in verdict.today.breaches] == [
        "checkout GET http://orders/orders/x on Order"
    ]


def test_grants_of_objects_that_do_nothing_or_can_fail_are_named(shop: Catalog, load: Load) -> None:
    kinds = {
        "resource.total < 10 && resource.total > 10": "never_applies",
        "resource.total * 2 < 10": "can_fail",
        "resource.total < 10": None,
    }
    for condition, kind in kinds.items():
        found = posture(shop, policies(load, condition), NOW)
        assert [each.kind for each in found] == ([kind] if kind else [])
        if kind == "can_fail":
            assert found[0].witness is not None
            assert found[0].witness.resource is not None


def compared(shop: Catalog, load: Load, old: str, new: str, types: str = TYPES) -> Comparison:
    return compare(System(shop, policies(load, old)), System(shop, policies(load, new, types=types)), NOW)


ON_ORDER = "orders:getOrder on Order"


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("resource.total < 10", "resource.total < 20", "wider"),
        ("resource.total < 20", "resource.total < 10", "narrower"),
        ("resource.total < 20", "", "wider"),
        ('resource.tenant == "a"', 'resource.tenant == "b"', "changed"),
        ('resource.tags.contains("a")', 'resource.tags.contains("a") || resource.open', "wider"),
        ("false", "resource.open", "allowed"),
    ],
)
def test_a_grant_of_objects_that_changes_is_seen(shop: Catalog, load: Load, old: str, new: str, kind: str) -> None:
    found = compared(shop, load, old, new)
    (change,) = found.changes
    assert (change.kind, change.callers, change.targets) == (kind, ("checkout",), (ON_ORDER,))
    for example in (change.gained, change.lost):
        assert example is None or example.witness.resource is not None
    assert not found.unknown


def test_an_example_is_refused_by_the_other_system_for_what_it_shows(shop: Catalog, load: Load) -> None:
    new = TYPES.replace("open: Bool", "open: Bool, vip: Bool")  # so that the two do not share their attributes
    found = compared(shop, load, '!resource.tags.contains("a")', '!resource.tags.contains("b")', new)
    (change,) = found.changes
    assert change.gained is not None
    assert change.gained.witness.resource is not None
    assert change.gained.witness.resource.attributes["tags"] == ["a"]


def test_what_means_the_same_is_no_change(shop: Catalog, load: Load) -> None:
    assert compared(shop, load, "resource.total < 10", "resource.total <= 9").empty


@pytest.mark.parametrize(
    ("old", "new", "types", "constructs"),
    [
        ("resource.sets.contains([1])", "resource.sets.contains([2])", TYPES, ("the set `resource.sets`",)),
        (
            "resource.total < 10",
            "resource.total < 20",
            TYPES.replace("total: Long", "total?: Long"),
            ("the attribute `total` of `Order`, which was `total: Long` and is `total?: Long`",),
        ),
    ],
)
def test_what_cannot_be_compared_is_said(
    shop: Catalog, load: Load, old: str, new: str, types: str, constructs: tuple[str, ...]
) -> None:
    if types != TYPES:
        new = f"resource has total && {new}"
    found = compared(shop, load, old, new, types)
    (unknown,) = found.unknown
    assert unknown.targets == (ON_ORDER,)
    assert set(constructs) <= set(unknown.constructs)
    assert found.widens


def test_an_attribute_that_is_new_is_no_obstacle(shop: Catalog, load: Load) -> None:
    types = TYPES.replace("open: Bool", "open: Bool, vip: Bool")
    assert compared(shop, load, "resource.open", "resource.open", types).empty
    (change,) = compared(shop, load, "resource.open", "resource.open || resource.vip", types).changes
    assert change.kind == "wider"


def test_a_type_that_is_new_or_gone_is_a_change(shop: Catalog, load: Load) -> None:
    whole = policies(load, "")
    without = dataclasses.replace(whole, by_id={}, resources=type(whole.resources)())
    (gone,) = compare(System(shop, whole), System(shop, without), NOW).changes
    (new,) = compare(System(shop, without), System(shop, whole), NOW).changes
    assert (gone.kind, gone.targets) == ("refused", (ON_ORDER,))
    assert (new.kind, new.targets) == ("allowed", (ON_ORDER,))
