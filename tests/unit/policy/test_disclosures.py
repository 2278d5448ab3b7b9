"""What a caller may be shown: the tree, expiry, conditions, forbids, and that it is what the engine says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inward.policy import disclosures
from inward.policy.decide import Engine
from inward.policy.disclosures import Disclosures
from inward.policy.loading.load import load_policies

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.policy.conftest import Load

    from inward.catalog.model import Catalog

    Make = Callable[..., Disclosures]

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
EVERY = frozenset({"pii", "pii.email", "card", "card.number"})


def policy(effect: str, principal: str, resource: str, name: str = "p", more: str = "", when: str = "") -> str:
    """Return a policy about disclosing; `more` are annotations."""
    scope = f'{principal}, action == Action::"disclose", {resource}'
    return f'@id("{name}") @reason("r") {more} {effect} ({scope}) {when};\n'


CHECKOUT = 'principal == Service::"checkout"'


@pytest.fixture
def make(shop: Catalog, load: Load) -> Make:
    def from_texts(**texts: str) -> Disclosures:
        files = {f"policies/{name}.cedar": text for name, text in texts.items() if name != "guardrails"}
        if "guardrails" in texts:
            files["guardrails.cedar"] = texts["guardrails"]
        policies, mistakes = load(files)
        assert mistakes == []
        return Disclosures(shop, Engine(shop, policies))

    return from_texts


def test_nothing_is_shown_that_nobody_discloses(make: Make) -> None:
    found = make()
    assert found.withheld("checkout", EVERY, NOW) == EVERY
    assert found.shown("checkout", EVERY, NOW) == frozenset()
    assert found.withheld("checkout", frozenset(), NOW) == frozenset()


@pytest.mark.parametrize(
    ("resource", "shown"),
    [
        ('resource in DataClass::"card"', {"card", "card.number"}),
        ('resource == DataClass::"card"', {"card"}),
        ('resource == DataClass::"card.number"', {"card.number"}),
        ('resource is DataClass in DataClass::"card.number"', {"card.number"}),
    ],
)
def test_a_grant_covers_the_tree_under_it_or_one_class(make: Make, resource: str, shown: set[str]) -> None:
    found = make(payments=policy("permit", CHECKOUT, resource))
    assert found.shown("checkout", EVERY, NOW) == shown
    assert found.shown("orders", EVERY, NOW) == frozenset()


def test_a_grant_in_the_file_of_another_team_is_none(make: Make, load: Load) -> None:
    del make
    _, mistakes = load({"policies/checkout.cedar": policy("permit", CHECKOUT, 'resource == DataClass::"card"')})
    assert "belongs to `team-payments`" in str(mistakes[0])


def test_an_owner_cannot_give_away_what_another_team_owns_in_its_tree(load: Load) -> None:
    _, mistakes = load({"policies/orders.cedar": policy("permit", CHECKOUT, 'resource in DataClass::"pii"')})
    assert "the data class `pii.email` belongs to `team-payments`" in str(mistakes[0])


def test_an_expired_grant_shows_nothing_from_its_very_moment(make: Make) -> None:
    moment = "2026-08-01T12:00:00Z"
    found = make(
        payments=policy("permit", CHECKOUT, 'resource == DataClass::"card"', "a", f'@expires("{moment}")')
        + policy("permit", CHECKOUT, 'resource == DataClass::"pii.email"', "b")
    )
    before = NOW - timedelta(microseconds=1)
    for _ in range(2):  # the second time it is looked up
        assert found.shown("checkout", EVERY, before) == {"card", "pii.email"}
        assert found.shown("checkout", EVERY, NOW) == {"pii.email"}


def test_a_condition_on_the_time_is_asked_again_each_time(make: Make) -> None:
    when = 'when { context.time.toTime() >= duration("18h") }'
    found = make(payments=policy("permit", CHECKOUT, 'resource in DataClass::"card"', when=when))
    assert found.shown("checkout", EVERY, NOW) == frozenset()
    assert found.shown("checkout", EVERY, NOW + timedelta(hours=6)) == {"card", "card.number"}
    assert found.shown("checkout", EVERY, NOW) == frozenset()


def test_a_forbid_withholds_what_is_granted(make: Make) -> None:
    permit = policy("permit", CHECKOUT, 'resource in DataClass::"card"', "a")
    forbid = policy("forbid", "principal", 'resource == DataClass::"card.number"', "b")
    assert make(payments=permit, guardrails=forbid).shown("checkout", EVERY, NOW) == {"card"}


def test_a_policy_that_fails_withholds(make: Make) -> None:
    fails = 'when { 9223372036854775807 + (if context.time.toTime() > duration("0h") then 1 else 0) > 0 }'
    permit = policy("permit", CHECKOUT, 'resource == DataClass::"card"', "a")
    found = make(payments=permit + policy("permit", CHECKOUT, 'resource == DataClass::"card"', "b", when=fails))
    assert found.shown("checkout", EVERY, NOW) == frozenset()


def test_a_stranger_is_shown_nothing_and_a_class_must_be_known(make: Make) -> None:
    found = make(payments=policy("permit", "principal", 'resource in DataClass::"card"'))
    assert found.withheld("nobody", EVERY, NOW) == EVERY
    with pytest.raises(KeyError):
        found.withheld("checkout", frozenset({"cards"}), NOW)


def test_what_is_kept_is_bounded(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disclosures, "MAX_SETS", 2)
    found = make()
    for name in EVERY:
        found.withheld("checkout", frozenset({name}), NOW)
    assert len(found._ready) <= 2


@given(
    hours=st.lists(st.integers(-48, 48), min_size=1, max_size=8),
    classes=st.frozensets(st.sampled_from(sorted(EVERY))),
    caller=st.sampled_from(["checkout", "orders", "reporting"]),
)
def test_it_is_what_the_engine_says_of_each_class(
    both: tuple[Disclosures, Engine], hours: list[int], classes: frozenset[str], caller: str
) -> None:
    found, engine = both
    for hour in hours:
        now = NOW + timedelta(hours=hour)
        said = {name for name in classes if engine.disclose(caller, name, now).allowed}
        assert found.shown(caller, classes, now) == said


@pytest.fixture(scope="module")
def both(shop: Catalog, tmp_path_factory: Any) -> tuple[Disclosures, Engine]:

    folder = tmp_path_factory.mktemp("disclosures")
    (folder / "policies").mkdir()
    late = 'when { context.time.toTime() >= duration("18h") }'
    (folder / "policies" / "payments.cedar").write_text(
        policy("permit", CHECKOUT, 'resource in DataClass::"card"', "a", '@expires("2026-08-02")')
        + policy("permit", 'principal in Group::"sellers"', 'resource == DataClass::"pii.email"', "b", when=late)
        + policy("permit", "principal", 'resource == DataClass::"card.number"', "c", '@expires("2026-07-31")')
        + policy("forbid", CHECKOUT, 'resource == DataClass::"card"', "d", '@expires("2026-08-01T06:00:00Z")')
    )
    policies, mistakes = load_policies(folder, shop)
    assert mistakes == []
    engine = Engine(shop, policies)
    return Disclosures(shop, engine), engine
