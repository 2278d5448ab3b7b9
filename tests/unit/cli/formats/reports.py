"""A report with one of everything, hostile texts among it."""

from __future__ import annotations

from pathlib import Path

from inward.control.checking.steps import Report, Taken
from inward.control.findings import Finding
from inward.errors import Mistake, Place

HOSTILE = 'a%b\r\n::error::c,d:e <f> & "g" \x00\x1b[31m\u202e ]]> [h](https://i) \ud800'


def report(shift: int = 0, what: str = "`orders` observes: nothing is refused") -> Report:
    """Return the report; `shift` moves every line, `what` is the text of the first finding."""
    return Report(
        Path("/nowhere"),
        None,
        (
            Taken(
                "system", mistakes=(Mistake(Place("policies/a b.cedar", 3 + shift), f"the id `x` {HOSTILE}", HOSTILE),)
            ),
            Taken(
                "services",
                (
                    Finding("finding", "observed", Place("inward.yaml", 6 + shift), what, "set `mode`", "orders"),
                    Finding("note", "not_granted", Place("inward.yaml"), "nobody was granted `a`", "", "orders"),
                    Finding("note", "not_granted", Place("inward.yaml"), "nobody was granted `b`", "", "orders"),
                ),
            ),
            Taken("policies"),
        ),
    )
