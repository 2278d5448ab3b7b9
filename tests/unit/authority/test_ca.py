from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import forge

if TYPE_CHECKING:
    from inward.identity.bundle import TrustBundle

from inward.authority.ca import Authority, ForeignIdentityError
from inward.authority.keys import FolderKeyStore, SealedKeyStore
from inward.authority.rotation import due
from inward.authority.settings import AuthoritySettings
from inward.authority.state import MAX_GENERATIONS, AuthorityStateError
from inward.identity.certificate import InvalidCertificateError
from inward.identity.spiffe_id import InvalidSpiffeIDError, SpiffeID
from inward.identity.svid import X509SVID, is_expired, verify_x509_svid

DOMAIN = "shop.internal"
ORDERS = SpiffeID.of_service(DOMAIN, "orders")
START = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
QUICK = AuthoritySettings(svid_ttl=4 * SECOND, ca_ttl=15 * SECOND)


class MemoryStore:
    """A store without a file; it can fail."""

    place = Path("memory")

    def __init__(self) -> None:
        self.state: bytes | None = None
        self.fails = False
        self.saved = 0

    def load(self) -> bytes | None:
        return self.state

    def save(self, state: bytes) -> None:
        if self.fails:
            raise OSError(28, "No space left on device")
        self.state = state
        self.saved += 1


def started(store: MemoryStore | None = None, chosen: AuthoritySettings | None = None) -> Authority:
    authority = Authority(DOMAIN, store or MemoryStore(), chosen)
    assert authority.tick(START)
    return authority


def test_the_first_tick_makes_a_ca_and_the_next_ones_do_nothing() -> None:
    store = MemoryStore()
    authority = started(store)
    assert store.saved == 1
    assert len(authority.bundle(START).authorities) == 1
    assert not authority.tick(START)
    assert not authority.tick(START + HOUR)
    assert store.saved == 1


def test_what_it_issues_verifies() -> None:
    authority = started()
    svid = authority.issue(ORDERS, START)
    assert verify_x509_svid(svid.chain, authority.bundle(START), START) == ORDERS
    assert svid.not_after == START + HOUR
    assert svid.not_before == START - 10 * SECOND


@pytest.mark.parametrize(
    "spiffe_id",
    [SpiffeID(DOMAIN, ""), SpiffeID("elsewhere", "/orders"), SpiffeID(DOMAIN + ".example", "/orders")],
)
def test_it_issues_for_workloads_of_its_trust_domain_only(spiffe_id: SpiffeID) -> None:
    with pytest.raises(ForeignIdentityError):
        started().issue(spiffe_id, START)


@pytest.mark.parametrize("path", ["orders", "/", "/orders\n", "/../orders", "/" + "a" * 2048])
def test_an_id_that_was_put_together_by_hand(path: str) -> None:
    with pytest.raises((InvalidSpiffeIDError, ForeignIdentityError)):
        started().issue(SpiffeID(DOMAIN, path), START)


def test_a_trust_domain_that_is_none() -> None:
    with pytest.raises(InvalidSpiffeIDError):
        Authority("Shop", MemoryStore())


def test_a_rollover_by_the_hour() -> None:
    authority = started()
    (first,) = authority.bundle(START).authorities
    before = START + 12 * HOUR - SECOND
    assert authority.next_event(before) == START + 12 * HOUR
    assert not authority.tick(before)

    prepared = START + 12 * HOUR
    assert authority.tick(prepared)
    old, new = authority.bundle(prepared).authorities
    assert old == first
    activation = authority.next_event(prepared)
    assert abs(activation - (START + 16 * HOUR)) < SECOND
    assert authority.issue(ORDERS, activation - SECOND).leaf.issuer == old.subject
    assert authority.issue(ORDERS, activation).leaf.issuer == new.subject
    assert not authority.tick(activation)

    end = START + 24 * HOUR
    assert authority.next_event(activation) == end  # half of the life of the second one
    assert authority.tick(end)
    assert authority.bundle(end).authorities[:2] == (old, new)
    assert authority.next_event(end) == end + SECOND
    assert authority.tick(end + SECOND)
    assert authority.bundle(end + SECOND).authorities[0] == new
    assert len(authority.bundle(end + SECOND).authorities) == 2


def test_the_sequence_number_grows_with_every_change_and_only_then() -> None:
    authority = started(chosen=QUICK)
    bundles = [authority.bundle(START)]
    for step in range(1, 400):
        now = START + SECOND * step / 4
        changed = authority.tick(now)
        bundle = authority.bundle(now)
        assert changed == (bundle != bundles[-1])
        assert bundle.sequence == bundles[-1].sequence + changed
        bundles.append(bundle)
    assert bundles[-1].sequence > 10
    assert all(1 <= len(bundle.authorities) <= 3 for bundle in bundles)


