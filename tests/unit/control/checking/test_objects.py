"""Grants on objects to callers that may not call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.insight.test_exposure import NOW, grant, load

from inward.control.bundle import load_policy
from inward.control.checking.objects import of_objects
from inward.control.checking.steps import check

if TYPE_CHECKING:
    from pathlib import Path

    from inward.control.findings import Finding

GET, PUT = "orders:getOrder", "orders:putOrder"
BOTH = f'action in [Action::"{GET}", Action::"{PUT}"]'


def on_objects(name: str, principal: str, action: str, more: str = "") -> str:
    return f'@id("{name}") @reason("r") {more} permit (principal {principal}, {action}, resource is Order);\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "orders.cedarschema").write_text("entity Order, Return { total: Long };")
    return tmp_path


def found(folder: Path, policies: str, guardrails: str = "") -> list[Finding]:
    (folder / "guardrails.cedar").write_text(guardrails)
    load(folder, {"orders": policies, "front": ""})
    return list(of_objects(load_policy(folder), NOW))


CHECKOUT = '== Service::"checkout"'


def test_a_grant_on_objects_to_who_may_not_call_is_a_note(folder: Path) -> None:
    on_get = on_objects("o", CHECKOUT, f'action == Action::"{GET}"')
    (note,) = found(folder, on_get)
    assert (note.level, note.kind, str(note.place), note.about) == (
        "note",
        "uncalled_objects",
        "policies/orders.cedar:1",
        "o",
    )
    assert note.what == f"`o` grants `{GET}` on objects to `checkout`, who may not call that: it takes no effect"
    assert f"`inward allow checkout '{GET}' --reason …`" in note.hint
    call = grant("c", "checkout", GET, 'Service::"orders"')
    assert found(folder, on_get + call) == []
    # another's call is not this one's, a call that is over is none, and one that is always forbidden neither
    assert found(folder, on_get + grant("c", "front", GET, 'Service::"orders"'))
    assert found(folder, on_get + grant("c", "checkout", GET, 'Service::"orders"', '@expires("2026-07-01")'))
    assert found(folder, on_get + call, '@id("n") @reason("r") forbid (principal, action, resource);')
    # a condition on the call may hold
    late = grant("c", "checkout", GET, 'Service::"orders"', when='when { context.path.id == "1" }')
    assert found(folder, on_get + late) == []


def test_of_several_operations_those_are_told_that_nobody_may_call(folder: Path) -> None:
    call = grant("c", "checkout", GET, 'Service::"orders"')
    (note,) = found(folder, on_objects("o", CHECKOUT, BOTH) + call)
    assert f"`o` grants `{PUT}` on objects" in note.what
    # a group holds more than is called
    assert found(folder, on_objects("o", CHECKOUT, 'action in Action::"orders:*"') + call) == []
    (note,) = found(folder, on_objects("o", CHECKOUT, 'action in Action::"orders:*"'))
    assert f"`{GET}`, `{PUT}`" in note.what


def test_of_several_callers_one_that_may_call_is_enough(folder: Path) -> None:
    anybody = on_objects("o", "", f'action == Action::"{GET}"')
    assert found(folder, anybody + grant("c", "checkout", GET, 'Service::"orders"')) == []
    (note,) = found(folder, anybody)
    assert "to `checkout`, `front`, `orders`, `reporting`, who" in note.what
    assert "inward allow CALLER" in note.hint


def test_what_has_expired_or_is_about_a_call_is_not_told(folder: Path) -> None:
    expired = on_objects("o", CHECKOUT, f'action == Action::"{GET}"', '@expires("2026-07-01")')
    forbid = on_objects("f", CHECKOUT, f'action == Action::"{GET}"').replace("permit", "forbid")
    assert found(folder, expired + forbid + grant("d", "front", "disclose", 'DataClass::"pii"')) == []


def test_it_is_a_step_of_the_check(folder: Path) -> None:
    assert found(folder, on_objects("o", CHECKOUT, f'action == Action::"{GET}"'))
    assert "uncalled_objects" in {each.kind for each in check(folder, NOW).findings}
