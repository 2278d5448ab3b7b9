"""`inward allow`: write a grant into its owner's file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from inward.catalog.document import shown
from inward.cli.edited import report
from inward.cli.options import JSONOption, SystemOption, operation_named, service_named, system_layout
from inward.control.bundle import load_policy
from inward.errors import BadInputError
from inward.policy.authoring.edit import add_grant
from inward.policy.loading.load import parse_expiry


def allow(
    caller: Annotated[str, typer.Argument(metavar="CALLER", help="The service that calls.")],
    operations: Annotated[
        list[str], typer.Argument(metavar="OPERATION", help="Of one service, such as orders:getOrder.")
    ],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Who needs this, and why.")],
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="The last day, such as 2027-06-30, or a time.")
    ] = None,
    when: Annotated[str | None, typer.Option(metavar="CEDAR", help="A condition, as in `when { … }`.")] = None,
    system: SystemOption = Path(),
    json: JSONOption = False,
) -> int:
    """Grant operations to a service: writes a policy into the file of the operations' owner.

    Where the system runs, waits until the callee's Envoy enforces it. Review the change, and commit it.
    """
    layout = system_layout(system)
    catalog = load_policy(layout.system).catalog
    service_named(catalog, caller)
    for operation in operations:
        operation_named(catalog, operation)
    ends = parse_expiry(until) if until is not None else None
    if ends is not None and ends <= datetime.now(UTC):
        raise BadInputError(f"`{shown(until or '')}` is over", hint="give a day to come")
    edit = add_grant(layout.system, catalog, caller, operations, reason, expires=until, condition=when)
    return report(layout, edit, caller, operations, as_json=json)
