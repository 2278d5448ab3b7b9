"""Tallies held against the system as it is: what is left of them, how it is declared, and what is a finding."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.unit.insight.test_exposure import NOW

from inward.catalog.json_path import Wild
from inward.catalog.shape import NOTHING, Node, Shape
from inward.control.bundle import load_policy
from inward.control.checking.steps import check
from inward.control.sampling.undeclared import is_marked, kept_history, looked_at, of_undeclared, undeclared
from inward.identity.private_files import private_folder
from inward.spotting.declare import overlay_text
from inward.spotting.history import History, add_to_history
from inward.spotting.kinds import Kind, Spotted
from inward.spotting.tally import NotLooked

if TYPE_CHECKING:
    from pathlib import Path

    from inward.control.bundle import Policy

TODAY = date(2026, 11, 26)
NOTE = Spotted(("lines", Wild.ITEM, "note"), Kind.EMAIL)
ORDER: dict[str, Any] = {
    "properties": {
        "contact": {"x-inward-data": "pii"},
        "lines": {"items": {"properties": {"note": {"type": "string"}}}},
    }
}
ANSWER = {"description": "it", "content": {"application/json": {"schema": ORDER}}}
API = {
    "openapi": "3.1.0",
    "info": {"title": "orders", "version": "1"},
    "paths": {"/orders": {"get": {"operationId": "list", "responses": {"200": ANSWER}}}},
}
SYSTEM = {
    "trust_domain": "shop.test",
    "services": {"orders": {"owner": "team", "api": "api.yaml", "listen": "127.0.0.1:0"}},
    "data": {"pii": {"owner": "team"}},
}


def write(folder: Path, **services: Any) -> Path:
    system = {**SYSTEM, "services": {"orders": {**SYSTEM["services"]["orders"], **services}}}  # type: ignore[index]  # nested
    (folder / "inward.yaml").write_text(yaml.safe_dump(system, sort_keys=False))
    (folder / "api.yaml").write_text(yaml.safe_dump(API, sort_keys=False))
    return folder


@pytest.fixture
def orders(tmp_path: Path) -> Policy:
    return load_policy(write(tmp_path))


def history(*spotted: Spotted, answers: int = 4, operation: str = "orders:list", near: int = 0) -> History:
    found = History()
    for number in range(answers):
        found.day(TODAY).add(operation, 200, spotted, spotted if number < near else ())
    return found


def test_it_names_place_share_day_class_and_action(orders: Policy) -> None:
    found = history(NOTE)
    found.day(TODAY).add("orders:list", 200, [])
    (each,) = undeclared(orders, found)
    assert (each.finding.place, each.finding.share, each.last) == ("$.lines[*].note", 0.8, TODAY)
    assert (each.data_class, each.class_is_new) == ("pii", False)
    (action,) = each.actions
    assert action.startswith(
        "- {target: '$.paths[''/orders''].get.responses[''200''].content[''application/json''].schema"
    )
    assert action.endswith("update: {x-inward-data: pii}}")


def test_an_operation_that_is_no_more_is_left_out(orders: Policy) -> None:
    assert undeclared(orders, history(NOTE, operation="orders:gone")) == []
    assert looked_at(orders.catalog, history(NOTE, operation="orders:gone")) == []


@pytest.mark.parametrize("mark", ["pii", "none"])
def test_what_is_declared_since_or_said_to_be_no_data_is_left_out(tmp_path: Path, orders: Policy, mark: str) -> None:
    found = history(NOTE, Spotted(("new", Wild.REST), Kind.EMAIL))
    before = undeclared(orders, found)
    assert len(before) == 2
    actions = "".join(f"{action.replace(': pii}', f': {mark}}}')}\n" for each in before for action in each.actions)
    (tmp_path / "overlay.yaml").write_text(overlay_text("what was found", "api.yaml", []) + actions)
    after = load_policy(write(tmp_path, overlay="overlay.yaml"))
    assert undeclared(after, found) == []
    assert looked_at(after.catalog, found)[0].answers == 4


@pytest.mark.parametrize(
    ("kind", "answers", "near", "level"),
    [
        (Kind.SECRET, 1, 0, True),
        (Kind.EMAIL, 1, 0, False),
        (Kind.EMAIL, 2, 0, True),
        (Kind.CARD, 2, 0, False),
        (Kind.CARD, 3, 3, True),
        (Kind.CARD, 3, 0, True),
    ],
)
def test_few_answers_are_few_reasons(orders: Policy, kind: Kind, answers: int, near: int, level: bool) -> None:  # noqa: FBT001 - a case
    spotted = Spotted(("x",), kind)
    found = list(of_undeclared(orders, history(spotted, answers=answers, near=near)))
    assert bool(found) is level


def test_what_mostly_only_resembles_is_no_finding(orders: Policy) -> None:
    card = Spotted(("reference",), Kind.CARD)
    found = history(card, answers=5)
    for _ in range(6):
        found.day(TODAY).add("orders:list", 200, [], [card])
    assert list(of_undeclared(orders, found)) == []
    assert len(undeclared(orders, found)) == 1


def test_a_finding_says_all_of_it_and_keeps_its_name(orders: Policy) -> None:
    (found,) = of_undeclared(orders, history(NOTE))
    (later,) = of_undeclared(orders, history(NOTE, answers=9))
    assert (found.level, found.kind, str(found.place)) == ("finding", "undeclared_data", "api.yaml:7")
    assert "`orders:list` shows email at `$.lines[*].note` (4 of 4 answers with status 200)" in found.what
    assert "since 2026-11-26" in found.what
    assert "x-inward-data: pii" in found.hint
    assert "x-inward-data: none" in found.hint
    assert found.about == later.about
    (new,) = of_undeclared(orders, history(Spotted(("key",), Kind.SECRET)))
    assert "`secret` in `data` of inward.yaml" in new.hint


def test_a_check_tells_what_is_kept_beside_the_system(tmp_path: Path, orders: Policy) -> None:
    assert orders.files
    assert check(tmp_path, NOW).findings == check(tmp_path, NOW).findings
    kinds = {each.kind for each in check(tmp_path, NOW).findings}
    assert "undeclared_data" not in kinds
    state = private_folder(tmp_path / ".inward")
    add_to_history(state / "undeclared.json", history(NOTE), TODAY)
    report = check(tmp_path, NOW)
    assert [each.what for each in report.findings if each.kind == "undeclared_data"]
    assert report.exit_code == 2


@pytest.mark.parametrize("damage", ["not json", "open"])
def test_a_file_that_is_damaged_or_open_to_others_is_none(tmp_path: Path, damage: str) -> None:
    path = private_folder(tmp_path / ".inward") / "undeclared.json"
    add_to_history(path, history(NOTE), TODAY)
    assert kept_history(tmp_path).since == TODAY
    if damage == "open":
        path.chmod(0o644)
    else:
        path.write_bytes(b"{")
    assert kept_history(tmp_path).since is None


def test_how_many_were_looked_at(orders: Policy) -> None:
    found = history(NOTE)
    found.day(TODAY).add_not_looked("orders:list", 404, NotLooked.ENCODED)
    (each,) = looked_at(orders.catalog, found)
    assert (each.operation, each.answers, dict(each.not_looked)) == ("orders:list", 4, {"encoded": 1})


def test_marks_around_a_place_hold_for_it() -> None:
    shape = Shape((Node(fields={"a": 1}, rest=2, items=3), Node(items=3), Node(rest=3), Node(classes=("pii",))))
    assert is_marked(shape, ("a", Wild.ITEM))
    assert is_marked(shape, ("a", Wild.ITEM, "deeper"))
    assert is_marked(shape, ("other", Wild.REST))
    assert is_marked(shape, (Wild.ITEM,))
    assert not is_marked(shape, ("a",))
    assert not is_marked(shape, ("a", "b"))
    assert not is_marked(NOTHING, ())
