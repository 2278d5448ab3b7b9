"""How an ingress asks the slow path (`ext_authz` over HTTP on a Unix socket) about the operations that need it."""

from __future__ import annotations

from inward.envoy.proto import (
    EXT_AUTHZ,
    EXT_AUTHZ_PER_ROUTE,
    FILTER_CONFIG,
    Resource,
    typed,
)

SLOW_CLUSTER = "local:slow-path"
SLOW_FILTER = "envoy.filters.http.ext_authz"
DECISION_HEADER = "x-inward-decision"
OPERATION_HEADER = "x-inward-operation"
CALLER_HEADER = "x-forwarded-client-cert"
TIMEOUT_SECONDS = 2


def _http_service(operation: str | None) -> Resource:
    # INVARIANT: Envoy reads `%` in a header's value as the begin of a command, and aborts at the first request where it
    # is none: `GET /a%20b` would be enough.
    value = (operation or "").replace("%", "%%")
    headers = [{"key": OPERATION_HEADER, "value": value}] if operation else []
    return {
        "server_uri": {"uri": "http://slow-path", "cluster": SLOW_CLUSTER, "timeout": f"{TIMEOUT_SECONDS}s"},
        "authorization_request": {"headers_to_add": headers},
        "authorization_response": {
            "dynamic_metadata_from_headers": {"patterns": [{"exact": DECISION_HEADER}]},
            "allowed_client_headers": {"patterns": [{"exact": "content-type"}]},
        },
    }


def slow_filter() -> Resource:
    """Return the filter as it stands in every ingress, switched off; a route switches it on for itself."""
    config = typed(
        EXT_AUTHZ,
        http_service=_http_service(None),
        # INVARIANT: no answer is a refusal.
        failure_mode_allow=False,
        status_on_error={"code": "ServiceUnavailable"},
        allowed_headers={"patterns": [{"exact": CALLER_HEADER}]},
    )
    return {"name": SLOW_FILTER, "typed_config": config, "disabled": True}


def slow_route(operation: str) -> Resource:
    """Return the configuration that makes a route ask the slow path, as this operation."""
    override = typed(EXT_AUTHZ_PER_ROUTE, check_settings={"http_service": _http_service(operation)})
    return typed(FILTER_CONFIG, config=override, disabled=False)
