"""What `guard` in inward.yaml says: whether a service's program has a guard in it, and whether it serves TLS itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inward.catalog.document import Value
    from inward.catalog.model import Operation

SERVER = "inward.guard.serve"
TLS = "tls"  # in the place of `true`: the program takes calls itself, with no Envoy in front


def serves_tls(service: Value) -> bool:
    """Return whether a service of inward.yaml takes calls itself."""
    value = service.get("guard")
    return value is not None and value.data == TLS


def is_guarded(service: Value, operations: Sequence[Operation]) -> bool:
    """Return whether a service of inward.yaml has a guard; one that cannot work as it is written is a mistake."""
    value = service.get("guard")
    run = service.get("run")
    if value is not None and serves_tls(service):
        if run is None or service.get("listen") is None:
            value.mistake(
                "a service with `guard: tls` takes calls itself", "give it a `run` line and a `listen` address"
            )
        elif SERVER not in str(run.data):
            value.mistake(
                f"`guard: tls` needs a server that verifies who calls, and `run` has no `{SERVER}`",
                f"write `python -m {SERVER} module:app`",
            )
        elif any(operation.rpc is not None for operation in operations):
            value.mistake("gRPC needs HTTP/2, which a service with `guard: tls` does not speak", "write `guard: true`")
        return True
    if value is None or value.boolean() is not True:
        return False
    if run is None or "{socket}" not in str(run.data):
        value.mistake(
            "a guard can only trust who calls where its program listens on a Unix socket", "put `{socket}` into `run`"
        )
    return True
