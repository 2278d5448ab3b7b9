"""The picture of a flow: well-formed, the same each time, nothing outside of it or over something else."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from tests.unit.insight.test_dataflow import arrows, made

from inward.insight.dataflow import Flow
from inward.insight.drawing import MOST_CHARACTERS
from inward.insight.picture import draw

if TYPE_CHECKING:
    from tests.unit.insight.test_dataflow import Arrow

SVG = "{http://www.w3.org/2000/svg}"


def boxes(root: ET.Element) -> list[tuple[float, float, float, float]]:
    found = [rect for rect in root.iter(f"{SVG}rect") if "box" in rect.get("class", "").split()]
    sides = ("x", "y", "width", "height")
    return [(x, y, x + w, y + h) for x, y, w, h in ([float(rect.get(side, "")) for side in sides] for rect in found)]


@settings(deadline=None, max_examples=40)
@given(arrows)
def test_boxes_do_not_overlap_and_stay_inside(given_arrows: list[Arrow]) -> None:
    flow, catalog = made(given_arrows)
    text = draw(flow, catalog)
    root = ET.fromstring(text)  # noqa: S314 - our own text
    found = boxes(root)
    assert len(found) == len(catalog.services)
    width, height = float(root.get("width", "")), float(root.get("height", ""))
    for left, top, right, bottom in found:
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
    for number, one in enumerate(found):
        for other in found[number + 1 :]:
            apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
            assert apart
    lines = [path for path in root.iter(f"{SVG}path") if path.get("marker-end")]
    assert len(lines) == len(given_arrows)
    assert draw(flow, catalog) == text


def test_names_are_text_and_not_xml() -> None:
    flow, catalog = made([("a", "b", "always")])
    hostile = Flow('<script>"&\x00\u202e', "team'</text>", flow.roots, flow.operations, flow.edges, flow.layers)
    text = draw(hostile, catalog)
    root = ET.fromstring(text)  # noqa: S314 - our own text
    assert not list(root.iter(f"{SVG}script"))
    texts = [each.text for each in root.iter(f"{SVG}text")]
    assert '<script>"&\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}' in texts
    assert "owned by team'</text>" in texts


def test_a_long_name_is_cut() -> None:
    flow, catalog = made([("a", "b", "always")])
    long = Flow("x" * 500, flow.owner, flow.roots, flow.operations, flow.edges, flow.layers)
    root = ET.fromstring(draw(long, catalog))  # noqa: S314 - our own text
    assert max(len(each.text or "") for each in root.iter(f"{SVG}text")) <= MOST_CHARACTERS


def test_a_line_says_what_it_means_and_looks_so() -> None:
    flow, catalog = made([("a", "b", "always"), ("a", "c", "depends"), ("a", "d", "never")])
    root = ET.fromstring(draw(flow, catalog))  # noqa: S314 - our own text
    lines = {
        path.get("class"): path.findtext(f"{SVG}title") for path in root.iter(f"{SVG}path") if path.get("marker-end")
    }
    assert lines == {
        "line always": "b calls a:get: is shown it",
        "line depends": "c calls a:get: is shown it under a condition",
        "line never": "d calls a:get: may call, and is not shown it",
    }
    style = root.findtext(f"{SVG}style") or ""
    assert "prefers-color-scheme: dark" in style
