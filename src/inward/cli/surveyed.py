"""What `inward surface` and `inward unused` share: the option of time, and how far the record reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from inward.cli.output import remark, styled
from inward.record.call import timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from inward.cli.progress import Watch
    from inward.insight.unused.coverage import Coverage

SinceOption = Annotated[
    str, typer.Option(metavar="WHEN", help="What was used since then: 30d, or a day; in whole days, 400 at most.")
]
DEFAULT_SINCE = "90d"


def catching_up(watch: Watch | None) -> Callable[[int, int], None] | None:
    """Return what shows how far the rollups are; None where nobody waits."""
    return None if watch is None else lambda done, of: watch("MB added to the rollups", done >> 20, of >> 20)


def record_as_json(coverage: Coverage) -> dict[str, Any]:
    """Return how far the record reaches as JSON values."""
    return {
        "since": timestamp(coverage.since),
        "reaches_to": None if coverage.begin is None else timestamp(coverage.begin),
        "days": coverage.days,
        "covers_all": coverage.whole,
        "days_with_calls": coverage.with_calls,
        "gaps": coverage.gaps,
        "first_gap": coverage.first_gap,
        "notes": list(coverage.notes),
    }


def print_record(coverage: Coverage) -> None:
    """Say how far the record reaches, and what it lacks, on standard error."""
    asked = (coverage.now - coverage.since).days
    if coverage.begin is None:
        remark(styled("the record knows of no call that was allowed: nothing can be said of what is used", "yellow"))
    elif not coverage.whole:
        reach = f"reaches {_days(coverage.days)} back" if coverage.days else "begins today"
        remark(styled(f"the record {reach}, and {_days(asked)} are asked for: not used may be not used yet", "yellow"))
    else:
        rested = asked + 1 - coverage.with_calls
        quiet = f", on {_days(rested)} of them nothing was called" if rested > 0 else ""
        remark(styled(f"the record covers the {_days(asked)} since {coverage.since.date().isoformat()}{quiet}", "dim"))
    if coverage.gaps:
        many = f"{coverage.gaps:,} gap{'' if coverage.gaps == 1 else 's'}"
        remark(styled(f"{many} in the record, first on {coverage.first_gap}: calls may be missing", "yellow"))
    for note in coverage.notes:
        remark(styled(note, "yellow"))


def _days(number: int) -> str:
    return f"{number:,} day{'' if number == 1 else 's'}"
