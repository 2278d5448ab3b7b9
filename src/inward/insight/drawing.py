"""Drawings: boxes in columns and lines between them, as an SVG that is readable in light and dark. No I/O.

What the boxes and lines mean is the business of who draws (`insight.picture`, `insight.reach.picture`). It leaves out
scripts, fonts and everything else that would be fetched; and it is the same for the same input.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

MOST_CHARACTERS = 44  # of a name
_CHARACTER = 7.3  # width of one in the font below, at most
_HEAD, _ROW, _PADDING, _BETWEEN_NOTES = 42, 20, 12, 14
_GAP_X, _GAP_Y, _MARGIN, _TOP, _LEGEND = 130, 26, 24, 64, 44
_NARROWEST = 110
_SWEEPS = 4
_LINE, _BETWEEN = 36, 24  # in the legend
_STYLE = """
  svg { font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; } .ground { fill: #fff; }
  text { fill: #1c2733; } .dim { fill: #5b6b7b; } .title { font-size: 16px; font-weight: 600; }
  .name { font-weight: 600; } .note { fill: #c0362c; }
  .box { fill: #f3f6f9; stroke: #8a99a8; } .owner { stroke: #0b6bcb; stroke-width: 2; }
  .line { fill: none; stroke-width: 1.6; }
  .always { stroke: #1a7f4b; } .depends { stroke: #b26a00; stroke-dasharray: 6 4; }
  .never { stroke: #c0362c; stroke-dasharray: 2 4; }
  .always-head { fill: #1a7f4b; } .depends-head { fill: #b26a00; } .never-head { fill: #c0362c; }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #12181f; } text { fill: #e6edf3; } .dim { fill: #9fb0c0; } .note { fill: #ff7b72; }
    .box { fill: #1d2731; stroke: #5f7183; } .owner { stroke: #58a6ff; }
    .always { stroke: #4cc38a; } .depends { stroke: #e0a040; } .never { stroke: #ff7b72; }
    .always-head { fill: #4cc38a; } .depends-head { fill: #e0a040; } .never-head { fill: #ff7b72; }
  }
"""

Look = Literal["always", "depends", "never"]  # of a line: green, amber and dashed, red and dotted


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a box; `note` stands behind its text."""

    key: str
    text: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    """A box: `name` and `note` above its rows. `marked` ones have a border that is seen."""

    key: str
    name: str
    note: str
    rows: tuple[Row, ...] = ()
    marked: bool = False

    @property
    def width(self) -> float:
        """How wide its texts make it."""
        texts = [self.name, self.note, *(row.text for row in self.rows if not row.note)]
        noted = (_length(row.text) + _BETWEEN_NOTES + _length(row.note) for row in self.rows if row.note)
        return max(_NARROWEST, max([*map(_length, texts), *noted]) + 2 * _PADDING)

    @property
    def height(self) -> float:
        """How high its rows make it."""
        return _HEAD + _ROW * len(self.rows) + (_PADDING / 2 if self.rows else 0)


@dataclass(frozen=True, slots=True)
class Line:
    """A line from a box, or a row of it, to a box or a row of that; `said` is told by whoever points at it."""

    source: str
    row: str | None
    to: str
    look: Look
    said: str
    to_row: str | None = None


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is drawn: `columns` have the boxes from the left; `legend` says what the looks of lines mean."""

    heading: str
    title: str
    note: str
    columns: Mapping[int, Sequence[Box]]
    lines: Sequence[Line]
    legend: Mapping[Look, str]
    empty: str  # said where there are no boxes


@dataclass(frozen=True, slots=True)
class _Placed:
    """A box where it stands."""

    box: Box
    x: float
    y: float
    width: float

    def row(self, key: str | None) -> float:
        """Return the height at which the line of a row begins; in the middle of the box's head for none."""
        if key is None:
            return self.y + _HEAD / 2
        number = next(number for number, row in enumerate(self.box.rows) if row.key == key)
        return self.y + _HEAD + _ROW * number + _ROW / 2 - 2


def render(drawing: Drawing) -> str:
    """Return a drawing as the text of an SVG document."""
    placed = _place(drawing)
    legend = sum(_LINE + len(said) * _CHARACTER + _BETWEEN for said in drawing.legend.values()) - _BETWEEN + _MARGIN
    width = max([each.x + each.width for each in placed.values()] + [legend]) + _MARGIN
    bottom = max([each.y + each.box.height for each in placed.values()] + [_TOP])
    height = bottom + _LEGEND + _MARGIN
    view = f'viewBox="0 0 {width:.0f} {height:.0f}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width:.0f}" height="{height:.0f}" {view}>',
            f"<title>{_text(drawing.heading)}</title>",
            f"<style>{_STYLE}</style>",
            "<defs>",
            *(_arrow(look) for look in drawing.legend),
            "</defs>",
            '<rect class="ground" width="100%" height="100%"/>',
            f'<text class="title" x="{_MARGIN}" y="32">{_text(drawing.title)}</text>',
            f'<text class="dim" x="{_MARGIN}" y="50">{_text(drawing.note, limit=200)}</text>',
            *_lines(drawing.lines, placed),
            *(line for each in placed.values() for line in _drawn(each)),
            *([] if placed else [f'<text x="{_MARGIN}" y="{_TOP + 16}">{_text(drawing.empty)}</text>']),
            *_legend(drawing.legend, bottom + _LEGEND),
            "</svg>",
            "",
        ]
    )


def _place(drawing: Drawing) -> dict[str, _Placed]:
    boxes = {box.key: box for column in drawing.columns.values() for box in column}
    columns = {number: [box.key for box in column] for number, column in sorted(drawing.columns.items()) if column}
    _untangle(columns, drawing.lines)
    heights = {
        number: sum(boxes[key].height for key in keys) + _GAP_Y * (len(keys) - 1) for number, keys in columns.items()
    }
    tallest = max(heights.values(), default=0)
    placed: dict[str, _Placed] = {}
    x: float = _MARGIN
    for number, keys in columns.items():
        width = max(boxes[key].width for key in keys)
        y = _TOP + (tallest - heights[number]) / 2
        for key in keys:
            placed[key] = _Placed(boxes[key], x, y, width)
            y += boxes[key].height + _GAP_Y
        x += width + _GAP_X
    return placed


def _untangle(columns: dict[int, list[str]], lines: Iterable[Line]) -> None:
    """Order each column by where its neighbours stand, a few times to and fro, so that fewer lines cross."""
    near: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        near[line.source].add(line.to)
        near[line.to].add(line.source)
    for sweep in range(_SWEEPS):
        at = {key: (position + 1) / (len(keys) + 1) for keys in columns.values() for position, key in enumerate(keys)}
        for number in sorted(columns, reverse=sweep % 2 == 1):
            middles = {key: _middle(key, near, at) for key in columns[number]}
            columns[number].sort(key=lambda key: (middles[key], key))
            at |= {key: (place + 1) / (len(columns[number]) + 1) for place, key in enumerate(columns[number])}


def _middle(key: str, near: Mapping[str, set[str]], at: Mapping[str, float]) -> float:
    others = [at[other] for other in near[key] if other in at]
    return round(sum(others) / len(others), 6) if others else at[key]


def _drawn(placed: _Placed) -> Iterator[str]:
    box = placed.box
    kind = "box owner" if box.marked else "box"
    size = f'width="{placed.width:.1f}" height="{box.height:.1f}"'
    yield f'<rect class="{kind}" x="{placed.x:.1f}" y="{placed.y:.1f}" {size} rx="6"/>'
    x = placed.x + _PADDING
    yield f'<text class="name" x="{x:.1f}" y="{placed.y + 18:.1f}">{_text(box.name)}</text>'
    yield f'<text class="dim" x="{x:.1f}" y="{placed.y + 33:.1f}">{_text(box.note)}</text>'
    for row in box.rows:
        y = placed.row(row.key) + 4
        yield f'<text x="{x:.1f}" y="{y:.1f}">{_text(row.text)}</text>'
        if row.note:
            after = x + _length(row.text) + _BETWEEN_NOTES
            yield f'<text class="note" x="{after:.1f}" y="{y:.1f}">{_text(row.note)}</text>'


def _lines(lines: Iterable[Line], placed: Mapping[str, _Placed]) -> Iterator[str]:
    """Yield the lines; those that arrive at a box, and no row of it, are spread over its side, by where they begin."""
    arriving: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        arriving[line.to].append(line)
    for key, found in arriving.items():
        to = placed[key]
        found.sort(key=lambda line: (placed[line.source].row(line.row), line.row or "", line.to_row or ""))
        for number, line in enumerate(found):
            source = placed[line.source]
            x1, y1 = source.x + source.width, source.row(line.row)
            spread = to.y + to.box.height * (number + 1) / (len(found) + 1)
            x2, y2 = to.x - 8, spread if line.to_row is None else to.row(line.to_row)
            bend = max(_GAP_X / 2, abs(x2 - x1) / 2) if x2 > x1 else _GAP_X
            yield (
                f'<path class="line {line.look}" marker-end="url(#{line.look})" '
                f'd="M{x1:.1f},{y1:.1f} C{x1 + bend:.1f},{y1:.1f} {x2 - bend:.1f},{y2:.1f} {x2:.1f},{y2:.1f}">'
                f"<title>{_text(line.said, limit=200)}</title></path>"
            )


def _arrow(look: Look) -> str:
    return (
        f'<marker id="{look}" viewBox="0 0 8 8" refX="1" refY="4" markerWidth="8" markerHeight="8" '
        f'markerUnits="userSpaceOnUse" orient="auto"><path class="{look}-head" d="M0,0 L8,4 L0,8 z"/></marker>'
    )


def _legend(legend: Mapping[Look, str], y: float) -> Iterator[str]:
    x: float = _MARGIN
    for look, said in legend.items():
        yield f'<path class="line {look}" d="M{x:.1f},{y - 4:.1f} h28"/>'
        yield f'<text class="dim" x="{x + _LINE:.1f}" y="{y:.1f}">{_text(said)}</text>'
        x += _LINE + len(said) * _CHARACTER + _BETWEEN


def _length(text: str) -> float:
    return len(_cut(text)) * _CHARACTER


def _cut(text: str, limit: int = MOST_CHARACTERS) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _text(text: str, *, limit: int = MOST_CHARACTERS) -> str:
    """Return a text as it may stand in XML."""
    return escape(_cut("".join(each if each.isprintable() else "�" for each in text), limit))
