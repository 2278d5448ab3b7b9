"""Calls of a small company over three days, and a store of its own for each test."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from inward.record.call import Act, Gap, timestamp
from inward.record.rollup.database import sqlite_url
from inward.record.rollup.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import URL

    from inward.record.call import Call, Entry

    MakeCall = Callable[..., Call]
    MakeEntries = Callable[..., list[Entry]]

BEGIN = datetime(2026, 8, 1, 22, 59, tzinfo=UTC)


@pytest.fixture
def url(tmp_path: Path) -> URL:
    return sqlite_url(tmp_path / "state.db")


@pytest.fixture
def store(url: URL) -> Iterator[Store]:
    store = Store(url, key=b"k" * 32)
    yield store
    store.close()


@pytest.fixture
def make_entries(make_call: MakeCall) -> MakeEntries:
    """Make calls of all kinds, not quite in the order of their arrival, with gaps and acts between them."""

    def make(count: int, *, seed: int = 1, begin: datetime = BEGIN) -> list[Entry]:
        chosen = random.Random(seed)  # noqa: S311 - not for secrets
        entries: list[Entry] = []
        for offset in range(1, count + 1):
            moment = begin + timedelta(seconds=offset * 20 - chosen.randrange(90))
            refused = chosen.random() < 0.2
            operation = chosen.choice(["orders:getOrder", "orders:listOrders", None])
            entries.append(
                make_call(
                    offset,
                    time=timestamp(moment),
                    caller=chosen.choice(["checkout", "web", None]),
                    operation=operation,
                    path="/orders/{id}" if operation == "orders:getOrder" else f"/orders/{chosen.randrange(3)}",
                    parameters={"id": str(chosen.randrange(9))} if operation == "orders:getOrder" else {},
                    decision="deny" if refused else "allow",
                    carried_out="deny" if refused and chosen.random() < 0.5 else "allow",
                    mode=chosen.choice(["observe", "enforce"]),
                    reason="no_grant" if refused else "granted",
                    policies=tuple(chosen.sample(["a", "b", "c"], chosen.randrange(3))),
                    withheld=("pii.email",) if chosen.random() < 0.3 else (),
                    sent=("pii",) if chosen.random() < 0.1 else (),
                    duration_us=chosen.choice([None, 5, 2_000, 3_000_000]),
                    bytes_in=chosen.randrange(100),
                    bytes_out=chosen.randrange(100_000),
                )
            )
            if chosen.random() < 0.1:
                entries.append(Gap(time=timestamp(moment), why="lost"))
            if chosen.random() < 0.1:
                entries.append(Act(time=timestamp(moment), what="policy"))
        return entries

    return make
