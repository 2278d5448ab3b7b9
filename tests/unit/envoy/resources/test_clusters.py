"""The clusters: each leads to one address, and a callee's only to its own SPIFFE ID."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.envoy import shop

from inward.catalog.model import Address
from inward.envoy.resources.clusters import (
    app_cluster,
    grpc_app_cluster,
    service_cluster,
    slow_path_cluster,
    tunnel_cluster,
)
from inward.guard.serve.identity import ALPN
from inward.guard.serve.protocol import KEEP_ALIVE_SECONDS

if TYPE_CHECKING:
    from inward.envoy.resources.proto import Resource


def address_of(cluster: Resource) -> Resource:
    ((endpoint,),) = (each["lb_endpoints"] for each in cluster["load_assignment"]["endpoints"])
    found: Resource = endpoint["endpoint"]["address"]
    return found


def test_a_callee_is_reached_by_mutual_tls_and_must_be_itself() -> None:
    cluster = service_cluster("orders", Address("127.0.0.1", 7001), f"{shop.ID}/orders", "/run/s/checkout")
    assert cluster["name"] == "service:orders"
    assert address_of(cluster) == {"socket_address": {"address": "127.0.0.1", "port_value": 7001}}
    (socket,) = [each for path, each in shop.walk(cluster) if path[-1:] == ("transport_socket",)]
    texts = shop.texts(socket)
    assert f"{shop.ID}/orders" in texts
    assert "/run/s/checkout/svid.json" in texts


def test_the_app_and_the_slow_path_are_local_and_nothing_else_is_without_tls() -> None:
    assert address_of(app_cluster("/run/app.sock")) == {"pipe": {"path": "/run/app.sock"}}
    loopback = {"socket_address": {"address": "127.0.0.1", "port_value": 9}}
    assert address_of(app_cluster(Address("127.0.0.1", 9))) == loopback
    assert address_of(slow_path_cluster("/run/slow.sock")) == {"pipe": {"path": "/run/slow.sock"}}
    for cluster in (app_cluster("/a"), slow_path_cluster("/b")):
        assert "transport_socket" not in cluster
        assert cluster["name"].startswith("local:")  # no service can be called so: it has a colon


def test_grpc_goes_to_the_same_place_by_http2_in_clear_text() -> None:
    for app in ("/run/app.sock", Address("127.0.0.1", 9)):
        plain, grpc = app_cluster(app), grpc_app_cluster(app)
        assert address_of(plain) == address_of(grpc)
        ((options,),) = ([*each["typed_extension_protocol_options"].values()] for each in [grpc])
        assert set(options["explicit_http_config"]) == {"http2_protocol_options"}
        assert "transport_socket" not in grpc


def test_the_tunnel_ends_in_the_same_envoy() -> None:
    cluster = tunnel_cluster()
    assert address_of(cluster) == {"envoy_internal_address": {"server_listener_name": "tunnel"}}
    assert not any("socket_address" in path or "pipe" in path for path, _ in shop.walk(cluster))


def test_names_of_services_and_of_ours_cannot_meet() -> None:
    ours = (app_cluster("/a"), grpc_app_cluster("/a"), slow_path_cluster("/b"), tunnel_cluster())
    names = {each["name"] for each in ours}
    assert len(names) == len(ours)
    for service in ("app", "app-grpc", "slow-path", "tunnel", "local"):
        assert service_cluster(service, Address("::1", 1), f"{shop.ID}/{service}", "/f")["name"] not in names


def test_a_callee_without_an_envoy_is_spoken_to_as_its_server_speaks() -> None:
    address, spiffe_id = Address("127.0.0.1", 7001), f"{shop.ID}/orders"
    own = service_cluster("orders", address, spiffe_id, "/run/s/checkout", http1=True)
    (options,) = own["typed_extension_protocol_options"].values()
    assert set(options["explicit_http_config"]) == {"http_protocol_options"}
    # an Envoy that kept a connection longer than the server does could lose a call
    assert float(options["common_http_protocol_options"]["idle_timeout"].removesuffix("s")) < KEEP_ALIVE_SECONDS
    tls = own["transport_socket"]["typed_config"]["common_tls_context"]
    assert tls["alpn_protocols"] == [ALPN]
    behind = service_cluster("orders", address, spiffe_id, "/run/s/checkout")
    names = "combined_validation_context"
    assert tls[names] == behind["transport_socket"]["typed_config"]["common_tls_context"][names]
