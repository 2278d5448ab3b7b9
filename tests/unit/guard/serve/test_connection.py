"""How long a connection proves what it was opened with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tests import forge

from inward.guard.serve.connection import MOST_SECONDS, Connection
from inward.identity.bundle import TrustBundle
from inward.identity.certificate import InvalidCertificateError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography import x509

TILL = "spiffe://a.test/till"


@dataclass
class Followed:
    """An identity whose bundle can be changed."""

    bundle: TrustBundle

    def current(self) -> Any:
        return self


@pytest.fixture(scope="module")
def issuer() -> forge.Issuer:
    return forge.own_ca("a.test")


@pytest.fixture
def followed(issuer: forge.Issuer) -> Followed:
    return Followed(TrustBundle("a.test", (issuer.certificate,)))


def chain_of(issuer: forge.Issuer, uris: Sequence[str] = (TILL,), **options: Any) -> tuple[x509.Certificate, ...]:
    key = ec.generate_private_key(ec.SECP256R1())
    return (forge.certificate(issuer, key.public_key(), uris=uris, **options),)


def opened(chain: tuple[x509.Certificate, ...], followed: Followed, now: datetime) -> Connection:
    return Connection(chain, followed, now)  # type: ignore[arg-type] # something like one


def test_it_holds_until_the_certificate_ends(issuer: forge.Issuer, followed: Followed) -> None:
    now = datetime.now(UTC)
    chain = chain_of(issuer, not_after=now + timedelta(minutes=10))
    connection = opened(chain, followed, now)
    assert connection.verified(now) == TILL
    assert connection.verified(now + timedelta(minutes=9)) == TILL
    assert connection.verified(now + timedelta(minutes=10, seconds=2)) is None


def test_it_is_old_when_half_of_what_is_left_is_over(issuer: forge.Issuer, followed: Followed) -> None:
    now = datetime.now(UTC)
    connection = opened(chain_of(issuer, not_after=now + timedelta(minutes=10)), followed, now)
    assert not connection.is_old(now + timedelta(minutes=4, seconds=50))
    assert connection.is_old(now + timedelta(minutes=5))


def test_it_is_old_after_a_while_however_long_the_certificate_lives(issuer: forge.Issuer, followed: Followed) -> None:
    now = datetime.now(UTC)
    connection = opened(chain_of(issuer, not_after=now + timedelta(days=1)), followed, now)
    assert not connection.is_old(now + timedelta(seconds=MOST_SECONDS - 1))
    assert connection.is_old(now + timedelta(seconds=MOST_SECONDS))


def test_it_ends_with_the_trust_in_its_ca_and_not_with_another_bundle(issuer: forge.Issuer, followed: Followed) -> None:
    now = datetime.now(UTC)
    connection = opened(chain_of(issuer), followed, now)
    other = forge.own_ca("a.test")
    followed.bundle = TrustBundle("a.test", (issuer.certificate, other.certificate))
    assert connection.verified(now) == TILL
    followed.bundle = TrustBundle("a.test", (other.certificate,))
    assert connection.verified(now) is None
    assert connection.verified(now) is None
    followed.bundle = TrustBundle("a.test", (issuer.certificate,))
    assert connection.verified(now) == TILL


@pytest.mark.parametrize(
    "uris", [(), (TILL, TILL), (TILL, "spiffe://b.test/x"), ("spiffe://b.test/till",), ("https://a",)]
)
def test_what_proves_no_identity_is_no_connection(
    issuer: forge.Issuer, followed: Followed, uris: Sequence[str]
) -> None:
    with pytest.raises(InvalidCertificateError):
        opened(chain_of(issuer, uris), followed, datetime.now(UTC))
