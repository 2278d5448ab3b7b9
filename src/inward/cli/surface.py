"""`inward surface`: every operation with its callers, and what is wrong with it; and one number for all of it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inward.catalog.document import did_you_mean, shown
from inward.cli.moment import parse_since
from inward.cli.options import JSONOption, SystemOption, service_named, system_layout
from inward.cli.output import print_json, remark, styled
from inward.cli.progress import shown_progress
from inward.cli.surfacing.form import print_csv, row_as_json
from inward.cli.surfacing.listing import Listing, print_end, print_formula
from inward.cli.surveyed import DEFAULT_SINCE, SinceOption, catching_up, print_record, record_as_json
from inward.control.checking.cache import load_known
from inward.control.surveying import surveyed
from inward.control.undocumented import undocumented_of
from inward.errors import BadInputError, ExitCode
from inward.insight.surface.build import Used, build
from inward.insight.surface.number import number_of
from inward.insight.surface.row import Wrong  # noqa: TC001 - Typer reads the annotations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inward.catalog.model import Catalog
    from inward.insight.surface.row import Row


def surface(  # noqa: PLR0917 - Typer passes its options by name
    since: SinceOption = DEFAULT_SINCE,
    service: Annotated[str | None, typer.Option(metavar="SERVICE", help="Only the operations of a service.")] = None,
    owner: Annotated[str | None, typer.Option(metavar="TEAM", help="Only those of a team.")] = None,
    data: Annotated[
        str | None, typer.Option("--class", metavar="CLASS", help="Only those with data of a class, or one under it.")
    ] = None,
    caller: Annotated[str | None, typer.Option(metavar="SERVICE", help="Only those that it has called.")] = None,
    wrong: Annotated[
        list[Wrong] | None, typer.Option(metavar="KIND", help="Only those of which this is wrong; again for more.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say of each what is wrong, and what it costs.")] = False,
    fail_below: Annotated[
        int | None, typer.Option(min=0, max=100, metavar="N", help="Exit 2 where the number is below N.")
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV, for spreadsheets.")] = False,
    system: SystemOption = Path(),
    json: JSONOption = False,
) -> int:
    """Print every operation, who calls it, and what is wrong with it; and a number from 0 to 100 for all of them.

    Wrong is: undocumented, unauthenticated, observe-only, unowned, over-permissive, forgotten (not called since
    --since), deprecated (and called). The number is about what --service, --owner and --class choose.

    Exit 0: done. 2: the number is below --fail-below.
    """
    if csv and json:
        raise BadInputError("`--csv` and `--json` are two forms", hint="give one of them")
    now = datetime.now(UTC)
    start = parse_since(since, now)
    layout = system_layout(system)
    known = load_known(layout.system, os.environ)
    chosen = _Chosen(known.catalog, service, owner, data)
    with (
        shown_progress(wanted=not (json or csv)) as watch,
        surveyed(layout, os.environ, known, start, now, catching_up(watch)) as survey,
    ):
        used = Used(survey.uses, survey.last_before(), survey.coverage, survey.ages)
        rows = [row for row in build(known.catalog, known.engine.index, used) if chosen.has(row)]
        unknown = {row.service: survey.uses.unknown[row.service] for row in rows if row.operation is None}
        coverage = survey.coverage
    number = number_of(rows)
    listed = [
        (row, points) for row, points in zip(rows, number.points, strict=True) if _is_listed(row, caller, wrong or ())
    ]
    paths = undocumented_of(layout.record, unknown)
    if csv:
        print_csv(listed)
    elif json:
        print_json(
            {
                "record": record_as_json(coverage),
                "number": number.value,
                "operations": sum(row.operation is not None for row in rows),
                "rows": [row_as_json(row, points, paths.get(row.service, ())) for row, points in listed],
            }
        )
    else:
        Listing(now, paths, explain=explain).print(listed)
        print_end(rows, number)
        print_record(coverage)
        if explain:
            print_formula()
        elif number.value is not None:
            remark(styled("`--explain` says what each costs, and how the number is computed", "dim"))
    if number.value is not None and fail_below is not None and number.value < fail_below:
        remark(styled(f"the number is {number.value}, below {fail_below}", "red"))
        return ExitCode.REFUSED
    return ExitCode.SUCCESS


class _Chosen:
    """What the number is about. Raises `BadInputError` for what there is not."""

    def __init__(self, catalog: Catalog, service: str | None, owner: str | None, data: str | None) -> None:
        if service is not None:
            service_named(catalog, service)
        owners = {each.owner for each in catalog.services.values()}
        if owner is not None and owner not in owners:
            raise BadInputError(f"no service is of `{shown(owner)}`", hint=did_you_mean(owner, owners))
        if data is not None and data not in catalog.data_classes:
            hint = did_you_mean(data, catalog.data_classes) if catalog.data_classes else "inward.yaml declares none"
            raise BadInputError(f"there is no data class `{shown(data)}`", hint=hint)
        self._service, self._owner, self._data = service, owner, data

    def has(self, row: Row) -> bool:
        """Tell whether a row is chosen."""
        return (
            (self._service is None or row.service == self._service)
            and (self._owner is None or row.owner == self._owner)
            and (self._data is None or any(f"{each}.".startswith(f"{self._data}.") for each in row.classes))
        )


def _is_listed(row: Row, caller: str | None, wrong: Sequence[Wrong]) -> bool:
    return (caller is None or caller in row.callers) and (not wrong or any(each in row.wrong for each in wrong))
