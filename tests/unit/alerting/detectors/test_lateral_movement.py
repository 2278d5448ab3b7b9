from __future__ import annotations

import pytest
from tests.unit.alerting.conftest import DAY, HOUR, MINUTE, act, call, fired, week

SLUG = "lateral-movement"
AT = 9 * DAY


def test_a_chain_of_new_edges_is_told_of_as_a_chain() -> None:
    hops = [call(AT, "a", "b:x"), call(AT + 5 * MINUTE, "b", "c:x"), call(AT + 9 * MINUTE, "c", "d:x")]
    alerts = fired([*week(), *hops], SLUG)
    assert [each.severity for each in alerts] == ["high", "critical"]
    assert alerts[-1].why == "3 edges that were never there before follow one another within 9 minutes: a → b → c → d"
    assert alerts[-1].calls == tuple(each.id for each in hops)
    assert len({each.id for each in alerts}) == 1


def test_an_intruder_is_refused_at_the_second_hop() -> None:
    [alert] = fired([*week(), call(AT, "a", "b:x"), call(AT + 60, "b", "c:x", reason="no_grant")], SLUG)
    assert alert.why.endswith("; 1 of them refused")


@pytest.mark.parametrize("traces", [(None, None), ("1" * 32, "2" * 32), ("1" * 32, None)])
def test_a_trace_that_is_missing_or_forged_takes_nothing_away(traces: tuple[str | None, str | None]) -> None:
    first, second = traces
    [alert] = fired([*week(), call(AT, "a", "b:x", trace=first), call(AT + 60, "b", "c:x", trace=second)], SLUG)
    assert alert.severity == "high"


def test_one_trace_makes_it_worse() -> None:
    [alert] = fired([*week(), call(AT, "a", "b:x", trace="1" * 32), call(AT + 60, "b", "c:x", trace="1" * 32)], SLUG)
    assert alert.severity == "critical"
    assert "in one trace" in alert.why


def test_one_caller_that_reaches_many_services_is_told_of() -> None:
    [alert] = fired([*week(), *(call(AT + at, "a", f"{name}:x") for at, name in enumerate("bcd"))], SLUG)
    assert alert.why == "a reached 3 services within an hour by operations that it never called before"


def test_who_spreads_out_first_does_not_hide_how_it_goes_on() -> None:
    spread = [call(AT + at, "a", f"{name}:x") for at, name in enumerate("bcdefg")]
    alerts = fired([*week(), *spread, call(AT + 60, "g", "vault:x")], SLUG)
    assert alerts[-1].why == "2 edges that were never there before follow one another within 55 seconds: a → g → vault"
    assert alerts[-1].id not in {each.id for each in alerts[:-1]}


def test_what_is_too_far_apart_granted_anew_or_refused_first_is_no_chain() -> None:
    granted = act(AT - HOUR, "policy", "v2", "in the place of v1; added: fresh")
    apart = [call(AT, "a", "b:x"), call(AT + 2 * HOUR, "b", "c:x")]
    fresh = [granted, call(AT, "a", "b:x", policies=("fresh",)), call(AT + 60, "b", "c:x", policies=("fresh",))]
    refused = [call(AT, "a", "b:x", reason="no_grant"), call(AT + 60, "b", "c:x")]
    for entries in (apart, fresh, refused):
        assert fired([*week(), *entries], SLUG) == []


def test_a_grant_that_ends_makes_no_edge_that_was_never_there() -> None:
    entries = [call(0, "b", "c:x"), *week(), call(AT, "a", "b:x"), call(AT + 60, "b", "c:x", reason="no_grant")]
    assert fired(entries, SLUG) == []


def test_a_ring_of_new_edges_comes_to_an_end() -> None:
    hops = [call(AT + at, "abc"[at % 3], f"{'abc'[(at + 1) % 3]}:op{at}") for at in range(300)]
    alerts = fired([*week(), *hops], SLUG)
    assert 1 <= len(alerts) <= 9
