"""A report for people: a line for each finding and note, then one for the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inward.cli.output import styled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from inward.control.checking.steps import Report


def render(report: Report) -> Iterator[Text]:
    """Yield the lines of a report without mistakes; mistakes are told as the error that they are."""
    for finding in report.findings:
        hint = f" ({finding.hint})" if finding.hint else ""
        level = styled(finding.level, "yellow" if finding.level == "finding" else "dim")
        yield level + styled(f": {finding.place}: {finding.what}", "") + styled(hint, "dim")
    system = report.system
    if system is None:
        return
    catalog = system.catalog
    size = ", ".join(
        _count(number, noun)
        for number, noun in (
            (len(catalog.services), "service"),
            (len(catalog.operations), "operation"),
            (len(system.policies), "policy"),
        )
    )
    real = sum(finding.level == "finding" for finding in report.findings)
    outcome = styled(_count(real, "finding"), "yellow") if real else styled("no mistakes, no findings", "green")
    yield styled(f"{catalog.trust_domain}, version {system.version}: {size}; ", "") + outcome


def _count(number: int, noun: str) -> str:
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun[:-1]}ies" if noun.endswith("y") else f"{number} {noun}s"
