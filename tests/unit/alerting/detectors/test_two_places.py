from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.alerting.conftest import DAY, MINUTE, call, fired, week

from inward.alerting.engine import EngineSettings
from inward.alerting.registry import parse_settings

if TYPE_CHECKING:
    from inward.record.call import Entry

SLUG = "two-places"
HOME, AWAY = "10.0.0.7", "172.20.9.4"


def at_places(*places: tuple[float, str]) -> list[Entry]:
    return [*week(), *(call(9 * DAY + minute * MINUTE, address=address) for minute, address in places)]


def test_a_new_network_between_two_calls_from_a_known_one_is_told_of() -> None:
    [alert] = fired(at_places((0, HOME), (1, AWAY), (2, AWAY), (3, HOME), (4, AWAY), (5, HOME)), SLUG)
    assert alert.why == (
        "checkout called from 172.20.9.0/24, where it never was, 2 times, and from 10.0.0.0/24 before and after that;"
        " it is known at 1 network"
    )
    assert (alert.severity, alert.count) == ("high", 2)


@pytest.mark.parametrize(
    "places",
    [
        [(0, HOME), (1, AWAY), (60, AWAY), (3000, AWAY), (3010, HOME)],  # it moved, and came back days later
        [(0, HOME), (60, AWAY), (61, HOME)],  # it was not at the known place shortly before
        [(60, AWAY), (61, AWAY)],
        [(0, HOME), (1, AWAY), (60, HOME)],  # nor shortly after
        [(0, HOME), (1, "10.0.0.200"), (2, HOME)],  # a replica beside the others
        [(0, HOME), (1, "no address"), (2, HOME)],
    ],
)
def test_what_is_no_second_place_at_once(places: list[tuple[float, str]]) -> None:
    assert fired(at_places(*places), SLUG) == []


def test_who_begins_while_the_service_is_silent_is_told_of_once_it_is_not() -> None:
    [alert] = fired(at_places((0, HOME), (60, AWAY), (90, HOME), (91, AWAY), (92, HOME)), SLUG)
    assert alert.count == 2


def test_places_of_the_first_days_are_its_own() -> None:
    early: list[Entry] = [call(at * MINUTE, address=HOME if at % 2 else AWAY) for at in range(60)]
    assert fired(early, SLUG) == []


def test_an_ipv4_address_in_ipv6_form_is_the_same_place() -> None:
    assert fired(at_places((0, HOME), (1, "::ffff:10.0.0.9"), (2, HOME)), SLUG) == []
    assert fired(at_places((0, HOME), (1, "2001:db8::1"), (2, HOME)), SLUG)


def test_wider_networks_can_be_one_place() -> None:
    settings = EngineSettings({SLUG: parse_settings(SLUG, {"ipv4_bits": 8})})
    from tests.unit.alerting.conftest import engine  # noqa: PLC0415 - only here

    assert fired(at_places((0, HOME), (1, "10.200.0.1"), (2, HOME)), SLUG, engine(settings)) == []


def test_who_calls_from_everywhere_does_not_make_the_known_places_forgotten() -> None:
    places = [(0.0, HOME), *((1 + at / 1000, f"172.20.{at % 250}.{at // 250}") for at in range(250)), (2.0, HOME)]
    alerts = fired(at_places(*places), SLUG)
    assert len(alerts) == 63
    assert all("10.0.0.0/24 before and after" in each.why for each in alerts)
