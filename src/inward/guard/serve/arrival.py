"""What the server tells the guard of a request that it took itself: who called, as the connection proves.

It travels in the ASGI scope as an object of this process. INVARIANT: nothing that a caller sends can become one, and
no other server makes one, so the guard believes its type and looks at nothing else: the `tls` extension of the scope
(ASGI TLS extension 0.2) says the same, but any server could have filled that in from a header.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inward.guard.core import Admission

ARRIVAL = "inward.arrival"  # where it stands in a scope


@dataclass(slots=True, eq=False)
class Arrival:
    """One request. `peer` is the verified SPIFFE ID; the guard says what it decided, and under which policies."""

    peer: str
    admission: Admission | None = None
    policy_version: str | None = None

    def decided(self, admission: Admission, policy_version: str) -> None:
        """Take what the guard decided, for the record."""
        self.admission = admission
        self.policy_version = policy_version


def arrival_of(scope: Mapping[str, Any]) -> Arrival | None:
    """Return what the server said of a request; None where it is another server's."""
    found = scope.get(ARRIVAL)
    return found if type(found) is Arrival else None
