"""Signing the record while a system runs: what is durable is taken into the log, and its state is signed.

Nothing waits for it, and no call is refused because of it: a record that cannot be signed is told, and goes on.
"""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from inward.authority.signing import open_signer
from inward.errors import InwardError
from inward.record.audit.notary import LogChangedError, Notary

if TYPE_CHECKING:
    from collections.abc import Callable

    from inward.control.layout import Layout
    from inward.record.recorder import Recorder


class Signing:
    """Signs the record of one system. Where that cannot begin, or the record was changed, it is told and not done."""

    def __init__(
        self,
        layout: Layout,
        recorder: Recorder,
        trust_domain: str,
        passphrase: bytes | None,
        told: Callable[[str], None],
    ) -> None:
        self._recorder = recorder
        self._told = told
        self._notary: Notary | None = None
        self._turn = threading.Lock()  # the sealer signs too
        self.signed_until: datetime | None = None  # all that was durable then is signed
        self.checkpoint_at: datetime | None = None  # when this run signed last
        self.checkpoint_size: int | None = None  # how many entries
        try:
            signer = open_signer(layout.state, trust_domain, passphrase)
            self._notary = Notary(layout.record, signer, layout.signed)
        except (InwardError, OSError) as error:
            self._end(error)

    @property
    def goes_on(self) -> bool:
        """Whether the record is being signed."""
        return self._notary is not None

    def sign(self) -> None:
        """Sign what is durable now. Raises `RecordError` where the disk refuses; it may be tried again."""
        with self._turn:
            if self._notary is not None:
                self._sign(self._notary)

    def _sign(self, notary: Notary) -> None:
        try:
            now = datetime.now(UTC)
            notary.advance(*self._recorder.durable())
            checkpoint = notary.sign(now)
            if checkpoint is not None:
                self.checkpoint_at, self.checkpoint_size = now, checkpoint.size
            self.signed_until = now
        except LogChangedError as error:
            self._notary = None
            self._end(error)

    def _end(self, error: InwardError | OSError) -> None:
        why = error.advice if isinstance(error, InwardError) else error.strerror
        self._told(f"the record is not signed: {why}; see `inward audit verify`")

    async def keep(self, seconds: float) -> None:
        """Sign for as long as this runs, every so many seconds."""
        while True:
            await asyncio.to_thread(self.sign)
            await asyncio.sleep(seconds)
