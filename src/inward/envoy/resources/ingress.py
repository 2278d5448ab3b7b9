"""The ingress: the listener that takes a service's calls, mutual TLS only, and hands the allowed ones to the app."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inward.envoy.access_log import CONNECTION_FIELDS, INGRESS_FIELDS, VERDICT_METADATA, file_log
from inward.envoy.resources.proto import (
    EARLY_MUTATION,
    EXPRESSION_FILTER,
    HEADER_TO_METADATA,
    HTTP_MANAGER,
    RBAC,
    ROUTER,
    Resource,
    extension,
    watched,
)
from inward.envoy.resources.rbac import QUARANTINE_FILTER, base_filter
from inward.envoy.resources.refusals import ingress_replies
from inward.envoy.resources.routes import INGRESS_ROUTES
from inward.envoy.resources.slow_filter import slow_filters
from inward.envoy.resources.tls import downstream
from inward.record.verdict import HEADER

if TYPE_CHECKING:
    from inward.catalog.model import Address

# What an application may take for "who is calling", when it stands behind a proxy that it trusts. The ingress is that
# proxy, so a caller's own copy is dropped before anything looks at the request.
IDENTITY_HEADERS = (
    "forwarded",
    "proxy-authorization",
    "remote-user",
    "tailscale-user-login",
    "true-client-ip",
    "x-amzn-oidc-data",
    "x-amzn-oidc-identity",
    "x-auth-request-email",
    "x-auth-request-groups",
    "x-auth-request-user",
    "x-authenticated-user",
    "x-client-cert",
    "x-client-dn",
    "x-client-verify",
    "x-consumer-id",
    "x-consumer-username",
    "x-forwarded-access-token",
    "x-forwarded-client-cert",
    "x-forwarded-email",
    "x-forwarded-for",
    "x-forwarded-groups",
    "x-forwarded-host",
    "x-forwarded-preferred-username",
    "x-forwarded-proto",
    "x-forwarded-user",
    "x-goog-authenticated-user-email",
    "x-goog-authenticated-user-id",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-real-ip",
    "x-remote-user",
    "x-request-id",
    "x-rewrite-url",
    "x-ssl-cert",
    "x-ssl-client-cert",
    "x-ssl-client-s-dn",
    "x-ssl-client-verify",
    "x-user",
    "x-user-id",
    "x-webauth-user",
)


def early_mutation() -> Resource:
    """Return the mutation that drops identity headers, ours included, before any filter sees them."""
    # One expression over the few headers that a request has costs less than looking for each of these names.
    names = "|".join(re.escape(name).replace(r"\-", "-") for name in IDENTITY_HEADERS)
    mutation = {"remove_on_match": {"key_matcher": {"safe_regex": {"regex": f"{names}|x-inward-.*|x-envoy-.*"}}}}
    return extension("envoy.http.early_header_mutation.header_mutation", EARLY_MUTATION, mutations=[mutation])


def verdict_filter() -> Resource:
    """Return the filter that takes the verdict of the service's guard out of the answer, for the log."""
    rule = {
        "header": HEADER,
        "on_header_present": {"metadata_namespace": VERDICT_METADATA, "key": HEADER, "type": "STRING"},
        "remove": True,
    }
    return extension("envoy.filters.http.header_to_metadata", HEADER_TO_METADATA, response_rules=[rule])


def socket_address(address: Address) -> Resource:
    """Return a TCP address as Envoy writes it."""
    return {"socket_address": {"address": address.host, "port_value": address.port}}


def ingress_listener(address: Address, folder: str, log: str, max_connection_seconds: float) -> Resource:
    """Return the listener. `folder` holds the watched files, `log` is the access log's path."""
    filters = [
        {
            "name": QUARANTINE_FILTER,
            "config_discovery": {
                "config_source": watched(f"{folder}/quarantine.json"),
                "type_urls": [f"type.googleapis.com/{RBAC}"],
            },
        },
        base_filter(),
        *slow_filters(),
        verdict_filter(),
        extension("envoy.filters.http.router", ROUTER, suppress_envoy_headers=True),
    ]
    manager = extension(
        "envoy.filters.network.http_connection_manager",
        HTTP_MANAGER,
        stat_prefix="ingress",
        codec_type="AUTO",
        early_header_mutation_extensions=[early_mutation()],
        http_filters=filters,
        use_remote_address=True,
        skip_xff_append=True,
        generate_request_id=True,
        always_set_request_id_in_response=True,
        normalize_path=True,
        merge_slashes=True,
        path_with_escaped_slashes_action="REJECT_REQUEST",
        strip_trailing_host_dot=True,
        forward_client_cert_details="SANITIZE_SET",
        set_current_client_cert_details={"uri": True},
        server_header_transformation="PASS_THROUGH",
        stream_idle_timeout="0s",
        request_headers_timeout="10s",
        max_request_headers_kb=60,
        common_http_protocol_options={
            # INVARIANT: WSGI and CGI programs read `x_forwarded_client_cert` and `x-forwarded-client-cert` as one.
            "headers_with_underscores_action": "DROP_HEADER",
            # A connection that was opened with an identity must not outlive it by much.
            "max_connection_duration": f"{max_connection_seconds:.3f}s",
            "idle_timeout": "300s",
        },
        http2_protocol_options={"max_concurrent_streams": 1024},
        rds={"route_config_name": INGRESS_ROUTES, "config_source": watched(f"{folder}/routes.json")},
        local_reply_config=ingress_replies(),
        access_log=[file_log(log, INGRESS_FIELDS)],
    )
    handshake_failed = {
        "extension_filter": extension(
            "envoy.access_loggers.extension_filters.cel",
            EXPRESSION_FILTER,
            expression="connection.transport_failure_reason != ''",
        )
    }
    return {
        "name": "ingress",
        "address": socket_address(address),
        "filter_chains": [{"filters": [manager], "transport_socket": downstream(folder)}],
        "access_log": [file_log(log, CONNECTION_FIELDS, handshake_failed)],
        "per_connection_buffer_limit_bytes": 1048576,
    }
