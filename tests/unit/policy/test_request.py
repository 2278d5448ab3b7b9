from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import cedarpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inward.catalog.model import Mode, Operation, Parameter
from inward.catalog.template import PathTemplate
from inward.errors import Place
from inward.policy.model import Policy
from inward.policy.request import (
    BadParameterError,
    Read,
    build_context,
    cedar_datetime,
    literal_pattern,
    occurs_pattern,
    reads_of,
    twice_pattern,
)

if TYPE_CHECKING:
    from inward.catalog.model import ParameterType

PLACE = Place("policies/orders.cedar", 1)
NOW = datetime(2026, 11, 23, 16, 45, 10, 123999, tzinfo=UTC)


def _query(name: str, kind: ParameterType, *, required: bool = False) -> Parameter:
    return Parameter(name, "query", kind, required)


OPERATION = Operation(
    service="orders",
    name="getLine",
    method="GET",
    template=PathTemplate("/orders/{id}/lines/{n}"),
    parameters=(
        Parameter("id", "path", "string", required=True),
        Parameter("n", "path", "integer", required=True),
        _query("q", "string"),
        _query("user_id", "integer"),
        _query("all", "boolean"),
        _query("must", "string", required=True),
    ),
    mode=Mode.ENFORCE,
    deprecated=False,
    place=PLACE,
)
EVERY: frozenset[Read] = frozenset((parameter.where, parameter.name) for parameter in OPERATION.parameters)


def policy(condition: str) -> Policy:
    text = f"permit (principal, action, resource) when {{ {condition} }};"
    (tree,) = cedarpy.policies_to_pst(text).static_policies.values()
    return Policy("p", "permit", "why", None, "orders", PLACE, text, tree)


def values(query: str, *reads: Read, path: str = "/orders/a/lines/1") -> dict[str, Any]:
    context = build_context(OPERATION, path, query, NOW, frozenset(reads))
    return {**context["path"], **context["query"]}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('context.path.id == "a"', {("path", "id")}),
        ('context["path"]["id"] == "a"', {("path", "id")}),
        ('context.query has q && context.query.q == "a"', {("query", "q")}),
        ("context.query has all", {("query", "all")}),
        ("context has query.all", {("query", "all")}),
        ("context has path && context has time", set()),
        ('context.time < datetime("2027-01-01")', set()),
        ("context.path has nope || context.query has nope", set()),
        ('context.path == {id: "a", n: 1}', {("path", "id"), ("path", "n")}),
        ("[context.path].contains(context.path)", {("path", "id"), ("path", "n")}),
        ('if principal in Team::"t" then context.query.all else !(context.path.id like "a*")',
         {("query", "all"), ("path", "id")}),
        ("{a: [context.path.n + 1]}.a.contains(2)", {("path", "n")}),
        ("false && context.query.user_id == 1", {("query", "user_id")}),
        ('principal is Service in Team::"t"', set()),
        ("[context].contains(context)", set(EVERY)),
        ('(if true then context else context).path.id == "a"', set(EVERY)),
    ],
)  # fmt: skip
def test_what_a_condition_reads(condition: str, expected: set[Read]) -> None:
    assert reads_of([policy(condition)], OPERATION) == expected


def test_policies_without_conditions_read_nothing_and_several_are_joined() -> None:
    assert reads_of([], OPERATION) == frozenset()
    both = [policy('context.path.id == "a"'), policy("context.query has q")]
    assert reads_of(both, OPERATION) == {("path", "id"), ("query", "q")}


def test_values_are_typed_and_only_what_is_read_is_there() -> None:
    context = build_context(OPERATION, "/orders/a-1/lines/-7", "user_id=12&z=%20&all=true&must=m", NOW, EVERY)
    assert context == {
        "path": {"id": "a-1", "n": -7},
        "query": {"user_id": 12, "all": True, "must": "m"},
        "time": {"__extn": {"fn": "datetime", "arg": "2026-11-23T16:45:10.123Z"}},
    }
    assert build_context(OPERATION, "/anything%zz", "&&;", NOW, frozenset())["path"] == {}
    assert values("q=%41&all=x", ("path", "n")) == {"n": 1}  # nothing else is looked at


@pytest.mark.parametrize(
    "path",
    ["/orders/a%20b/lines/1", "/orders/a+b/lines/1", "/orders/a;x/lines/1", "/orders//lines/1", "/other", "",
     "/orders/a/lines/1\n", "/orders/ä/lines/1", "/orders/a/lines/1/", "/orders/a\n/lines/1"],
)  # fmt: skip
def test_path_strings_that_are_refused(path: str) -> None:
    assert values("", ("path", "id")) == {"id": "a"}
    with pytest.raises(BadParameterError):
        values("", ("path", "id"), path=path)


@pytest.mark.parametrize("number", ["0", "-1", "7", "9" * 18, "-" + "9" * 18])
def test_integers(number: str) -> None:
    assert values(f"user_id={number}", ("query", "user_id")) == {"user_id": int(number)}
    assert values("", ("path", "n"), path=f"/orders/a/lines/{number}") == {"n": int(number)}


