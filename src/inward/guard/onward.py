"""What goes on with the calls that a handler makes: the trace, and the token of the end user. No I/O.

- `traceparent` (W3C Trace Context, section 3.2): the same trace and flags, with a parent id of this hop; `tracestate`
  (section 3.3) as it came. A trace that is malformed is not passed on, and none is begun.
- `Txn-Token` (OAuth Transaction Tokens): unmodified, whether or not it proves anybody here (`guard.user`): each
  service verifies it for itself. INVARIANT: it is in no text of these objects, so that no log has it.

Only services of the system are told: a token that leaves the company is anybody's who gets it.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

TRACEPARENT, TRACESTATE, USER_TOKEN = "traceparent", "tracestate", "txn-token"
NAMES = frozenset({TRACEPARENT, TRACESTATE, USER_TOKEN})
MAX_TRACESTATE, MAX_TOKEN = 512, 16 * 1024  # characters; the first is what section 3.3.1.5 asks to pass on at least
# A later version (all but `ff`) may have more fields behind the four, which are not known to hold for another hop.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?")
_TRACESTATE = re.compile(r"[\t -~]+", re.ASCII)
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)  # RFC 7515 section 7.1


class Onward:
    """What one request brought to be passed on. `services` are the names of those to whom it may be."""

    __slots__ = ("_given", "_services")

    def __init__(self, given: Iterable[tuple[str, str]], services: Container[str]) -> None:
        self._given = tuple(given)
        self._services = services

    def __repr__(self) -> str:
        return "Onward()"

    def is_internal(self, scheme: str, host: str) -> bool:
        """Whether a URL leads to a service of the system, through the egress of this one."""
        return scheme == "http" and host in self._services

    def headers(self) -> dict[str, str]:
        """Return the headers for one call to a service of the system, with lower-case names."""
        found: dict[str, str] = {}
        trace = _TRACEPARENT.fullmatch(self._only(TRACEPARENT))
        if trace is not None and (trace[3] is None or trace[0][:2] != "00"):
            found[TRACEPARENT] = f"00-{trace[1]}-{_parent_id()}-{trace[2]}"
            state = ",".join(value for name, value in self._given if name == TRACESTATE)  # section 3.3: one list
            if len(state) <= MAX_TRACESTATE and _TRACESTATE.fullmatch(state):
                found[TRACESTATE] = state
        token = self.user_token
        if len(token) <= MAX_TOKEN and _TOKEN.fullmatch(token):
            found[USER_TOKEN] = token
        return found

    @property
    def user_token(self) -> str:
        """The one token that came, whatever is in it; empty where there is none, or more."""
        return self._only(USER_TOKEN)

    def _only(self, name: str) -> str:
        values = [value for each, value in self._given if each == name]
        return values[0] if len(values) == 1 else ""


def _parent_id() -> str:
    while True:
        drawn = secrets.token_hex(8)
        if drawn.strip("0"):  # section 3.2.2.4: all zeroes are none
            return drawn
