"""A report as JSON values, for programs that know Inward."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inward.cli.output import mistake_as_json

if TYPE_CHECKING:
    from inward.control.checking.steps import Report


def render(report: Report) -> dict[str, Any]:
    """Return the report; a system whose files have mistakes has no findings, no version and no sizes."""
    mistakes = [mistake_as_json(mistake) for mistake in report.mistakes]
    system = report.system
    if system is None:
        return {"mistakes": mistakes}
    return {
        "mistakes": mistakes,
        "findings": [
            {
                "level": finding.level,
                "kind": finding.kind,
                "file": finding.place.file,
                "line": finding.place.line or None,
                "what": finding.what,
                "hint": finding.hint or None,
            }
            for finding in report.findings
        ],
        "trust_domain": system.catalog.trust_domain,
        "version": system.version,
        "services": len(system.catalog.services),
        "operations": len(system.catalog.operations),
        "policies": len(system.policies),
    }
