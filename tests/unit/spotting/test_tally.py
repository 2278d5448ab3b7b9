"""Tallies: shares, bounds, and that merging is counting all together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from inward.catalog.json_path import Wild
from inward.spotting import tally as tallies
from inward.spotting.kinds import Kind, Spotted
from inward.spotting.tally import Tally

if TYPE_CHECKING:
    import pytest

Answer = tuple[str, int, list[Spotted]]
EMAIL = Spotted(("orders", Wild.ITEM, "contact"), Kind.EMAIL)
CARD = Spotted(("reference",), Kind.CARD)


def test_a_finding_says_in_how_many_answers() -> None:
    tally = Tally()
    for number in range(10):
        tally.add("orders:getOrder", 200, [EMAIL, EMAIL] if number < 9 else [])
    tally.add("orders:getOrder", 404, [])
    tally.add("orders:getOrder", 200, [CARD])
    first, second = tally.findings()
    assert str(first) == "`orders:getOrder` shows email at `$.orders[*].contact` (9 of 11 answers with status 200)"
    assert first.share == 9 / 11
    assert (second.kind, second.having, second.answers) == (Kind.CARD, 1, 11)
    assert tally.findings(least_share=0.5) == [first]
    assert tally.findings(least_share=1 / 11) == [first, second]
    assert Tally().findings() == []


answers = st.lists(
    st.tuples(st.sampled_from(["a:x", "b:y"]), st.sampled_from([200, 404]), st.lists(st.sampled_from([EMAIL, CARD])))
)


@given(answers, answers)
def test_merging_is_counting_all_together(some: list[Answer], others: list[Answer]) -> None:
    one, two, together = Tally(), Tally(), Tally()
    for each in some:
        one.add(*each)
        together.add(*each)
    for each in others:
        two.add(*each)
        together.add(*each)
    one.merge(two)
    assert one.findings() == together.findings()
    assert one.left_out == 0


def test_a_tally_merged_into_another_stays_its_own() -> None:
    one, two = Tally(), Tally()
    two.add("a:x", 200, [EMAIL])
    one.merge(two)
    one.add("a:x", 200, [EMAIL])
    assert [finding.having for finding in two.findings()] == [1]


def test_a_tally_is_bounded_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "MAX_OPERATIONS", 2)
    monkeypatch.setattr(tallies, "MAX_PLACES", 3)
    tally = Tally()
    for number in range(5):
        tally.add("a:x", 200, [Spotted((f"field{number}",), Kind.EMAIL)])
        tally.add(f"b:y{number}", 200, [])
    assert [finding.place for finding in tally.findings()] == ["$.field0", "$.field1", "$.field2"]
    assert tally.findings()[0].answers == 5
    assert tally.left_out == 2 + 4
    other = Tally()
    other.merge(tally)
    assert other.left_out == tally.left_out
