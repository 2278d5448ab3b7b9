from __future__ import annotations

from inward.alerting.stream.bounded import Table


def test_what_is_used_stays_and_what_is_not_goes_and_is_counted() -> None:
    table: Table[int, str] = Table(100)
    table.put(0, "kept")
    for number in range(1, 10_000):
        table.put(number, "x")
        assert table.get(0) == "kept"
        assert len(table) <= 100
    assert table.evicted == 10_000 - len(table)


def test_what_was_dumped_is_loaded_in_the_same_order_of_use() -> None:
    first: Table[int, int] = Table(10)
    for number in range(8):
        first.put(number, number)
    first.get(0)
    second: Table[int, int] = Table(10)
    second.load(first.dump())
    for table in (first, second):
        for number in range(20, 24):
            table.put(number, number)
    assert first.dump() == second.dump()


def test_what_is_dropped_is_gone_from_both_generations() -> None:
    table: Table[int, int] = Table(4)
    for number in range(4):
        table.put(number, number)
    for number in range(4):
        table.drop(number)
    assert [table.get(number) for number in range(4)] == [None] * 4
