"""The ingress: mutual TLS only, identities from the handshake only, and quarantine before everything."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from tests.unit.envoy import shop

from inward.catalog.model import Address
from inward.envoy.resources.ingress import early_mutation, ingress_listener
from inward.envoy.resources.proto import RBAC

if TYPE_CHECKING:
    from inward.envoy.resources.proto import Resource


@pytest.fixture
def listener() -> Resource:
    return ingress_listener(Address("::1", 7001), "/run/s/orders", "/log/access.log", 12.5)


def manager(listener: Resource) -> Resource:
    (chain,) = listener["filter_chains"]
    (only,) = chain["filters"]
    found: Resource = only["typed_config"]
    return found


def test_there_is_no_way_in_without_mutual_tls(listener: Resource) -> None:
    assert [each["transport_socket"]["name"] for each in listener["filter_chains"]] == ["envoy.transport_sockets.tls"]
    config = listener["filter_chains"][0]["transport_socket"]["typed_config"]
    assert config["require_client_certificate"] is True
    assert "filter_chain_match" not in listener["filter_chains"][0]


def test_quarantine_stands_first_and_the_router_last(listener: Resource) -> None:
    names = [each["name"] for each in manager(listener)["http_filters"]]
    assert names == [
        "quarantine",
        "envoy.filters.http.rbac",
        "envoy.filters.http.ext_authz",
        "inward.observing_ext_authz",
        "envoy.filters.http.tap",
        "inward.refuse_unviewed",
        "inward.view",
        "inward.require_admitted",
        "envoy.filters.http.header_mutation",
        "envoy.filters.http.router",
    ]
    discovered = manager(listener)["http_filters"][0]["config_discovery"]
    assert discovered["type_urls"] == [f"type.googleapis.com/{RBAC}"]
    # no default: until the list was read nothing is let in
    assert "default_config" not in discovered


def test_only_a_guard_is_heard_and_only_without_one_answers_are_viewed_here() -> None:
    guarded = ingress_listener(Address("::1", 7001), "/run/s/orders", "/log/access.log", 12.5, guarded=True)
    names = [each["name"] for each in manager(guarded)["http_filters"]]
    assert names[-2:] == ["envoy.filters.http.header_to_metadata", "envoy.filters.http.router"]
    assert not any(name.startswith("inward.") for name in names if name != "inward.observing_ext_authz")


def test_what_views_is_off_where_no_route_says_otherwise(listener: Resource) -> None:
    filters = {each["name"]: each for each in manager(listener)["http_filters"]}
    ours = ("inward.refuse_unviewed", "inward.view", "inward.require_admitted")
    assert all(filters[name]["disabled"] for name in ours)


@pytest.mark.parametrize(
    "header",
    [
        "x-forwarded-client-cert",
        "x-forwarded-for",
        "x-real-ip",
        "forwarded",
        "x-original-url",
        "x-rewrite-url",
        "x-http-method-override",
        "x-request-id",
        "remote-user",
        "proxy-authorization",
    ],
)
def test_what_a_caller_says_of_itself_is_dropped_before_any_filter(listener: Resource, header: str) -> None:
    (mutation,) = manager(listener)["early_header_mutation_extensions"]
    assert mutation == early_mutation()
    assert dropped(header)


def dropped(header: str) -> bool:
    """Tell whether the mutation drops a header, by Envoy's rules."""
    for mutation in early_mutation()["typed_config"]["mutations"]:
        if mutation.get("remove") == header:
            return True
        wanted = mutation.get("remove_on_match", {}).get("key_matcher", {})
        if "prefix" in wanted and header.startswith(wanted["prefix"]):
            return True
        if "safe_regex" in wanted and re.fullmatch(wanted["safe_regex"]["regex"], header):
            return True
    return False


@pytest.mark.parametrize("header", ["x-inward-operation", "x-inward-decision", "x-inward-", "x-envoy-original-path"])
def test_headers_of_ours_are_dropped_whatever_they_are_called(header: str) -> None:
    assert dropped(header)


@pytest.mark.parametrize(
    "header", ["authorization", "cookie", "traceparent", "x-users", "my-x-user", "x-inwards", ":path"]
)
def test_what_is_the_callers_business_is_left(header: str) -> None:
    assert not dropped(header)


def test_a_header_that_a_program_could_take_for_another_is_dropped(listener: Resource) -> None:
    options = manager(listener)["common_http_protocol_options"]
    assert options["headers_with_underscores_action"] == "DROP_HEADER"
    assert options["max_connection_duration"] == "12.500s"


def test_a_path_is_one_path_before_it_is_looked_up(listener: Resource) -> None:
    config = manager(listener)
    assert (config["normalize_path"], config["merge_slashes"]) == (True, True)
    assert config["path_with_escaped_slashes_action"] == "REJECT_REQUEST"


def test_the_identity_that_goes_on_is_the_verified_one(listener: Resource) -> None:
    config = manager(listener)
    assert config["forward_client_cert_details"] == "SANITIZE_SET"
    assert config["set_current_client_cert_details"] == {"uri": True}
    assert (config["use_remote_address"], config["skip_xff_append"]) == (True, True)


def test_calls_and_failed_handshakes_are_logged(listener: Resource) -> None:
    logs = [*manager(listener)["access_log"], *listener["access_log"]]
    assert {each["typed_config"]["path"] for each in logs} == {"/log/access.log"}
    calls, connections = logs
    assert "filter" not in calls
    assert "filter" in connections
    kinds = [each["typed_config"]["log_format"]["json_format"]["e"] for each in logs]
    assert kinds == ["i", "c"]
    assert not any("QUERY" in text or ":PATH)" in text for text in shop.texts(logs))
