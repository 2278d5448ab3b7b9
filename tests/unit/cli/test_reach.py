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

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system in which checkout may call front, and both orders; the current folder."""
    load(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def record_a_chain(shop: Path) -> None:
    """Record that front reads an order while it serves checkout; and another time without a trace."""
    outer = call(1, caller="checkout", callee="front", operation="front:show", path="/show", trace=TRACE)
    inner = {"caller": "front", "callee": "orders", "operation": "orders:getOrder", "path": "/orders/1"}
    record(shop, call(1, **{**inner, "id": "inner"}, trace=TRACE), outer, call(3, **inner))


def test_all_services_by_their_scores(inward: Inward, shop: Path) -> None:
    done = inward("reach")
    rows = [line.split() for line in done.out.splitlines()[1:]]
    assert [row[0] for row in rows] == ["front", "reporting", "orders", "checkout"]
    assert rows[3][2:] == ["2", "2", "-", "-", "-", "-", "-"]
    assert "--to CLASS" in done.err
    listed = inward("reach", "--json").json
    assert listed["above"] == []
    scores = {each["service"]: each["score"] for each in listed["services"]}
    assert scores == {"front": 11, "reporting": 11, "orders": 10, "checkout": 2}
    assert "and 3 more services" in inward("reach", "--limit", "1").out
    del shop


def test_a_score_above_the_limit_fails(inward: Inward, shop: Path) -> None:
    assert inward("reach", "--fail-above", "1000").code == 0
    done = inward("reach", "--fail-above", "10.5")
    assert done.code == 2
    assert "above 10.5: front" in done.err
    assert inward("reach", "--fail-above", "10.5", "--json").json["above"][0] == "front"
    assert inward("reach", "checkout", "--fail-above", "2").code == 0
    done = inward("reach", "checkout", "--fail-above", "1.9")
    assert done.code == 2
    assert "the score of checkout, 2, is above 1.9" in done.err
    del shop


def test_one_service_at_once_and_through_others(inward: Inward, shop: Path) -> None:
    done = inward("reach", "checkout")
    assert "through others: nothing more is known" in done.out
    assert "the record has no calls of that time" in done.err
    record_a_chain(shop)
    done = inward("reach", "checkout")
    told = [" ".join(line.split()) for line in done.out.splitlines()]
    assert told[0] == "checkout of team-checkout, score 7"
    assert told[1] == "at once: 2 operations (0 to change something), 0 data classes"
    assert told[2] == "through others: 0 more operations (0 to change something), 1 more data class"
    assert "pii.email 2 front orders:getOrder d" in told
    assert "orders:getOrder 1 - checkout a" in told
    assert (
        "front made 2 calls, 50% with a trace; 1 belong to no call that it was serving, to orders:getOrder" in done.err
    )
    found = inward("reach", "checkout", "--json").json
    assert (found["score"], found["assume_all"]) == (7, False)
    assert found["data"][0]["class"] == "pii.email"
    assert found["data"][0]["hops"] == 2
    assert found["evidence"]["doubtful"] == [
        {"service": "front", "calls": 2, "traced": 1, "caused": 1, "to": {"orders:getOrder": 1}}
    ]


def test_conditions_and_data_of_its_own(inward: Inward, shop: Path) -> None:
    told = [" ".join(line.split()) for line in inward("reach", "reporting").out.splitlines()]
    assert "orders:getOrder 1 - reporting c, under a condition" in told
    assert "pii.email 1 reporting orders:getOrder e, under a condition" in told
    told = [" ".join(line.split()) for line in inward("reach", "orders").out.splitlines()]
    assert "pii.email orders:getOrder" in told
    del shop


def test_paths_by_evidence(inward: Inward, shop: Path) -> None:
    assert inward("reach", "checkout", "--to", "pii").out == "checkout does not reach pii, as far as is known\n"
    record_a_chain(shop)
    done = inward("reach", "checkout", "--to", "pii")  # and what is under it
    assert "checkout reaches pii by 1 call" in done.out
    assert "checkout → front:show → orders:getOrder" in done.out
    assert "2  front may call it: b  (1 call, the last inner)" in done.out
    assert "and front is shown pii.email: d" in done.out
    (path,) = inward("reach", "checkout", "--to", "pii.email", "--json").json["paths"]
    assert [step["operation"] for step in path["steps"]] == ["front:show", "orders:getOrder"]
    assert path["steps"][1]["cause"] == "front:show"
    assert path["steps"][1]["seen"]["reference"] == "inner"
    assert path["steps"][1]["seen"]["served"] == "id-1"
    assert path["shown"] == [{"class": "pii.email", "to": "front", "how": "granted", "grants": ["d"]}]
    assert "front has pii.email itself: front:show" in inward("reach", "front", "--to", "pii.email").out


def test_paths_to_an_operation_and_the_worst_assumed(inward: Inward, shop: Path) -> None:
    done = inward("reach", "checkout", "--to", "orders:getOrder")
    assert "checkout → orders:getOrder" in done.out
    done = inward("reach", "checkout", "--to", "pii.email", "--assume-all")
    assert "checkout → front:show → orders:getOrder" in done.out
    assert "can be made to do all that it may" in done.err
    del shop


def test_the_cut_and_what_else_it_refuses(inward: Inward, shop: Path) -> None:
    record_a_chain(shop)
    done = inward("reach", "checkout", "--to", "pii.email", "--cut")
    assert done.code == 0
    assert "without this grant no path is left (no fewer can do)" in done.out
    told = [" ".join(line.split()) for line in done.out.splitlines()]
    cut = inward("reach", "checkout", "--to", "pii.email", "--cut", "--json").json["cut"]
    (grant,) = cut["grants"]
    assert grant["id"] in {"b", "d", "g"}
    assert cut["proven"] is True
    assert f"{grant['id']} {grant['file']}:{grant['line']} r" in told
    counts = {"g": (1, 0), "b": (2, 0), "d": (0, 2)}[grant["id"]]
    assert (cut["recorded"]["calls"], cut["recorded"]["refused"], cut["recorded"]["hidden"]) == (3, *counts)
    to_call = inward("reach", "checkout", "--to", "orders:getOrder", "--cut", "--assume-all", "--json").json["cut"]
    first, second = (each["id"] for each in to_call["grants"])
    assert first == "a"
    assert second in {"b", "g"}
    assert "there is nothing to cut" in inward("reach", "checkout", "--to", "card", "--cut").out


def test_a_path_that_needs_no_grant_has_no_cut(inward: Inward, shop: Path) -> None:
    (shop / "inward.yaml").write_text(YAML.replace("orders.yaml,", "orders.yaml, mode: observe,"))
    done = inward("reach", "checkout", "--to", "pii.email", "--cut")
    assert done.code == 2
    assert "in mode observe nothing is refused" in done.out
    assert "no cut: a path is open without any grant" in done.out
    assert "checkout → orders:getOrder" in done.out
    done = inward("reach", "checkout", "--to", "pii.email", "--cut", "--json")
    assert (done.code, done.json["cut"]["grants"]) == (2, None)


def test_a_service_in_quarantine_reaches_nothing(inward: Inward, shop: Path) -> None:
    inward("quarantine", "checkout")
    done = inward("reach", "checkout")
    assert "at once: 0 operations" in done.out
    assert "checkout is in quarantine" in done.err
    del shop


def test_gaps_are_told(inward: Inward, shop: Path) -> None:
    record(shop, Gap(time=call(1).time, why="lost"), call(1, caller="front", operation="orders:getOrder"))
    assert "the record has gaps, where what was lost is not seen (1)" in inward("reach", "checkout").err


def test_the_picture(inward: Inward, shop: Path) -> None:
    record_a_chain(shop)
    done = inward("reach", "checkout", "--svg", "reach.svg")
    assert "drawn: reach.svg" in done.err
    root = ET.fromstring((shop / "reach.svg").read_text())  # noqa: S314 - our own text
    assert "checkout" in (root.findtext("{http://www.w3.org/2000/svg}title") or "")
    assert inward("reach", "checkout", "--svg", "nowhere/reach.svg").code == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nobody",), "there is no service `nobody`"),
        (("--to", "pii"), "are about one service"),
        (("--cut",), "are about one service"),
        (("--svg", "x.svg"), "are about one service"),
        (("checkout", "--cut"), "a cut of which paths?"),
        (("checkout", "--to", "pi"), "there is no data class `pi`"),
        (("checkout", "--to", "orders:getOrders"), "there is no operation `orders:getOrders`"),
        (("orders", "--to", "orders:getOrder"), "is an operation of orders itself"),
        (("checkout", "--since", "then"), "`then` is no time"),
        (("--fail-above", "nan"), "should be greater than or equal to 0"),
    ],
)
def test_what_cannot_be_asked(inward: Inward, shop: Path, arguments: tuple[str, ...], said: str) -> None:
    done = inward("reach", *arguments)
    assert done.code == 3
    assert said in done.err
    del shop
