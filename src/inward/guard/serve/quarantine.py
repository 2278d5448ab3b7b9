"""The list of services in quarantine, as the server of a guarded service follows it.

It is looked at with every request: a stat is all that this costs, and who is cut off is cut off at once, on connections
that are open too. It only ever removes access. A list that cannot be read cuts everybody off.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import msgspec

from inward.errors import InwardError
from inward.identity.private_files import read_private
from inward.identity.spiffe_id import SpiffeID

if TYPE_CHECKING:
    from pathlib import Path

_decoder = msgspec.json.Decoder(dict[str, Any])
_logger = logging.getLogger("inward.guard")


class FollowedQuarantine:
    """The list in the private file `path`, for the service `spiffe_id`; no file is an empty list."""

    def __init__(self, path: Path, spiffe_id: SpiffeID) -> None:
        self._path = path
        self._own = spiffe_id
        self._seen: tuple[int, int] | None = None
        self._listed: frozenset[str] | None = frozenset()  # SPIFFE IDs; None: everybody

    def holds(self, peer: str) -> bool:
        """Whether a call of `peer` (a SPIFFE ID) is cut off: the caller is in quarantine, or this service is."""
        try:
            status = self._path.stat()
            state = (status.st_ino, status.st_ctime_ns)
        except FileNotFoundError:
            state = None
        except OSError:
            return True
        if state != self._seen:
            self._listed = self._load()
            self._seen = state
        return self._listed is None or peer in self._listed or str(self._own) in self._listed

    def _load(self) -> frozenset[str] | None:
        try:
            content = read_private(self._path)
            names = _decoder.decode(content) if content is not None else {}
            # INVARIANT: one that the catalog no longer holds is cut off too: its SVID outlives its entry.
            return frozenset(str(SpiffeID.of_service(self._own.trust_domain, name)) for name in names)
        except (InwardError, msgspec.MsgspecError, ValueError, RecursionError) as error:
            _logger.error("the list of services in quarantine cannot be read, so nobody is let in: %s", error)  # noqa: TRY400 - for people
            return None
