from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from tests.unit.cli.test_calls import call, record
from tests.unit.insight.test_exposure import YAML, load

from inward.record.call import Gap

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Inward


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system that declares data, which is the current folder."""
    load(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_data_classes_it_says_how_to_declare_some(inward: Inward, system: Path) -> None:
    done = inward("data")
    assert (done.code, done.out) == (0, "")
    assert "list them under `data` in inward.yaml" in done.err
    assert "x-inward-data: pii.email" in done.err
    done = inward("data", "pii")
    assert done.code == 3
    assert "inward.yaml declares none" in done.err
    del system


def test_the_list_names_who_serves_and_who_sees(inward: Inward, shop: Path) -> None:
    lines = inward("data").out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["card", "pii", "pii.email"]
    assert lines[3].startswith("  pii.email  team-orders  orders:getOrder, front:show  front, reporting")
    assert lines[3].split("  ")[-1].strip() == "checkout"
    record(shop, call(1, caller="front", operation="orders:getOrder", callee="orders"))
    assert inward("data").out.splitlines()[3].split()[-2:] == ["checkout", "front"]
    assert inward("data", "--since", "1s").out.splitlines()[3].split()[-2:] == ["reporting", "checkout"]


def test_one_class_is_told_whole(inward: Inward, shop: Path) -> None:
    record(
        shop,
        call(1, caller="front", operation="orders:getOrder"),
        call(2, caller="checkout", operation="orders:getOrder"),
        call(3, caller="\x1b[31m", operation="orders:getOrder"),
        Gap(time="2026-08-01T12:00:00.000Z", why="lost"),
    )
    done = inward("data", "pii.email")
    told = [" ".join(line.split()) for line in done.out.splitlines()]
    assert "owned by team-orders (inward.yaml:8)" in done.out
    assert "to whom it is not disclosed: left out" in done.out
    for line in (
        "orders:getOrder $.mail, $.notes[*].by its Envoy",
        "orders:putOrder $.mail, $.notes[*].by not disclosed to the service",
        "reporting orders:getOrder under a condition shown under a condition",
        "checkout front:show always not shown",
    ):
        assert line in told
    rows = [line for line in done.out.splitlines() if "id-" in line]
    assert [line.split()[0] for line in rows] == ["\\x1b[31m", "checkout", "front"]
    assert ["not disclosed" in line for line in rows] == [True, True, False]
    assert "the record has gaps (1)" in done.err


def test_where_nobody_withholds_it_is_said_everywhere(inward: Inward, shop: Path) -> None:
    given = "orders:getOrder $.mail, $.notes[*].by nobody: in mode observe nothing is cut"
    seen = "checkout orders:getOrder always not disclosed, and nobody withholds it"
    warning = "nobody withholds what orders:getOrder serves: in mode observe nothing is cut"
    told = [" ".join(line.split()) for line in inward("data", "pii.email").out.splitlines()]
    assert given not in told
    assert seen not in told
    assert warning not in inward("data").err
    (shop / "inward.yaml").write_text(YAML.replace("apis/orders.yaml,", "apis/orders.yaml, mode: observe,"))
    told = [" ".join(line.split()) for line in inward("data", "pii.email").out.splitlines()]
    assert given in told
    assert seen in told
    assert warning in inward("data").err
    (email,) = inward("data", "pii.email", "--json").json["classes"]
    assert [(each["withheld_by"], each["why"]) for each in email["served"]] == [
        (None, "in mode observe nothing is cut"),
        ("envoy", None),
    ]


def test_a_class_that_nothing_is_marked_with_says_so(inward: Inward, shop: Path) -> None:
    for arguments in (["card"], ["card", "--flow"]):
        done = inward("data", *arguments)
        assert done.code == 0
        assert "mark fields of API descriptions with `x-inward-data: card`" in done.err
    del shop


def test_the_flow_goes_from_service_to_service(inward: Inward, shop: Path) -> None:
    assert inward("data", "pii.email", "--flow").out.splitlines() == [
        "orders  team-orders",
        "  orders:getOrder → checkout  not shown",
        "  orders:getOrder → front  shown",
        "    front:show → checkout  not shown",
        "  orders:getOrder → reporting  shown under a condition, calls under a condition",
    ]
    flow = inward("data", "pii.email", "--flow", "--json").json
    assert flow["roots"] == ["orders"]
    assert len(flow["edges"]) == 4
    del shop


def test_the_flow_is_drawn_into_a_file(inward: Inward, shop: Path) -> None:
    done = inward("data", "pii.email", "--svg", "flow.svg")
    assert "orders:getOrder → front" in done.out
    assert "drawn: flow.svg" in done.err
    ET.fromstring((shop / "flow.svg").read_text())  # noqa: S314 - our own text
    done = inward("data", "pii.email", "--svg", "no/such/flow.svg")
    assert (done.code, "cannot be written" in done.err) == (1, True)


def test_json_has_everything(inward: Inward, shop: Path) -> None:
    record(shop, call(1, caller="front", operation="orders:getOrder"))
    listed = inward("data", "--json").json
    assert [each["name"] for each in listed["classes"]] == ["card", "pii", "pii.email"]
    assert listed["classes"][0]["undisclosed"] == "mask"
    (email,) = inward("data", "pii.email", "--json").json["classes"]
    assert email["served"][0] == {
        "operation": "orders:getOrder",
        "places": ["$.mail", "$.notes[*].by"],
        "withheld_by": "envoy",
        "why": None,
    }
    places = ["$.mail", "$.notes[*].by"]
    assert email["sent"] == [{"operation": "orders:putOrder", "places": places, "disclosed": "never"}]
    assert email["viewers"][0] == {
        "caller": "checkout",
        "operation": "orders:getOrder",
        "may_call": "always",
        "disclosed": "never",
    }
    assert [(each["caller"], each["calls"], each["disclosed"]) for each in email["seen"]] == [("front", 1, True)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pii.emial"], "did you mean `pii.email`?"),
        (["--flow"], "follow one data class"),
        (["--svg", "x.svg"], "follow one data class"),
        (["--since", "yesterday"], "`yesterday` is no time"),
    ],
)
def test_wrong_arguments_are_told(inward: Inward, shop: Path, arguments: list[str], said: str) -> None:
    done = inward("data", *arguments)
    assert done.code == 3
    assert said in done.err
    del shop
