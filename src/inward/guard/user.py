"""The end user of a call: what its token proves, looked at once, when a handler or the record asks, and not before."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from inward.errors import InwardError

if TYPE_CHECKING:
    from datetime import datetime

    from inward.identity.user_token import EndUser, UserTokens

_logger = logging.getLogger("inward.guard")


class ClaimedUser:
    """The token of one request that arrived at `now`. `tokens` says whose are believed; None: nobody's.

    No text of it has the token.
    """

    __slots__ = ("_looked_at", "_now", "_proven", "_token", "_tokens")

    def __init__(self, token: str, tokens: UserTokens | None, now: datetime) -> None:
        self._token = token
        self._tokens = tokens
        self._now = now
        self._looked_at = not token or tokens is None
        self._proven: EndUser | None = None

    def __repr__(self) -> str:
        return "ClaimedUser()"

    def proven(self) -> EndUser | None:
        """Return whom the token proves; None where there is no one token, and where it proves nobody."""
        if not self._looked_at and self._tokens is not None:
            try:
                self._proven = self._tokens.verify(self._token, self._now)
            except InwardError as error:
                _logger.info("the end user of a call is not known: %s", error.message)
            self._looked_at = True  # not before: another thread of the handler may ask meanwhile
        return self._proven
