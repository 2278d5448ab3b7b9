"""The map of prefixes, the tree below it and the lists of routes, against the resolver that they must agree with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.unit.envoy import shop

from inward.catalog.model import Mode, Operation
from inward.catalog.resolve import Resolver, most_specific_first, unambiguous
from inward.envoy.resources import rbac, routes
from inward.envoy.resources.proto import MOST_NESTED, Resource, nesting
from inward.envoy.resources.route_tree import MOST_SPLITS

if TYPE_CHECKING:
    from collections.abc import Iterable

PIECES = ["a", "b", "ab", "a-b", "abc", "{x}", "a{x}", "{x}b", "a{x}b", "{x}:run", "a.{x}", "%20", "a:b", "%c3%A9", ""]
TEXTS = ["a", "b", "ab", "a-b", "abc", "axb", "aab", "zz", "z:run", "a.z", "%20", "", "a:run"]
TEXTS += ["z%3Arun", "a%3ab", "a:b", "%c3%A9", "%C3%A9", "%c3%a9", "%3Arun"]


def templates_of(segments: list[list[str]]) -> list[str]:
    """Return paths of segments; each variable gets a name of its own, and an empty segment can only be the last."""
    found = []
    for pieces in segments:
        kept = [piece for piece in pieces[:-1] if piece] + pieces[-1:]
        named = [piece.replace("{x}", f"{{v{number}}}") for number, piece in enumerate(kept)]
        found.append("/" + "/".join(named))
    return found


def operations_of(templates: Iterable[str]) -> tuple[Operation, ...]:
    found = [shop.operation(template, method) for template in templates for method in ("GET", "POST")]
    return unambiguous(found)[0]


def host_of(operations: tuple[Operation, ...]) -> Resource:
    """Return the virtual host that Envoy is given."""
    ordered = most_specific_first(operations)
    listed = {each.id: routes.operation_route(each, {}) for each in operations}
    configuration = routes.route_configuration(shop.service(*operations), listed, ordered, "v")
    host: Resource = configuration["virtual_hosts"][0]
    return host


def enforced(host: Resource, method: str, target: str, *, grpc: bool = False) -> str:
    """Return the name of the route that a request takes, by the rules of Envoy's matchers."""
    return str(taken(host, method, target, grpc=grpc).get("name", "none"))


def taken(host: Resource, method: str, target: str, *, grpc: bool = False) -> Resource:
    """Return the route that a request takes, an empty one for none; `grpc` is what its content type says."""
    if "routes" in host:
        return first_route(host["routes"], method, target, grpc=grpc)
    tree = host["matcher"]["matcher_tree"]
    assert tree["input"]["typed_config"]["header_name"] == ":path"
    entries = tree["prefix_match_map"]["map"]
    beginning = [prefix for prefix in entries if target.startswith(prefix)]
    # the longest prefix, and never a shorter one instead
    entry = entries[max(beginning, key=len)] if beginning else host["matcher"]["on_no_match"]
    return followed(entry, method, target, grpc=grpc)


def followed(entry: Resource, method: str, target: str, *, grpc: bool) -> Resource:
    while "matcher" in entry:
        matcher = entry["matcher"]
        entry = matcher["on_no_match"]
        for each in matcher["matcher_list"]["matchers"]:
            if re.fullmatch(each["predicate"]["single_predicate"]["value_match"]["safe_regex"]["regex"], target):
                entry = each["on_match"]
                break
    config = entry["action"]["typed_config"]
    return first_route(config.get("routes", [config]), method, target, grpc=grpc)


def first_route(listed: list[Resource], method: str, target: str, *, grpc: bool) -> Resource:
    path = target.partition("?")[0]
    for route in listed:
        match = route["match"]
        if "prefix" in match:
            hit = target.startswith(match["prefix"])
        elif "path" in match:
            hit = path == match["path"]
        else:
            hit = re.fullmatch(match["safe_regex"]["regex"], path) is not None
        headers = match.get("headers", [])
        hit = hit and (grpc or "grpc" not in match)
        if hit and all(header["string_match"]["exact"] == method for header in headers):
            return route
    return {}


segments = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4)
requests = st.lists(st.sampled_from(TEXTS), min_size=1, max_size=5)


