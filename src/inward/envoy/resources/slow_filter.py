"""How an ingress asks the slow path (`ext_authz` over HTTP on a Unix socket) about the operations that need it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inward.envoy.resources.proto import (
    EXT_AUTHZ,
    EXT_AUTHZ_PER_ROUTE,
    FILTER_CONFIG,
    Resource,
    typed,
)
from inward.identity.forwarded import CALLER_HEADER

if TYPE_CHECKING:
    from inward.catalog.model import Mode

SLOW_CLUSTER = "local:slow-path"
ENFORCING_FILTER = "envoy.filters.http.ext_authz"
OBSERVING_FILTER = "inward.observing_ext_authz"
EXT_AUTHZ_METADATA = "envoy.filters.http.ext_authz"  # where both put what the slow path said, whatever their names
DECISION_HEADER = "x-inward-decision"
OPERATION_HEADER = "x-inward-operation"
MODE_HEADER = "x-inward-mode"
TIMEOUT_SECONDS = 2


def _http_service(operation: str = "", mode: str = "") -> Resource:
    # INVARIANT: Envoy reads `%` in a header's value as the begin of a command, and aborts at the first request where it
    # is none: `GET /a%20b` would be enough.
    told = {OPERATION_HEADER: operation, MODE_HEADER: mode}
    headers = [{"key": name, "value": value.replace("%", "%%")} for name, value in told.items() if value]
    return {
        "server_uri": {"uri": "http://slow-path", "cluster": SLOW_CLUSTER, "timeout": f"{TIMEOUT_SECONDS}s"},
        "authorization_request": {"headers_to_add": headers},
        "authorization_response": {
            "dynamic_metadata_from_headers": {"patterns": [{"exact": DECISION_HEADER}]},
            "allowed_client_headers": {"patterns": [{"exact": "content-type"}]},
        },
    }


def filter_of(mode: Mode) -> str:
    """Return the name of the filter that an operation of this mode switches on."""
    return ENFORCING_FILTER if mode == "enforce" else OBSERVING_FILTER


def slow_filters() -> list[Resource]:
    """Return the two filters as they stand in every ingress, switched off; a route switches one on for itself."""
    # INVARIANT: no answer is a refusal where calls are enforced; where they are observed nothing is refused.
    return [_filter(ENFORCING_FILTER, failure_mode_allow=False), _filter(OBSERVING_FILTER, failure_mode_allow=True)]


def _filter(name: str, *, failure_mode_allow: bool) -> Resource:
    config = typed(
        EXT_AUTHZ,
        http_service=_http_service(),
        failure_mode_allow=failure_mode_allow,
        status_on_error={"code": "ServiceUnavailable"},
        allowed_headers={"patterns": [{"exact": CALLER_HEADER}]},
    )
    return {"name": name, "typed_config": config, "disabled": True}


def slow_route(operation: str, mode: Mode) -> Resource:
    """Return the configuration that makes a route ask the slow path, as this operation in this mode."""
    override = typed(EXT_AUTHZ_PER_ROUTE, check_settings={"http_service": _http_service(operation, mode.value)})
    return typed(FILTER_CONFIG, config=override, disabled=False)
