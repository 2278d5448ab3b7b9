"""`inward check`: validate a system folder, and say what should not stay as it is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inward.cli.options import JSONOption, SystemOption, system_folder
from inward.cli.output import Table, mistake_as_json, print_json, print_line, styled
from inward.control.bundle import load_policy
from inward.control.findings import find, slow_cells
from inward.errors import ExitCode, InvalidSystemError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inward.control.bundle import Policy
    from inward.control.findings import Finding
    from inward.envoy.resources.render import SlowCell
    from inward.policy.model import Policy as GrantOrForbid


def check(
    system: SystemOption = Path(),
    json: JSONOption = False,
    slow_path: Annotated[
        bool, typer.Option("--slow-path", help="List instead what Envoy cannot decide by itself, and why.")
    ] = False,
) -> int:
    """Validate everything in the system folder and print findings.

    Exit 0: nothing is wrong. 2: there are findings. 3: there are mistakes, and the folder would not be enforced.
    """
    try:
        policy = load_policy(system_folder(system))
    except InvalidSystemError as error:
        if not json:
            raise
        print_json({"mistakes": [mistake_as_json(mistake) for mistake in error.mistakes]})
        return error.exit_code
    if slow_path:
        _print_slow(policy, as_json=json)
        return ExitCode.SUCCESS
    findings = find(policy, datetime.now(UTC))
    real = [finding for finding in findings if finding.level == "finding"]
    if json:
        print_json(_as_json(policy, findings))
    else:
        _print(policy, findings, len(real))
    return ExitCode.REFUSED if real else ExitCode.SUCCESS


def _print(policy: Policy, findings: list[Finding], real: int) -> None:
    for finding in findings:
        hint = f" ({finding.hint})" if finding.hint else ""
        level = styled(finding.level, "yellow" if finding.level == "finding" else "dim")
        print_line(level + styled(f": {finding.place}: {finding.what}", "") + styled(hint, "dim"))
    catalog = policy.catalog
    size = ", ".join(
        _count(number, noun)
        for number, noun in (
            (len(catalog.services), "service"),
            (len(catalog.operations), "operation"),
            (len(policy.policies), "policy"),
        )
    )
    outcome = styled(_count(real, "finding"), "yellow") if real else styled("no mistakes, no findings", "green")
    print_line(styled(f"{catalog.trust_domain}, version {policy.version}: {size}; ", "") + outcome)


def _count(number: int, noun: str) -> str:
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun[:-1]}ies" if noun.endswith("y") else f"{number} {noun}s"


def _as_json(policy: Policy, findings: list[Finding]) -> dict[str, Any]:
    return {
        "mistakes": [],
        "findings": [
            {
                "level": finding.level,
                "kind": finding.kind,
                "file": finding.place.file,
                "line": finding.place.line or None,
                "what": finding.what,
                "hint": finding.hint or None,
            }
            for finding in findings
        ],
        "trust_domain": policy.catalog.trust_domain,
        "version": policy.version,
        "services": len(policy.catalog.services),
        "operations": len(policy.catalog.operations),
        "policies": len(policy.policies),
    }


def _print_slow(policy: Policy, *, as_json: bool) -> None:
    found = list(slow_cells(policy))
    if as_json:
        print_json({"slow_path": [_slow_as_json(cell, policies) for cell, policies in found]})
    elif not found:
        print_line("Envoy decides everything by itself")
    else:
        table = Table(["caller", "operation", "Envoy cannot decide", "in"])
        table.add(
            [
                [
                    cell.caller,
                    cell.operation,
                    cell.construct,
                    ", ".join(f"{each.id} ({each.place})" for each in policies),
                ]
                for cell, policies in found
            ]
        )


def _slow_as_json(cell: SlowCell, policies: Sequence[GrantOrForbid]) -> dict[str, Any]:
    return {
        "caller": cell.caller,
        "operation": cell.operation,
        "construct": cell.construct,
        "policies": {each.id: str(each.place) for each in policies},
    }
