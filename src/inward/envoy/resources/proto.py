"""The type names of the Envoy API that Inward uses, and the few shapes that recur.

Resources are plain JSON values (`dict`), written as Envoy's proto3 JSON; Envoy itself checks them, unknown fields
included (`--reject-unknown-dynamic-fields`), so neither grpcio nor protobuf is needed here.
"""

from __future__ import annotations

from typing import Any

Resource = dict[str, Any]
MOST_NESTED = 100

_PREFIX = "type.googleapis.com/"

CEL_INPUT = "xds.type.matcher.v3.HttpAttributesCelMatchInput"
CEL_MATCHER = "xds.type.matcher.v3.CelMatcher"
CLUSTER = "envoy.config.cluster.v3.Cluster"
CUSTOM_RESPONSE = "envoy.extensions.filters.http.custom_response.v3.CustomResponse"
DOWNSTREAM_CONNECTIONS = "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"
DOWNSTREAM_TLS = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
DYNAMIC_METADATA_INPUT = "envoy.extensions.matching.common_inputs.network.v3.DynamicMetadataInput"
EARLY_MUTATION = "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
EXT_AUTHZ = "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz"
EXT_AUTHZ_PER_ROUTE = "envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute"
EXTENSION_CONFIG = "envoy.config.core.v3.TypedExtensionConfig"
EXPRESSION_FILTER = "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter"
FILE_LOG = "envoy.extensions.access_loggers.file.v3.FileAccessLog"
FILTER_CONFIG = "envoy.config.route.v3.FilterConfig"
HEADER_TO_METADATA = "envoy.extensions.filters.http.header_to_metadata.v3.Config"
HEADER_MUTATION = "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation"
HEADER_INPUT = "envoy.type.matcher.v3.HttpRequestHeaderMatchInput"
HTTP_MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
INTERNAL_LISTENER = "envoy.extensions.bootstrap.internal_listener.v3.InternalListener"
INTERNAL_UPSTREAM = "envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport"
RAW_BUFFER = "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer"
LOCAL_RESPONSE = "envoy.extensions.http.custom_response.local_response_policy.v3.LocalResponsePolicy"
LUA = "envoy.extensions.filters.http.lua.v3.Lua"
LUA_PER_ROUTE = "envoy.extensions.filters.http.lua.v3.LuaPerRoute"
METADATA_MATCHER = "envoy.extensions.matching.input_matchers.metadata.v3.Metadata"
RBAC = "envoy.extensions.filters.http.rbac.v3.RBAC"
RBAC_ACTION = "envoy.config.rbac.v3.Action"
RBAC_PER_ROUTE = "envoy.extensions.filters.http.rbac.v3.RBACPerRoute"
ROUTE = "envoy.config.route.v3.Route"
ROUTE_CONFIGURATION = "envoy.config.route.v3.RouteConfiguration"
ROUTE_LIST = "envoy.config.route.v3.RouteList"
ROUTER = "envoy.extensions.filters.http.router.v3.Router"
SECRET = "envoy.extensions.transport_sockets.tls.v3.Secret"  # noqa: S105 - the name of a type
SET_FILTER_STATE = "envoy.extensions.filters.network.set_filter_state.v3.Config"
SPIFFE_VALIDATOR = "envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig"
TAP = "envoy.extensions.filters.http.tap.v3.Tap"
UPSTREAM_TLS = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
URI_SAN_INPUT = "envoy.extensions.matching.common_inputs.ssl.v3.UriSanInput"


def typed(type_name: str, **fields: object) -> Resource:
    """Return a message of an `Any` field: its type, then its fields."""
    return {"@type": _PREFIX + type_name, **fields}


def extension(name: str, type_name: str, **fields: object) -> Resource:
    """Return a `TypedExtensionConfig`: a named extension and its configuration."""
    return {"name": name, "typed_config": typed(type_name, **fields)}


def nesting(value: object) -> int:
    """Return how deeply the JSON objects and arrays of a value nest; Envoy reads `MOST_NESTED`."""
    depth = 0
    level = [value] if isinstance(value, dict | list) else []
    while level:
        depth += 1
        level = [
            part
            for each in level
            for part in (each.values() if isinstance(each, dict) else each)
            if isinstance(part, (dict, list))
        ]
    return depth


def watched(path: str) -> Resource:
    """Return a configuration source: a file whose replacement by a rename Envoy takes over at once."""
    return {"path_config_source": {"path": path}, "resource_api_version": "V3"}
