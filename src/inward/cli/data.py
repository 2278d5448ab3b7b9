"""`inward data`: the data classes: who owns them, where they are served, who may see them, and who has."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from inward.catalog.document import did_you_mean, shown
from inward.cli.moment import parse_since
from inward.cli.options import JSONOption, SystemOption, system_layout
from inward.cli.output import Cell, Table, option_for, print_json, print_line, printable, remark, styled
from inward.cli.undeclared import print_undeclared
from inward.control.checking.cache import load_known
from inward.errors import BadInputError, InwardError
from inward.insight.dataflow import flow_of, steps_of
from inward.insight.exposure import Sightings, depth_of, exposures
from inward.insight.picture import draw
from inward.insight.withheld import Withholders
from inward.record.filter import Filter
from inward.record.reader import read_entries

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inward.catalog.model import Catalog, Undisclosed
    from inward.cli.output import Style
    from inward.insight.dataflow import Flow, Step
    from inward.insight.exposure import Exposure, Standing, Viewer
    from inward.insight.withheld import Withholder

MOST_NAMES = 3  # in one cell of the list
_SHOWN: dict[Standing, tuple[str, Style]] = {
    "always": ("shown", "green"),
    "depends": ("shown under a condition", "yellow"),
    "never": ("not shown", "red"),
}
_RECEIVED: dict[Standing, tuple[str, Style]] = {
    "always": ("disclosed to the service", "green"),
    "depends": ("disclosed to the service under a condition", "yellow"),
    "never": ("not disclosed to the service", "red"),
}
_INSTEAD: dict[Undisclosed, str] = {
    "drop": "left out",
    "null": "null",
    "mask": "masked but for the last four characters",
    "tokenise": "a token that stands for it",
}
_BY = {"envoy": "its Envoy", "guard": "its guard", None: "nobody"}
_MAY_CALL: dict[Standing, str] = {"always": "always", "depends": "under a condition", "never": "never"}


class UnwritablePictureError(InwardError):
    """The picture cannot be written where it should be."""

    code = "unwritable_picture"


def data(
    data_class: Annotated[
        str | None, typer.Argument(metavar="CLASS", help="Such as pii.email; all of them if none.", show_default=False)
    ] = None,
    flow: Annotated[bool, typer.Option("--flow", help="Follow the class from service to service.")] = False,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the flow into a file.")] = None,
    undeclared: Annotated[
        bool, typer.Option("--undeclared", help="Print instead what sampled answers hold that nobody declared.")
    ] = False,
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Count calls since 30m, 7d, or a time; all if none.")
    ] = None,
    system: SystemOption = Path(),
    json: JSONOption = False,
) -> None:
    """Print the data classes: who owns each, which operations serve it, who may see it, and who has seen it.

    What is served is what the API descriptions mark by `x-inward-data`. Who has seen it is counted from the record.
    """
    now = datetime.now(UTC)
    wanted = Filter(since=None if since is None else parse_since(since, now))
    if undeclared and (data_class or flow or svg or since):
        raise BadInputError("`--undeclared` prints all there is", hint="give no class and no other option with it")
    if data_class is None and (flow or svg):
        raise BadInputError("`--flow` and `--svg` follow one data class", hint="name it, as in `inward data pii.email`")
    layout = system_layout(system)
    policy = load_known(layout.system, os.environ)
    if undeclared:
        print_undeclared(layout.system, policy, as_json=json)
        return
    found = exposures(policy.catalog, policy.engine, now)
    chosen = found if data_class is None else [_named(found, data_class)]
    below = [each.data_class.name for each in found if each.data_class.parent == data_class]
    if data_class is not None and below and not json:
        remark(styled(f"what is under it is told by itself: {', '.join(below)}", "dim"))
    if flow or svg:
        _follow(chosen[0], policy.catalog, svg, as_json=json)
        return
    withholders = Withholders(policy.catalog, policy.engine)
    sightings = Sightings(chosen, policy.engine, policy.catalog)
    sightings.add(read_entries(layout.record, wanted))
    if json:
        print_json({"classes": [_as_json(each, withholders) for each in chosen], "gaps": sightings.gaps})
        return
    if data_class is None:
        _print_list(chosen, policy.catalog, withholders, option_for(system))
    else:
        _print_one(chosen[0], policy.catalog, withholders, option_for(system))
    if sightings.gaps:
        remark(styled(f"the record has gaps ({sightings.gaps}): more may have been seen than is counted", "yellow"))
    for name, calls in sorted(sightings.left_out.items()):
        remark(styled(f"`{name}` is seen by too many to tell apart: {calls:,} calls are not counted", "yellow"))


def _named(found: Sequence[Exposure], name: str) -> Exposure:
    for exposure in found:
        if exposure.data_class.name == name:
            return exposure
    known = [exposure.data_class.name for exposure in found]
    hint = did_you_mean(name, known) if known else "inward.yaml declares none: list them under `data`"
    raise BadInputError(f"there is no data class `{shown(name)}`", hint=hint)


def _print_list(found: Sequence[Exposure], catalog: Catalog, withholders: Withholders, option: str) -> None:
    if not found:
        remark(
            "no data classes are declared: list them under `data` in inward.yaml, and mark fields of API descriptions"
        )
        remark("with `x-inward-data`, as in `email: {type: string, x-inward-data: pii.email}`")
        return
    table = Table(("data class", "owner", "served by", "may see", "may call, not see", "seen by"))
    table.add([_row(exposure, catalog) for exposure in found])
    for line in _given_away(found, catalog, withholders):
        remark(styled(line, "yellow"))
    if not any(exposure.served for exposure in found):
        remark("no operation serves any of them: mark fields of API descriptions with `x-inward-data`")
    else:
        remark(styled(f"`inward data{option} CLASS` says more of one, `--flow` where it goes", "dim"))


def _row(exposure: Exposure, catalog: Catalog) -> list[Cell]:
    data_class = exposure.data_class
    may = {viewer.caller for viewer in exposure.viewers if viewer.disclosed != "never"}
    return [
        "  " * depth_of(data_class, catalog.data_classes) + data_class.name,
        data_class.owner,
        _few(each.operation.id for each in exposure.served),
        _few(sorted(may)),
        styled(_few(sorted({viewer.caller for viewer in exposure.viewers} - may)), "red"),
        _few(sorted({caller for caller, _, disclosed in exposure.seen if disclosed})),
    ]


def _given_away(found: Sequence[Exposure], catalog: Catalog, withholders: Withholders) -> list[str]:
    """Say of operations whose answers nobody cuts, though callers may not see all that they serve."""
    lines: dict[str, dict[str, None]] = {}
    for exposure in found:
        for viewer in exposure.viewers:
            by = withholders.of(catalog.operations[viewer.operation], exposure.data_class.name)
            if by.by is None and viewer.disclosed == "never":
                lines.setdefault(by.why, {})[viewer.operation] = None
    return [f"nobody withholds what {_few(operations)} serves: {why}" for why, operations in lines.items()]


def _print_one(exposure: Exposure, catalog: Catalog, withholders: Withholders, option: str) -> None:
    data_class = exposure.data_class
    print_line(styled(data_class.name, "bold"))
    print_line(f"owned by {data_class.owner} ({data_class.place})")
    print_line(f"to whom it is not disclosed: {_INSTEAD[data_class.undisclosed]}")
    if not exposure.served:
        remark(f"no operation serves it: mark fields of API descriptions with `x-inward-data: {data_class.name}`")
    _section(
        ("served by", "where in the answer", "withheld by"),
        (
            [each.operation.id, ", ".join(each.places), _by(withholders.of(each.operation, data_class.name))]
            for each in exposure.served
        ),
    )
    _section(
        ("sent to", "where in the request", "the class is"),
        ([each.operation.id, ", ".join(each.places), styled(*_RECEIVED[each.disclosed])] for each in exposure.sent),
    )
    _section(
        ("may be called by", "operation", "called", "the class is"),
        (
            [
                viewer.caller,
                viewer.operation,
                _MAY_CALL[viewer.may_call],
                _told(viewer, withholders.of(catalog.operations[viewer.operation], data_class.name)),
            ]
            for viewer in exposure.viewers
        ),
    )
    _section(
        ("was given it", "operation", "calls", "last, UTC", "reference", ""),
        (
            [
                printable(caller),
                operation,
                f"{sighting.calls:,}",
                sighting.last[:19].replace("T", " "),
                printable(sighting.reference),
                "" if disclosed else styled("not disclosed to it: unless something cut it, it was seen", "red"),
            ]
            for (caller, operation, disclosed), sighting in sorted(exposure.seen.items())
        ),
    )
    if exposure.served and not exposure.viewers:
        remark(
            f"nobody may call what serves it: `inward allow{option} CALLER {exposure.served[0].operation.id}` grants it"
        )
    elif exposure.served and not exposure.seen:
        remark("nobody has been given it, by the record")


def _by(withholder: Withholder) -> Cell:
    said = _BY[withholder.by] + (f": {withholder.why}" if withholder.why else "")
    return styled(said, "yellow" if withholder.needed and withholder.why else "")


def _told(viewer: Viewer, withholder: Withholder) -> Cell:
    if viewer.disclosed == "never" and withholder.by is None:
        return styled("not disclosed, and nobody withholds it", "red")
    return styled(*_SHOWN[viewer.disclosed])


def _section(headings: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    listed = list(rows)
    if listed:
        print_line()
        Table(headings).add(listed)


def _few(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - MOST_NAMES} more" if len(listed) > MOST_NAMES else ""
    return ", ".join(listed[:MOST_NAMES]) + more


def _follow(exposure: Exposure, catalog: Catalog, svg: Path | None, *, as_json: bool) -> None:
    """Print the flow of a class, and draw it."""
    flow = flow_of(exposure, catalog)
    if svg is not None:
        write_picture(svg, draw(flow, catalog))
    if as_json:
        print_json(_flow_as_json(flow))
        return
    if not flow.roots:
        remark(f"no operation serves it: mark fields of API descriptions with `x-inward-data: {flow.data_class}`")
    for step in steps_of(flow):
        print_line(_line(step, catalog))
    if svg is not None:
        remark(styled(f"drawn: {svg}", "dim"))


def write_picture(svg: Path, picture: str) -> None:
    """Write a picture into a file, or raise `UnwritablePictureError`."""
    try:
        svg.write_text(picture, encoding="utf-8")
    except (OSError, ValueError) as error:
        what = (isinstance(error, OSError) and error.strerror) or "it is no file name"
        raise UnwritablePictureError(f"`{shown(str(svg))}` cannot be written: {what.lower()}") from None


def _line(step: Step, catalog: Catalog) -> Text:
    indent = "  " * step.depth
    if step.edge is None:
        return Text.assemble(
            indent, (printable(step.service), "bold"), (f"  {printable(catalog.services[step.service].owner)}", "dim")
        )
    said, style = _SHOWN[step.edge.disclosed]
    condition = ", calls under a condition" if step.edge.may_call == "depends" else ""
    further = " (see above)" if step.again else ""
    return Text.assemble(
        f"{indent}{printable(step.edge.operation)} ",
        ("→ ", "dim"),
        printable(step.service),
        "  ",
        (said, style),
        (condition + further, "dim"),
    )


def _as_json(exposure: Exposure, withholders: Withholders) -> dict[str, Any]:
    data_class = exposure.data_class
    return {
        "name": data_class.name,
        "owner": data_class.owner,
        "parent": data_class.parent,
        "undisclosed": data_class.undisclosed,
        "file": data_class.place.file,
        "line": data_class.place.line,
        "served": [
            {
                "operation": each.operation.id,
                "places": each.places,
                "withheld_by": (by := withholders.of(each.operation, data_class.name)).by,
                "why": by.why or None,
            }
            for each in exposure.served
        ],
        "sent": [
            {"operation": each.operation.id, "places": each.places, "disclosed": each.disclosed}
            for each in exposure.sent
        ],
        "viewers": [
            {
                "caller": viewer.caller,
                "operation": viewer.operation,
                "may_call": viewer.may_call,
                "disclosed": viewer.disclosed,
            }
            for viewer in exposure.viewers
        ],
        "seen": [
            {
                "caller": caller,
                "operation": operation,
                "disclosed": disclosed,
                "calls": sighting.calls,
                "last": sighting.last,
                "reference": sighting.reference,
            }
            for (caller, operation, disclosed), sighting in sorted(exposure.seen.items())
        ],
    }


def _flow_as_json(flow: Flow) -> dict[str, Any]:
    return {
        "class": flow.data_class,
        "owner": flow.owner,
        "roots": flow.roots,
        "edges": [
            {
                "service": edge.service,
                "operation": edge.operation,
                "caller": edge.caller,
                "may_call": edge.may_call,
                "disclosed": edge.disclosed,
            }
            for edge in flow.edges
        ],
    }
