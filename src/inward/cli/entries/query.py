"""The answer to a query of the record, printed as a table, JSON or CSV."""

from __future__ import annotations

import json
from itertools import islice
from math import isfinite
from typing import TYPE_CHECKING, Literal

from inward.cli.entries.lines import print_rows
from inward.cli.output import Table, print_json_line, remark
from inward.record.sealed.query import asked

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from inward.record.sealed.query import Answer

_ROWS_AT_ONCE = 1_000


def print_answer(
    folder: Path,
    sql: str,
    form: Literal["table", "json", "csv"],
    since: datetime | None = None,
    until: datetime | None = None,
) -> None:
    """Print what a query of the record in `folder` gives. Raises `QueryError` and `SealError`."""
    with asked(folder, sql, since, until) as answer:
        if form == "json":
            for row in answer.rows():
                values = dict(zip(answer.names, map(_as_json, row), strict=True))
                print_json_line(json.dumps(values, ensure_ascii=False).encode("utf-8", "replace"))
        elif form == "csv":
            print_rows([answer.names])
            print_rows(answer.rows())
        else:
            _print_table(answer)


def _as_json(value: object) -> object:
    """Return a value as JSON has one: no number that is none, and texts as names."""
    if isinstance(value, dict):
        return {str(name): _as_json(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(each) for each in value]
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, str | bool | int | float) else str(value)


def _print_table(answer: Answer) -> None:
    table = Table(answer.names)
    rows = answer.rows()
    found = False
    while some := [["" if value is None else str(value) for value in row] for row in islice(rows, _ROWS_AT_ONCE)]:
        found = True
        table.add(some)
    if not found:
        remark("nothing was found")
