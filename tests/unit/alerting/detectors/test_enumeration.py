from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.alerting.conftest import DAY, HOUR, call, fired

if TYPE_CHECKING:
    from inward.record.call import Entry

SLUG = "enumeration"


def usual(users: int = 0) -> list[Entry]:
    """Return nine days, in each hour of which five orders are asked for."""
    return [
        call(hour * HOUR + number, parameters={"id": str(number)}, user=f"u{number % users}" if users else None)
        for hour in range(24 * 9)
        for number in range(3 + hour % 3)
    ]


def test_many_different_objects_are_told_of_with_what_is_usual() -> None:
    calls = [call(9 * DAY + at, parameters={"id": str(at)}) for at in range(412)]
    alerts = fired([*usual(), *calls], SLUG)
    assert alerts[0].why == (
        "checkout asked for 41 distinct values of id by orders:getOrder within 10 minutes; it asks for 3 to 5"
    )
    assert alerts[0].severity == "high"
    assert alerts[-1].count > 300
    assert set(alerts[0].calls) <= {each.id for each in calls}


def test_hashed_parameters_are_as_different_and_dropped_ones_are_not_there() -> None:
    hashed = [call(9 * DAY + at, parameters={"id": f"h{at:032x}"}) for at in range(412)]
    dropped = [call(9 * DAY + at) for at in range(412)]
    assert fired([*usual(), *hashed], SLUG)
    assert fired([*usual(), *dropped], SLUG) == []


def test_the_same_object_again_and_again_is_none() -> None:
    assert fired([*usual(), *(call(9 * DAY + at, parameters={"id": "7"}) for at in range(5000))], SLUG) == []


def test_a_trickle_over_a_day_is_found() -> None:
    calls = [call(9 * DAY + at * 400, parameters={"id": str(at)}) for at in range(200)]
    alerts = fired([*usual(), *calls], SLUG)
    assert "within a day" in alerts[0].why


def test_who_spreads_over_operations_is_found_by_the_service() -> None:
    more: list[Entry] = [
        call(hour * HOUR + 20, "checkout", f"orders:op{number}", parameters={"id": "1"})
        for hour in range(24 * 9)
        for number in range(10)
    ]
    calls = [call(9 * DAY + at, "checkout", f"orders:op{at % 10}", parameters={"id": str(at)}) for at in range(300)]
    entries = sorted([*usual(), *more], key=lambda each: each.time)
    alerts = fired([*entries, *calls], SLUG)
    assert "distinct objects of orders over its operations within 10 minutes" in alerts[0].why


def test_one_user_among_many_is_found() -> None:
    busy: list[Entry] = [
        call(hour * HOUR + number, parameters={"id": str(hour * 200 + number)}, user=f"u{number}")
        for hour in range(24 * 9)
        for number in range(60)
    ]
    calls = [call(9 * DAY + at, parameters={"id": str(at)}, user="mallory") for at in range(60)]
    alerts = fired([*busy, *calls], SLUG)
    assert [each.why.partition(" asked")[0] for each in alerts] == ["the user mallory"]


def test_a_new_caller_has_no_usual_and_must_ask_for_more() -> None:
    some = [call(9 * DAY + at, "fresh", parameters={"id": str(at)}) for at in range(350)]
    many = [call(9 * DAY + at, "fresh", parameters={"id": str(at)}) for at in range(600)]
    assert fired([*usual(), *some], SLUG) == []
    [alert] = {each.id: each for each in fired([*usual(), *many], SLUG)}.values()
    assert (alert.severity, alert.why.rpartition("; ")[2]) == ("low", "it is too new to have a usual number")
