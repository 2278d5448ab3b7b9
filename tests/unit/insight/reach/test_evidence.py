"""Evidence: which calls are linked, what a forged or a missing trace does, and bounds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.insight.reach.conftest import operation, service

from inward.catalog.model import Catalog
from inward.insight.reach import evidence as evidence_module
from inward.insight.reach.evidence import Evidence, Tracing
from inward.record.call import Act, Call, Gap, timestamp

START = datetime(2026, 8, 1, 12, tzinfo=UTC)
NAMES = ("a", "b", "c", "d")
CATALOG = Catalog(
    "shop.test",
    MappingProxyType({name: service(name, (operation(name, "x"), operation(name, "y"))) for name in NAMES}),
    MappingProxyType({}),
)


def call(caller: str, called: str, at: int, length: int | None = 10, trace: str | None = "t", **fields: Any) -> Call:
    """Return a call at so many milliseconds, of so many."""
    given_: dict[str, Any] = {
        "time": timestamp(START + timedelta(milliseconds=at)),
        "id": f"{called}@{at}",
        "caller": caller,
        "callee": called.partition(":")[0],
        "operation": called,
        "decision": "allow",
        "carried_out": "allow",
        "reason": "granted",
        "duration_us": None if length is None else length * 1000,
        "trace": trace,
    }
    return Call(**{**given_, **fields})


def found(*entries: Call | Gap | Act) -> Evidence:
    return Tracing(CATALOG).add(entries).finish()


def links(evidence: Evidence) -> dict[tuple[str, str], tuple[int, int]]:
    return {key: (link.calls, link.sure) for key, link in evidence.links.items()}


def test_a_call_while_another_is_served_is_linked_to_it() -> None:
    inner, outer = call("b", "c:x", 3), call("a", "b:x", 0, 20)
    for order in ((inner, outer), (outer, inner)):  # the inner one ends first, and is mostly stored first
        evidence = found(*order)
        assert links(evidence) == {("b:x", "c:x"): (1, 1)}
        link = evidence.links["b:x", "c:x"]
        assert (link.reference, link.cause, link.last) == (inner.id, outer.id, inner.time)
        assert (evidence.made["b"].calls, evidence.made["b"].traced, evidence.made["b"].caused) == (1, 1, 1)


def test_it_goes_on_hop_by_hop_and_only_by_who_called() -> None:
    evidence = found(call("a", "b:x", 0, 30), call("b", "c:x", 1, 20), call("c", "d:x", 2, 5), call("a", "c:y", 4, 2))
    assert links(evidence) == {("b:x", "c:x"): (1, 1), ("c:x", "d:x"): (1, 1)}


def test_another_trace_or_none_links_nothing_and_is_counted() -> None:
    outer = call("a", "b:x", 0, 20)
    evidence = found(
        outer, call("b", "c:x", 3, trace="u"), call("b", "d:y", 4, trace=None), call("b", "d:y", 5, trace=None)
    )
    assert not evidence.links
    made = evidence.made["b"]
    assert (made.calls, made.traced, made.caused) == (3, 1, 0)
    assert made.uncaused == {"d:y": 2, "c:x": 1}


def test_a_trace_that_is_used_again_links_only_what_came_while_it_was_served() -> None:
    evidence = found(
        call("a", "b:x", 0, 10), call("b", "c:x", 5, 1), call("a", "b:y", 5_000, 10), call("b", "d:x", 5_005, 1)
    )
    assert links(evidence) == {("b:x", "c:x"): (1, 1), ("b:y", "d:x"): (1, 1)}


def test_calls_under_a_trace_of_others_are_linked_and_not_sure() -> None:
    """Whoever learns a trace can call with it at the same time: that makes a link doubtful, and hides none."""
    evidence = found(call("a", "b:x", 0, 20), call("d", "b:y", 1, 20), call("b", "c:x", 5, 1))
    assert links(evidence) == {("b:x", "c:x"): (1, 0), ("b:y", "c:x"): (1, 0)}
    evidence = found(call("a", "b:x", 0, 20), call("d", "b:x", 1, 20), call("b", "c:x", 5, 1))
    assert links(evidence) == {("b:x", "c:x"): (1, 1)}  # the same operation, whoever caused it


@pytest.mark.parametrize(("at", "linked"), [(-900, True), (-1_100, False), (900, True), (1_100, False), (10, True)])
def test_near_in_time_is_linked_and_not_sure(at: int, linked: bool) -> None:  # noqa: FBT001 - a table's column
    evidence = found(call("a", "b:x", 0, 10), call("b", "c:x", at, 1))
    expected = {("b:x", "c:x"): (1, int(at == 10))} if linked else {}
    assert links(evidence) == expected


def test_times_are_cut_off_to_milliseconds() -> None:
    """One that was served from 0.9 to 10.4 is recorded as begun at 0, and a call at 10.2 as one at 10."""
    evidence = found(call("a", "b:x", 0, duration_us=9_500), call("b", "c:x", 10, 1))
    assert links(evidence) == {("b:x", "c:x"): (1, 1)}


def test_what_was_not_let_through_was_not_served_but_may_have_been_tried() -> None:
    refused: dict[str, Any] = {"decision": "deny", "carried_out": "deny", "reason": "no_grant"}
    assert not found(call("a", "b:x", 0, 10, **refused), call("b", "c:x", 5)).links
    assert links(found(call("a", "b:x", 0, 10), call("b", "c:x", 5, **refused))) == {("b:x", "c:x"): (1, 1)}


def test_what_is_no_call_between_services_of_the_catalog_is_left_out() -> None:
    evidence = found(
        call("a", "b:x", 0, 20),
        call("b", "c:x", 3, enforcer="egress"),
        call("spiffe://shop.test/gone", "b:x", 3),
        call("b", "c:gone", 3),
        call("b", "c:x", 3, operation=None),
        Gap(time="", why="lost"),
        Act(time="", what="start"),
    )
    assert (evidence.calls, evidence.gaps, dict(evidence.links)) == (1, 1, {})


@pytest.mark.parametrize("time", ["", "when", "2026-08-01", "9999-99-99T00:00:00Z", "2026-08-01T12:00:00"])
def test_a_time_that_is_none_links_nothing(time: str) -> None:
    evidence = found(call("a", "b:x", 0, 20), call("b", "c:x", 3, time=time))
    assert not evidence.links
    assert evidence.made["b"].uncaused == {"c:x": 1}


def test_a_call_does_not_cause_itself() -> None:
    assert not found(call("b", "b:x", 0, 20)).links
    assert links(found(call("a", "b:y", 0, 20), call("b", "b:x", 3, 5))) == {("b:y", "b:x"): (1, 1)}


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence_module, "MAX_PENDING", 4)
    tracing = Tracing(CATALOG)
    tracing.add(call("a", "b:x", number, trace=f"{number}") for number in range(100))
    assert tracing._waiting <= 5
    assert tracing.finish().made["a"].uncaused == {"b:x": 100}
    monkeypatch.setattr(evidence_module, "MAX_OF_TRACE", 4)
    evidence = found(*(call("a", "b:x", number) for number in range(10)))
    assert evidence.crowded == 2
    monkeypatch.setattr(evidence_module, "MAX_LINKS", 1)
    evidence = found(call("a", "b:x", 0, 20), call("b", "c:x", 3), call("b", "c:y", 4), call("b", "c:x", 5))
    assert (links(evidence), evidence.left_out) == ({("b:x", "c:x"): (2, 2)}, 1)


calls = st.builds(
    call,
    st.sampled_from(NAMES),
    st.sampled_from([each.id for each in CATALOG.operations.values()]),
    st.integers(0, 3_000),
    st.sampled_from([None, 0, 5, 500]),
    st.sampled_from(["t", "u", None]),
    decision=st.sampled_from(["allow", "deny"]),
    carried_out=st.sampled_from(["allow", "deny"]),
)


@settings(deadline=None)
@given(st.lists(calls, max_size=14))
def test_it_agrees_with_looking_at_every_pair(recorded: list[Call]) -> None:
    def within(served: Call, made: Call) -> bool:
        begun, came = datetime.fromisoformat(served.time), datetime.fromisoformat(made.time)
        return begun <= came <= begun + timedelta(microseconds=(served.duration_us or 0) + 1_000)

    expected: set[tuple[str | None, str | None]] = set()
    for made in recorded:
        for served in recorded:
            linked = made.trace is not None and made.trace == served.trace and made.caller == served.callee
            if linked and served is not made and served.carried_out == "allow" and within(served, made):
                expected.add((served.operation, made.operation))
    evidence = found(*recorded)
    assert {key for key, link in evidence.links.items() if link.sure} <= expected <= set(evidence.links)
    for made_by in evidence.made.values():
        assert made_by.caused + made_by.uncaused.total() == made_by.calls
