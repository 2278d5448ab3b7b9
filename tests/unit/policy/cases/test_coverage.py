from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inward.policy.cases.coverage import Coverage, coverage_of
from inward.policy.cases.load import load_and_run
from inward.policy.decide import Engine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.policy.cases.conftest import Load, Ran

    from inward.catalog.model import Catalog

    Cover = Callable[[str, str], Coverage]

CEDAR = """@id("small") @reason("context.query.limit < 5, they say")
permit (
  principal == Service::"reporting",
  action == Action::"orders:getOrder",
  resource == Service::"orders"
) when {
  context.query has limit &&
  // the least
  context.query.limit < 5
} unless {
  context.query has dry_run
    || context.path.id == "9"
};

@id("till") @reason("r") @expires("2027-06-30")
permit (principal == Service::"checkout", action in Action::"orders:*", resource == Service::"orders");

@id("never") @reason("r")
forbid (principal == Service::"checkout", action == Action::"orders:createOrder", resource == Service::"orders");
"""
REQUESTS = """
requests:
  a: {path: {id: 1}, query: {limit: 3}}
  b: {path: {id: 1}, query: {limit: 7}}
  c: {path: {id: 9}, query: {limit: 3}}
  d: {path: {id: 1}}
  e: {path: {id: 1}, query: {dry_run: true}}
  raw: {path: /orders/%31}
"""


def asking(caller: str, operation: str, requests: str, now: str = "2027-01-15T12:00:00Z") -> str:
    named = set(requests.split(", "))
    kept = "".join(line for line in REQUESTS.splitlines(keepends=True) if line.strip().partition(":")[0] in named)
    return (
        f"requests:\n{kept}tests:\n- {{name: t, now: '{now}', callers: [{caller}], operations: ['{operation}'], "
        f"requests: [{requests}]}}\n"
    )


@pytest.fixture
def cover(shop: Catalog, ran: Callable[[str, str], Ran]) -> Cover:
    def covered(cedar: str, text: str) -> Coverage:
        done = ran(cedar, text)
        return coverage_of(done.outcomes, shop, done.policies, done.engine)

    return covered


def gaps(coverage: Coverage) -> list[tuple[str, str, int, str]]:
    return [(gap.kind, gap.text, gap.place.line, gap.never) for gap in coverage.gaps]


def test_a_term_is_exercised_when_it_was_seen_both_ways(cover: Cover) -> None:
    found = cover(CEDAR, asking("reporting", "orders:getOrder", "a, b, c, d, e"))
    assert gaps(found) == []
    assert [policy.id for policy in found.missed] == ["till", "never"]
    assert (found.policies, found.exercised, found.terms, found.seen, found.complete) == (3, 1, 4, 4, False)


def test_what_was_seen_one_way_only_is_named_with_its_place(cover: Cover) -> None:
    found = cover(CEDAR, asking("reporting", "orders:getOrder", "a, b"))
    assert gaps(found) == [
        ("when", "context.query has limit", 7, "unmet"),
        ("unless", "context.query has dry_run", 11, "unmet"),
        ("unless", 'context.path.id == "9"', 12, "unmet"),
    ]
    assert (found.terms, found.seen) == (4, 1)
    found = cover(CEDAR, asking("reporting", "orders:getOrder", "d, e"))
    assert gaps(found) == [
        ("when", "context.query has limit", 7, "met"),
        ("when", "context.query.limit < 5", 9, "seen"),
        ("unless", 'context.path.id == "9"', 12, "unmet"),
    ]


def test_a_refusal_before_any_condition_exercises_nothing(cover: Cover) -> None:
    assert cover(CEDAR, asking("reporting", "orders:getOrder", "raw")).exercised == 0
    assert cover(CEDAR, asking("payments", "orders:getOrder", "a")).exercised == 0
    assert cover(CEDAR, asking("checkout", "orders:getOrder", "a", now="2027-07-01T00:00:00Z")).exercised == 0


def test_what_decides_without_conditions_is_exercised(cover: Cover) -> None:
    found = cover(CEDAR, asking("checkout", "orders:getOrder", "a", now="2027-06-30T23:59:59Z"))
    assert [policy.id for policy in found.missed] == ["small", "never"]
    create = "tests: [{name: t, callers: [checkout], operations: [orders:createOrder]}]"
    assert [policy.id for policy in cover(CEDAR, create).missed] == ["small", "till"]  # the forbid is what decides


def test_everything_shown_is_complete(cover: Cover) -> None:
    text = asking("reporting", "orders:getOrder", "a, b, c, d, e")
    text += "- {name: u, callers: [checkout], operations: [orders:getOrder], requests: [a]}\n"
    text += "- {name: v, callers: [checkout], operations: [orders:createOrder]}\n"
    assert cover(CEDAR, text).complete


def test_guardrails_and_disclosures_are_left_out(shop: Catalog, load: Load, tmp_path: Path) -> None:
    policies, mistakes = load(
        {
            "guardrails.cedar": '@id("g") @reason("r") forbid (principal == Service::"payments", action, resource);',
            "policies/orders.cedar": '@id("d") @reason("r") permit (principal == Service::"checkout", '
            'action == Action::"disclose", resource == DataClass::"pii");',
        }
    )
    assert mistakes == []
    outcomes, _ = load_and_run(tmp_path, shop, Engine(shop, policies))
    found = coverage_of(outcomes, shop, policies, Engine(shop, policies))
    assert (found.policies, found.complete) == (0, True)
