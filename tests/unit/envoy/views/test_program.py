"""Programs: what the Lua filter reads about an operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from tests.contract.guard.people import DESCRIPTION, FILES, write

from inward.control.bundle import load_policy
from inward.envoy.views.program import MAX_PLACES, program_of
from inward.viewing.withholding import Withholding

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

FILES_WITH_API = FILES | {"people.json": msgspec.json.encode(DESCRIPTION).decode()}


def program(folder: Path, operation: str, files: dict[str, str] = FILES_WITH_API) -> dict[str, Any]:
    write(folder, files)
    policy = load_policy(folder / "system")
    viewed = Withholding(policy.catalog, policy.engine).viewed(policy.catalog.operations[f"people:{operation}"])
    assert viewed is not None
    text, digest = program_of(viewed, policy.catalog)
    assert len(digest) == 16
    found: dict[str, Any] = msgspec.json.decode(text)
    return found


def test_each_caller_leads_to_what_is_withheld_from_it(tmp_path: Path) -> None:
    found = program(tmp_path, "getPerson")
    classes = found["classes"]

    def withheld(number: int) -> list[str]:
        return [classes[each - 1] for each in found["sets"][number - 1]["withheld"]]

    assert set(found["callers"]) == {"till", "office"}  # nobody else may call
    assert withheld(found["callers"]["office"]) == []
    assert withheld(found["callers"]["till"]) == ["pii.card", "pii.email", "pii.phone"]
    assert withheld(found["otherwise"]) == ["pii.card", "pii.email", "pii.name", "pii.phone"]
    assert found["taken"] == {"phases": 1, "sets": [{"nothing": True}]}


def test_a_place_says_what_is_done_and_where_it_leads(tmp_path: Path) -> None:
    found = program(tmp_path, "getPerson")
    chosen = found["sets"][found["callers"]["till"] - 1]
    what, _, fields, rest, items = chosen["places"][chosen["whole"] - 1]
    assert (what, rest, set(fields)) == (0, 0, {"email", "phone", "card"})
    assert items != 0  # a list of persons is read as persons
    done = {name: chosen["places"][number - 1][0] for name, number in fields.items()}
    assert done == {"email": 1, "phone": 4, "card": 3}


def test_in_mode_observe_nothing_is_compiled_and_everybody_may_call(tmp_path: Path) -> None:
    found = program(tmp_path, "watchPerson")
    assert found["observed"] is True
    assert set(found["callers"]) == {"people", "till", "office", "stranger"}
    assert not any("places" in each for each in found["sets"])
    assert found["sets"][found["otherwise"] - 1]["withheld"] == []


def test_an_expiry_is_a_moment_in_the_program(tmp_path: Path) -> None:
    policies = FILES["policies/people.cedar"].replace('@id("till-names")', '@id("till-names") @expires("2027-06-30")')
    found = program(tmp_path, "getPerson", FILES_WITH_API | {"policies/people.cedar": policies})
    (first, _), (since, _) = found["callers"]["till"]
    assert (first, since) == (0, 1_814_400_000_000_000)  # 2027-07-01


def test_what_the_service_may_not_receive_is_said(tmp_path: Path) -> None:
    found = program(tmp_path, "postTaken")
    (taken,) = found["taken"]["sets"]
    email, card = found["classes"].index("pii.email") + 1, found["classes"].index("pii.card") + 1
    assert (taken["held"], taken["query"], sorted(taken["body"])) == ([], {"mail": [email]}, sorted([email, card]))


def test_more_places_than_envoy_is_given_have_no_view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_PLACES >= 10_000
    monkeypatch.setattr("inward.envoy.views.program.MAX_PLACES", 2)
    found = program(tmp_path, "getPerson")
    assert "places" not in found["sets"][found["callers"]["till"] - 1]
