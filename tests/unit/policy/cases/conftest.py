"""The shop's test files, and the system that they test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pytest

from inward.policy.cases.load import load_tests
from inward.policy.cases.run import run
from inward.policy.decide import Engine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inward.catalog.model import Catalog
    from inward.errors import Mistake
    from inward.policy.cases.model import Outcome, PolicyTest
    from inward.policy.model import Policies

    Load = Callable[[dict[str, str]], tuple[Policies, list[Mistake]]]

NOW = "now: 2027-01-15T12:00:00Z\n"


@dataclass(frozen=True)
class Ran:
    outcomes: list[Outcome]
    policies: Policies
    engine: Engine

    @property
    def failed(self) -> list[str]:
        return [outcome.told(self.policies.by_id) for outcome in self.outcomes if not outcome.passed]


class Read(Protocol):
    def __call__(self, text: str, name: str = ...) -> tuple[tuple[PolicyTest, ...], list[str]]: ...


@pytest.fixture
def read(shop: Catalog, tmp_path: Path) -> Read:
    """Load one test file of the shop; mistakes as texts without the file's name."""

    def from_text(text: str, name: str = "orders.test.yaml") -> tuple[tuple[PolicyTest, ...], list[str]]:
        path = tmp_path / "policies" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        tests, mistakes = load_tests(tmp_path, shop)
        return tests, [str(mistake).removeprefix(f"policies/{name}:") for mistake in mistakes]

    return from_text


@pytest.fixture
def ran(shop: Catalog, load: Load, read: Read) -> Callable[[str, str], Ran]:
    """Load the policies of `orders` and a test file without mistakes, and run it."""

    def both(cedar: str, text: str) -> Ran:
        policies, wrong = load({"policies/orders.cedar": cedar})
        assert wrong == []
        tests, mistakes = read(NOW + text)
        assert mistakes == []
        engine = Engine(shop, policies)
        return Ran(list(run(tests, engine)), policies, engine)

    return both
