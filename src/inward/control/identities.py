"""Keeps every Envoy supplied with its SVID and the trust bundle, ahead of their expiry."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from inward.authority.rotation import due, renewal_time
from inward.control.events import Event
from inward.envoy.tls import bundle_secret, svid_secret

if TYPE_CHECKING:
    from inward.authority.ca import Authority
    from inward.control.events import Told
    from inward.envoy.folder import EnvoyFolder
    from inward.identity.spiffe_id import SpiffeID
    from inward.identity.svid import X509SVID

LONGEST_SLEEP_SECONDS = 1.0  # so that a clock that jumps is noticed
SHORTEST_SLEEP_SECONDS = 0.05


class Identities:
    """Issues and renews. `wanted` maps service names to SPIFFE IDs and folders; it may change between renewals."""

    def __init__(self, authority: Authority, told: Told) -> None:
        self._authority = authority
        self._told = told
        self._wanted: dict[str, tuple[SpiffeID, EnvoyFolder]] = {}
        self._held: dict[str, tuple[X509SVID, datetime]] = {}

    def want(self, wanted: dict[str, tuple[SpiffeID, EnvoyFolder]]) -> None:
        """Set which services are supplied, and supply at once those that are not yet."""
        self._wanted = wanted
        self._held = {name: held for name, held in self._held.items() if name in wanted}
        self.renew(datetime.now(UTC))

    def renew(self, now: datetime) -> datetime:
        """Renew whatever is due at `now`; return when to look again."""
        changed = self._authority.tick(now)
        bundle = self._authority.bundle(now)
        if changed and self._held:
            text = f"the trust bundle has changed: {len(bundle.authorities)} authorities"
            self._told(Event("identity", text, {"authorities": len(bundle.authorities)}))
        secret = bundle_secret(bundle.trust_domain, bundle.pem.decode())
        following = self._authority.next_event(now)
        for name, (spiffe_id, folder) in self._wanted.items():
            # INVARIANT: the bundle goes first: nobody presents an SVID whose CA was not handed out before.
            folder.write("bundle.json", [secret])
            held = self._held.get(name)
            if held is None or due(*held, now):
                svid = self._authority.issue(spiffe_id, now)
                folder.write("svid.json", [svid_secret(svid.chain_pem.decode(), svid.key_pem.decode())])
                held = self._held[name] = (svid, now)
            following = min(following, renewal_time(*held))
        return following

    async def keep(self) -> None:
        """Renew for as long as this runs; a failure is told and tried again."""
        while True:
            now = datetime.now(UTC)
            pause = LONGEST_SLEEP_SECONDS
            try:
                following = await asyncio.to_thread(self.renew, now)
                pause = (following - now).total_seconds()
            except Exception as error:  # noqa: BLE001 - identities must go on being renewed whatever happened once
                self._told(Event("warning", f"identities cannot be renewed: {error}"))
            await asyncio.sleep(min(max(pause, SHORTEST_SLEEP_SECONDS), LONGEST_SLEEP_SECONDS))
