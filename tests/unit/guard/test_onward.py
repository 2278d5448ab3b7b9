"""What goes on with the calls of a handler: the trace of this hop, and the token as it came, or nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from inward.guard.onward import MAX_TOKEN, MAX_TRACESTATE, Onward

if TYPE_CHECKING:
    from collections.abc import Sequence

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmVk"


def passed(*given: tuple[str, str]) -> dict[str, str]:
    return Onward(given, {"orders"}).headers()


def test_a_trace_goes_on_with_a_parent_of_this_hop() -> None:
    first, second = passed(("traceparent", TRACEPARENT)), passed(("traceparent", TRACEPARENT))
    assert list(first) == ["traceparent"]
    for each in (first, second):
        assert re.fullmatch(rf"00-{TRACE}-[0-9a-f]{{16}}-01", each["traceparent"])
        assert PARENT not in each["traceparent"]
    assert first != second


def test_a_later_version_goes_on_as_the_one_that_is_spoken_here() -> None:
    assert passed(("traceparent", f"01-{TRACE}-{PARENT}-00-more"))["traceparent"].startswith(f"00-{TRACE}-")


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        TRACEPARENT.upper(),
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{TRACE}-{PARENT}",
        f"{TRACEPARENT}\n",
        f"{TRACEPARENT}\r\nx: y",
    ],
)
def test_a_trace_that_is_malformed_ends_here_with_its_state(traceparent: str) -> None:
    assert passed(("traceparent", traceparent), ("tracestate", "a=1")) == {}


def test_two_traces_are_none() -> None:
    assert passed(("traceparent", TRACEPARENT), ("traceparent", TRACEPARENT)) == {}


@pytest.mark.parametrize(
    ("states", "kept"),
    [
        (["a=1"], "a=1"),
        (["a=1", "b=2"], "a=1,b=2"),
        (["a=" + "1" * (MAX_TRACESTATE - 2)], "a=" + "1" * (MAX_TRACESTATE - 2)),
        (["a=" + "1" * (MAX_TRACESTATE - 1)], None),
        (["a=\r\nx: y"], None),
        (["a=\u00e9"], None),
        ([], None),
    ],
)
def test_the_state_of_a_trace_goes_on_as_it_came(states: Sequence[str], kept: str | None) -> None:
    found = passed(("traceparent", TRACEPARENT), *(("tracestate", state) for state in states))
    assert found.get("tracestate") == kept


def test_the_token_goes_on_as_it_came() -> None:
    assert passed(("txn-token", TOKEN)) == {"txn-token": TOKEN}


@pytest.mark.parametrize(
    "tokens",
    [[""], ["no token"], [TOKEN, TOKEN], [f"{TOKEN}\r\nx: y"], [f"a.b.{'c' * MAX_TOKEN}"], ["a.b"], ["a.b.c.d"]],
)
def test_what_is_no_one_token_goes_nowhere(tokens: Sequence[str]) -> None:
    assert passed(*(("txn-token", token) for token in tokens)) == {}


def test_only_services_of_the_system_are_told() -> None:
    onward = Onward([], {"orders"})
    assert onward.is_internal("http", "orders")
    assert not any(
        onward.is_internal(scheme, host)
        for scheme, host in [("https", "orders"), ("http", "orders.example"), ("http", ""), ("http", "ORDERS")]
    )


def test_no_text_of_it_has_the_token() -> None:
    onward = Onward([("txn-token", TOKEN)], set())
    assert TOKEN not in repr(onward) + str(onward) + f"{onward}"
