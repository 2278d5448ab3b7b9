"""What gRPC needs of an Envoy beyond what HTTP does: a way to the app, the statuses of refusals, a tunnel.

- **To the app** by HTTP/2 in clear text, which is all that gRPC servers speak. Only what says by its content type that
  it is gRPC takes that way.
- **Refusals.** Envoy makes a gRPC answer of an answer of its own to a gRPC call: HTTP status 200, a gRPC status, the
  text as its message. Which status it is stands here where Envoy's own choice would mislead.
- **Through the egress.** gRPC clients that know `http_proxy` ask it for a tunnel (CONNECT, RFC 9110 section 9.3.6). It
  ends in the same Envoy, at an internal listener that no socket leads to; what comes out of it was asked for with the
  credential, and needs none. Clients that know no proxy speak HTTP/2 to the egress, with the credential in each call.
"""

from __future__ import annotations

from inward.envoy.resources.proto import (
    INTERNAL_LISTENER,
    INTERNAL_UPSTREAM,
    RAW_BUFFER,
    SET_FILTER_STATE,
    Resource,
    extension,
    typed,
)

GRPC_APP_CLUSTER = "local:app-grpc"
TUNNEL_CLUSTER = "local:tunnel"
TUNNEL_LISTENER = "tunnel"
IS_GRPC: Resource = {"grpc": {}}  # part of a route's match: the content type is `application/grpc`, or begins `…+`
# The deadline that the caller gives ends the call here too, whatever the app does; without one there is none.
GRPC_APP: Resource = {
    "cluster": GRPC_APP_CLUSTER,
    "timeout": "0s",
    "max_stream_duration": {"grpc_timeout_header_max": "0s"},
}
INVALID_ARGUMENT, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, UNAUTHENTICATED = 3, 4, 12, 13, 14, 16
_FROM_TUNNEL = "inward.tunnel"


def only_grpc() -> Resource:
    """Return the filter of what answers gRPC calls."""
    content_type = {"name": "content-type", "string_match": {"prefix": "application/grpc"}}
    return {"header_filter": {"header": content_type}}


def with_status(mapper: Resource, status: int | None) -> Resource:
    """Return a mapper of answers for gRPC calls alone, with a gRPC status of its own or the one that Envoy chooses."""
    both = {"and_filter": {"filters": [only_grpc(), mapper["filter"]]}} if "filter" in mapper else only_grpc()
    told = {} if status is None else {"headers_to_add": [{"header": {"key": "grpc-status", "value": str(status)}}]}
    return {**mapper, "filter": both, **told}


def tunnel_routes(refused: Resource, credential: Resource) -> tuple[Resource, Resource]:
    """Return the routes of requests for a tunnel: without the credential, as in `refused`, and with it."""
    asked: Resource = {"connect_matcher": {}}
    upgrade = {"upgrade_type": "CONNECT", "connect_config": {}}
    route = {"cluster": TUNNEL_CLUSTER, "timeout": "0s", "upgrade_configs": [upgrade]}
    without = {**refused, "match": {**asked, "headers": refused["match"]["headers"]}}
    removed = ["proxy-authorization", "proxy-connection"]
    return without, {
        "match": {**asked, "headers": [credential]},
        "request_headers_to_remove": removed,
        "route": route,
    }


def from_tunnel() -> Resource:
    """Return the part of a route's match that only what comes out of the tunnel fulfils."""
    return {"filter_state": [{"key": _FROM_TUNNEL, "string_match": {"exact": "true"}}]}


def tunnel_listener(manager: Resource) -> Resource:
    """Return the internal listener; `manager` is what takes the calls of the egress."""
    marked = {
        "object_key": _FROM_TUNNEL,
        "factory_key": "envoy.string",
        "format_string": {"text_format_source": {"inline_string": "true"}},
    }
    mark = extension("envoy.filters.network.set_filter_state", SET_FILTER_STATE, on_new_connection=[marked])
    return {"name": TUNNEL_LISTENER, "internal_listener": {}, "filter_chains": [{"filters": [mark, manager]}]}


def tunnel_extension() -> Resource:
    """Return the extension of the bootstrap by which there can be an internal listener."""
    return extension("envoy.bootstrap.internal_listener", INTERNAL_LISTENER)


def tunnel_address() -> Resource:
    """Return where the tunnel ends, as an address of a cluster."""
    return {"envoy_internal_address": {"server_listener_name": TUNNEL_LISTENER}}


def tunnel_socket() -> Resource:
    """Return the transport socket of the tunnel's cluster."""
    return extension(
        "envoy.transport_sockets.internal_upstream",
        INTERNAL_UPSTREAM,
        transport_socket={"name": "envoy.transport_sockets.raw_buffer", "typed_config": typed(RAW_BUFFER)},
    )
