"""The egress: who may use it, where it leads, and what leaves with a call."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from tests.unit.envoy import shop

from inward.catalog.model import Address
from inward.envoy.resources.egress import egress_listener, egress_routes, egress_tunnel, proxy_authorization

if TYPE_CHECKING:
    from inward.envoy.resources.proto import Resource

CREDENTIAL = "c-r_3d:é"


def answered(host: Resource, header: str | None, *, connect: bool = False, tunnelled: bool = False) -> Resource:
    """Return the route that a request takes, by Envoy's rules."""
    for route in host["routes"]:
        if connect != ("connect_matcher" in route["match"]) or ("filter_state" in route["match"] and not tunnelled):
            continue
        for wanted in route["match"].get("headers", []):
            equal = (header or "") == wanted["string_match"]["exact"]
            if header is None and not wanted.get("treat_missing_header_as_empty"):
                break  # a matcher of a header that is missing does not match, inverted or not
            if equal == bool(wanted.get("invert_match")):
                break
        else:
            found: Resource = route
            return found
    raise AssertionError("no route")


def test_without_the_credential_of_this_run_there_is_no_way_out() -> None:
    for host in egress_routes(["orders", "checkout"], CREDENTIAL)["virtual_hosts"]:
        for header in (
            None,
            "",
            "Basic",
            "Basic x",
            proxy_authorization("other"),
            proxy_authorization(CREDENTIAL).lower(),
        ):
            assert answered(host, header)["direct_response"] == {"status": 407}
            assert answered(host, header, connect=True)["direct_response"] == {"status": 407}
        let_through = answered(host, proxy_authorization(CREDENTIAL))
        if host["name"] == "unknown":
            assert let_through["direct_response"] == {"status": 404}
        else:
            assert let_through["route"]["cluster"] == f"service:{host['name']}"


def test_a_tunnel_is_asked_for_with_the_credential_and_what_comes_out_of_it_needs_none() -> None:
    orders, unknown = egress_routes(["orders"], CREDENTIAL)["virtual_hosts"]
    tunnel = answered(orders, proxy_authorization(CREDENTIAL), connect=True)
    assert tunnel["route"]["cluster"] == "local:tunnel"
    assert answered(orders, None, tunnelled=True)["route"]["cluster"] == "service:orders"
    assert answered(unknown, proxy_authorization(CREDENTIAL), connect=True)["direct_response"] == {"status": 404}
    assert answered(unknown, None, tunnelled=True)["direct_response"] == {"status": 404}


def test_nothing_leads_into_the_tunnel_but_the_egress_and_it_takes_http2_alone() -> None:
    tunnel = egress_tunnel("/run/s/orders", "/log/access.log")
    assert "address" not in tunnel  # no socket
    assert tunnel["internal_listener"] == {}
    mark, manager = (each["typed_config"] for (chain,) in [tunnel["filter_chains"]] for each in chain["filters"])
    (marked,) = mark["on_new_connection"]
    matched = answered(egress_routes(["orders"], CREDENTIAL)["virtual_hosts"][0], None, tunnelled=True)["match"]
    assert matched["filter_state"] == [{"key": marked["object_key"], "string_match": {"exact": "true"}}]
    assert manager["codec_type"] == "HTTP2"
    assert "upgrade_configs" not in manager  # no tunnel in a tunnel


def test_the_credential_is_what_a_client_makes_of_the_proxy_url() -> None:
    scheme, _, encoded = proxy_authorization(CREDENTIAL).partition(" ")
    assert (scheme, base64.b64decode(encoded).decode()) == ("Basic", f"inward:{CREDENTIAL}")


def test_the_credential_goes_no_further() -> None:
    for host in egress_routes(["orders"], CREDENTIAL)["virtual_hosts"]:
        for route in host["routes"]:
            if "route" in route:
                assert {"proxy-authorization", "proxy-connection"} <= set(route["request_headers_to_remove"])
            assert proxy_authorization(CREDENTIAL) not in shop.texts(route.get("direct_response", {}))
    logged = [value for path, value in shop.walk(listener()) if "json_format" in path and isinstance(value, str)]
    assert logged
    assert not any("AUTHORIZATION" in value for value in logged)


def test_an_authority_leads_to_its_own_service_and_every_other_one_nowhere() -> None:
    hosts = egress_routes(["orders", "checkout"], CREDENTIAL)["virtual_hosts"]
    domains = {domain: host["name"] for host in hosts for domain in host["domains"]}
    assert domains == {
        "orders": "orders",
        "orders:*": "orders",
        "checkout": "checkout",
        "checkout:*": "checkout",
        "*": "unknown",
    }


def test_only_what_never_reached_a_callee_is_tried_again() -> None:
    host = egress_routes(["orders"], CREDENTIAL)["virtual_hosts"][0]
    policy = answered(host, proxy_authorization(CREDENTIAL))["route"]["retry_policy"]
    assert set(policy["retry_on"].split(",")) == {"connect-failure", "refused-stream", "reset-before-request"}


def listener() -> Resource:
    return egress_listener(Address("127.0.0.1", 9), "/run/s/orders", "/log/access.log")


def test_the_listener_is_on_the_given_address_and_leaves_paths_as_they_are() -> None:
    assert listener()["address"] == {"socket_address": {"address": "127.0.0.1", "port_value": 9}}
    ((chain,),) = (each["filters"] for each in listener()["filter_chains"])
    config = chain["typed_config"]
    assert (config["normalize_path"], config["merge_slashes"]) == (False, False)
    assert config["path_with_escaped_slashes_action"] == "KEEP_UNCHANGED"
    assert config["rds"]["config_source"]["path_config_source"]["path"] == "/run/s/orders/egress.json"


def test_what_a_call_is_called_by_is_nobodys_choice() -> None:
    for listener in (egress_listener(Address("127.0.0.1", 1), "/f", "/l"), egress_tunnel("/f", "/l")):
        assert '"regex": "x-request-id"' in json.dumps(listener)