@settings(max_examples=400, deadline=None)
@given(st.lists(segments, max_size=12), st.lists(requests, min_size=1, max_size=12), st.sampled_from(["", "?q=/a/b"]))
@example([["{x}"], ["a", ""], ["a", "b"]], [["a", "zz"], ["zz"], ["a", ""]], "")
@example([["a{x}", "b"], ["ab", "{x}"], ["a", "{x}", "b"]], [["ab", "b"], ["ab", "a"], ["a", "a", "b"]], "")
@example([["a", "{x}", "{x}"], ["a", "b", "abc", "ab"]], [["a", "b", "abc"], ["a", "b", "ab"]], "?q=1")
@example([["a:b", "a"], ["{x}", "a"], ["a"], ["ab"]], [["a%3Ab", "a"], ["a:b", "a"], ["zz", "a"]], "")
@example([["{x}:run"], ["{x}"]], [["z%3Arun"], ["z:run"], ["z%3Arum"]], "?q=1")
def test_the_route_is_the_operation_that_is_meant(
    templates: list[list[str]], paths: list[list[str]], query: str
) -> None:
    operations = operations_of(templates_of(templates))
    resolver, host = Resolver(shop.service(*operations)), host_of(operations)
    for pieces in paths:
        path = "/" + "/".join(pieces)
        for method in ("GET", "POST", "DELETE"):
            meant = resolver.resolve(method, path)
            assert enforced(host, method, path + query) == (meant[0].id if meant else ""), (method, path)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(["{x}", *"abcdefgh", "a{x}"]), min_size=1, max_size=4), min_size=30, max_size=90),
    st.lists(st.lists(st.sampled_from([*"abcdefgh", "zz", "az"]), min_size=1, max_size=5), min_size=1, max_size=15),
)
def test_a_split_tree_leads_to_the_same_operation(templates: list[list[str]], paths: list[list[str]]) -> None:
    operations = operations_of(templates_of([["t", "{x}", *pieces] for pieces in templates]))
    resolver, host = Resolver(shop.service(*operations)), host_of(operations)
    for pieces in paths:
        path = "/t/1/" + "/".join(pieces)
        meant = resolver.resolve("GET", path)
        assert enforced(host, "GET", path) == (meant[0].id if meant else ""), path


def test_a_method_is_a_call_of_grpc_to_its_path_alone() -> None:
    host = host_of(
        (shop.method("shop.v1.Orders/Get"), shop.operation("/orders/{id}"), shop.operation("/shop.v1.Orders/{x}"))
    )
    path = "/shop.v1.Orders/Get"
    assert enforced(host, "POST", path, grpc=True) == "orders:shop.v1.Orders/Get"
    for method, target, grpc in (
        ("POST", path, False),
        ("GET", "/shop-v1.Orders/Get", True),
        ("POST", path + "/", True),
        ("POST", "/shop.v1.Orders/get", True),
    ):
        assert enforced(host, method, target, grpc=grpc) == "", (method, target, grpc)
    assert enforced(host, "GET", "/orders/42", grpc=True) == "orders:GET /orders/{id}"


def test_only_grpc_goes_to_the_app_by_http2() -> None:
    host = host_of((shop.method("shop.v1.Orders/Get"), shop.operation("/orders/{id}")))
    ways = {
        (method, target, grpc): taken(host, method, target, grpc=grpc)["route"]["cluster"]
        for method, target in (("POST", "/shop.v1.Orders/Get"), ("GET", "/orders/42"), ("POST", "/x.Y/Z"))
        for grpc in (True, False)
    }
    assert ways == {
        ("POST", "/shop.v1.Orders/Get", True): "local:app-grpc",
        ("POST", "/shop.v1.Orders/Get", False): "local:app",
        ("GET", "/orders/42", True): "local:app",
        ("GET", "/orders/42", False): "local:app",
        ("POST", "/x.Y/Z", True): "local:app-grpc",
        ("POST", "/x.Y/Z", False): "local:app",
    }


def test_what_no_method_is_meant_by_is_refused_as_grpc_too() -> None:
    for operations in ((shop.method("shop.v1.Orders/Get"),), ()):
        for target in ("/shop.v1.Orders/Nope", "/"):
            route = taken(host_of(operations), "POST", target, grpc=True)
            assert route["typed_per_filter_config"][rbac.RBAC_FILTER] == rbac.unknown_operation(Mode.ENFORCE)


def test_a_service_without_grpc_has_no_way_for_it() -> None:
    assert "local:app-grpc" not in msgspec.json.encode(host_of((shop.operation("/orders/{id}"),))).decode()


def test_a_deadline_of_the_caller_is_kept_and_nothing_else_ends_a_stream() -> None:
    route = taken(host_of((shop.method("shop.v1.Orders/Get"),)), "POST", "/shop.v1.Orders/Get", grpc=True)["route"]
    assert route["timeout"] == "0s"
    assert route["max_stream_duration"] == {"grpc_timeout_header_max": "0s"}  # of the caller, without a limit


