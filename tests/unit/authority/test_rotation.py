from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from tests import forge

from inward.authority.rotation import due, renewal_time
from inward.identity.svid import X509SVID

START = datetime(2026, 1, 1, tzinfo=UTC)
CA = forge.own_ca("shop.internal")
KEY = ec.generate_private_key(ec.SECP256R1())


def svid(lives: timedelta, backdate: timedelta = timedelta(seconds=10)) -> X509SVID:
    leaf = forge.certificate(
        CA,
        KEY.public_key(),
        uris=["spiffe://shop.internal/orders"],
        not_before=START - backdate,
        not_after=START + lives,
    )
    return X509SVID((leaf,), KEY)


@given(st.integers(2, 100_000).map(lambda seconds: timedelta(seconds=seconds)))
def test_it_is_renewed_at_half_of_what_is_left_or_a_little_earlier(lives: timedelta) -> None:
    one = svid(lives)
    renewed = renewal_time(one, START)
    assert renewed == renewal_time(one, START)
    assert lives * 0.45 <= renewed - START <= lives * 0.5
    assert not due(one, START, START)
    assert not due(one, START, renewed - timedelta(microseconds=1))
    assert due(one, START, renewed)
    assert due(one, START, one.not_after + timedelta(days=1))


def test_a_short_life_is_not_renewed_at_once_for_its_backdating() -> None:
    one = svid(timedelta(seconds=4), backdate=timedelta(seconds=10))
    assert not due(one, START, START + timedelta(seconds=1))
    assert due(one, START, START + timedelta(seconds=2))


def test_services_that_started_together_renew_apart() -> None:
    times = {renewal_time(svid(timedelta(hours=1)), START) for _ in range(20)}
    assert len(times) > 10
    assert max(times) - min(times) > timedelta(seconds=20)


def test_one_that_had_ended_is_renewed_at_once() -> None:
    one = svid(timedelta(seconds=2))
    late = START + timedelta(seconds=5)
    assert renewal_time(one, late) == late
    assert due(one, late, late)


def test_a_clock_set_back_before_it() -> None:
    one = svid(timedelta(hours=1))
    assert not due(one, START, START - timedelta(seconds=10))
    assert due(one, START, START - timedelta(seconds=11))
