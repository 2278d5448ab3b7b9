"""The picture of a reach: well-formed, bounded, the same each time; nothing outside of it or over something else."""

from __future__ import annotations

from types import MappingProxyType
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.insight.reach.conftest import HERE, NOW, System, operation, policy, random_system, service
from tests.unit.insight.test_picture import SVG, boxes

from inward.catalog.model import Catalog, DataClass, Mode
from inward.insight.reach.access import Access
from inward.insight.reach.picture import MOST_BOXES, MOST_ROWS, draw
from inward.insight.reach.reached import Target, reach_of
from inward.insight.reach.spread import Assumed, Traced
from inward.policy.index import Index
from inward.policy.model import Policies


def drawn(system: System, name: str, target: Target | None = None) -> ET.Element:
    access = system.access()
    spread = Traced(access, system.links)
    text = draw(access, spread, reach_of(access, spread, name), target)
    assert draw(access, spread, reach_of(access, spread, name), target) == text
    return ET.fromstring(text)  # noqa: S314 - our own text


def lines(root: ET.Element) -> list[ET.Element]:
    return [path for path in root.iter(f"{SVG}path") if path.get("marker-end")]


def texts(root: ET.Element) -> list[str]:
    return [each.text or "" for each in root.iter(f"{SVG}text")]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32))
def test_boxes_do_not_overlap_and_every_operation_has_its_line(seed: int) -> None:
    system = random_system(seed)
    access = system.access()
    for spread in (Traced(access, system.links), Assumed()):
        for name in system.catalog.services:
            reach = reach_of(access, spread, name)
            root = ET.fromstring(draw(access, spread, reach))  # noqa: S314 - our own text
            found = boxes(root)
            width, height = float(root.get("width", "")), float(root.get("height", ""))
            assert all(0 <= left < right <= width and 0 <= top < low <= height for left, top, right, low in found)
            for number, one in enumerate(found):
                for other in found[number + 1 :]:
                    assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
            assert len(lines(root)) == reach.operations.bit_count()


def wide(services: int, operations: int) -> System:
    """Return a system in mode observe, whose first service reaches all others."""
    made = {
        name: service(
            name,
            tuple(
                operation(name, f"op{each:03d}", ("card",) if each == operations - 1 else (), mode=Mode.OBSERVE)
                for each in range(operations)
            ),
            mode=Mode.OBSERVE,
        )
        for name in (f"s{number:03d}" for number in range(services))
    }
    classes = {"card": DataClass("card", "team", None, HERE)}
    catalog = Catalog("shop.test", MappingProxyType(made), MappingProxyType(classes))
    return System(catalog, Policies.of([]), frozenset({("s001:op001", "s002:op001")}), frozenset())


def test_a_wide_reach_is_cut_to_what_tells_most() -> None:
    root = drawn(wide(60, 50), "s000")
    assert len(boxes(root)) == 1 + MOST_BOXES + 1
    told = texts(root)
    assert f"{59 - MOST_BOXES} more services" in told
    assert told.count(f"and {50 - MOST_ROWS} more") == MOST_BOXES
    assert told.count("op049") == MOST_BOXES  # it gives data away, so it is shown before others
    assert len(lines(root)) < MOST_BOXES * (MOST_ROWS + 2)


def test_with_a_target_only_what_leads_there_is_drawn() -> None:
    root = drawn(wide(4, 3), "s000", Target("card", ("card",)))
    told = texts(root)
    assert "s000 to card" in told
    assert told.count("op002") == 3
    assert "op000" not in told
    assert told.count("card") == 3


@pytest.mark.parametrize(("how", "look"), [("granted", "always"), ("condition", "depends"), ("observe", "never")])
def test_a_line_says_how_it_is_open(how: str, look: str) -> None:
    mode = Mode.OBSERVE if how == "observe" else Mode.ENFORCE
    called = operation("b", "get&put", mode=mode, method="PUT")
    made = {"a": service("a"), "b": service("b", (called,), mode=mode)}
    catalog = Catalog("shop.test", MappingProxyType(made), MappingProxyType({}))
    when = ' when { context.path.id == "1" }' if how == "condition" else ""
    policies = Policies.of([policy("p", "b", f"permit (principal, action, resource){when};")])
    access = Access(catalog, Index(catalog, policies), NOW)
    spread = Traced(access, ())
    root = ET.fromstring(draw(access, spread, reach_of(access, spread, "a")))  # noqa: S314 - our own text
    (line,) = lines(root)
    assert line.get("class") == f"line {look}"
    assert (line.findtext(f"{SVG}title") or "").startswith("a calls b:get&put: ")
    assert "get&put *" in texts(root)


def test_nothing_within_reach() -> None:
    system = System(wide(1, 1).catalog, Policies.of([]), frozenset(), frozenset())
    root = drawn(system, "s000")
    assert not lines(root)
    assert len(boxes(root)) == 1
