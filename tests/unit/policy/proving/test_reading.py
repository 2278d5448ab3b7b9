from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inward.policy.proving.reading import Reading, reads_time

if TYPE_CHECKING:
    from tests.unit.policy.proving.conftest import Written

SCOPE = 'principal, action == Action::"orders:getOrder", resource == Service::"orders"'


def of(written: Written, text: str) -> set[str]:
    (policy,) = written(text)
    found = Reading.of(policy)
    return {name for name in ("caller", "identity", "action", "resource") if getattr(found, name)}


@pytest.mark.parametrize(
    ("condition", "reads"),
    [
        ('context.path.id == "1"', set()),
        ('principal.owner == Team::"team-orders"', {"caller"}),
        ("principal has zone", {"caller"}),
        ('principal has zone && principal.zone == Zone::"core"', {"caller"}),
        ("principal is Service", {"caller"}),
        ('principal in Team::"team-orders"', {"caller"}),
        ('principal in [Zone::"core", Zone::"edge"]', {"caller"}),
        # which service it is
        ('principal == Service::"checkout"', {"caller", "identity"}),
        ('principal in Service::"checkout"', {"caller", "identity"}),
        ('principal in [Service::"orders", Service::"checkout"]', {"caller", "identity"}),
        ('principal is Service in Service::"checkout"', {"caller", "identity"}),
        ('[principal].contains(Service::"checkout")', {"caller", "identity"}),
        ('{who: principal}.who == Service::"checkout"', {"caller", "identity"}),
        ('resource.owner == Team::"team-orders"', {"resource"}),
        ("principal == resource", {"caller", "identity", "resource"}),
        ('action in Action::"read"', {"action"}),
        ('if context.path.id == "1" then true else principal has zone', {"caller"}),
    ],
)
def test_what_a_condition_reads(written: Written, condition: str, reads: set[str]) -> None:
    assert of(written, f"permit ({SCOPE}) when {{ {condition} }};") == reads


def test_every_clause_counts_and_a_scope_does_not(written: Written) -> None:
    scope = SCOPE.replace("principal", 'principal == Service::"checkout"')
    clauses = 'when { context.path.id == "1" } unless { resource.owner == Team::"team-orders" }'
    assert of(written, f"permit ({scope}) {clauses};") == {"resource"}


@pytest.mark.parametrize(
    ("condition", "reads"),
    [
        ('context.path.id == "1"', False),
        ('context["query"] has limit && context.query.limit < 10', False),
        ("context.query has limit", False),
        ('principal.owner == Team::"team-orders"', False),
        ('context.time < datetime("2027-01-01")', True),
        (r'context["\u{74}ime"] < datetime("2027-01-01")', True),
        ('context.path.id == "1" || (if context has time then true else false)', True),
        ("context == context", True),
        ('{it: context}.it.time < datetime("2027-01-01")', True),
        ("[context].contains(context)", True),
    ],
)
def test_whether_a_condition_reads_the_time(written: Written, condition: str, reads: bool) -> None:  # noqa: FBT001 - expected
    (policy,) = written(f"permit ({SCOPE}) when {{ {condition} }};")
    assert reads_time(policy) == reads
    (policy,) = written(f"permit ({SCOPE}) when {{ true }} unless {{ {condition} }};")
    assert reads_time(policy) == reads


def test_a_policy_without_conditions_does_not_read_the_time(written: Written) -> None:
    (policy,) = written(f'@expires("2027-01-01") permit ({SCOPE});')
    assert not reads_time(policy)