def simulate(chosen: AuthoritySettings, waits: list[float], restarts: set[int]) -> int:
    """Run an authority and three services on a clock; check each SVID with each bundle a verifier may have.

    `waits` are the times between ticks, in eighths of an SVID's life. Return the last sequence number.
    """
    store = MemoryStore()
    authority = Authority(DOMAIN, store, chosen)
    now = START
    held: list[tuple[X509SVID, datetime]] = []
    published: deque[tuple[datetime, TrustBundle]] = deque()
    for step, wait in enumerate(waits):
        if step in restarts:
            authority = Authority(DOMAIN, store, chosen)
        if authority.tick(now):
            published.append((now, authority.bundle(now)))
        assert published[-1][1] == authority.bundle(now)
        if not held:
            held = [(authority.issue(ORDERS, now), now) for _ in range(3)]
        held = [
            (authority.issue(ORDERS, now), now) if due(svid, received, now) else (svid, received)
            for svid, received in held
        ]
        # A verifier may be behind by the spread time, so the bundle that it has may be as old as that.
        while len(published) > 1 and published[1][0] <= now - chosen.spread:
            published.popleft()
        for svid, _ in held:
            assert not is_expired(svid.leaf, now)
            for _, bundle in published:
                assert verify_x509_svid(svid.chain, bundle, now) == ORDERS
        now += chosen.svid_ttl / 8 * wait
    return published[-1][1].sequence


@given(
    chosen=st.sampled_from(
        [
            AuthoritySettings(),
            QUICK,
            AuthoritySettings(svid_ttl=5 * SECOND, ca_ttl=15 * SECOND),
            AuthoritySettings(svid_ttl=8 * SECOND, ca_ttl=16 * SECOND, prepare_at=0.25, activate_at=0.5),
            AuthoritySettings(svid_ttl=3 * HOUR, ca_ttl=24 * HOUR, prepare_at=0.3, activate_at=0.8, backdate=SECOND),
        ]
    ),
    waits=st.lists(st.floats(0.01, 1), min_size=120, max_size=120),
    restarts=st.sets(st.integers(1, 119), max_size=10),
)
@settings(max_examples=12, deadline=None)
def test_every_live_svid_verifies_with_every_bundle_that_had_time_to_spread(
    chosen: AuthoritySettings, waits: list[float], restarts: set[int]
) -> None:
    simulate(chosen, waits, restarts)


def test_the_same_over_many_rollovers() -> None:
    assert simulate(QUICK, [1.0] * 400, set(range(0, 400, 7))) > 20


@given(
    jumps=st.lists(st.floats(-40, 40) | st.floats(-0.5, 0.5) | st.sampled_from([-100_000.0, 100_000.0]), max_size=40)
)
@settings(max_examples=20, deadline=None)
def test_whatever_the_clock_does_what_is_issued_now_verifies_now(jumps: list[float]) -> None:
    store = MemoryStore()
    authority = started(store, QUICK)
    now = START
    for jump in jumps:
        now += timedelta(seconds=jump)
        authority.tick(now)
        bundle = authority.bundle(now)
        svid = authority.issue(ORDERS, now)
        assert verify_x509_svid(svid.chain, bundle, now) == ORDERS
        assert svid.not_after > now
        assert len(bundle.authorities) <= MAX_GENERATIONS
        assert authority.next_event(now) > now
        assert Authority(DOMAIN, store, QUICK).bundle(now) == bundle


def test_a_clock_set_back_a_little_changes_nothing() -> None:
    authority = started()
    assert not authority.tick(START - 9 * SECOND)
    svid = authority.issue(ORDERS, START - 9 * SECOND)
    assert verify_x509_svid(svid.chain, authority.bundle(START), START) == ORDERS


def test_a_clock_set_back_and_put_right_again_breaks_no_svid() -> None:
    authority = started()
    svid = authority.issue(ORDERS, START)
    assert authority.tick(START - 2 * HOUR)
    meanwhile = authority.issue(ORDERS, START - 2 * HOUR)
    assert not authority.tick(START + SECOND)
    bundle = authority.bundle(START + SECOND)
    assert verify_x509_svid(svid.chain, bundle, START + SECOND) == ORDERS
    assert verify_x509_svid(meanwhile.chain, bundle, START - 2 * HOUR) == ORDERS


def test_a_clock_set_back_again_and_again() -> None:
    store = MemoryStore()
    authority = started(store)
    now = START
    for hour in range(1, 3 * MAX_GENERATIONS):
        now = START - hour * HOUR
        authority.tick(now)
        svid = authority.issue(ORDERS, now)
        assert verify_x509_svid(svid.chain, authority.bundle(now), now) == ORDERS
    assert len(authority.bundle(now).authorities) == MAX_GENERATIONS
    assert Authority(DOMAIN, store).bundle(now) == authority.bundle(now)


def test_after_a_long_time_away_it_starts_anew() -> None:
    store = MemoryStore()
    (old,) = started(store).bundle(START).authorities
    later = START + timedelta(days=30)
    authority = Authority(DOMAIN, store)
    assert authority.next_event(later) == later
    assert authority.tick(later)
    (new,) = authority.bundle(later).authorities
    assert new != old
    svid = authority.issue(ORDERS, later)
    assert verify_x509_svid(svid.chain, authority.bundle(later), later) == ORDERS


