from __future__ import annotations

from datetime import timedelta

import pytest

from inward.authority.settings import AuthoritySettings, InvalidSettingsError


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def test_the_values_of_spire() -> None:
    settings = AuthoritySettings()
    assert settings.svid_ttl == timedelta(hours=1)
    assert settings.ca_ttl == timedelta(hours=24)
    assert settings.backdate == seconds(10)
    assert settings.refresh_hint == 300
    assert timedelta(hours=3.9) < settings.spread < timedelta(hours=4.1)


def test_lives_of_seconds() -> None:
    settings = AuthoritySettings(svid_ttl=seconds(4), ca_ttl=seconds(15))
    assert settings.refresh_hint == 1
    assert settings.spread > seconds(2)
    # An SVID that is signed just before the next CA takes over still ends before the CA does.
    AuthoritySettings(svid_ttl=seconds(5), ca_ttl=seconds(15))


@pytest.mark.parametrize(
    "settings",
    [
        {"svid_ttl": seconds(1)},
        {"svid_ttl": seconds(-5)},
        {"backdate": seconds(-1)},
        {"ca_ttl": timedelta(days=3651)},
        {"svid_ttl": timedelta(hours=9)},
        {"svid_ttl": seconds(6), "ca_ttl": seconds(15)},
        {"svid_ttl": seconds(2), "ca_ttl": seconds(-60)},
        {"svid_ttl": seconds(2), "ca_ttl": timedelta(0)},
        {"svid_ttl": seconds(2), "ca_ttl": seconds(10), "activate_at": 0.55},
        {"prepare_at": 0.7},
        {"prepare_at": 2 / 3},
        {"prepare_at": 0.0},
        {"activate_at": 1.0},
        {"prepare_at": float("nan")},
        {"activate_at": float("nan")},
    ],
)
def test_what_does_not_go_together(settings: dict[str, timedelta | float]) -> None:
    with pytest.raises(InvalidSettingsError) as caught:
        AuthoritySettings(**settings)  # type: ignore[arg-type] # a mapping of mixed values
    assert caught.value.exit_code == 3
