from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st
from tests import forge

from inward.authority.generation import Generation
from inward.authority.state import (
    MAX_GENERATIONS,
    AuthorityState,
    AuthorityStateError,
    parse_state,
    render_state,
)
from inward.identity.certificate import render_private_key

DOMAIN = "shop.internal"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
STATE = AuthorityState(
    3,
    (
        Generation.create(DOMAIN, NOW, DAY, timedelta(0), NOW),
        Generation.create(DOMAIN, NOW + DAY / 2, DAY, timedelta(0), NOW + 2 * DAY / 3),
    ),
)
STORED = render_state(STATE, DOMAIN)


def changed(**values: object) -> bytes:
    return json.dumps(json.loads(STORED) | values).encode()


def changed_generation(**values: object) -> bytes:
    document: dict[str, Any] = json.loads(STORED)
    document["generations"][1] |= values
    return json.dumps(document).encode()


def test_it_reads_what_it_writes() -> None:
    again = parse_state(STORED, DOMAIN)
    assert again == STATE
    for one, two in zip(again.generations, STATE.generations, strict=True):
        assert render_private_key(one.private_key) == render_private_key(two.private_key)
    assert parse_state(render_state(AuthorityState(), DOMAIN), DOMAIN) == AuthorityState()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "cannot be read"),
        (b"\x00" * 100, "cannot be read"),
        (b"\xff", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (changed(format="inward-authority-2"), "in the format"),
        (changed(trust_domain="elsewhere"), "of the trust domain 'elsewhere'"),
        (changed(sequence=-1), "sequence"),
        (changed(sequence="3"), "cannot be read"),
        (changed(extra=1), "cannot be read"),
        (changed(generations=None), "cannot be read"),
        (changed(generations=json.loads(STORED)["generations"] * MAX_GENERATIONS), "more generations"),
        (changed_generation(certificate=""), "no certificate"),
        (changed_generation(certificate=forge.own_ca("elsewhere").pem.decode()), "a signing certificate of"),
        (changed_generation(certificate=forge.own_ca(DOMAIN).pem.decode()), "not that of its certificate"),
        (changed_generation(private_key=""), "cannot be read"),
        (
            changed_generation(private_key=forge.key_pem(ec.generate_private_key(ec.SECP256R1())).decode()),
            "not that of its certificate",
        ),
        (
            changed_generation(private_key=render_private_key(rsa.generate_private_key(65537, 2048)).decode()),
            "not that of its certificate",
        ),
        (changed_generation(created="2026-01-01T00:00:00"), "without a time zone"),
        (changed_generation(activates_at="soon"), "cannot be read"),
        (changed_generation(activates_at="2026-01-01T00:00:00Z"), "not in order"),
        (changed_generation(activates_at="2027-01-01T00:00:00Z"), "not in order"),
    ],
)
def test_what_it_refuses(data: bytes, said: str) -> None:
    with pytest.raises(AuthorityStateError, match=said) as caught:
        parse_state(data, DOMAIN)
    assert caught.value.message.isprintable()


@given(st.integers(0, len(STORED) - 1))
def test_every_torn_state_is_refused(length: int) -> None:
    with pytest.raises(AuthorityStateError):
        parse_state(STORED[:length], DOMAIN)
