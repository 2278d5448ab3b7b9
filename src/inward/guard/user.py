"""The end user of a call: what its token proves, looked at when a handler asks, and not before."""

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

    __slots__ = ("_now", "_proven", "_token", "_tokens")

    def __init__(self, token: str, tokens: UserTokens | None, now: datetime) -> None:
        self._token = token
        self._tokens = tokens
        self._now = now
        self._proven: EndUser | None = None

    def __repr__(self) -> str:
        return "ClaimedUser()"

    def proven(self) -> EndUser | None:
        """Return whom the token proves; None where there is no one token, and where it proves nobody."""
        if self._proven is None and self._token and self._tokens is not None:
            try:
                self._proven = self._tokens.verify(self._token, self._now)
            except InwardError as error:
                _logger.info("the end user of a call is not known: %s", error.message)
        return self._proven
