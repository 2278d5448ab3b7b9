"""The egress: the loopback proxy for a service's calls (`HTTP_PROXY`), which gives them the service's identity.

A loopback port is open to every process of the machine, so a call must carry the credential of this run, which only the
service was given; it is taken off again before the call leaves.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from inward.envoy.access_log import ANSWERED, EGRESS_FIELDS, file_log
from inward.envoy.resources.grpc import from_tunnel, tunnel_listener, tunnel_routes
from inward.envoy.resources.ingress import socket_address, without_headers
from inward.envoy.resources.proto import (
    EXPRESSION_FILTER,
    HTTP_MANAGER,
    ROUTE_CONFIGURATION,
    ROUTER,
    Resource,
    extension,
    typed,
    watched,
)
from inward.envoy.resources.refusals import egress_replies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inward.catalog.model import Address

EGRESS_ROUTES = "egress"
USER = "inward"


def callee_cluster(service: str) -> str:
    """Return the name of the cluster of a callee."""
    return f"service:{service}"


def proxy_authorization(credential: str) -> str:
    """Return the header value that a client sends for `http://inward:<credential>@…` (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{USER}:{credential}".encode()).decode()


def egress_routes(services: Sequence[str], credential: str) -> Resource:
    """Return the routes by authority: `http://orders/…` and `http://orders:80/…` go to the service `orders`."""
    credential_header = {
        "name": "proxy-authorization",
        "string_match": {"exact": proxy_authorization(credential)},
    }
    refused = {
        "match": {
            "prefix": "/",
            "headers": [{**credential_header, "invert_match": True, "treat_missing_header_as_empty": True}],
        },
        "direct_response": {"status": 407},
        "response_headers_to_add": [{"header": {"key": "proxy-authenticate", "value": 'Basic realm="inward"'}}],
    }
    refused_tunnel, tunnel = tunnel_routes(refused, credential_header)
    # INVARIANT: what comes before the refusals came out of a tunnel, which was asked for with the credential.
    hosts: list[Resource] = [
        {
            "name": service,
            "domains": [service, f"{service}:*"],
            "routes": [
                {"match": {"prefix": "/", **from_tunnel()}, **_to_callee(service)},
                refused,
                refused_tunnel,
                tunnel,
                {"match": {"prefix": "/", "headers": [credential_header]}, **_to_callee(service)},
            ],
        }
        for service in services
    ]
    unknown = {"direct_response": {"status": 404}}
    hosts.append(
        {
            "name": "unknown",
            "domains": ["*"],
            "routes": [
                {"match": {"prefix": "/", **from_tunnel()}, **unknown},
                refused,
                refused_tunnel,
                {"match": {"prefix": "/"}, **unknown},
                {"match": {"connect_matcher": {}}, **unknown},
            ],
        }
    )
    return typed(ROUTE_CONFIGURATION, name=EGRESS_ROUTES, virtual_hosts=hosts)


def _to_callee(service: str) -> Resource:
    return {
        "request_headers_to_remove": ["proxy-authorization", "proxy-connection"],
        "route": {
            "cluster": callee_cluster(service),
            "timeout": "0s",
            # Only what certainly never reached the callee is tried again.
            "retry_policy": {
                "retry_on": "connect-failure,refused-stream,reset-before-request",
                "num_retries": 3,
                "retry_back_off": {"base_interval": "0.01s", "max_interval": "0.2s"},
            },
        },
    }


def egress_tunnel(folder: str, log: str) -> Resource:
    """Return the listener in which the tunnels end that clients ask the egress for, to call by HTTP/2."""
    return tunnel_listener(_manager("HTTP2", folder, log))


def egress_listener(address: Address, folder: str, log: str) -> Resource:
    """Return the listener. Only calls that no callee answered are logged here: the callee's ingress logs the others."""
    return {
        "name": "egress",
        "address": socket_address(address),
        "filter_chains": [{"filters": [_manager("AUTO", folder, log, upgrade_configs=[{"upgrade_type": "CONNECT"}])]}],
    }


def _manager(codec: str, folder: str, log: str, **fields: object) -> Resource:
    return extension(
        "envoy.filters.network.http_connection_manager",
        HTTP_MANAGER,
        stat_prefix="egress",
        codec_type=codec,
        # What the record calls a call by is for nobody to choose; the callee's ingress has one of its own.
        early_header_mutation_extensions=[without_headers("x-request-id")],
        http_filters=[extension("envoy.filters.http.router", ROUTER, suppress_envoy_headers=True)],
        rds={"route_config_name": EGRESS_ROUTES, "config_source": watched(f"{folder}/egress.json")},
        generate_request_id=True,
        always_set_request_id_in_response=False,
        # The path goes out as it was typed: what it means is for the callee's ingress to say, in one place.
        normalize_path=False,
        merge_slashes=False,
        path_with_escaped_slashes_action="KEEP_UNCHANGED",
        server_header_transformation="PASS_THROUGH",
        stream_idle_timeout="0s",
        strip_any_host_port=True,
        local_reply_config=egress_replies(),
        **fields,
        access_log=[
            file_log(
                log,
                EGRESS_FIELDS,
                # Details that are missing make the expression false, and then there is a flag.
                {"or_filter": {"filters": [{"response_flag_filter": {}}, _answered_here()]}},
            )
        ],
    )


def _answered_here() -> Resource:
    expression = f"response.code_details != '{ANSWERED}'"
    return {
        "extension_filter": extension(
            "envoy.access_loggers.extension_filters.cel", EXPRESSION_FILTER, expression=expression
        )
    }
