"""Data classes: served nowhere, not shown to whoever may call, not to be received, answers of which nothing is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.insight.test_exposure import FRONT, LATE, NOW, POLICIES, YAML, grant, load

from inward.control.bundle import load_policy
from inward.control.checking.data import of_data
from inward.control.checking.steps import check

if TYPE_CHECKING:
    from pathlib import Path


def test_each_is_a_note_with_its_place(tmp_path: Path) -> None:
    load(tmp_path)
    found = of_data(load_policy(tmp_path), NOW)
    assert [(each.level, each.kind, str(each.place), each.about, each.what) for each in found] == [
        ("note", "unserved_data", "inward.yaml:10", "card", "no API description marks anything with `card`"),
        (
            "note",
            "undisclosed_data",
            "apis/orders.yaml:4",
            "orders:getOrder",
            "of what `orders:getOrder` serves, `checkout` is not shown `pii.email`",
        ),
        (
            "note",
            "undisclosed_data",
            "apis/front.yaml:4",
            "front:show",
            "of what `front:show` serves, `checkout` is not shown `pii.email`",
        ),
        (
            "finding",
            "unreceivable_data",
            "apis/orders.yaml:8",
            "orders:putOrder",
            "`orders:putOrder` takes `pii.email`, which `orders` itself may not receive",
        ),
        (
            "note",
            "unfollowed_disclosure",
            "apis/orders.yaml:4",
            "orders:getOrder",
            (
                "of `orders:getOrder`, Envoy withholds what is disclosed under a condition that it cannot follow: "
                "`reporting`: `pii.email`"
            ),
        ),
    ]


def test_who_withholds_is_said_and_a_guard_follows_every_condition(tmp_path: Path) -> None:
    load(tmp_path)
    hints = {each.about: each.hint for each in of_data(load_policy(tmp_path), NOW) if each.kind == "undisclosed_data"}
    assert hints["orders:getOrder"].startswith("the Envoy of `orders` withholds it")
    (tmp_path / "inward.yaml").write_text(YAML.replace("apis/orders.yaml,", "apis/orders.yaml, guard: true,"))
    found = list(of_data(load_policy(tmp_path), NOW))
    assert "unfollowed_disclosure" not in {each.kind for each in found}
    hints = {each.about: each.hint for each in found if each.kind == "undisclosed_data"}
    assert hints["orders:getOrder"].startswith("the guard in `orders` withholds it")
    (tmp_path / "inward.yaml").write_text(YAML.replace("apis/orders.yaml,", "apis/orders.yaml, mode: observe,"))
    hints = {each.about: each.hint for each in of_data(load_policy(tmp_path), NOW) if each.kind == "undisclosed_data"}
    assert hints["orders:getOrder"].startswith("nobody withholds it: in mode observe nothing is cut; ")


def test_a_service_may_receive_what_is_disclosed_to_it_under_a_condition_too(tmp_path: Path) -> None:
    for when in ("", LATE):
        own = grant("own", "orders", "disclose", 'DataClass::"pii.email"', when=when)
        load(tmp_path, {**POLICIES, "orders": POLICIES["orders"] + own})
        assert "unreceivable_data" not in {each.kind for each in of_data(load_policy(tmp_path), NOW)}


def test_answers_of_which_nothing_is_said_are_named_where_others_declare_data(tmp_path: Path) -> None:
    load(tmp_path)
    silent = "  /silent:\n    get: {operationId: silent, responses: {'200': {description: x}}}\n"
    (tmp_path / "apis" / "front.yaml").write_text(FRONT + silent)
    found = [each for each in of_data(load_policy(tmp_path), NOW) if each.kind == "undescribed_data"]
    assert [(str(each.place), each.about) for each in found] == [("apis/front.yaml:9", "front")]
    assert "`front:silent 200`" in found[0].what


def test_nothing_is_said_where_all_is_shown_or_nothing_is_declared(tmp_path: Path) -> None:
    own = grant("own", "orders", "disclose", 'DataClass::"pii.email"')
    quiet = POLICIES["orders"].replace('@expires("2026-07-01")', "") + own
    load(tmp_path, {**POLICIES, "orders": quiet})
    # one caller is shown it at some hours
    assert [each.kind for each in of_data(load_policy(tmp_path), NOW)] == ["unserved_data", "unfollowed_disclosure"]
    (tmp_path / "inward.yaml").write_text(YAML.partition("data:")[0])
    for name in ("orders", "front"):
        (tmp_path / "apis" / f"{name}.yaml").write_text("openapi: 3.1.0\npaths: {}\n")
        (tmp_path / "policies" / f"{name}.cedar").write_text("")
    assert list(of_data(load_policy(tmp_path), NOW)) == []


def test_it_is_a_step_of_the_check(tmp_path: Path) -> None:
    load(tmp_path)
    kinds = {each.kind for each in check(tmp_path, NOW).findings}
    assert {"unserved_data", "undisclosed_data"} <= kinds
