"""Cutting callers off by alerts: only whom, only when, and only as often as a system says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.alerting.keeping.test_store import alert

from inward.alerting.keeping.database import FILE, Database
from inward.alerting.keeping.store import AlertStore
from inward.alerting.settings import QuarantineSettings
from inward.catalog.system import load_catalog
from inward.cli.template import files
from inward.control.layout import Layout
from inward.control.quarantine import change_quarantine, load_quarantine
from inward.control.watching.cutting_off import NAME, CuttingOff
from inward.record.follow import Place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
ON = QuarantineSettings(frozenset({"probing"}), an_hour=2)


class System:
    """A system with the services `greeter` and `visitor`, and what is done and told in it."""

    def __init__(self, folder: Path) -> None:
        for name, content in files("company.test").items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        self.layout = Layout.of(folder)
        catalog, _ = load_catalog(folder)
        assert catalog is not None
        self.catalog = catalog
        self.store = AlertStore(Database(self.layout.state / FILE))
        self.store.begin(NOW - timedelta(hours=1), Place(1, 0))
        self.store.pending(NAME, 1)
        self.acts: list[tuple[str, str, str]] = []
        self.told: list[str] = []

    def alert(self, service: str | None, settings: QuarantineSettings = ON, **fields: Any) -> list[str]:
        """Let an alert fire about a service; return who is in quarantine after it."""
        self.store.commit(Place(1, 1), [alert(**{"subject": str(service), "caller": service, **fields})])
        return self.turn(settings)

    def turn(self, settings: QuarantineSettings = ON) -> list[str]:
        cutting = CuttingOff(
            self.layout,
            self.store,
            lambda: self.catalog,
            lambda *act: self.acts.append(act),
            lambda _service, text: self.told.append(text),
        )
        cutting.turn(settings)
        return sorted(load_quarantine(self.layout))


@pytest.fixture
def company(tmp_path: Path) -> Iterator[System]:
    made = System(tmp_path)
    yield made
    made.store.close()


def test_a_caller_is_cut_off_noted_and_told(company: System) -> None:
    assert company.alert("visitor") == ["visitor"]
    name = alert(subject="visitor").id[:12]
    assert company.acts == [("quarantine", "visitor", f"alert {name}: visitor was refused")]
    assert len(company.told) == 1
    assert "visitor is in quarantine; alert" in company.told[0]
    assert load_quarantine(company.layout)["visitor"].reason == f"alert {name}: visitor was refused"
    assert company.turn() == ["visitor"]
    assert len(company.told) == 1


@pytest.mark.parametrize(
    ("service", "settings", "fields"),
    [
        ("visitor", QuarantineSettings(), {}),  # off, as it is by default
        ("visitor", ON, {"severity": "medium"}),
        ("visitor", replace(ON, at_least="critical"), {}),
        ("visitor", ON, {"detector": "volume"}),
        (None, ON, {}),
        ("spiffe://company.test/nobody", ON, {}),
        ("somebody", ON, {"callee": "visitor"}),
    ],
)
def test_who_is_not(company: System, service: str | None, settings: QuarantineSettings, fields: dict[str, Any]) -> None:
    assert company.alert(service, settings, **fields) == []
    assert (company.acts, company.told) == ([], [])


def test_who_never_is(company: System) -> None:
    assert company.alert("visitor", replace(ON, never=frozenset({"visitor"}))) == []
    assert "visitor is never put into quarantine by an alert" in company.told[0]


def test_not_more_than_an_hour_may_have(company: System) -> None:
    assert company.alert("visitor", replace(ON, an_hour=1)) == ["visitor"]
    assert company.alert("greeter", replace(ON, an_hour=1)) == ["visitor"]
    assert "greeter is not put into quarantine: 1 were within the hour" in company.told[1]


def test_what_people_release_stays_released_while_it_goes_on(company: System) -> None:
    company.alert("visitor")
    change_quarantine(company.layout, company.catalog, None, "visitor")
    assert company.alert("visitor", time="2026-11-28T12:00:00.000Z") == []  # a reminder
    assert [telling.what for telling in company.store.pending("other", 9)] == []
    company.store.acknowledge(alert(subject="visitor").id, NOW + timedelta(days=2), "ada", None)
    assert company.alert("visitor", time="2026-11-29T12:00:00.000Z") == ["visitor"]


def test_what_was_muted_or_acknowledged_meanwhile_cuts_nobody_off(company: System) -> None:
    company.store.commit(Place(1, 1), [alert(subject="visitor")])
    company.store.acknowledge(alert(subject="visitor").id, NOW, "ada", None)
    assert company.turn() == []
