"""Keeps every Envoy supplied with its SVID and the trust bundle, ahead of their expiry."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from inward.authority.rotation import due, renewal_time
from inward.control.run.events import Event
from inward.control.run.own_tls import PEMFiles
from inward.envoy.resources.tls import bundle_secret, svid_secret
from inward.errors import InwardError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from inward.authority.ca import Authority
    from inward.control.run.events import Told
    from inward.envoy.folder import EnvoyFolder
    from inward.identity.spiffe_id import SpiffeID
    from inward.identity.svid import X509SVID

LONGEST_SLEEP = timedelta(seconds=1)  # so that a clock that jumps is noticed
SHORTEST_SLEEP = timedelta(milliseconds=50)


class Identities:
    """Issues and renews. `wanted` maps service names to SPIFFE IDs and folders; it may change between renewals."""

    def __init__(self, authority: Authority, told: Told, noted: Callable[[str, str, str], None]) -> None:
        self._authority = authority
        self._told = told
        self._noted = noted  # what was done, to whom, and more of it: for the record
        self._wanted: dict[str, tuple[SpiffeID, EnvoyFolder]] = {}
        self._held: dict[str, tuple[X509SVID, datetime]] = {}
        self._pem: dict[str, PEMFiles] = {}
        self.authority_expires: datetime | None = None  # the newest of the trust bundle
        self._turn = threading.RLock()  # `want` and `keep` are in threads of their own

    def want(self, wanted: dict[str, tuple[SpiffeID, EnvoyFolder]], pem: Mapping[str, Path] | None = None) -> None:
        """Set which services are supplied, and supply at once those that are not yet.

        `pem` maps those that serve TLS themselves to folders for PEM files.
        """
        with self._turn:
            self._wanted = wanted
            self._pem = {name: self._pem.get(name) or PEMFiles(folder) for name, folder in (pem or {}).items()}
            self._held = {name: held for name, held in self._held.items() if name in wanted}
            self.renew(datetime.now(UTC))

    def renew(self, now: datetime) -> datetime:
        """Renew whatever is due at `now`; return when to look again.

        What goes wrong with one service is told, and tried again soon; the others are supplied all the same.
        """
        with self._turn:
            return self._renew(now)

    def _renew(self, now: datetime) -> datetime:
        following = now + LONGEST_SLEEP
        try:
            changed = self._authority.tick(now)
            following = self._authority.next_event(now)
        except InwardError as error:
            # The CA that signs now goes on doing so; there is time until the end of its life.
            self._told(Event("warning", f"the next authority cannot be prepared: {error.message}"))
            changed = False
        bundle = self._authority.bundle(now)
        self.authority_expires = max((each.not_valid_after_utc for each in bundle.authorities), default=None)
        if changed and self._held:
            text = f"the trust bundle has changed: {len(bundle.authorities)} authorities"
            self._told(Event("identity", text, {"authorities": len(bundle.authorities)}))
            self._noted("authority", bundle.trust_domain, f"{len(bundle.authorities)} authorities are trusted")
        secret = bundle_secret(bundle.trust_domain, bundle.pem.decode())
        # INVARIANT: all bundles go first: nobody presents an SVID of a CA that a callee has not heard of.
        for name, (_, folder) in self._wanted.items():
            with self._telling(name):
                folder.write("bundle.json", [secret])
                if name in self._pem:
                    self._pem[name].write_bundle(bundle)
        for name, (spiffe_id, folder) in self._wanted.items():
            with self._telling(name):
                held = self._held.get(name)
                if held is None or due(*held, now):
                    svid = self._authority.issue(spiffe_id, now)
                    folder.write("svid.json", [svid_secret(svid.chain_pem.decode(), svid.key_pem.decode())])
                    held = self._held[name] = (svid, now)
                    until = svid.leaf.not_valid_after_utc.isoformat().replace("+00:00", "Z")
                    self._noted("identity", name, f"serial {svid.serial:x}, until {until}")
                if name in self._pem:
                    self._pem[name].write_svid(held[0])
                following = min(following, renewal_time(*held))
        return following

    @contextmanager
    def _telling(self, name: str) -> Iterator[None]:
        try:
            yield
        except InwardError as error:
            self._told(Event("warning", f"{name} cannot be given its identity: {error.message}", {"service": name}))

    async def keep(self) -> None:
        """Renew for as long as this runs."""
        while True:
            now = datetime.now(UTC)
            following = await asyncio.to_thread(self.renew, now)
            pause = min(max(following - datetime.now(UTC), SHORTEST_SLEEP), LONGEST_SLEEP)
            await asyncio.sleep(pause.total_seconds())
