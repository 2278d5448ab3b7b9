"""A recorded call, decided again: what is known of it without its query, and what is not."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.envoy import shop
from tests.unit.insight.conftest import call, engine

from inward.insight import recorded
from inward.insight.recorded import Undecided
from inward.policy.decision import Decision, Reason
from inward.policy.request import Request

if TYPE_CHECKING:
    from tests.unit.insight.conftest import Make

    from inward.insight.recorded import Decider
    from inward.record.call import Call

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
LATER = datetime(2027, 8, 1, 12, tzinfo=UTC)
QUERY = 'when { context.query has region && context.query.region == "eu" }'


def decide(decider: Decider, recorded_call: Call, now: datetime = NOW) -> Decision | Undecided:
    return decider.decide(recorded_call, decider.operation(recorded_call), now)


def reason(decider: Decider, recorded_call: Call, now: datetime = NOW) -> str:
    decided = decide(decider, recorded_call, now)
    assert isinstance(decided, Decision)
    assert decided.allowed == (decided.reason == Reason.GRANTED)
    return decided.reason


def test_what_needs_no_query_is_decided(make: Make) -> None:
    granted = make(shop.policy("g"))
    assert reason(granted, call()) == Reason.GRANTED
    assert reason(granted, call(caller="monitor")) == Reason.NO_GRANT
    assert reason(granted, call(caller="gone")) == Reason.UNKNOWN_CALLER
    of_one = make(shop.policy("g", 'when { context.path.id == "1" }'))
    assert [reason(of_one, call(number)) for number in (1, 2)] == [Reason.GRANTED, Reason.CONDITION]
    assert reason(of_one, call(path="/orders/%31")) == Reason.BAD_PARAMETER


def test_the_moment_decides_about_expiries_and_conditions(make: Make) -> None:
    expiring = make(shop.policy("g", more='@expires("2026-12-31")'))
    assert [reason(expiring, call(), now) for now in (NOW, LATER, NOW)] == ["granted", "expired", "granted"]
    timed = make(shop.policy("g", 'when { context.time < datetime("2027-01-01") }'))
    assert [reason(timed, call(), now) for now in (NOW, LATER)] == ["granted", "condition"]


def test_where_the_query_would_decide_nothing_is_guessed(make: Make) -> None:
    assert decide(make(shop.policy("g", QUERY)), call()) == Undecided(("region",))
    assert decide(make(shop.policy("g", "when { context.query == context.query }")), call()) == Undecided(("region",))
    # A forbid could hold, or its parameter not be in plain form.
    forbidding = make(shop.policy("g") + shop.policy("f", QUERY, effect="forbid"))
    assert decide(forbidding, call()) == Undecided(("region",))
    assert decide(forbidding, call(caller="monitor")) == Decision(allowed=False, reason=Reason.NO_GRANT)


def test_where_constants_decide_the_query_does_not_matter(make: Make) -> None:
    never = make(shop.policy("g", QUERY) + shop.policy("f", effect="forbid"))
    assert decide(never, call()) == Decision(allowed=False, reason=Reason.FORBIDDEN, policies=("f",))
    expired = make(shop.policy("g", QUERY, more='@expires("2026-12-31")'))
    assert [decide(expired, call(), NOW), reason(expired, call(), LATER)] == [Undecided(("region",)), "expired"]
    only_now = make(shop.policy("g") + shop.policy("f", QUERY, effect="forbid", more='@expires("2026-12-31")'))
    assert [decide(only_now, call(), NOW), reason(only_now, call(), LATER)] == [Undecided(("region",)), "granted"]


CONDITIONS = ["", QUERY, 'when { context.path.id == "1" }', "unless { context.query has region }"]
EXPIRIES = ["", '@expires("2026-12-31")']
QUERIES = ["", "region=eu", "region=us", "region=%65u", "region=eu&region=eu"]


@pytest.mark.parametrize("forbid", CONDITIONS)
@pytest.mark.parametrize("expires", EXPIRIES)
@pytest.mark.parametrize("permit", CONDITIONS)
def test_what_is_decided_is_so_for_every_query(make: Make, permit: str, forbid: str, expires: str) -> None:
    """Never a guess: the engine, which is given a query, agrees whatever that is."""
    decider = make(shop.policy("g", permit) + shop.policy("f", forbid, more=expires, effect="forbid"))
    for number, now in itertools.product((1, 2), (NOW, LATER)):
        again = decide(decider, call(number), now)
        exact = {
            engine(decider).decide(Request("checkout", "orders:getOrder", f"/orders/{number}", query), now).allowed
            for query in QUERIES
        }
        if isinstance(again, Decision):
            assert exact == {again.allowed}
        else:
            assert again == Undecided(("region",))


def test_the_operation_is_resolved_by_the_templates_of_this_system(make: Make) -> None:
    renamed = shop.OPERATIONS["orders"] | {"getOrder": "GET /orders/{id}/full", "peek": "GET /orders/{id}"}
    api = json.dumps(shop.document(renamed))
    decider = make(api=api)
    assert getattr(decider.operation(call()), "id", None) == "orders:peek"
    assert getattr(decider.operation(call(path="/orders/1/full")), "id", None) == "orders:getOrder"
    assert reason(decider, call(path="/orders/1/2/3")) == Reason.UNKNOWN_OPERATION
    assert reason(decider, call(method="PURGE")) == Reason.UNKNOWN_OPERATION
    assert reason(decider, call(callee="checkout")) == Reason.UNKNOWN_SERVICE  # it takes no calls
    assert reason(decider, call(callee="gone")) == Reason.UNKNOWN_SERVICE
    assert reason(decider, call(callee="foreign")) == Reason.UNKNOWN_OPERATION


def test_a_caller_that_the_catalog_did_not_hold_is_known_by_its_identity(make: Make) -> None:
    decider = make(shop.policy("g"))
    assert reason(decider, call(caller=f"{shop.ID}/checkout")) == Reason.GRANTED
    assert reason(decider, call(caller=f"{shop.ID}/gone")) == Reason.UNKNOWN_CALLER
    assert reason(decider, call(caller="spiffe://else.where/checkout")) == Reason.UNKNOWN_CALLER


def test_cells_are_the_same_if_everything_that_decides_is(make: Make) -> None:
    one = make(shop.policy("g", QUERY))
    operation = one.operation(call())
    assert operation is not None
    assert one.same_cell(make(shop.policy("g", QUERY) + shop.policy("m", caller="monitor")), call(), operation)
    assert not one.same_cell(make(shop.policy("g")), call(), operation)
    assert not one.same_cell(make(shop.policy("g", QUERY) + shop.policy("h")), call(), operation)
    integer = json.dumps(shop.document(shop.OPERATIONS["orders"])).replace('"type": "string"', '"type": "integer"')
    loose = "when { context.query has region }"
    assert not make(shop.policy("g", loose)).same_cell(make(shop.policy("g", loose), api=integer), call(), operation)
    gone = json.dumps(shop.document({"regions": "GET /regions"}))
    assert not one.same_cell(make(api=gone), call(), operation)
    assert not one.same_cell(one, call(caller="gone"), operation)


def test_cells_that_are_kept_are_bounded(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "MAX_CELLS", 2)
    decider = make(shop.policy("g"))
    for caller in ("checkout", "monitor", "audit", "foreign"):
        reason(decider, call(caller=caller))
    assert len(decider._cells) <= 2
    assert reason(decider, call()) == Reason.GRANTED


OF_ONE = 'when { context.path.id == "1" }'


def templated(text: str | None, **fields: Any) -> Call:
    return call(path="/orders/{id}", parameters={} if text is None else {"id": text}, **fields)


def test_a_path_by_its_template_is_decided_as_the_path_itself(make: Make) -> None:
    for policies in (shop.policy("g"), shop.policy("g", OF_ONE)):
        decider = make(policies)
        for text in ("1", "2", "%31"):
            assert decide(decider, templated(text)) == decide(decider, call(path=f"/orders/{text}"))


@pytest.mark.parametrize("text", [None, "hash#00112233445566778899aabbccddeeff"])
def test_a_parameter_that_is_not_kept_is_never_guessed(make: Make, text: str | None) -> None:
    plain = make(shop.policy("g"))
    assert reason(plain, templated(text)) == Reason.GRANTED
    assert reason(plain, templated(text, caller="monitor")) == Reason.NO_GRANT
    of_one = make(shop.policy("g", OF_ONE))
    assert decide(of_one, templated(text)) == Undecided(("id",))
    forbidding = make(shop.policy("g", OF_ONE) + shop.policy("f", effect="forbid"))
    assert reason(forbidding, templated(text)) == Reason.FORBIDDEN
    timed = make(shop.policy("g", 'when { context.time < datetime("2027-01-01") }'))
    assert [reason(timed, templated(text), now) for now in (NOW, LATER)] == ["granted", "condition"]


@pytest.mark.parametrize("forbid", CONDITIONS)
@pytest.mark.parametrize("permit", CONDITIONS)
def test_what_is_decided_without_a_parameter_is_so_for_every_one(make: Make, permit: str, forbid: str) -> None:
    decider = make(shop.policy("g", permit) + shop.policy("f", forbid, effect="forbid"))
    again = decide(decider, templated(None))
    exact = {
        engine(decider).decide(Request("checkout", "orders:getOrder", f"/orders/{number}", query), NOW).allowed
        for number, query in itertools.product((1, 2, "%31"), QUERIES)
    }
    if isinstance(again, Decision):
        assert exact == {again.allowed}


def test_where_another_operation_could_be_meant_the_call_is_not_decided(make: Make) -> None:
    """The system has other templates now: which of them the path was of, only the parameter could tell."""
    orders = {key: value for key, value in shop.OPERATIONS["orders"].items() if key != "getOrder"}
    more: list[dict[str | None, str]] = [
        {"getOrder": "GET /orders/{id}", "mine": "GET /orders/mine"},
        {"all": "GET /{kind}/{id}"},
    ]
    for added in more:
        decider = make(api=json.dumps(shop.document(orders | added)))
        assert decide(decider, templated(None)) == Undecided(("id",))
        assert isinstance(decide(decider, templated("7")), Decision)
    gone: list[dict[str | None, str]] = [{}, {"getOrder": "GET /orders/{id}/full"}, {"getOrder": "DELETE /orders/{id}"}]
    for added in gone:
        decider = make(api=json.dumps(shop.document(orders | added)))
        assert reason(decider, templated(None)) == Reason.UNKNOWN_OPERATION
    renamed = make(api=json.dumps(shop.document(orders | {"peek": "GET /orders/{id}"})))
    assert decide(renamed, templated(None)) == Undecided(("id",))


def test_of_two_parameters_one_can_be_read_without_the_other(make: Make) -> None:
    api = json.dumps(shop.document({"getOrder": "GET /orders/{id}/lines/{line}-{part}"}))
    for kept, expected in (
        ({"id": "1"}, "granted"),
        ({"id": "2"}, "condition"),
        ({"id": "1", "part": "9"}, "granted"),
        ({"id": "1", "line": "3-4"}, "granted"),
        ({"line": "3"}, None),
    ):
        decider = make(shop.policy("g", OF_ONE), api=api)
        decided = decide(decider, call(path="/orders/{id}/lines/{line}-{part}", parameters=kept))
        assert decided == Undecided(("id",)) if expected is None else isinstance(decided, Decision)
        assert expected is None or decided.reason == expected  # type: ignore[union-attr] # it is a decision
