"""What becomes of a cell: constant, conditional, on the slow path; observed or enforced; and what is told of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.unit.envoy import shop

from inward.catalog.model import Address
from inward.control.bundle import load_policy
from inward.envoy.resources import render, routes
from inward.envoy.resources.egress import proxy_authorization
from inward.envoy.resources.ingress import ingress_listener
from inward.envoy.resources.proto import nesting
from inward.envoy.resources.rbac import RBAC_FILTER
from inward.envoy.resources.slow_filter import ENFORCING_FILTER

if TYPE_CHECKING:
    from pathlib import Path

    from inward.control.bundle import Policy
    from inward.envoy.resources.proto import Resource

SLOW = 'when { (if context.query has region then context.query.region else "none") like "eu-*" }'
EU = 'when { context.query has region && context.query.region == "eu" }'
GET_ORDER = "orders:getOrder"


def cells(policy: Policy, operation: str = GET_ORDER) -> tuple[Resource, str, Resource]:
    """Return callers' leaves of an operation's route, what carries them, and all its filters."""
    filters, _ = render.operation_filters(policy.catalog.operations[operation], policy.catalog, policy.engine)
    ((kind, matcher),) = [item for item in filters[RBAC_FILTER]["rbac"].items() if item[0] != "@type"]
    return matcher.get("matcher_tree", {}).get("exact_match_map", {}).get("map", {}), kind, filters


def name_of(leaf: Resource) -> tuple[str, str]:
    action = leaf["action"]["typed_config"]
    return action["action"], action["name"]


def orders(folder: Path, *policies: str) -> Policy:
    return shop.loaded(folder, {"policies/orders.cedar": "".join(policies)})


def test_a_grant_without_conditions_is_a_leaf_for_that_caller_alone(tmp_path: Path) -> None:
    callers, kind, filters = cells(orders(tmp_path / "s", shop.policy("b"), shop.policy("a")))
    assert kind == "matcher"
    assert {caller: name_of(leaf) for caller, leaf in callers.items()} == {
        f"{shop.ID}/checkout": ("ALLOW", "granted:a,b")
    }
    assert set(filters) == {RBAC_FILTER}


def test_nobody_else_is_allowed(tmp_path: Path) -> None:
    policy = orders(tmp_path / "s", shop.policy("a"))
    for operation in policy.catalog.operations.values():
        filters, _ = render.operation_filters(operation, policy.catalog, policy.engine)
        rules = filters[RBAC_FILTER]["rbac"]
        matcher = rules.get("matcher") or rules["shadow_matcher"]
        assert name_of(matcher["on_no_match"]) == ("DENY", "no_grant")
        allowing = [path for path, value in shop.walk(matcher) if value == "ALLOW"]
        assert bool(allowing) == (operation.id == GET_ORDER)


@pytest.mark.parametrize(
    ("forbid", "expected"),
    [("", ("DENY", "forbidden:no")), ('@expires("2100-01-01")', None), (EU, None)],
)
def test_a_forbid_refuses_at_once_only_if_it_always_holds(
    tmp_path: Path, forbid: str, expected: tuple[str, str] | None
) -> None:
    condition, more = (forbid, "") if forbid.startswith("when") else ("", forbid)
    policy = orders(tmp_path / "s", shop.policy("a"), shop.policy("no", condition, effect="forbid", more=more))
    (leaf,) = cells(policy)[0].values()
    if expected:
        assert name_of(leaf) == expected
    else:
        node = leaf["matcher"]
        assert name_of(node["on_no_match"]) == ("DENY", "condition:a,no")
        (only,) = node["matcher_list"]["matchers"]
        assert name_of(only["on_match"]) == ("ALLOW", "granted:a")


def test_a_condition_is_a_node_whose_failure_refuses(tmp_path: Path) -> None:
    (leaf,) = cells(orders(tmp_path / "s", shop.policy("eu", EU)))[0].values()
    node = leaf["matcher"]
    assert name_of(node["on_no_match"]) == ("DENY", "condition:eu")
    (only,) = node["matcher_list"]["matchers"]
    assert name_of(only["on_match"]) == ("ALLOW", "granted:eu")
    # parsed by nobody else than us: a text would be checked by Envoy's own parser, `checked` trees are ignored
    tree = only["predicate"]["single_predicate"]["custom_match"]["typed_config"]["expr_match"]
    assert set(tree) == {"cel_expr_parsed"}


def test_an_expiry_is_in_the_condition_and_not_in_the_moment_of_writing(tmp_path: Path) -> None:
    """Nothing is written anew at the moment of an expiry, so the tree must know it."""
    for day in ("2100-01-01", "2001-01-01"):
        (leaf,) = cells(orders(tmp_path / day, shop.policy("eu", more=f'@expires("{day}")')))[0].values()
        assert str(int(day[:4])) in "".join(shop.texts(leaf["matcher"]["matcher_list"]))
        assert name_of(leaf["matcher"]["on_no_match"]) == ("DENY", "condition:eu")


def test_of_several_permits_the_first_that_holds_is_named_once_all_is_known_to_hold(tmp_path: Path) -> None:
    us = EU.replace('"eu"', '"us"')
    (leaf,) = cells(orders(tmp_path / "s", shop.policy("b", EU), shop.policy("a", us)))[0].values()
    (whole,) = leaf["matcher"]["matcher_list"]["matchers"]
    inner = whole["on_match"]["matcher"]
    named = [name_of(each["on_match"]) for each in inner["matcher_list"]["matchers"]]
    assert named == [("ALLOW", "granted:a"), ("ALLOW", "granted:b")]
    assert name_of(inner["on_no_match"])[0] == "DENY"
    assert name_of(leaf["matcher"]["on_no_match"])[0] == "DENY"


def test_what_envoy_cannot_express_goes_to_the_slow_path_and_never_to_a_looser_rule(tmp_path: Path) -> None:
    policy = orders(tmp_path / "s", shop.policy("odd", SLOW), shop.policy("plain", caller="monitor"))
    callers, _, filters = cells(policy)
    assert {caller.rpartition("/")[2]: name_of(leaf) for caller, leaf in callers.items()} == {
        "checkout": ("ALLOW", "slow_path"),
        "monitor": ("ALLOW", "granted:plain"),
    }
    switched_on = filters[ENFORCING_FILTER]
    assert switched_on["disabled"] is False
    compiled = render.service_routes(policy.catalog.services["orders"], policy.catalog, policy.engine)
    assert [(cell.caller, cell.operation) for cell in compiled.slow] == [("checkout", GET_ORDER)]
    # INVARIANT: a leaf that leaves the decision to the slow path stands only where the slow path is asked
    for name, route in compiled.routes.items():
        leaves = {value for _, value in shop.walk(route) if value == "slow_path"}
        assert (ENFORCING_FILTER in route["typed_per_filter_config"]) == bool(leaves) == (name == GET_ORDER)


def test_a_condition_that_would_nest_too_deep_for_a_file_goes_to_the_slow_path(tmp_path: Path) -> None:
    deep, shallow = (
        orders(tmp_path / str(depth), shop.policy("deep", f"when {{ {condition(depth)} }}")) for depth in (30, 3)
    )
    assert [name_of(leaf) for leaf in cells(deep)[0].values()] == [("ALLOW", "slow_path")]
    (leaf,) = cells(shallow)[0].values()
    assert nesting(leaf) <= routes.MOST_NESTED_LEAF


@pytest.mark.parametrize("count", [1, 2])
def test_no_leaf_that_is_rendered_is_too_deep(tmp_path: Path, count: int) -> None:
    """One permit or two (which nests a second matcher), at every depth: a leaf fits, or the slow path decides."""
    kinds = set()
    for depth in range(2, 24):
        policies = [shop.policy(f"p{number}", f"when {{ {condition(depth)} }}") for number in range(count)]
        (leaf,) = cells(orders(tmp_path / str(depth), *policies))[0].values()
        assert nesting(leaf) <= routes.MOST_NESTED_LEAF
        kinds.add("action" if "action" in leaf else "matcher")
    assert kinds == {"action", "matcher"}


def condition(depth: int) -> str:
    """Return a condition that cannot be balanced: each part decides about the next one."""
    text = 'context.path.id == "0"'
    for number in range(1, depth):
        text = f'(if context.path.id like "*{number}" then {text} else context.path.id == "{number}")'
    return text


def test_in_observe_mode_the_same_matcher_is_only_logged(tmp_path: Path) -> None:
    grant = """@id("g") @reason("r")
    permit (principal == Service::"checkout", action == Action::"audit:addEvent", resource == Service::"audit");"""
    policy = shop.loaded(tmp_path / "s", {"policies/audit.cedar": grant})
    callers, kind, _ = cells(policy, "audit:addEvent")
    assert kind == "shadow_matcher"
    assert [name_of(leaf) for leaf in callers.values()] == [("ALLOW", "granted:g")]


def test_the_version_is_of_what_is_enforced_and_of_nothing_else(tmp_path: Path) -> None:
    def content(policy: Policy, service: str = "orders") -> str:
        return render.service_routes(policy.catalog.services[service], policy.catalog, policy.engine).content

    first = orders(tmp_path / "1", shop.policy("a"))
    commented = orders(tmp_path / "2", "// a remark\n", shop.policy("a"))
    other = orders(tmp_path / "3", shop.policy("a", caller="monitor"))
    named = orders(tmp_path / "4", shop.policy("z"))
    assert first.version != commented.version
    assert content(first) == content(commented)
    assert len({content(first), content(other), content(named)}) == 3
    assert content(first, "audit") == content(other, "audit")
    observing = shop.files({"policies/orders.cedar": shop.policy("a")})
    observing["inward.yaml"] = observing["inward.yaml"].replace("run: orders-app", "mode: observe\n    run: orders-app")

    assert content(load_policy(shop.write(tmp_path / "5", observing))) != content(first)


def test_credentials_and_policies_are_only_where_they_must_be(tmp_path: Path) -> None:
    policy = orders(tmp_path / "s", shop.policy("checkout-reads", EU), shop.policy("odd", SLOW, caller="monitor"))
    addresses = {"orders": Address("127.0.0.1", 7001)}
    credential = "s3cret-of-this-run"
    resources: dict[str, Any] = {
        "clusters": render.clusters(policy.catalog, addresses, "/run/s/checkout", "/run/app.sock", "/run/slow.sock"),
        "egress": render.egress(addresses, credential),
        "routes": render.service_routes(policy.catalog.services["orders"], policy.catalog, policy.engine).resource("v"),
        "ingress": ingress_listener(addresses["orders"], "/run/s/orders", "/log", 60.0),
    }
    written = {name: msgspec.json.encode(resource).decode() for name, resource in resources.items()}
    secrets = (credential, proxy_authorization(credential), proxy_authorization(credential).removeprefix("Basic "))
    for name, text in written.items():
        # the clear form stands nowhere at all
        assert credential not in text
        assert any(secret in text for secret in secrets) == (name == "egress")
        assert ("checkout-reads" in text) == (name == "routes")
    # a policy's name stands only in names of actions, which are logged and told to nobody
    named = {
        path[-1]
        for path, value in shop.walk(resources["routes"])
        if isinstance(value, str) and "checkout-reads" in value
    }
    assert named == {"name"}


def test_nothing_that_a_caller_is_told_depends_on_the_policy(tmp_path: Path) -> None:
    policy = orders(tmp_path / "s", shop.policy("checkout-reads", EU))
    resource = render.service_routes(policy.catalog.services["orders"], policy.catalog, policy.engine).resource("v")
    told = {"direct_response", "response_headers_to_add", "body", "body_format", "local_reply_config"}
    assert not told & set(shop.texts(resource))
    replies = msgspec.json.encode(ingress_listener(Address("::1", 1), "/f", "/l", 1.0)["filter_chains"]).decode()
    formats = re.findall(r"%[A-Z_]+[^%]*%", replies.partition('"local_reply_config":')[2].partition('"access_log":')[0])
    assert set(formats) == {"%RESPONSE_CODE%", "%REQ(X-REQUEST-ID)%", "%LOCAL_REPLY_BODY%"}


def test_the_clusters_are_the_callees_the_app_and_the_slow_path(tmp_path: Path) -> None:
    catalog = orders(tmp_path / "s", shop.policy("a")).catalog
    addresses = {"orders": Address("127.0.0.1", 7001), "foreign": Address("192.0.2.7", 7443)}
    names = [each["name"] for each in render.clusters(catalog, addresses, "/f", "/app.sock", "/slow.sock")]
    assert names == [
        "service:orders",
        "service:foreign",
        "local:app",
        "local:app-grpc",
        "local:slow-path",
        "local:tunnel",
    ]
    only_calls = [each["name"] for each in render.clusters(catalog, addresses, "/f", None, "/slow.sock")]
    assert not {"local:app", "local:app-grpc"} & set(only_calls)
