"""`inward revoke`: take a grant out of its owner's file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inward.cli.edited import report
from inward.cli.options import JSONOption, SystemOption, operation_named, service_named, system_layout
from inward.control.bundle import load_policy
from inward.policy.authoring.edit import revoke as revoke_grants


def revoke(
    caller: Annotated[str, typer.Argument(metavar="CALLER", help="The service that calls.")],
    operation: Annotated[str, typer.Argument(metavar="OPERATION", help="Such as orders:getOrder.")],
    system: SystemOption = Path(),
    json: JSONOption = False,
) -> int:
    """Take what grants an operation to a service out of the file of the operation's owner.

    What would take it from others too is refused, and named. Where the system runs, waits until the callee's Envoy
    enforces it.
    """
    layout = system_layout(system)
    catalog = load_policy(layout.system).catalog
    service_named(catalog, caller)
    operation_named(catalog, operation)
    return report(layout, revoke_grants(layout.system, catalog, caller, operation), caller, [operation], as_json=json)
