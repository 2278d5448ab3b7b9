"""Figures: what is counted of calls, and that portions add up to the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inward.record.call import Call
from inward.record.rollup import figures as module
from inward.record.rollup.figures import MOST_CHARACTERS, Figures, key_text, moment_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from inward.record.call import Entry

    MakeCall = Callable[..., Call]
    MakeEntries = Callable[..., list[Entry]]

KEY = b"k" * 32
NOON = 1_785_585_600_000  # 2026-08-01T12:00:00Z


def of(calls: list[Call]) -> Figures:
    figures = Figures()
    figures.add(Figures.of_calls(calls, [moment_of(call.time) for call in calls], KEY))
    return figures


def seen(figures: Figures) -> dict[str, object]:
    return {name: getattr(figures, name) for name in Figures.__slots__}


def test_what_is_counted(make_call: MakeCall) -> None:
    found = of(
        [
            make_call(1, policies=("a", "b"), duration_us=10, bytes_in=1, bytes_out=2, withheld=("pii",)),
            make_call(
                2, time="2026-08-01T12:00:01.500Z", decision="deny", carried_out="deny", reason="no_grant", path=None
            ),
            make_call(3, decision="deny", mode="observe", reason="condition", policies=("c",), withheld=("pii.email",)),
            make_call(4, decision="deny", carried_out="deny", reason="withheld", sent=("pii",), path="/orders/43"),
        ]
    )
    assert (found.calls, found.refused, found.stopped, found.reference) == (4, 3, 2, "id-4")
    assert (found.first, found.last) == (NOON, NOON + 1_500)
    assert found.outcomes == {
        "allow allow enforce granted": 1,
        "deny deny enforce no_grant": 1,
        "deny allow observe condition": 1,
        "deny deny enforce withheld": 1,
    }
    assert (found.granting, found.refusing) == ({"a": 1, "b": 1}, {"c": 1})
    assert (found.withheld, found.looked_for, found.sent) == ({"pii": 1}, {"pii.email": 1}, {"pii": 1})
    assert (found.duration_us, found.bytes_in, found.bytes_out) == (10, 1, 2)
    assert (found.durations, found.sizes_in, found.sizes_out) == ({10: 1}, {1: 1}, {2: 1})
    assert len(found.objects) == 2


def test_objects_are_what_stands_in_the_path(make_call: MakeCall) -> None:
    template = "/orders/{id}/items/{item}"
    calls = [make_call(n, path=template, parameters={"id": str(n % 3), "item": str(n % 2)}) for n in range(60)]
    assert len(of(calls).objects) == 6
    assert len(of([make_call(n, path=template) for n in range(9)]).objects) == 1  # where parameters are not kept


@pytest.mark.parametrize("size", [1, 7, 100])
def test_portions_add_up(make_entries: MakeEntries, size: int) -> None:
    calls = [entry for entry in make_entries(300) if isinstance(entry, Call)]
    total = Figures()
    for first in range(0, len(calls), size):
        total.add(of(calls[first : first + size]))
    assert seen(total) == seen(of(calls))
    back = Figures()
    back.unpack_names(total.packed_names())
    back.unpack_shape(total.packed_shape())
    assert (back.packed_names(), back.packed_shape()) == (total.packed_names(), total.packed_shape())


def test_names_are_bounded_and_counted_all_the_same(make_call: MakeCall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_NAMES", 3)
    calls = [make_call(number, policies=(f"p{number % 5}",)) for number in range(10)]
    assert of(calls).granting == {"p0": 2, "p1": 2, "p2": 2, "*": 4}
    total = Figures()
    for call in calls:
        total.add(of([call]))
    assert total.granting == of(calls).granting


def test_hostile_texts() -> None:
    assert key_text("orders:getOrder") == "orders:getOrder"
    long = ["x" * (MOST_CHARACTERS + more) for more in range(4)]
    assert len({key_text(text) for text in long}) == 4
    assert max(len(key_text(text)) for text in (*long, "y" * 1_000_000)) <= MOST_CHARACTERS + 17
    assert "\0" not in key_text("a\0b")
    assert key_text("a\0b") != key_text("a\ufffdb")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-08-01T12:00:00.000Z", NOON),
        ("2026-08-01T12:01:02.345Z", NOON + 62_345),
        ("1969-12-31T23:59:59.999Z", -1),
        ("", 0),
        ("yesterday", 0),
        ("2026-02-31T12:00:00.000Z", 0),
        ("2026-08-01T12:00:xx.000Z", 0),
    ],
)
def test_moments(text: str, moment: int) -> None:
    assert moment_of(text) == moment


def test_sums_stay_what_a_database_can_hold(make_call: MakeCall) -> None:
    total = of([make_call(1, bytes_out=2**62, duration_us=-5)])
    total.add(of([make_call(2, bytes_out=2**62)]))
    assert total.bytes_out < 2**63
    assert total.duration_us == 0
