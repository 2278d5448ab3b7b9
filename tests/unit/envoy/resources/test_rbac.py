"""Who may call: leaves, nodes, and the quarantine that stands before all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.envoy import shop

from inward.catalog.model import Mode
from inward.envoy.resources import rbac
from inward.envoy.resources.proto import RBAC_PER_ROUTE
from inward.policy.decision import Reason

if TYPE_CHECKING:
    from inward.envoy.resources.proto import Resource

IDS = {name: f"{shop.ID}/{name}" for name in ("orders", "checkout", "monitor")}


def rules(resource: Resource) -> Resource:
    found: Resource = resource["typed_config"]["rules"]
    return found


def test_the_base_filter_allows_nothing() -> None:
    """What no route decides meets this: an allow list without an entry."""
    assert rules(rbac.base_filter()) == {"action": "ALLOW", "policies": {}}


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("callers", [{}, {IDS["checkout"]: rbac.allow(Reason.GRANTED, ["a"])}])
def test_who_is_not_in_the_map_is_refused_or_observed_to_be(mode: Mode, callers: dict[str, Resource]) -> None:
    resource = rbac.per_route(callers, mode)
    carried_out, other = ("matcher", "shadow_matcher") if mode is Mode.ENFORCE else ("shadow_matcher", "matcher")
    assert resource["@type"].endswith(RBAC_PER_ROUTE)
    assert other not in resource["rbac"]
    matcher = resource["rbac"][carried_out]
    assert matcher["on_no_match"] == rbac.refuse(Reason.NO_GRANT)
    # Envoy takes no matcher without a tree or a list
    assert ("matcher_tree" in matcher) != ("matcher_list" in matcher)
    allowed = [value for _, value in shop.walk(matcher) if value == "ALLOW"]
    assert len(allowed) == len(callers)


def test_callers_are_looked_up_and_not_tried_one_by_one() -> None:
    callers = {f"{shop.ID}/c{number}": rbac.allow("granted") for number in range(500)}
    tree = rbac.per_route(callers, Mode.ENFORCE)["rbac"]["matcher"]["matcher_tree"]
    assert set(tree["exact_match_map"]["map"]) == set(callers)
    assert tree["input"]["name"] == "envoy.matching.inputs.uri_san"


@pytest.mark.parametrize("mode", list(Mode))
def test_an_unknown_operation_is_allowed_to_nobody(mode: Mode) -> None:
    resource = rbac.unknown_operation(mode)
    assert "ALLOW" not in shop.texts(resource)
    assert set(resource["rbac"]) == {"matcher" if mode is Mode.ENFORCE else "shadow_matcher"}


def test_the_name_of_a_leaf_is_what_the_log_can_take_apart() -> None:
    def name(leaf: Resource) -> str:
        found: str = leaf["action"]["typed_config"]["name"]
        return found

    assert name(rbac.allow(Reason.GRANTED, ["a", "b"])) == "granted:a,b"
    assert name(rbac.refuse(Reason.NO_GRANT)) == "no_grant"
    assert name(rbac.refuse(Reason.FORBIDDEN, iter(["x"]))) == "forbidden:x"


def test_quarantine_refuses_the_callers_and_nobody_else() -> None:
    found = rules(rbac.quarantine("orders", IDS, ["monitor", "checkout", "monitor"]))
    assert found["action"] == "DENY"
    ((name, policy),) = found["policies"].items()
    assert name == "quarantined"
    exact = [each["authenticated"]["principal_name"]["exact"] for each in policy["principals"]]
    assert exact == [IDS["checkout"], IDS["monitor"]]


def test_a_service_in_quarantine_takes_no_calls_at_all() -> None:
    found = rules(rbac.quarantine("orders", IDS, ["orders", "monitor"]))
    assert found["policies"]["quarantined"]["principals"] == [{"any": True}]


def test_without_quarantine_the_filter_refuses_nobody() -> None:
    # no rules at all, which Envoy takes for a filter that does nothing
    assert "rules" not in rbac.quarantine("orders", {}, [])["typed_config"]
    assert "shadow_rules" not in rbac.quarantine("orders", {}, [])["typed_config"]


def test_a_service_that_cannot_be_named_is_an_error_and_not_forgotten() -> None:
    with pytest.raises(KeyError):
        rbac.quarantine("orders", IDS, ["stranger"])