@pytest.mark.parametrize(
    "number",
    ["", "01", "-0", "+1", "1.0", "1e3", "0x1", "1_0", "9" * 19, "-" + "9" * 19, "--1", "%31", "1 ", "true", "\u0661"],
)
def test_integers_that_are_refused(number: str) -> None:
    with pytest.raises(BadParameterError):
        values(f"user_id={number}", ("query", "user_id"))
    with pytest.raises(BadParameterError):
        values("", ("path", "n"), path=f"/orders/a/lines/{number}")


@pytest.mark.parametrize("text", ["", "TRUE", "True", "1", "0", "yes", "on", "true ", "false,true"])
def test_booleans_that_are_refused(text: str) -> None:
    assert values("all=true", ("query", "all")) == {"all": True}
    assert values("all=false", ("query", "all")) == {"all": False}
    with pytest.raises(BadParameterError):
        values(f"all={text}", ("query", "all"))


@pytest.mark.parametrize(
    "query",
    ["", "z", "z=", "z=1&z=2", "z=a+b", "z=%26q%3D1", "z=q=1", "aq=1&qq=2", "a.b:c[d]~-=?/@!$'()*,", "q-=1", "z=?q=1"],
)
def test_queries_in_which_a_parameter_is_absent(query: str) -> None:
    assert values(query, ("query", "q")) == {}


@pytest.mark.parametrize(
    "query",
    # each is read by some library as a parameter `q` that another library does not see, or sees otherwise
    ["q", "q&a=1", "q=1&q=2", "q=1&q", "q=1&Q=2", "Q=1", "q[]=1", "q[x]=1", "q[=1", "%71=1", "q%20=1", "+q=1",
     "a=1;q=2", "q=1;", "&", "q=1&", "&q=1", "a=1&&b=2", "=1", "q=a+b", "q=%61", "q=a b", "q=ä", "z=ä", "q=1#",
     "q=1\n", "z=\x00", "q=a=b", "q=\t", "z= ", "q\\=1", "q=<", "a\u212ab=1"],
)  # fmt: skip
def test_queries_that_are_refused(query: str) -> None:
    with pytest.raises(BadParameterError):
        values(query, ("query", "q"))
    assert values(query, ("path", "n")) == {"n": 1}  # a condition that does not read the query does not mind


@pytest.mark.parametrize("twin", ["user.id", "user[id", "USER_ID", "User.Id", "user_id[0]", "user_id[]"])
def test_names_that_some_library_takes_for_the_same(twin: str) -> None:
    for query in (f"{twin}=1", f"user_id=1&{twin}=2", f"{twin}=2&user_id=1"):
        with pytest.raises(BadParameterError):
            values(query, ("query", "user_id"))


def test_a_required_parameter_must_be_there() -> None:
    assert values("must=", ("query", "must")) == {"must": ""}
    with pytest.raises(BadParameterError, match="`must` is missing"):
        values("q=1", ("query", "must"))


def test_a_query_that_tries_the_expressions_takes_linear_time() -> None:
    for query in ("q=" + "a" * 60_000, "&q" * 30_000, "q[=1&" * 12_000, "a" * 60_000 + "%"):
        with pytest.raises(BadParameterError):
            values(query + ";", ("query", "q"))


def test_the_time_is_truncated_to_milliseconds_in_utc() -> None:
    assert cedar_datetime(NOW.astimezone(timezone(timedelta(hours=5)))) == cedar_datetime(NOW)
    early = datetime(1, 1, 1, 0, 0, 0, 999, tzinfo=UTC)
    assert cedar_datetime(early) == {"__extn": {"fn": "datetime", "arg": "0001-01-01T00:00:00.000Z"}}
    with pytest.raises(ValueError, match="time zone"):
        cedar_datetime(NOW.replace(tzinfo=None))


@given(st.text(max_size=20))
def test_a_literal_is_found_as_it_is(text: str) -> None:
    assert re.fullmatch(literal_pattern(text), text)


NAMES = st.text("ab_.[]-", min_size=1, max_size=4)


@given(NAMES, st.lists(st.tuples(NAMES, st.sampled_from(["", "=", "=1"])), min_size=1, max_size=4))
def test_appearances_are_counted_as_by_hand(name: str, items: list[tuple[str, str]]) -> None:
    def same(other: str) -> bool:
        if len(other) < len(name):
            return False
        head, tail = other[: len(name)], other[len(name) :]
        alike = all(a == b or (a == "_" and b in "._[") for a, b in zip(name, head, strict=True))
        return alike and (not tail or tail.startswith("["))

    query = "&".join(item + value for item, value in items)
    count = sum(same(item) for item, _ in items)
    assert bool(re.search(occurs_pattern(name), query)) == (count >= 1)
    assert bool(re.search(twice_pattern(name), query)) == (count >= 2)


@given(st.text(st.characters(max_codepoint=0x2FF), max_size=40), st.text("/orders/a1lines%2f-", max_size=40))
def test_whatever_is_sent_is_a_context_or_a_refusal(query: str, path: str) -> None:
    for reads in (EVERY, frozenset({("query", "q")}), frozenset({("path", "id")})):
        try:
            context = build_context(OPERATION, path, query, NOW, reads)  # type: ignore[arg-type]  # narrower sets
        except BadParameterError:
            continue
        assert set(context["path"]) | set(context["query"]) <= {name for _, name in reads}
