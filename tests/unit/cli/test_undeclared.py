"""`inward data --undeclared`: what it prints of the tallies, for people and for programs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from tests.unit.insight.test_exposure import load

from inward.catalog.json_path import Wild
from inward.identity.private_files import private_folder
from inward.spotting.history import History, add_to_history
from inward.spotting.kinds import Kind, Spotted
from inward.spotting.tally import NotLooked

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Inward

TODAY = datetime.now(UTC).date()
NOTE = Spotted(("lines", Wild.ITEM, "note"), Kind.PHONE)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system that declares data, which is the current folder."""
    load(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def keep(shop: Path, *spotted: Spotted, answers: int = 3) -> None:
    history = History()
    for _ in range(answers):
        history.day(TODAY).add("orders:getOrder", 200, spotted)
    history.day(TODAY).add_not_looked("orders:getOrder", 200, NotLooked.TOO_LARGE)
    add_to_history(private_folder(shop / ".inward") / "undeclared.json", history, TODAY)


def test_before_anything_was_sampled(inward: Inward, shop: Path) -> None:
    done = inward("data", "--undeclared")
    assert (done.code, done.out) == (0, "")
    assert "no answers were looked at yet" in done.err
    assert inward("data", "--undeclared", "--json").json == {"since": None, "undeclared": [], "looked": []}
    del shop


def test_each_place_with_its_share_and_how_it_is_declared(inward: Inward, shop: Path) -> None:
    keep(shop, NOTE)
    done = inward("data", "--undeclared")
    assert done.code == 0
    heading, row = done.out.splitlines()[:2]
    assert heading.split() == ["operation", "status", "where", "kind", "share", "answers", "last,", "UTC"]
    assert row.split() == ["orders:getOrder", "200", "$.lines[*].note", "phone", "100%", "3", "of", "3", str(TODAY)]
    assert "declared by an overlay of apis/orders.yaml, or marked `none` where it is no data:" in done.out
    assert "x-inward-data: pii}" in done.out
    assert f"undeclared data at 1 place; 3 answers of 1 operation looked at since {TODAY}" in done.err
    assert "not looked at: 1 too large" in done.err
    (each,) = inward("data", "--undeclared", "--json").json["undeclared"]
    assert (each["operation"], each["path"], each["kind"], each["share"]) == (
        "orders:getOrder",
        "$.lines[*].note",
        "phone",
        1.0,
    )
    assert (each["having"], each["answers"], each["sure"], each["class"]) == (3, 3, True, "pii")
    assert each["last"] == str(TODAY)


def test_what_may_be_chance_is_said_to_be(inward: Inward, shop: Path) -> None:
    keep(shop, NOTE, answers=1)
    assert "perhaps by chance: few answers have it" in inward("data", "--undeclared").out
    assert inward("data", "--undeclared", "--json").json["undeclared"][0]["sure"] is False


def test_a_class_that_is_not_declared_is_named(inward: Inward, shop: Path) -> None:
    keep(shop, Spotted(("key",), Kind.SECRET))
    assert (
        "inward.yaml does not declare secret yet: list them under `data`, with an owner"
        in inward("data", "--undeclared").out
    )


def test_nothing_undeclared(inward: Inward, shop: Path) -> None:
    keep(shop)
    done = inward("data", "--undeclared")
    assert (done.code, done.out) == (0, "")
    assert "nothing undeclared was found; 3 answers of 1 operation looked at" in done.err


def test_a_name_that_would_move_the_cursor_is_harmless(inward: Inward, shop: Path) -> None:
    keep(shop, Spotted(("a\x1b[2Jb",), Kind.EMAIL))
    done = inward("data", "--undeclared")
    assert "\x1b" not in done.out + done.err


@pytest.mark.parametrize("more", [["pii"], ["--flow"], ["--since", "7d"], ["--svg", "x.svg"]])
def test_it_stands_alone(inward: Inward, shop: Path, more: list[str]) -> None:
    done = inward("data", "--undeclared", *more)
    assert done.code == 3
    assert "`--undeclared`" in done.err
    del shop
