"""Settings of a run, from the environment."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from inward.catalog.model import Address
from inward.control.settings import Settings
from inward.errors import BadInputError


def test_an_empty_environment_is_production() -> None:
    settings = Settings.from_environment({})
    assert settings == Settings()
    assert (settings.passphrase, settings.buffered_log, settings.sampling) == (None, False, True)
    assert settings.authority.svid_ttl == timedelta(hours=1)


def test_what_is_set_is_taken() -> None:
    settings = Settings.from_environment(
        {
            "INWARD_SVID_TTL": "2",
            "INWARD_CA_TTL": "36.5",
            "INWARD_BACKDATE": "0",
            "INWARD_CA_PASSPHRASE": "größe",
            "INWARD_BUFFERED_LOG": "True",
            "INWARD_SAMPLING": "0",
            "INWARD_UNKNOWN": "x",
        }
    )
    authority = settings.authority
    assert (authority.svid_ttl, authority.ca_ttl) == (timedelta(seconds=2), timedelta(seconds=36.5))
    assert authority.backdate == timedelta(0)
    assert (settings.passphrase, settings.buffered_log, settings.sampling) == ("größe".encode(), True, False)


@pytest.mark.parametrize("name", ["INWARD_SVID_TTL", "INWARD_CA_TTL", "INWARD_BACKDATE"])
@pytest.mark.parametrize("text", ["x", "-1", "nan", "inf", "-inf", "1e999", "1h", "999999999999"])
def test_a_duration_that_is_none_is_named(name: str, text: str) -> None:
    with pytest.raises(BadInputError) as raised:
        Settings.from_environment({name: text})
    assert name in raised.value.message
    assert f"`{text}`" in raised.value.message


@pytest.mark.parametrize(
    "environment", [{"INWARD_SVID_TTL": "0"}, {"INWARD_CA_TTL": "1"}, {"INWARD_SVID_TTL": "86400"}]
)
def test_lifetimes_that_do_not_go_together_are_refused(environment: dict[str, str]) -> None:
    with pytest.raises(BadInputError):
        Settings.from_environment(environment)


@pytest.mark.parametrize("text", ["yes", "2", " 1"])
def test_a_switch_is_on_or_off(text: str) -> None:
    with pytest.raises(BadInputError, match="INWARD_BUFFERED_LOG"):
        Settings.from_environment({"INWARD_BUFFERED_LOG": text})


def test_an_empty_passphrase_is_none() -> None:
    assert Settings.from_environment({"INWARD_CA_PASSPHRASE": ""}).passphrase is None


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", None),
        ("127.0.0.1:9464", Address("127.0.0.1", 9464)),
        ("[::1]:0", Address("::1", 0)),
        ("unix:/run/inward.sock", Path("/run/inward.sock")),
    ],
)
def test_metrics_are_served_where_it_is_said(text: str, where: Address | Path | None) -> None:
    assert Settings.from_environment({"INWARD_METRICS": text}).metrics == where


@pytest.mark.parametrize("text", ["1", "9464", ":9464", "localhost:9464", "127.0.0.1:99999", "unix:", "unix:a.sock"])
def test_a_place_for_metrics_that_is_none_is_named(text: str) -> None:
    with pytest.raises(BadInputError, match=f"`INWARD_METRICS` is `{text}`"):
        Settings.from_environment({"INWARD_METRICS": text})


def test_nothing_may_be_attacked_unless_it_is_said() -> None:
    assert not Settings.from_environment({}).may_be_attacked
    assert Settings.from_environment({"INWARD_ALLOW_ATTACK": "1"}).may_be_attacked
    with pytest.raises(BadInputError, match="INWARD_ALLOW_ATTACK"):
        Settings.from_environment({"INWARD_ALLOW_ATTACK": "yes"})
