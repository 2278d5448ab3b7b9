"""The picture of a data flow: an SVG (`insight.drawing`), the same for the same flow.

Services stand in columns, the roots to the left; in each box are the operations that serve the class, and from each
operation a line leads to every caller that may call it. What the line looks like says whether the class is disclosed.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from inward.insight.drawing import Box, Drawing, Line, Row, render

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inward.catalog.model import Catalog
    from inward.insight.dataflow import Flow
    from inward.insight.drawing import Look

_SAID: Final[Mapping[Look, str]] = {
    "always": "is shown it",
    "depends": "is shown it under a condition",
    "never": "may call, and is not shown it",
}


def draw(flow: Flow, catalog: Catalog) -> str:
    """Return the picture of a flow as the text of an SVG document."""
    columns: dict[int, list[Box]] = defaultdict(list)
    for service, layer in sorted(flow.layers.items()):
        owner = catalog.services[service].owner
        rows = tuple(Row(each, each.partition(":")[2]) for each in flow.operations.get(service, ()))
        columns[layer].append(Box(service, service, owner, rows, marked=owner == flow.owner))
    return render(
        Drawing(
            heading=f"Where {flow.data_class} goes",
            title=flow.data_class,
            note=f"owned by {flow.owner}",
            columns=columns,
            lines=[
                Line(
                    edge.service,
                    edge.operation,
                    edge.caller,
                    edge.gives,
                    f"{edge.caller} calls {edge.operation}: {_SAID[edge.gives]}",
                )
                for edge in flow.edges
            ],
            legend=_SAID,
            empty="No operation serves it.",
        )
    )
