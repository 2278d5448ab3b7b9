"""Which routes are viewed: those that need it, and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.contract.guard.people import DESCRIPTION, FILES, write

from inward.control.bundle import load_policy
from inward.envoy.resources.render import service_routes
from inward.envoy.views.filters import ADMITTING_FILTER, REFUSING_FILTER, VIEW_FILTER

if TYPE_CHECKING:
    from pathlib import Path


def routes(folder: Path, **changes: str) -> dict[str, Any]:
    files = FILES | {"people.json": msgspec.json.encode(DESCRIPTION).decode()}
    write(folder, files | {name: changed(files[name], change) for name, change in changes.items()})
    policy = load_policy(folder / "system")
    compiled = service_routes(policy.catalog.services["people"], policy.catalog, policy.engine)
    return {name.removeprefix("people:"): route for name, route in compiled.routes.items()}


def changed(text: str, change: str) -> str:
    old, new = change.split("→")
    assert old in text
    return text.replace(old, new)


def switched_on(route: dict[str, Any]) -> set[str]:
    ours = {VIEW_FILTER, REFUSING_FILTER, ADMITTING_FILTER}
    return {
        name for name, config in route["typed_per_filter_config"].items() if name in ours and not config["disabled"]
    }


def test_each_route_has_what_it_needs(tmp_path: Path) -> None:
    found = {name: switched_on(route) for name, route in routes(tmp_path).items()}
    assert found["getPlain"] == found["getHeard"] == set()
    assert found["getPerson"] == found["postPerson"] == {VIEW_FILTER, REFUSING_FILTER}
    assert found["postTaken"] == {VIEW_FILTER, ADMITTING_FILTER}
    assert found["watchPerson"] == found["postHeard"] == {VIEW_FILTER}  # observed: it only says


def test_what_is_held_back_is_not_waited_for_without_an_end(tmp_path: Path) -> None:
    found = routes(tmp_path)
    assert found["getPerson"]["route"]["timeout"] == "300s"
    assert {found[name]["route"]["timeout"] for name in ("getPlain", "postTaken", "watchPerson")} == {"0s"}


def test_a_service_with_a_guard_views_for_itself(tmp_path: Path) -> None:
    found = routes(tmp_path, **{"inward.yaml": "run: serve {socket}→run: serve {socket}\n    guard: true"})
    assert not any(switched_on(route) for route in found.values())


def test_where_every_caller_may_see_everything_nothing_is_added(tmp_path: Path) -> None:
    till = 'Service::"till", action == Action::"disclose", resource == DataClass::"pii.name"'
    found = routes(
        tmp_path, **{"policies/people.cedar": f"{till}→{till.replace('== Data', 'in Data').replace('.name', '')}"}
    )
    assert switched_on(found["getPerson"]) == set()


@pytest.mark.parametrize("name", ["inward.yaml", "policies/people.cedar"])
def test_the_system_of_these_tests_is_the_one_that_they_change(name: str) -> None:
    assert name in FILES
