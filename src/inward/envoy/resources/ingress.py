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
from inward.envoy.tap import tap_filter
from inward.envoy.views.filters import view_filters
from inward.envoy.views.source import MOST_BYTES
from inward.identity.forwarded import IDENTITY_HEADERS
from inward.record.verdict import HEADER

if TYPE_CHECKING:
    from inward.catalog.model import Address


def early_mutation() -> Resource:
    """Return the mutation that drops identity headers, ours included, before any filter sees them."""
    # One expression over the few headers that a request has costs less than looking for each of these names.
    names = "|".join(re.escape(name).replace(r"\-", "-") for name in IDENTITY_HEADERS)
    return without_headers(f"{names}|x-inward-.*|x-envoy-.*")


def without_headers(expression: str) -> Resource:
    """Return the mutation that drops every header of a request whose name the expression matches in full."""
    mutation = {"remove_on_match": {"key_matcher": {"safe_regex": {"regex": expression}}}}
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


def ingress_listener(
    address: Address,
    folder: str,
    log: str,
    max_connection_seconds: float,
    *,
    guarded: bool = False,
    token_key: str = "",
) -> Resource:
    """Return the listener. `folder` holds the watched files, `log` is the access log's path.

    The answers of a service that is not `guarded` are viewed here; `token_key` is the path of the key of tokens.
    """
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
        tap_filter(),  # sees calls that are let through, and their answers as the caller gets them
        *([verdict_filter()] if guarded else view_filters(token_key)),
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
        # The window is also what is kept of one answer that is held back; Envoy's own choice is 16 MiB and more.
        http2_protocol_options={"max_concurrent_streams": 1024, "initial_stream_window_size": MOST_BYTES},
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
        "per_connection_buffer_limit_bytes": MOST_BYTES,
    }
