"""Identities are renewed and the CA is rolled over while calls go on: no call fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from tests.system.company import SMALL
from tests.system.load import Load

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.system.guarded import Guarded

LIFETIMES = {"INWARD_SVID_TTL": "4", "INWARD_CA_TTL": "12", "INWARD_BACKDATE": "2"}  # seconds
RENEWED_EVERY = 2.0


@pytest.mark.parametrize("seconds", [11, pytest.param(60, marks=pytest.mark.long)])
def test_no_call_fails_while_identities_rotate(guard: Callable[..., Guarded], seconds: float) -> None:
    system = guard(SMALL, LIFETIMES).start()
    with Load(system) as load:
        load.go_on(seconds)
    assert load.failed() == []
    assert len(load.made) > 50 * seconds
    presented = [x509.load_der_x509_certificate(each) for each in load.certificates]
    assert len(presented) >= seconds / RENEWED_EVERY - 1
    # CAs sign for two thirds of their life, so several took part
    assert len({each.issuer.rfc4514_string() for each in presented}) >= 1 + int(seconds / 9)
    assert load.unrecorded() == ([], [])
    assert [event for event in system.events if "cannot" in event["text"]] == []


def test_connections_do_not_outlive_the_identity_that_they_were_opened_with(guard: Callable[..., Guarded]) -> None:
    system = guard(SMALL, LIFETIMES).start()
    with system.connect("orders", "reader") as connection:
        assert connection.call("GET", "/orders/42", host="orders").status == 200
        connection.socket.settimeout(10)
        assert connection.socket.recv(1) == b""
