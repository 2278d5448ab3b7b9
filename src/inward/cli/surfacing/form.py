"""Rows of the surface for programs: JSON values and CSV. The names of fields and columns are stable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inward.cli.entries.lines import print_rows
from inward.record.call import timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inward.control.undocumented import Undocumented
    from inward.insight.surface.row import Row

_COLUMNS = (
    "service",
    "operation",
    "method",
    "path",
    "owner",
    "mode",
    "deprecated",
    "callers",
    "open_to",
    "calls",
    "refused",
    "last_call",
    "data",
    "wrong",
    "points",
)


def row_as_json(row: Row, points: float, paths: Sequence[Undocumented]) -> dict[str, Any]:
    """Return a row as JSON values; `paths` are those that no document of the service has."""
    operation = row.operation
    found: dict[str, Any] = {
        "service": row.service,
        "operation": None if operation is None else operation.id,
        "method": None if operation is None else operation.method,
        "path": None if operation is None else operation.template.text,
        "owner": row.owner,
        "mode": row.mode,
        "deprecated": operation is not None and operation.deprecated,
        "callers": [{"caller": name or None, "calls": calls} for name, calls in row.callers.items()],
        "open_to": row.open_to,
        "calls": row.calls,
        "refused": row.refused,
        "last_call": _moment(row),
        "data": list(row.classes),
        "wrong": [
            {"kind": each.kind, "what": each.what, "grants": list(each.grants), "costs": not each.stopped}
            for each in row.problems
        ],
        "points": round(points, 3),
    }
    if operation is None:
        found["paths"] = [
            {"method": each.method, "path": each.template, "callers": dict(each.callers)} for each in paths
        ]
    return found


def print_csv(rows: Sequence[tuple[Row, float]]) -> None:
    """Print rows with their points as CSV (RFC 4180), with a header; several values in a cell have spaces between."""
    print_rows([_COLUMNS])
    print_rows(_cells(row, points) for row, points in rows)


def _cells(row: Row, points: float) -> list[object]:
    operation = row.operation
    return [
        row.service,
        None if operation is None else operation.id,
        None if operation is None else operation.method,
        None if operation is None else operation.template.text,
        row.owner,
        str(row.mode),
        "yes" if operation is not None and operation.deprecated else "no",
        " ".join(name or "(no identity)" for name in row.callers),
        row.open_to,
        row.calls,
        row.refused,
        _moment(row),
        " ".join(row.classes),
        " ".join(row.wrong),
        round(points, 3),
    ]


def _moment(row: Row) -> str | None:
    return None if row.last is None else timestamp(row.last)
