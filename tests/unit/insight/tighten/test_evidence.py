"""What counts as use, and which grants are not touched."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.unit.insight.surveyed import NOW, YAML, coverage, day, grant, on, system, to

from inward.control.bundle import load_policy
from inward.insight.tighten.evidence import Callout, Care, Evidence, callouts_of
from inward.insight.tighten.planning import Pair, judged
from inward.insight.tighten.sureness import Verdict
from inward.insight.unused.coverage import Ages, day_of
from inward.insight.unused.scopes import scopes_of
from inward.insight.unused.uses import Uses

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from inward.insight.unused.coverage import Coverage
    from inward.record.rollup.query import Day

PAIR = Pair("web", "orders:listOrders")


class Known:
    """Evidence of a system with one grant, `g`, unless others are given."""

    def __init__(
        self,
        folder: Path,
        *policies: str,
        days: Collection[Day] = (),
        known: Coverage | None = None,
        ages: Ages | None = None,
        quarantined: Collection[str] = (),
    ) -> None:
        made = system(folder, *(policies or (grant("g", to("web"), on("listOrders")),)))
        self.policies = made.policies
        self.scopes = judged(scopes_of(made.catalog, made.engine.index), NOW)
        known = known or coverage()
        uses = Uses(each for each in days if each.day >= day_of(known.since))
        care = Care(timedelta(days=30), 0.9, quarantined)
        self.evidence = Evidence(made.catalog, uses, known, ages or Ages({}), care)
        self.evidence.add(days)

    @property
    def spared(self) -> list[Callout]:
        return list(self.evidence.spared(self.scopes))

    def judge(self, pair: Pair = PAIR) -> Verdict:
        return self.evidence.judge(pair, [self.policies.by_id["g"]])


def others(number: int = 90) -> list[Day]:
    """Return days on which somebody called something else."""
    return [day(ago, "till", "createOrder") for ago in range(number)]


def test_only_what_the_policy_allowed_is_use(tmp_path: Path) -> None:
    days = [
        day(3, "web", "listOrders", calls=5, refused=2, stopped=2),
        day(3, "till", "listOrders", calls=5, refused=5, stopped=0),  # in mode observe
        day(3, "till", "createOrder", calls=5, refused=5, stopped=5),
    ]
    assert Known(tmp_path, days=days).evidence.calls == {PAIR: 3}


def test_a_caller_that_the_catalog_did_not_hold_then_is_known_by_its_identity(tmp_path: Path) -> None:
    days = [day(3, "spiffe://shop.internal/web", "listOrders"), day(3, "spiffe://other/web", "createOrder")]
    evidence = Known(tmp_path, days=days).evidence
    assert evidence.calls == {PAIR: 1, Pair("spiffe://other/web", "orders:createOrder"): 1}


def test_silence_counts_only_on_days_that_are_recorded(tmp_path: Path) -> None:
    assert Known(tmp_path, days=others()).judge().why == "not called on any of 90 recorded days"
    assert Known(tmp_path, days=others(20)).judge().why == "not called on any of 20 recorded days"
    assert (
        Known(tmp_path, days=others(), known=coverage(begin=10)).judge().why == "not called on any of 11 recorded days"
    )
    nothing = Known(tmp_path, known=coverage(begin=None)).judge()
    assert (nothing.goes, nothing.sure) == (False, 0.5)


def test_a_grant_is_watched_since_it_was_changed(tmp_path: Path) -> None:
    ages = Ages({"g": NOW - timedelta(days=40)})
    assert Known(tmp_path, days=others(), ages=ages).judge().why == "not called on any of 41 recorded days"


def test_what_was_used_before_the_time_asked_for_counts(tmp_path: Path) -> None:
    days = [*others(), day(91, "web", "listOrders"), day(183, "web", "listOrders")]
    assert Known(tmp_path, days=days).judge().periodic


def test_gaps_make_it_less_sure(tmp_path: Path) -> None:
    sure = [Known(tmp_path, days=others(), known=coverage(gaps=gaps)).judge().sure for gaps in (0, 1)]
    assert sure[1] < sure[0]


@pytest.mark.parametrize("cut_off", ["web", "orders"])
def test_who_is_in_quarantine_cannot_use_anything(tmp_path: Path, cut_off: str) -> None:
    found = Known(tmp_path, days=others(), quarantined=[cut_off]).judge()
    assert (found.goes, found.why) == (False, f"{cut_off} is in quarantine")


@pytest.mark.parametrize(
    ("policy", "kind"),
    [
        (grant("g", to("web"), on("listOrders"), '@keep("the auditor")'), "keep"),
        (grant("g", to("web"), on("listOrders")).replace('"r"', '"for an Emergency"'), "break_glass"),
        (grant("break-glass-g", to("web"), on("listOrders")), "break_glass"),
    ],
)
def test_what_is_there_not_to_be_used(tmp_path: Path, policy: str, kind: str) -> None:
    assert [each.kind for each in Known(tmp_path, policy, days=others()).spared] == [kind]


@pytest.mark.parametrize(
    ("ages", "why"),
    [
        (Ages({"g": NOW - timedelta(days=29)}), ["it was added or changed on 2026-10-28"]),
        (Ages({"g": NOW - timedelta(days=31)}), []),
        (Ages({}, NOW - timedelta(days=3)), ["policies were changed by 2026-11-23, and it is not known which"]),
    ],
)
def test_what_is_young_stays(tmp_path: Path, ages: Ages, why: list[str]) -> None:
    assert [each.why for each in Known(tmp_path, days=others(), ages=ages).spared] == why


def test_what_is_used_wholly_is_not_told(tmp_path: Path) -> None:
    policy = grant("g", to("web"), on("listOrders"), '@keep("the auditor")')
    assert not Known(tmp_path, policy, days=[day(1, "web", "listOrders")]).spared


@pytest.mark.parametrize(
    ("ago", "told"),
    [
        ((3, 95), True),  # two runs, a quarter apart
        ((8,), True),
        ((2,), False),  # it may just have begun
        (tuple(range(0, 60, 3)), False),
        ((*range(10), *range(40, 60)), False),  # daily, with a holiday
    ],
)
def test_what_is_used_seldom_is_told(tmp_path: Path, ago: tuple[int, ...], told: bool) -> None:  # noqa: FBT001 - pytest gives it
    known = Known(tmp_path, days=[*others(), *(day(each, "web", "listOrders") for each in ago)])
    assert [each.pairs for each in known.evidence.seldom([PAIR])] == ([(PAIR,)] if told else [])


def test_pairs_with_one_reason_are_told_together() -> None:
    unsure = Verdict(goes=False, sure=0.6, why="not called on any of 9 recorded days")
    again = Verdict(goes=False, sure=0.0, why="it may come again", periodic=True)
    other = Pair("till", "orders:listOrders")
    found = list(callouts_of({PAIR: unsure, other: unsure, Pair("jobs", "orders:listOrders"): again}))
    assert [(each.kind, len(each.pairs)) for each in found] == [("unsure", 2), ("periodic", 1)]
    assert found[0].pairs == (other, PAIR)
    assert found[0].why.endswith("only 60 % sure")


def test_a_service_of_somebody_else_of_which_no_call_is_recorded(tmp_path: Path) -> None:
    made = system(tmp_path, grant("g", to("web"), on("listOrders")))
    (tmp_path / "inward.yaml").write_text(YAML.replace(", run: 'x {socket}'}", "}", 1))
    made = load_policy(tmp_path)
    scopes = scopes_of(made.catalog, made.engine.index)
    for days, kinds in (([], ["elsewhere"]), ([day(1, "till", "createOrder")], [])):
        evidence = Evidence(made.catalog, Uses(days), coverage(), Ages({}), Care(timedelta(days=30), 0.9))
        assert [each.kind for each in evidence.spared(scopes)] == kinds
