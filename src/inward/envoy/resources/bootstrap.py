"""The bootstrap: what an Envoy is started with. All that changes while it runs is in the files that it watches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inward.envoy.resources.egress import egress_listener, egress_tunnel
from inward.envoy.resources.grpc import tunnel_extension
from inward.envoy.resources.ingress import ingress_listener
from inward.envoy.resources.proto import DOWNSTREAM_CONNECTIONS, Resource, extension, watched

if TYPE_CHECKING:
    from inward.catalog.model import Address, Service

MAX_REGEX_PROGRAM = 1_000_000


def bootstrap(
    service: Service,
    *,
    ingress: Address | None,
    egress: Address,
    folder: str,
    log: str,
    max_connection_seconds: float,
    token_key: str = "",
) -> Resource:
    """Return the bootstrap of a service's Envoy.

    `folder` is the service's private folder with the watched files and the admin socket; `log` the access log's path;
    `ingress` is None for a service that only calls; `token_key` the path of the key of tokens.
    """
    listeners = [egress_listener(egress, folder, log), egress_tunnel(folder, log)]
    if ingress is not None:
        listeners.append(
            ingress_listener(ingress, folder, log, max_connection_seconds, guarded=service.guarded, token_key=token_key)
        )
    return {
        "node": {"id": service.name, "cluster": service.name},
        "admin": {"address": {"pipe": {"path": f"{folder}/admin.sock", "mode": 0o600}}},
        "static_resources": {"listeners": listeners},
        "dynamic_resources": {"cds_config": watched(f"{folder}/clusters.json")},
        "bootstrap_extensions": [tunnel_extension()],
        "layered_runtime": {
            "layers": [
                {
                    "name": "inward",
                    # Envoy's default refuses the expression of a path with two variables (RE2 program size 104).
                    "static_layer": {
                        "re2.max_program_size.error_level": MAX_REGEX_PROGRAM,
                        "re2.max_program_size.warn_level": MAX_REGEX_PROGRAM,
                    },
                }
            ]
        },
        "overload_manager": {
            "resource_monitors": [
                extension(
                    "envoy.resource_monitors.global_downstream_max_connections",
                    DOWNSTREAM_CONNECTIONS,
                    max_active_downstream_connections=50000,
                )
            ]
        },
    }