@pytest.mark.parametrize("away", [0.7, 0.9, 0.97, 0.99, 0.9999])
def test_back_late_in_the_life_of_the_ca(away: float) -> None:
    store = MemoryStore()
    svid = started(store).issue(ORDERS, START)
    authority = Authority(DOMAIN, store)
    now = START + 24 * HOUR * away
    issued = authority.issue(ORDERS, now)
    assert issued.not_after - now > HOUR / 2 - SECOND
    assert authority.tick(now)
    bundle = authority.bundle(now)
    assert verify_x509_svid(issued.chain, bundle, now) == ORDERS
    assert len(bundle.authorities) == 2
    assert svid.leaf.issuer == bundle.authorities[0].subject


def test_a_bundle_that_changed_while_issuing_is_still_reported() -> None:
    authority = started(chosen=QUICK)
    later = START + 60 * SECOND
    authority.issue(ORDERS, later)
    assert authority.tick(later)
    assert not authority.tick(later)


class TestStores:
    def test_a_state_that_cannot_be_stored_is_not_used(self) -> None:
        store = MemoryStore()
        authority = started(store)
        before = authority.bundle(START)
        store.fails = True
        for hour in (12, 15, 20, 23):
            now = START + hour * HOUR
            with pytest.raises(OSError, match="No space"):
                authority.tick(now)
            assert authority.bundle(now) == before
            assert verify_x509_svid(authority.issue(ORDERS, now).chain, before, now) == ORDERS
        with pytest.raises(OSError, match="No space"):
            authority.issue(ORDERS, START + 23.6 * HOUR)
        store.fails = False
        assert authority.tick(START + 23.6 * HOUR)
        late = START + 23.6 * HOUR
        svid = authority.issue(ORDERS, late)
        assert verify_x509_svid(svid.chain, authority.bundle(late), late) == ORDERS

    def test_no_ca_without_a_place_for_it(self) -> None:
        store = MemoryStore()
        store.fails = True
        authority = Authority(DOMAIN, store)
        for call in (authority.tick, authority.bundle):
            with pytest.raises(OSError, match="No space"):
                call(START)
        store.fails = False
        assert authority.tick(START)

    def test_restarts_on_disk(self, tmp_path: Path) -> None:
        now = START
        authority = Authority(DOMAIN, FolderKeyStore(tmp_path), QUICK)
        assert authority.tick(now)
        for _ in range(20):
            svid = authority.issue(ORDERS, now)
            now += 2 * SECOND
            bundle = authority.bundle(now)
            authority = Authority(DOMAIN, FolderKeyStore(tmp_path), QUICK)
            assert authority.bundle(now) == bundle
            assert authority.tick(now)  # a fresh process tells its bundle once
            assert verify_x509_svid(svid.chain, authority.bundle(now), now) == ORDERS

    def test_a_passphrase(self, tmp_path: Path) -> None:
        authority = Authority(DOMAIN, SealedKeyStore(tmp_path, b"correct horse"))
        authority.tick(START)
        again = Authority(DOMAIN, SealedKeyStore(tmp_path, b"correct horse"))
        assert again.bundle(START) == authority.bundle(START)

    def test_a_corrupt_state_is_one_clear_error_and_is_left_alone(self, tmp_path: Path) -> None:
        store = FolderKeyStore(tmp_path)
        Authority(DOMAIN, store).tick(START)
        torn = store.place.read_bytes()[:-100]
        store.place.write_bytes(torn)
        with pytest.raises(
            AuthorityStateError, match=r"the authority's state `.*authority.state` cannot be read"
        ) as caught:
            Authority(DOMAIN, FolderKeyStore(tmp_path))
        assert "move it away" in caught.value.hint
        assert store.place.read_bytes() == torn

    def test_the_state_of_another_trust_domain(self, tmp_path: Path) -> None:
        Authority("elsewhere", FolderKeyStore(tmp_path)).tick(START)
        with pytest.raises(AuthorityStateError, match="of the trust domain 'elsewhere'"):
            Authority(DOMAIN, FolderKeyStore(tmp_path))


def test_the_forge_takes_the_signing_ca_of_a_stored_authority(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    authority = Authority(DOMAIN, FolderKeyStore(tmp_path))
    authority.tick(now)
    issuer = forge.issuer_of(Authority(DOMAIN, FolderKeyStore(tmp_path)))
    assert X509SVID.parse(*forge.good(issuer, str(ORDERS))).spiffe_id == ORDERS
    good = X509SVID.parse(*forge.good(issuer, str(ORDERS)))
    assert verify_x509_svid(good.chain, authority.bundle(now), now) == ORDERS
    foreign = X509SVID.parse(*forge.foreign_ca(issuer, str(ORDERS)))
    with pytest.raises(InvalidCertificateError):
        verify_x509_svid(foreign.chain, authority.bundle(now), now)
