"""Flows: where they begin, how they go on, circles, and the tree that is printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.insight.test_exposure import NOW, load

from inward.catalog.model import Catalog, DataClass, Mode, Operation, Service
from inward.catalog.template import PathTemplate
from inward.errors import Place
from inward.identity.spiffe_id import SpiffeID
from inward.insight.dataflow import Edge, Flow, flow_of, steps_of
from inward.insight.exposure import Exposure, Serving, Viewer, exposures

if TYPE_CHECKING:
    from pathlib import Path

    from inward.insight.exposure import Standing

HERE = Place("inward.yaml", 1)
Arrow = tuple[str, str, "Standing"]


def made(arrows: list[Arrow], owners: dict[str, str] | None = None) -> tuple[Flow, Catalog]:
    """Return the flow of `pii` in which each service has one operation, and gives it so to others."""
    names = sorted({name for service, caller, _ in arrows for name in (service, caller)})
    serving = sorted({service for service, _, _ in arrows})
    operations = {
        name: Operation(name, "get", "GET", PathTemplate("/"), (), Mode.ENFORCE, deprecated=False, place=HERE)
        for name in serving
    }
    services = {
        name: Service(
            name=name,
            spiffe_id=SpiffeID.of_service("shop.test", name),
            owner=(owners or {}).get(name, f"team-{name}"),
            zone=None,
            groups=(),
            mode=Mode.ENFORCE,
            listen=None,
            run=None,
            operations=(operations[name],) if name in operations else (),
            place=HERE,
        )
        for name in names
    }
    catalog = Catalog("shop.test", services, {})
    exposure = Exposure(
        DataClass("pii", "team-a", None, HERE),
        tuple(Serving(operations[name], ("$",)) for name in serving),
        (),
        tuple(Viewer(caller, f"{service}:get", "always", gives) for service, caller, gives in arrows),
    )
    return flow_of(exposure, catalog), catalog


def told(flow: Flow) -> list[str]:
    return [f"{'  ' * step.depth}{step.service}{' again' if step.again else ''}" for step in steps_of(flow)]


def test_a_flow_goes_on_from_whoever_is_shown_it(tmp_path: Path) -> None:
    policy = load(tmp_path)
    (email,) = (each for each in exposures(policy.catalog, policy.engine, NOW) if each.data_class.name == "pii.email")
    flow = flow_of(email, policy.catalog)
    assert flow.roots == ("orders",)
    assert told(flow) == ["orders", "  checkout", "  front", "    checkout", "  reporting"]
    assert dict(flow.layers) == {"orders": 0, "front": 1, "checkout": 2, "reporting": 1}
    assert flow.operations == {"orders": ("orders:getOrder",), "front": ("front:show",)}


def test_the_owner_comes_first_and_what_nobody_gave_begins_by_itself() -> None:
    flow, _ = made([("b", "c", "always"), ("a", "c", "always"), ("d", "e", "never"), ("c", "d", "never")])
    assert flow.roots == ("a", "b", "d")
    assert told(flow) == ["a", "  c", "    d", "b", "  c again", "d", "  e"]


def test_a_circle_is_told_once() -> None:
    flow, _ = made([("b", "c", "always"), ("c", "b", "depends"), ("c", "c", "always")])
    assert flow.roots == ("b",)
    assert told(flow) == ["b", "  c", "    b again", "    c again"]
    assert dict(flow.layers) == {"b": 0, "c": 1}


@pytest.mark.parametrize(
    ("may_call", "disclosed", "gives"),
    [
        ("always", "always", "always"),
        ("depends", "always", "depends"),
        ("always", "depends", "depends"),
        ("depends", "never", "never"),
    ],
)
def test_an_edge_gives_what_both_allow(may_call: Standing, disclosed: Standing, gives: Standing) -> None:
    assert Edge("a", "a:get", "b", may_call, disclosed).gives == gives


arrows = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef"), st.sampled_from(["always", "depends", "never"])),
    unique_by=lambda arrow: arrow[:2],
    max_size=20,
)


@settings(deadline=None)
@given(arrows)
def test_every_edge_is_told_and_every_service_has_a_layer(given_arrows: list[Arrow]) -> None:
    flow, catalog = made(given_arrows)
    assert set(flow.layers) == set(catalog.services)
    steps = list(steps_of(flow))
    assert {step.service for step in steps} == set(catalog.services)
    assert {(step.edge.service, step.edge.caller) for step in steps if step.edge} == {
        (service, caller) for service, caller, _ in given_arrows
    }
    assert len(steps) <= len(given_arrows) + len(flow.roots)
    assert made(given_arrows[::-1])[0].roots == flow.roots
