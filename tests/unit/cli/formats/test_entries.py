from __future__ import annotations

from inward.cli.formats.entries import entries_of
from inward.control.checking.steps import Taken
from inward.errors import Mistake, Place


def entry_key(what: str, line: int = 1) -> str:
    [entry] = entries_of(Taken("system", mistakes=(Mistake(Place("a.yaml", line), what),)))
    return entry.key


def test_the_key_of_a_mistake_does_not_hold_lines() -> None:
    assert entry_key("the id `x` is taken by policies/a.cedar:12", 3) == "the id `x` is taken by policies/a.cedar"


def test_the_key_of_a_mistake_tells_names_apart() -> None:
    assert entry_key("there is no operation `orders:op1`") != entry_key("there is no operation `orders:op2`")
