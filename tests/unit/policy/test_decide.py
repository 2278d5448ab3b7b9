from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import cedarpy
import pytest

from inward.policy.decide import Engine
from inward.policy.decision import Decision, Reason
from inward.policy.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from inward.catalog.model import Catalog
    from inward.errors import Mistake
    from inward.policy.model import Policies

    Load = Callable[[dict[str, str]], tuple[Policies, list[Mistake]]]
    EngineOf = Callable[..., Engine]

NOW = datetime(2030, 6, 15, 12, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
QUOTED = '"1"'
GET = 'principal == Service::"checkout", action == Action::"orders:getOrder", resource'
COUNT = 'principal == Service::"checkout", action == Action::"orders:countOrders", resource'


@pytest.fixture
def engine(shop: Catalog, load: Load) -> EngineOf:
    """Make an engine of policies of `orders`, which get the ids p0, p1, …"""

    def of(*policies: str, guardrails: str = "", max_cells: int = 1_000) -> Engine:
        text = "\n".join(f'@id("p{number}") @reason("r") {policy}' for number, policy in enumerate(policies))
        loaded, mistakes = load({"policies/orders.cedar": text, "guardrails.cedar": guardrails})
        assert mistakes == []
        return Engine(shop, loaded, max_cells=max_cells)

    return of


def get(path: str = "/orders/1", query: str = "", caller: str = "checkout") -> Request:
    return Request(caller, "orders:getOrder", path, query)


def count(n: str, query: str = "q=a") -> Request:
    return Request("checkout", "orders:countOrders", f"/counts/{n}", query)


def refused(reason: Reason, *policies: str) -> Decision:
    return Decision(allowed=False, reason=reason, policies=policies)


def granted(*policies: str) -> Decision:
    return Decision(allowed=True, reason=Reason.GRANTED, policies=policies)


def permit(condition: str = "", scope: str = GET) -> str:
    return f"permit ({scope}) when {{ {condition} }};" if condition else f"permit ({scope});"


def forbid(condition: str = "", scope: str = GET) -> str:
    return permit(condition, scope).replace("permit", "forbid", 1)


# --- step 1: unknown callers and operations ---------------------------------------------------------------------------


@pytest.mark.parametrize("caller", ["nobody", "", "Checkout", "checkout\n", 'checkout"', "team-orders"])
def test_an_unknown_caller_is_refused_whatever_is_granted(engine: EngineOf, caller: str) -> None:
    anybody = engine('permit (principal, action, resource == Service::"orders");')
    assert anybody.decide(get(), NOW).allowed
    assert anybody.decide(get(caller=caller), NOW) == refused(Reason.UNKNOWN_CALLER)


@pytest.mark.parametrize("operation", ["orders:*", "orders:read", "read", "orders:nothing", "", "disclose"])
def test_an_unknown_operation_is_refused(engine: EngineOf, operation: str) -> None:
    anybody = engine('permit (principal, action, resource == Service::"orders");')
    request = Request("checkout", operation, "/orders/1", "")
    assert anybody.decide(request, NOW) == refused(Reason.UNKNOWN_OPERATION)
    assert anybody.decide(Request("nobody", operation, "/", ""), NOW) == refused(Reason.UNKNOWN_CALLER)


# --- steps 2 and 3: what is constant ----------------------------------------------------------------------------------


def test_nothing_is_granted_by_default(engine: EngineOf) -> None:
    assert engine().decide(get(), NOW) == refused(Reason.NO_GRANT)
    assert engine(permit()).decide(get(caller="payments"), NOW) == refused(Reason.NO_GRANT)
    assert engine(forbid()).decide(get(), NOW) == refused(Reason.NO_GRANT)


def test_a_grant_allows_and_all_that_grant_are_named(engine: EngineOf) -> None:
    assert engine(permit()).decide(get(), NOW) == granted("p0")
    assert engine(permit(), permit(), forbid(scope=COUNT)).decide(get(), NOW) == granted("p0", "p1")


def test_a_forbid_wins(engine: EngineOf) -> None:
    assert engine(permit(), forbid(), forbid()).decide(get(), NOW) == refused(Reason.FORBIDDEN, "p1", "p2")
    guardrail = '@id("g") @reason("r") forbid (principal in Group::"web", action, resource);'
    assert engine(permit(), guardrails=guardrail).decide(get(), NOW) == refused(Reason.FORBIDDEN, "g")


@pytest.mark.parametrize("path", ["/orders/%2e", "no path", "", "/orders/1\x00"])
def test_without_conditions_the_request_is_not_looked_at(engine: EngineOf, path: str) -> None:
    assert engine(permit()).decide(get(path, "%%%&&&=;"), NOW) == granted("p0")


def test_a_constant_decision_does_not_ask_cedar(engine: EngineOf, monkeypatch: pytest.MonkeyPatch) -> None:
    ready = engine(permit(), f'@expires("2031-01-01") {permit()}')
    monkeypatch.delattr(cedarpy, "is_authorized")
    assert ready.decide(get(), NOW) == granted("p0", "p1")
    assert ready.decide(get(caller="payments"), NOW) == refused(Reason.NO_GRANT)


# --- step 2: expiry ---------------------------------------------------------------------------------------------------


def test_a_grant_holds_until_the_very_moment_of_its_expiry(engine: EngineOf) -> None:
    ready = engine(f'@expires("2030-06-15T12:00:00Z") {permit()}')
    assert ready.decide(get(), NOW - MOMENT) == granted("p0")
    assert ready.decide(get(), NOW) == refused(Reason.EXPIRED, "p0")
    assert ready.decide(get(), NOW - MOMENT) == granted("p0")  # a clock that was set back


def test_a_day_holds_to_its_end(engine: EngineOf) -> None:
    ready = engine(f'@expires("2030-06-15") {permit()}')
    midnight = datetime(2030, 6, 16, tzinfo=UTC)
    assert ready.decide(get(), midnight - MOMENT) == granted("p0")
    assert ready.decide(get(), midnight) == refused(Reason.EXPIRED, "p0")


def test_the_zone_of_now_does_not_matter(engine: EngineOf) -> None:
    ready = engine(f'@expires("2030-06-15T12:00:00Z") {permit()}')
    ahead = timezone(timedelta(hours=5))
    assert ready.decide(get(), (NOW - MOMENT).astimezone(ahead)).allowed
    assert not ready.decide(get(), NOW.astimezone(ahead)).allowed


def test_a_moment_without_a_zone_is_an_error_and_no_decision(engine: EngineOf) -> None:
    naive = NOW.replace(tzinfo=None)
    with pytest.raises(TypeError):
        engine(f'@expires("2030-06-15") {permit()}').decide(get(), naive)
    with pytest.raises(ValueError, match="time zone"):
        engine(permit('context.time > datetime("2020-01-01")')).decide(get(), naive)


def test_forbids_expire_too(engine: EngineOf) -> None:
    ready = engine(permit(), f'@expires("2030-06-15T12:00:00Z") {forbid()}')
    assert ready.decide(get(), NOW - MOMENT) == refused(Reason.FORBIDDEN, "p1")
    assert ready.decide(get(), NOW) == granted("p0")


def test_each_phase_between_expiries(engine: EngineOf) -> None:
    ready = engine(
        f'@expires("2030-06-15T10:00:00Z") {forbid()}',
        f'@expires("2030-06-15T11:00:00Z") {permit()}',
        f'@expires("2030-06-15T12:00:00Z") {permit("context.path.id == " + QUOTED)}',
    )
    hour = timedelta(hours=1)
    # the condition is evaluated beside the forbid, and could have failed
    assert ready.decide(get(), NOW - 3 * hour) == refused(Reason.FORBIDDEN, "p0")
    assert ready.decide(get(), NOW - 2 * hour) == granted("p1", "p2")
    assert ready.decide(get("/orders/2"), NOW - 2 * hour) == granted("p1")
    assert ready.decide(get(), NOW - hour) == granted("p2")
    assert ready.decide(get("/orders/2"), NOW - hour) == refused(Reason.CONDITION, "p2")
    assert ready.decide(get(), NOW) == refused(Reason.EXPIRED, "p1", "p2")


def test_an_expired_condition_is_not_read(engine: EngineOf) -> None:
    ready = engine(permit(), f'@expires("2030-06-15T12:00:00Z") {permit("context.path.id == " + QUOTED)}')
    assert ready.decide(get("/orders/%31"), NOW - MOMENT) == refused(Reason.BAD_PARAMETER)
    assert ready.decide(get("/orders/%31"), NOW) == granted("p0")


# --- steps 4 to 6: conditions -----------------------------------------------------------------------------------------


def test_a_condition_on_each_part_of_the_request(engine: EngineOf) -> None:
    ready = engine(
        permit(
            'context.path.id == "1" && context.query has limit && context.query.limit <= 10'
            ' && !(context.query has dry_run) && context.time < datetime("2030-06-15T12:00:00.001Z")'
        )
    )
    assert ready.decide(get("/orders/1", "limit=10"), NOW) == granted("p0")
    assert ready.decide(get("/orders/1", "limit=10"), NOW + timedelta(microseconds=999)) == granted("p0")
    for request, now in (
        (get("/orders/2", "limit=10"), NOW),
        (get("/orders/1", "limit=11"), NOW),
        (get("/orders/1", ""), NOW),
        (get("/orders/1", "limit=10&dry_run=false"), NOW),
        (get("/orders/1", "limit=10"), NOW + timedelta(milliseconds=1)),
    ):
        assert ready.decide(request, now) == refused(Reason.CONDITION, "p0")


def test_conditions_on_who_calls(engine: EngineOf) -> None:
    scope = 'principal, action == Action::"orders:getOrder", resource'
    ready = engine(
        permit('principal in Group::"web"', scope),
        permit("principal.owner == resource.owner", scope),
        permit('principal has zone && principal.zone == Zone::"core" && principal != resource', scope),
    )
    assert ready.decide(get(caller="checkout"), NOW) == granted("p0")
    assert ready.decide(get(caller="orders"), NOW) == granted("p1")
    assert ready.decide(get(caller="reporting"), NOW) == granted("p1")
    assert ready.decide(get(caller="payments"), NOW) == granted("p2")


def test_unless(engine: EngineOf) -> None:
    ready = engine(f"permit ({GET}) unless {{ context.path.id == {QUOTED} }};")
    assert ready.decide(get("/orders/2"), NOW) == granted("p0")
    assert ready.decide(get("/orders/1"), NOW) == refused(Reason.CONDITION, "p0")


def test_a_forbid_with_a_condition(engine: EngineOf) -> None:
    ready = engine(permit(), forbid(f"context.path.id == {QUOTED}"))
    assert ready.decide(get("/orders/2"), NOW) == granted("p0")
    assert ready.decide(get("/orders/1"), NOW) == refused(Reason.FORBIDDEN, "p1")


@pytest.mark.parametrize(
    ("path", "query"),
    [("/orders/%31", "limit=1"), ("/orders/1", "limit=01"), ("/orders/1", "limit=1&limit=1"), ("/orders/1", "limit")],
)
def test_a_parameter_that_is_not_plain_refuses_the_whole_cell(engine: EngineOf, path: str, query: str) -> None:
    condition = 'context.path.id == "1" && context.query has limit'
    assert engine(permit(condition)).decide(get("/orders/1", "limit=1"), NOW) == granted("p0")
    for policies in ((permit(condition),), (permit(), permit(condition)), (permit(), forbid(condition))):
        assert engine(*policies).decide(get(path, query), NOW) == refused(Reason.BAD_PARAMETER)


def test_a_parameter_that_no_condition_reads_may_be_anything(engine: EngineOf) -> None:
    ready = engine(permit(f"context.path.id == {QUOTED}"))
    assert ready.decide(get("/orders/1", "limit=%%%;&a+b=\xff"), NOW) == granted("p0")


def test_a_required_parameter_that_is_missing(engine: EngineOf) -> None:
    ready = engine(permit('context.query.q == "a"', COUNT))
    assert ready.decide(count("1"), NOW) == granted("p0")
    assert ready.decide(count("1", ""), NOW) == refused(Reason.BAD_PARAMETER)


BIG = "999999999999999999"


def test_a_policy_that_fails_refuses_whatever_the_others_say(engine: EngineOf) -> None:
    fails = "context.path.n * 99 > 5"
    assert engine(permit(fails, COUNT)).decide(count("1"), NOW) == granted("p0")
    assert engine(permit(fails, COUNT)).decide(count(BIG), NOW) == refused(Reason.POLICY_ERROR, "p0")
    # Cedar itself would skip a forbid that fails, and allow
    assert engine(permit(scope=COUNT), forbid(fails, COUNT)).decide(count(BIG), NOW) == refused(
        Reason.POLICY_ERROR, "p1"
    )
    assert engine(permit(scope=COUNT), permit(fails, COUNT)).decide(count(BIG), NOW) == refused(
        Reason.POLICY_ERROR, "p1"
    )
    both = engine(permit(scope=COUNT), permit(fails, COUNT), forbid(scope=COUNT), forbid(fails, COUNT))
    assert both.decide(count(BIG), NOW) == refused(Reason.POLICY_ERROR, "p1", "p3")
    assert both.decide(count("1"), NOW) == refused(Reason.FORBIDDEN, "p2", "p3")


def test_an_answer_without_a_decision_refuses(engine: EngineOf, monkeypatch: pytest.MonkeyPatch) -> None:
    ready = engine(permit(f"context.path.id == {QUOTED}"))
    assert ready.decide(get(), NOW).allowed
    nothing = cedarpy.AuthzResult({"decision": "NoDecision", "diagnostics": {}})
    monkeypatch.setattr(cedarpy, "is_authorized", lambda *_: nothing)
    assert ready.decide(get(), NOW) == refused(Reason.POLICY_ERROR)


# --- readiness --------------------------------------------------------------------------------------------------------


def test_a_decision_has_no_truth_value(engine: EngineOf) -> None:
    with pytest.raises(TypeError):
        bool(engine().decide(get(), NOW))


@pytest.mark.parametrize("max_cells", [1, 2, 3, 1_000])
def test_how_many_cells_are_kept_changes_no_decision(engine: EngineOf, shop: Catalog, max_cells: int) -> None:
    policies = (permit(), permit('context.path.n < 3 && context.query.q == "a"', COUNT))
    plenty, few = engine(*policies), engine(*policies, max_cells=max_cells)
    paths = {"orders:getOrder": "/orders/1", "orders:countOrders": "/counts/1"}
    for _ in range(3):
        for caller in shop.services:
            for operation in shop.operations:
                request = Request(caller, operation, paths.get(operation, "/"), "q=a")
                assert few.decide(request, NOW) == plenty.decide(request, NOW)
                assert len(few._young) + len(few._old) <= max(2, max_cells)


def test_unknown_names_are_not_kept(engine: EngineOf) -> None:
    ready = engine(permit())
    for number in range(100):
        ready.decide(get(caller=f"x{number}"), NOW)
        ready.decide(Request("checkout", f"orders:x{number}", "/", ""), NOW)
    assert len(ready._young) + len(ready._old) == 0


def test_the_cell_of_a_call(engine: EngineOf) -> None:
    ready = engine(permit(), forbid("context.path.id == " + QUOTED))
    cell = ready.cell("checkout", "orders:getOrder")
    assert [policy.id for policy in (*cell.permits, *cell.forbids)] == ["p0", "p1"]
    assert cell == ready.index.cell("checkout", "orders:getOrder")


def test_cedar_is_asked_about_the_policies_of_the_cell_alone(engine: EngineOf, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = 'principal == Service::"reporting", action == Action::"orders:getOrder", resource'
    ready = engine(permit(f"context.path.id == {QUOTED}"), *[permit('context.path.id == "x"', elsewhere)] * 100)
    asked: list[int] = []
    real = cedarpy.is_authorized

    def spy(request: dict[str, object], policies: cedarpy.PolicySet, entities: cedarpy.Entities) -> object:
        asked.append(len(policies))
        return real(request, policies, entities)

    monkeypatch.setattr(cedarpy, "is_authorized", spy)
    assert ready.decide(get(), NOW) == granted("p0")
    assert ready.decide(get("/orders/x", caller="reporting"), NOW).allowed
    assert asked == [1, 100]
