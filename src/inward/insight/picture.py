"""The picture of a data flow: an SVG, readable in light and dark, the same for the same flow.

Services stand in columns, the roots to the left; in each box are the operations that serve the class, and from each
operation a line leads to every caller that may call it. What the line looks like says whether the class is disclosed.
It leaves out scripts, fonts and everything else that would be fetched.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from inward.catalog.model import Catalog
    from inward.insight.dataflow import Edge, Flow

MOST_CHARACTERS = 44  # of a name
_CHARACTER = 7.3  # width of one in the font below, at most
_HEAD, _ROW, _PADDING = 42, 20, 12
_GAP_X, _GAP_Y, _MARGIN, _TOP, _LEGEND = 130, 26, 24, 64, 44
_NARROWEST = 110
_SWEEPS = 4
_STYLE = """
  svg { font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; } .ground { fill: #fff; }
  text { fill: #1c2733; } .dim { fill: #5b6b7b; } .title { font-size: 16px; font-weight: 600; }
  .name { font-weight: 600; }
  .box { fill: #f3f6f9; stroke: #8a99a8; } .owner { stroke: #0b6bcb; stroke-width: 2; }
  .line { fill: none; stroke-width: 1.6; }
  .always { stroke: #1a7f4b; } .depends { stroke: #b26a00; stroke-dasharray: 6 4; }
  .never { stroke: #c0362c; stroke-dasharray: 2 4; }
  .always-head { fill: #1a7f4b; } .depends-head { fill: #b26a00; } .never-head { fill: #c0362c; }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #12181f; } text { fill: #e6edf3; } .dim { fill: #9fb0c0; }
    .box { fill: #1d2731; stroke: #5f7183; } .owner { stroke: #58a6ff; }
    .always { stroke: #4cc38a; } .depends { stroke: #e0a040; } .never { stroke: #ff7b72; }
    .always-head { fill: #4cc38a; } .depends-head { fill: #e0a040; } .never-head { fill: #ff7b72; }
  }
"""
_SAID = {
    "always": "is shown it",
    "depends": "is shown it under a condition",
    "never": "may call, and is not shown it",
}


_LINE, _BETWEEN = 36, 24  # in the legend
_LEGEND_WIDTH = _MARGIN + sum(_LINE + len(said) * _CHARACTER + _BETWEEN for said in _SAID.values()) - _BETWEEN


@dataclass(frozen=True, slots=True)
class _Box:
    """A service: where it stands, and the operations in it, from above."""

    service: str
    owner: str
    x: float
    y: float
    width: float
    operations: tuple[str, ...]

    @property
    def height(self) -> float:
        return _HEAD + _ROW * len(self.operations) + (_PADDING / 2 if self.operations else 0)

    def row(self, operation: str) -> float:
        """Return the height at which the line of an operation begins."""
        return self.y + _HEAD + _ROW * self.operations.index(operation) + _ROW / 2 - 2


def draw(flow: Flow, catalog: Catalog) -> str:
    """Return the picture of a flow as the text of an SVG document."""
    boxes = _boxes(flow, catalog)
    width = max([box.x + box.width for box in boxes.values()] + [_LEGEND_WIDTH]) + _MARGIN
    bottom = max([box.y + box.height for box in boxes.values()] + [_TOP])
    height = bottom + _LEGEND + _MARGIN
    view = f'viewBox="0 0 {width:.0f} {height:.0f}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width:.0f}" height="{height:.0f}" {view}>',
            f"<title>Where {_text(flow.data_class)} goes</title>",
            f"<style>{_STYLE}</style>",
            "<defs>",
            *(_arrow(standing) for standing in _SAID),
            "</defs>",
            '<rect class="ground" width="100%" height="100%"/>',
            f'<text class="title" x="{_MARGIN}" y="32">{_text(flow.data_class)}</text>',
            f'<text class="dim" x="{_MARGIN}" y="50">owned by {_text(flow.owner)}</text>',
            *_lines(flow.edges, boxes),
            *(line for box in boxes.values() for line in _drawn(box, flow.owner)),
            *([] if boxes else [f'<text x="{_MARGIN}" y="{_TOP + 16}">No operation serves it.</text>']),
            *_legend(bottom + _LEGEND),
            "</svg>",
            "",
        ]
    )


def _boxes(flow: Flow, catalog: Catalog) -> dict[str, _Box]:
    columns: dict[int, list[str]] = defaultdict(list)
    for service, layer in sorted(flow.layers.items()):
        columns[layer].append(service)
    _untangle(columns, flow.edges)
    widths = {layer: max(_width(name, flow, catalog) for name in names) for layer, names in columns.items()}
    heights = {
        layer: sum(_Box(name, "", 0, 0, 0, flow.operations.get(name, ())).height for name in names)
        + _GAP_Y * (len(names) - 1)
        for layer, names in columns.items()
    }
    tallest = max(heights.values(), default=0)
    boxes: dict[str, _Box] = {}
    x: float = _MARGIN
    for layer in sorted(columns):
        y = _TOP + (tallest - heights[layer]) / 2
        for name in columns[layer]:
            owner = catalog.services[name].owner
            boxes[name] = box = _Box(name, owner, x, y, widths[layer], flow.operations.get(name, ()))
            y += box.height + _GAP_Y
        x += widths[layer] + _GAP_X
    return boxes


def _untangle(columns: dict[int, list[str]], edges: Iterable[Edge]) -> None:
    """Order each column by where its neighbours stand, a few times to and fro, so that fewer lines cross."""
    near: dict[str, set[str]] = defaultdict(set)
    for edge in edges:
        near[edge.service].add(edge.caller)
        near[edge.caller].add(edge.service)
    for sweep in range(_SWEEPS):
        at = {
            name: (position + 1) / (len(names) + 1) for names in columns.values() for position, name in enumerate(names)
        }
        for layer in sorted(columns, reverse=sweep % 2 == 1):
            middles = {name: _middle(name, near, at) for name in columns[layer]}
            columns[layer].sort(key=lambda name: (middles[name], name))
            at |= {name: (place + 1) / (len(columns[layer]) + 1) for place, name in enumerate(columns[layer])}


def _middle(name: str, near: Mapping[str, set[str]], at: Mapping[str, float]) -> float:
    others = [at[other] for other in near[name] if other in at]
    return round(sum(others) / len(others), 6) if others else at[name]


def _width(name: str, flow: Flow, catalog: Catalog) -> float:
    texts = [name, catalog.services[name].owner, *map(_name, flow.operations.get(name, ()))]
    return max(_NARROWEST, max(len(_cut(text)) for text in texts) * _CHARACTER + 2 * _PADDING)


def _drawn(box: _Box, owner: str) -> Iterator[str]:
    kind = "box owner" if box.owner == owner else "box"
    size = f'width="{box.width:.1f}" height="{box.height:.1f}"'
    yield f'<rect class="{kind}" x="{box.x:.1f}" y="{box.y:.1f}" {size} rx="6"/>'
    x = box.x + _PADDING
    yield f'<text class="name" x="{x:.1f}" y="{box.y + 18:.1f}">{_text(box.service)}</text>'
    yield f'<text class="dim" x="{x:.1f}" y="{box.y + 33:.1f}">{_text(box.owner)}</text>'
    for operation in box.operations:
        yield f'<text x="{x:.1f}" y="{box.row(operation) + 4:.1f}">{_text(_name(operation))}</text>'


def _lines(edges: Iterable[Edge], boxes: Mapping[str, _Box]) -> Iterator[str]:
    """Yield the lines; those that arrive at one box are spread over its side, in the order of where they come from."""
    arriving: dict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        arriving[edge.caller].append(edge)
    for caller, found in arriving.items():
        to = boxes[caller]
        found.sort(key=lambda edge: (boxes[edge.service].row(edge.operation), edge.operation))
        for number, edge in enumerate(found):
            source = boxes[edge.service]
            x1, y1 = source.x + source.width, source.row(edge.operation)
            x2, y2 = to.x - 8, to.y + to.height * (number + 1) / (len(found) + 1)
            bend = max(_GAP_X / 2, abs(x2 - x1) / 2) if x2 > x1 else _GAP_X
            what = f"{edge.caller} calls {edge.operation}: {_SAID[edge.gives]}"
            yield (
                f'<path class="line {edge.gives}" marker-end="url(#{edge.gives})" '
                f'd="M{x1:.1f},{y1:.1f} C{x1 + bend:.1f},{y1:.1f} {x2 - bend:.1f},{y2:.1f} {x2:.1f},{y2:.1f}">'
                f"<title>{_text(what, limit=200)}</title></path>"
            )


def _arrow(standing: str) -> str:
    return (
        f'<marker id="{standing}" viewBox="0 0 8 8" refX="1" refY="4" markerWidth="8" markerHeight="8" '
        f'markerUnits="userSpaceOnUse" orient="auto"><path class="{standing}-head" d="M0,0 L8,4 L0,8 z"/></marker>'
    )


def _legend(y: float) -> Iterator[str]:
    x: float = _MARGIN
    for standing, said in _SAID.items():
        yield f'<path class="line {standing}" d="M{x:.1f},{y - 4:.1f} h28"/>'
        yield f'<text class="dim" x="{x + _LINE:.1f}" y="{y:.1f}">{said}</text>'
        x += _LINE + len(said) * _CHARACTER + _BETWEEN


def _name(operation: str) -> str:
    return operation.partition(":")[2]


def _cut(text: str, limit: int = MOST_CHARACTERS) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _text(text: str, *, limit: int = MOST_CHARACTERS) -> str:
    """Return a text as it may stand in XML."""
    return escape(_cut("".join(each if each.isprintable() else "�" for each in text), limit))
