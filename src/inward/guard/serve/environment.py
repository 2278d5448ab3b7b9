"""What `inward up` tells a service that serves TLS itself, by environment variables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inward.catalog.model import Address
from inward.guard.bundle import GuardError
from inward.identity.spiffe_id import SpiffeID

if TYPE_CHECKING:
    from collections.abc import Mapping

LISTEN = "INWARD_LISTEN"
SPIFFE_ID = "INWARD_SPIFFE_ID"
SVID = "INWARD_SVID"
SVID_KEY = "INWARD_SVID_KEY"
TRUST_BUNDLE = "INWARD_TRUST_BUNDLE"
QUARANTINE = "INWARD_QUARANTINE"
LOG = "INWARD_LOG"


@dataclass(frozen=True, slots=True)
class Given:
    """Who the service is, where it takes calls, and where its files lie.

    `svid`, `key` and `bundle` are PEM; `quarantine` is the list of services in quarantine, and `log` the symlink that
    leads to the newest file of the log.
    """

    spiffe_id: SpiffeID
    listen: Address
    svid: Path
    key: Path
    bundle: Path
    quarantine: Path
    log: Path

    @classmethod
    def parse(cls, environment: Mapping[str, str]) -> Given:
        """Read the environment. Raises `GuardError` for what is not there, `BadInputError` for what cannot be."""
        paths = {name: Path(_need(environment, name)) for name in (SVID, SVID_KEY, TRUST_BUNDLE, QUARANTINE, LOG)}
        return cls(
            SpiffeID.parse(_need(environment, SPIFFE_ID)),
            Address.parse(_need(environment, LISTEN)),
            paths[SVID],
            paths[SVID_KEY],
            paths[TRUST_BUNDLE],
            paths[QUARANTINE],
            paths[LOG],
        )

    def variables(self) -> dict[str, str]:
        """Return the environment that says this."""
        return {
            LISTEN: str(self.listen),
            SPIFFE_ID: str(self.spiffe_id),
            SVID: str(self.svid),
            SVID_KEY: str(self.key),
            TRUST_BUNDLE: str(self.bundle),
            QUARANTINE: str(self.quarantine),
            LOG: str(self.log),
        }


def _need(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise GuardError(f"the environment has no `{name}`", hint="start the service by `inward up`")
    return value
