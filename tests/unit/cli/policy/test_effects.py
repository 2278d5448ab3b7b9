"""What a comparison found, in words."""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType

import pytest

from inward.catalog.model import Catalog
from inward.cli.policy.effects import Compared, Line, sections_of
from inward.control.bundle import Policy
from inward.policy.comparing.change import Change, Comparison, Unknown
from inward.policy.comparing.shifts import Shift, ShiftKind
from inward.policy.decide import Engine
from inward.policy.model import Policies

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def told(found: Comparison, *, everything: bool = False) -> dict[str, list[Line]]:
    catalog = Catalog("shop.internal", MappingProxyType({}), MappingProxyType({}))
    nothing = Policies.of(())
    system = Policy(catalog, nothing, Engine(catalog, nothing), {})
    return sections_of(Compared(system, system, found, NOW), everything=everything)


def change(kind: str, caller: str, *targets: str, constructs: tuple[str, ...] = ()) -> Change:
    return Change(kind, (caller,), targets, None, None, (), (), None, constructs)  # type: ignore[arg-type]  # a kind


@pytest.mark.parametrize(
    ("kind", "operations", "before", "after", "words"),
    [
        (
            "trust_domain",
            (),
            "a.test",
            "b.test",
            "the trust domain is b.test, was a.test: every identity is another one",
        ),
        ("added", (), "", "", "orders new"),
        ("added", (), "", "mode observe", "orders new: mode observe"),
        ("added", ("orders:a", "orders:b"), "", "", "orders:a, orders:b new"),
        ("gone", ("orders:a",), "", "", "orders:a gone"),
        ("renamed", ("orders:b",), "orders:a", "orders:b", "orders:a is called orders:b now"),
        ("moved", ("orders:a",), "GET /a", "GET /b", "orders:a is GET /b now, was GET /a"),
        ("mode", ("orders:a",), "enforce", "observe", "orders:a: mode observe, was enforce: nothing is refused"),
        ("parameter", ("orders:a",), "query parameter n: x", "query parameter n: y", None),
        ("zone", (), "", "core", "orders: zone core, was none"),
        ("owner", (), "team-a", "team-b", "orders: owner team-b, was team-a"),
    ],
)
def test_shifts_in_words(
    kind: ShiftKind, operations: tuple[str, ...], before: str, after: str, words: str | None
) -> None:
    widens = kind in {"mode", "moved", "trust_domain"}
    shift = Shift(kind, "orders", "team-orders", operations, before, after, widens=widens)
    [(section, [line])] = told(Comparison(shifts=(shift,))).items()
    assert section == ("enforcement" if widens else "catalog")
    expected = words or f"orders:a: {after}, was {before}"
    assert "".join(line.words) == f"{expected}, owner team-orders"


def test_changes_that_read_alike_are_one_line() -> None:
    found = Comparison(
        changes=(
            change("allowed", "b", "orders:x"),
            change("allowed", "a", "orders:x"),
            change("allowed", "a", "orders:y"),
            change("allowed", "b", "orders:y"),
            change("refused", "a", "orders:z"),
        )
    )
    # without a catalog each target stands for itself
    sections = told(found)
    assert [("".join(line.words), line.cells) for line in sections["allowed"]] == [
        ("a, b → orders:x", 2),
        ("a, b → orders:y", 2),
    ]
    assert list(sections) == ["allowed", "refused"]


def test_names_beyond_a_few_are_counted_and_callers_stay_with_their_targets() -> None:
    found = Comparison(changes=(change("allowed", "a", *(f"orders:{n}" for n in range(1_200))),))
    [line] = told(found)["allowed"]
    assert "".join(line.words).endswith("orders:4 and 1,195 more")
    assert line.cells == 1_200
    [line] = told(found, everything=True)["allowed"]
    assert "".join(line.words).endswith("orders:1199")


def test_what_is_not_known_names_the_construct() -> None:
    unknown = Unknown(("a",), ("orders:x",), (), (), ("`ip` of a computed text",))
    half = change("wider", "a", "orders:y", constructs=("a thing",))
    sections = told(Comparison(changes=(half,), unknown=(unknown,)))
    assert list(sections) == ["wider", "unknown"]
    assert "".join(sections["unknown"][0].details[0]) == "it holds `ip` of a computed text"
    assert "".join(sections["wider"][0].details[0]) == "not known whether the other way round too: a thing"
