"""The clusters: the service's own app, the callees that its egress reaches, and the slow path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inward.envoy.resources.egress import callee_cluster
from inward.envoy.resources.grpc import GRPC_APP_CLUSTER, TUNNEL_CLUSTER, tunnel_address, tunnel_socket
from inward.envoy.resources.ingress import socket_address
from inward.envoy.resources.proto import CLUSTER, HTTP_OPTIONS, Resource, typed
from inward.envoy.resources.routes import APP_CLUSTER
from inward.envoy.resources.slow_filter import SLOW_CLUSTER
from inward.envoy.resources.tls import upstream

if TYPE_CHECKING:
    from inward.catalog.model import Address

_HTTP_OPTIONS_KEY = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_NO_BREAKER = {"max_connections": 65536, "max_pending_requests": 65536, "max_requests": 65536, "max_retries": 1024}


def _cluster(name: str, address: Resource, protocol: str, idle: str = "", **fields: object) -> Resource:
    endpoint = {"endpoint": {"address": address}}
    options: Resource = {
        "explicit_http_config": {protocol: {}},
        # A connection that the other end may be about to close is not used for a request that must not be repeated.
        "common_http_protocol_options": {
            "idle_timeout": idle or ("4s" if protocol == "http_protocol_options" else "300s")
        },
    }
    return typed(
        CLUSTER,
        name=name,
        type="STATIC",
        connect_timeout="2s",
        load_assignment={"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        # Limits of load are the service's own; these only keep Envoy's small defaults out of the way.
        circuit_breakers={"thresholds": [_NO_BREAKER]},
        typed_extension_protocol_options={_HTTP_OPTIONS_KEY: typed(HTTP_OPTIONS, **options)},
        **fields,
    )


def app_cluster(app: str | Address) -> Resource:
    """Return the cluster of the service itself: a Unix socket's path, or a loopback address."""
    address = {"pipe": {"path": app}} if isinstance(app, str) else socket_address(app)
    return _cluster(APP_CLUSTER, address, "http_protocol_options")


def grpc_app_cluster(app: str | Address) -> Resource:
    """Return the cluster of the service itself for gRPC: the same place, HTTP/2 in clear text with prior knowledge."""
    address = {"pipe": {"path": app}} if isinstance(app, str) else socket_address(app)
    return _cluster(GRPC_APP_CLUSTER, address, "http2_protocol_options")


def tunnel_cluster() -> Resource:
    """Return the cluster that ends the tunnels which clients ask the egress for."""
    return _cluster(TUNNEL_CLUSTER, tunnel_address(), "http_protocol_options", transport_socket=tunnel_socket())


def slow_path_cluster(socket: str) -> Resource:
    """Return the cluster of the slow path's Unix socket."""
    return _cluster(SLOW_CLUSTER, {"pipe": {"path": socket}}, "http_protocol_options")


def service_cluster(name: str, address: Address, spiffe_id: str, folder: str, *, http1: bool = False) -> Resource:
    """Return the cluster of a callee: mutual TLS to its ingress, which must have exactly that SPIFFE ID.

    `http1`: it takes calls itself, and its server speaks HTTP/1.1 only.
    """
    return _cluster(
        callee_cluster(name),
        socket_address(address),
        "http_protocol_options" if http1 else "http2_protocol_options",
        "50s" if http1 else "",  # the guard's server keeps them for 60
        transport_socket=upstream(folder, spiffe_id, "http/1.1" if http1 else "h2"),
    )
