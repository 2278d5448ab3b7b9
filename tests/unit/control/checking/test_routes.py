"""What is said of what came of asking a program."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from inward.catalog.model import Mode
from inward.control.checking import routes
from inward.control.checking.routes import of_guards, of_outcome
from inward.control.probe.look import Outcome
from inward.guard.routes.report import Report

if TYPE_CHECKING:
    from pathlib import Path

    from inward.catalog.model import Service
    from inward.control.bundle import Policy

FINE = Report(routes=3)


@pytest.fixture
def service(policy: Policy) -> Service:
    return dataclasses.replace(policy.catalog.services["orders"], guarded=True, mode=Mode.ENFORCE)


def test_nothing_is_said_of_what_is_shut(service: Service) -> None:
    assert list(of_outcome(service, Outcome(9, FINE))) == []


@pytest.mark.parametrize(
    ("outcome", "level", "kind", "what"),
    [
        (Outcome(2, FINE, open="it answers"), "finding", "unguarded", "it answers"),
        (
            Outcome(0, silent="it has ended (1)"),
            "finding",
            "not_asked",
            "it is not known whether `orders` is guarded: it has ended (1)",
        ),
        (
            Outcome(9, Report(routes=3, undocumented=("GET /a", "* /b"))),
            "note",
            "undocumented_route",
            "`orders` serves what no API description has, which is refused: `GET /a`, `* /b`",
        ),
        (
            Outcome(9, Report(routes=None)),
            "note",
            "unknown_routes",
            "which routes `orders` serves is not known, so nothing is told of undocumented ones",
        ),
        (
            Outcome(9, Report(routes=0)),
            "note",
            "unknown_routes",
            "which routes `orders` serves is not known, so nothing is told of undocumented ones",
        ),
    ],
)
def test_each_gap_has_its_kind(service: Service, outcome: Outcome, level: str, kind: str, what: str) -> None:
    (found,) = of_outcome(service, outcome)
    assert (found.level, found.kind, found.what, found.about) == (level, kind, what, "orders")
    assert found.place == service.place
    assert found.hint


def test_what_mode_observe_lets_through_is_a_gap(service: Service) -> None:
    observed = dataclasses.replace(service, mode=Mode.OBSERVE)
    (found,) = of_outcome(observed, Outcome(9, Report(routes=3, undocumented=("GET /a",))))
    assert (found.level, found.kind) == ("finding", "undocumented_route")
    assert "which mode observe lets through" in found.what


def test_only_services_with_a_guard_are_asked(system: Path, policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def look_alone(_folder: Path, _system: Policy, service: Service, _environment: object) -> Outcome:
        asked.append(service.name)
        return Outcome(1, FINE, open=f"{service.name} answers")

    monkeypatch.setattr(routes, "look_alone", look_alone)
    assert list(of_guards(system, policy, {})) == []
    services = dict(policy.catalog.services)
    services["orders"] = dataclasses.replace(services["orders"], guarded=True)
    guarded = dataclasses.replace(policy, catalog=dataclasses.replace(policy.catalog, services=services))
    assert [each.what for each in of_guards(system, guarded, {})] == ["orders answers"]
    assert asked == ["orders"]
