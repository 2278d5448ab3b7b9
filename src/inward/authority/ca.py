"""The embedded authority: issues the SVIDs of one trust domain and rolls its own CA over, without a gap.

Time is an argument everywhere; nothing here waits or has a thread. Whoever runs an authority calls `tick` at
`next_event`, and at least every few seconds, since clocks are set. The order that keeps every call going:

1. `tick` says that the bundle has changed: give `bundle` to every verifier.
2. Only then give out what `issue` returns.

The next CA is prepared, and is in the bundle, well before it signs (see `AuthoritySettings`), and one that
has signed stays in the bundle until everything that it signed has expired. What is not stored is not used: a
restart, however abrupt, finds every CA that may have signed something.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

from inward.authority.generation import Generation
from inward.authority.settings import AuthoritySettings
from inward.authority.state import (
    MAX_GENERATIONS,
    AuthorityState,
    AuthorityStateError,
    parse_state,
    render_state,
)
from inward.errors import BadInputError
from inward.identity.bundle import TrustBundle
from inward.identity.spiffe_id import SpiffeID, parse_trust_domain

if TYPE_CHECKING:
    from datetime import datetime

    from inward.authority.keys import KeyStore
    from inward.identity.svid import X509SVID


class ForeignIdentityError(BadInputError):
    """An SVID was asked for that this authority does not issue."""

    code = "foreign_identity"


class Authority:
    """The CA of a trust domain. Safe to use from several threads; one process at a time may own its store."""

    def __init__(self, trust_domain: str, store: KeyStore, settings: AuthoritySettings | None = None) -> None:
        self.trust_domain = parse_trust_domain(trust_domain)
        self.settings = settings or AuthoritySettings()
        self._store = store
        self._lock = threading.RLock()
        self._announced: int | None = None  # the sequence number that `tick` reported last
        self._state = self._loaded()

    def tick(self, now: datetime) -> bool:
        """Prepare the next CA and drop expired ones, where it is time; return whether `bundle` has changed.

        The change is since the last tick that returned true; the first tick always does. If the state cannot
        be stored, the store's error is raised and everything stays as it was.
        """
        with self._lock:
            self._advance(now)
            changed = self._announced != self._state.sequence
            self._announced = self._state.sequence
            return changed

    def bundle(self, now: datetime) -> TrustBundle:
        """Return what the trust domain's SVIDs verify against, the newest authority last."""
        with self._lock:
            self._signer(now)
            authorities = tuple(generation.certificate for generation in self._state.generations)
            return TrustBundle(self.trust_domain, authorities, self._state.sequence, self.settings.refresh_hint)

    def issue(self, spiffe_id: SpiffeID, now: datetime) -> X509SVID:
        """Make a key and an SVID for a workload of this trust domain, valid from now on."""
        spiffe_id = SpiffeID.parse(str(spiffe_id))  # one that was put together by hand keeps the rules too
        if spiffe_id.trust_domain != self.trust_domain or not spiffe_id.path:
            raise ForeignIdentityError(
                f"`{spiffe_id}` is not the SPIFFE ID of a workload in `{self.trust_domain}`",
                hint=f"it starts with `spiffe://{self.trust_domain}/`",
            )
        with self._lock:
            return self._signer(now).issue(spiffe_id, now, self.settings.svid_ttl, self.settings.backdate)

    def next_event(self, now: datetime) -> datetime:
        """Return when `tick` has something to do, or another CA begins to sign; `now` if that is overdue."""
        with self._lock:
            active = _active(self._state.generations, now)
            if active is None:
                return now
            events = [generation.not_after + timedelta(seconds=1) for generation in self._state.generations]
            events += [one.activates_at for one in self._state.generations if one.activates_at > now]
            if not self._has_successor(active):
                events.append(active.at(self.settings.prepare_at))
            return max(now, min(events))

    def _signer(self, now: datetime) -> Generation:
        """Return the generation that signs at `now`; advance only if none has enough of its life left.

        So a disk that is full stops `tick`, loudly, long before it stops issuing.
        """
        active = _active(self._state.generations, now)
        if active is None or active.not_after - now < self.settings.svid_ttl / 2:
            self._advance(now)
            active = _active(self._state.generations, now)
        assert active is not None  # noqa: S101 - `_advance` has made sure
        return active

    def _advance(self, now: datetime) -> None:
        """Bring the generations up to `now`; store them before anything uses them."""
        generations = [one for one in self._state.generations if not one.is_expired(now)]
        active = _active(generations, now)
        if active is None:  # the first start, a long time away, or a clock set back to before every CA
            # From the start of its validity on, so that a clock set back a little changes nothing.
            generations.append(self._create(now, now - self.settings.backdate))
        elif not self._has_successor(active) and now >= active.at(self.settings.prepare_at):
            generations.append(self._create(now, self._activation(active, now)))
        if tuple(generations) == self._state.generations:
            return
        state = AuthorityState(self._state.sequence + 1, _bounded(generations, now))
        # INVARIANT: a CA is stored before it is in a bundle, and in a bundle before it signs.
        self._store.save(render_state(state, self.trust_domain))
        self._state = state

    def _create(self, now: datetime, activates_at: datetime) -> Generation:
        settings = self.settings
        return Generation.create(self.trust_domain, now, settings.ca_ttl, settings.backdate, activates_at)

    def _activation(self, active: Generation, now: datetime) -> datetime:
        """Return when a CA that is prepared at `now` begins to sign.

        Bundles get their time to spread, unless `active` ends so soon that SVIDs would become very short.
        """
        planned = max(active.at(self.settings.activate_at), now + self.settings.spread)
        return max(now, min(planned, active.not_after - self.settings.svid_ttl / 2))

    def _has_successor(self, active: Generation) -> bool:
        return any(
            one.not_after > active.not_after and one.activates_at <= active.not_after for one in self._state.generations
        )

    def _loaded(self) -> AuthorityState:
        data = self._store.load()
        if data is None:
            return AuthorityState()
        try:
            return parse_state(data, self.trust_domain)
        except AuthorityStateError as error:
            raise AuthorityStateError(
                f"the authority's state `{self._store.place}` {error.message}",
                hint="restore it, or move it away for a new authority and new identities",
            ) from error


def _active(generations: list[Generation] | tuple[Generation, ...], now: datetime) -> Generation | None:
    """Return the generation that signs at `now`: of those that may, the one that began last."""
    active = [one for one in generations if one.is_active(now)]
    return max(active, key=lambda one: one.activates_at) if active else None


def _bounded(generations: list[Generation], now: datetime) -> tuple[Generation, ...]:
    """Return at most `MAX_GENERATIONS`. Only a clock that is set back again and again makes more.

    What goes first is what begins furthest in the future: no SVID of it is valid now.
    """
    keep = sorted(generations, key=lambda one: (max(one.created, now), -one.activates_at.timestamp()))
    chosen = set(map(id, keep[:MAX_GENERATIONS]))
    return tuple(one for one in generations if id(one) in chosen)