def test_the_oracle_of_these_tests_sees_a_missing_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the copies of wide routes into longer prefixes a documented path would be refused."""
    operations = operations_of(["/a/{x}", "/a/b/{y}", "/a/b"])
    assert enforced(host_of(operations), "GET", "/a/bc") == "orders:GET /a/{x}"
    monkeypatch.setattr(routes, "_can_begin", lambda *_: False)
    assert enforced(host_of(operations), "GET", "/a/bc") == ""


@pytest.mark.parametrize(
    ("template", "prefix", "possible"),
    [
        ("/a/{x}", "/a/b", True),
        ("/a/{x}", "/a/b/", False),
        ("/a/{x}/c", "/a/b/", True),
        ("/a/{x}/c", "/a/b/d", False),
        ("/a/{x}/c", "/a/b/c/", False),
        ("/a/b{x}", "/a/bcd", True),
        ("/a/b{x}", "/a/c", False),
        ("/a/bcd{x}", "/a/b", True),
        ("/{x}", "/", True),
    ],
)
def test_which_prefix_a_path_can_begin_with(template: str, prefix: str, *, possible: bool) -> None:
    assert routes._can_begin(template, prefix) is possible


def test_what_is_unknown_is_refused_or_observed_and_named_nothing() -> None:
    for mode, rules in ((Mode.ENFORCE, "matcher"), (Mode.OBSERVE, "shadow_matcher")):
        configuration = routes.route_configuration(shop.service(mode=mode), {}, (), "v7")
        (host,) = configuration["virtual_hosts"]
        (route,) = host["routes"]
        assert route["name"] == ""
        assert set(route["typed_per_filter_config"][rbac.RBAC_FILTER]["rbac"]) == {rules}
        assert host["metadata"]["filter_metadata"]["inward"]["version"] == "v7"


@pytest.mark.parametrize(
    ("mode", "of_service", "rules"),
    [
        (Mode.ENFORCE, Mode.ENFORCE, "matcher"),
        (Mode.ENFORCE, Mode.OBSERVE, "matcher"),
        (Mode.OBSERVE, Mode.ENFORCE, "matcher"),
        (Mode.OBSERVE, Mode.OBSERVE, "shadow_matcher"),
    ],
)
def test_another_spelling_of_an_enforced_operation_is_refused(mode: Mode, of_service: Mode, rules: str) -> None:
    operations = (shop.operation("/orders/{id}", mode=Mode.OBSERVE), shop.operation("/orders/{id}:cancel", mode=mode))
    listed = {each.id: routes.operation_route(each, {}) for each in operations}
    service = shop.service(*operations, mode=of_service)
    resource = routes.route_configuration(service, listed, most_specific_first(operations), "v")
    for path in ("/orders/7%3Acancel", "/orders/7;a:cancel", "/orders/7%0A%3acancel"):
        route = taken(resource["virtual_hosts"][0], "GET", path)
        assert route["name"] == ""
        assert set(route["typed_per_filter_config"][rbac.RBAC_FILTER]["rbac"]) == {rules}


def test_every_list_ends_with_the_refusal_of_what_is_unknown() -> None:
    operations = operations_of([f"/t/{{x}}/{letter}/{number}" for letter in "abcdefgh" for number in range(6)])
    compiled = {each.id: routes.operation_route(each, {}) for each in operations}
    configuration = routes.route_configuration(
        shop.service(*operations), compiled, most_specific_first(operations), "v"
    )
    lists = [
        each
        for path, each in shop.walk(configuration)
        if path[-2:] == ("typed_config", "routes") and isinstance(each, list)
    ]
    assert len(lists) > 4
    for listed in lists:
        assert [route["name"] for route in listed].count("") == 1
        assert listed[-1]["name"] == ""
        assert listed[-1]["match"] == {"prefix": "/"}


def deepest_routes() -> tuple[Operation, ...]:
    """Return operations that are split as often as any may be."""
    numbers = range(13)
    operations = operations_of(
        f"/t/{{x}}/a{first}/{{y}}/b{second}/{{z}}/c{third}"
        for first in numbers
        for second in numbers
        for third in (0, 1)
    )
    return operations + operations_of(
        f"/t/{{x}}/a0/{{y}}/b{number}/{{z}}/d{other}" for number in numbers for other in numbers
    )


def test_no_file_nests_deeper_than_envoy_reads() -> None:
    """Envoy 1.39 takes a file that nests 100 deep, and goes on with its old routes after one of 101."""
    operations = deepest_routes()
    leaf: Any = {"action": {"name": "action", "typed_config": {}}}
    while nesting(leaf) < routes.MOST_NESTED_LEAF:
        leaf = {"matcher": leaf}
    filters = {rbac.RBAC_FILTER: rbac.per_route({f"{shop.ID}/checkout": leaf}, Mode.ENFORCE)}
    compiled = {each.id: routes.operation_route(each, filters) for each in operations}
    resource = routes.route_configuration(shop.service(*operations), compiled, most_specific_first(operations), "v")
    splits = max(path.count("matcher_list") for path, _ in shop.walk(resource) if "exact_match_map" not in path)
    assert splits >= MOST_SPLITS  # else this test would prove nothing
    envelope = msgspec.json.decode(msgspec.json.encode({"version_info": "v", "resources": [resource]}))
    assert nesting(envelope) == MOST_NESTED
