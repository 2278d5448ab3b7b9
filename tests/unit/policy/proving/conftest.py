"""Policies of the shop, given as short texts, proven and looked through."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from tests.unit.policy.conftest import Load

    from inward.policy.model import Policies

NOW = datetime(2030, 6, 15, 12, tzinfo=UTC)


class Written(Protocol):
    def __call__(self, *texts: str, guardrails: tuple[str, ...] = (), payments: tuple[str, ...] = ()) -> Policies: ...


@pytest.fixture
def written(load: Load) -> Written:
    """Load policies of the file of `orders`, then guardrails, then policies of `payments`: `p1`, `p2`, … in that order.

    A text that begins with an annotation keeps it.
    """

    def run(*texts: str, guardrails: tuple[str, ...] = (), payments: tuple[str, ...] = ()) -> Policies:
        number = itertools.count(1)
        files = {
            name: "".join(f'@id("p{next(number)}") @reason("r") {text}\n' for text in some)
            for name, some in (
                ("policies/orders.cedar", texts),
                ("guardrails.cedar", guardrails),
                ("policies/payments.cedar", payments),
            )
        }
        policies, mistakes = load(files)
        assert mistakes == []
        return policies

    return run
