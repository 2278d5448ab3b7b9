"""Telling one sink: what it has not been told yet is sent, in order, until the receiver has taken it.

Rules: how far it was told is kept with the alerts, after the receiver has taken a request; so each thing is told at
least once, and what is told twice carries the same id. A receiver that is away is tried again with growing pauses, for
as long as it takes. One thing that it refuses is given up only where it takes others: then that is told, and the alert
is kept all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from inward.alerting.keeping.database import AlertStoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from inward.alerting.keeping.store import AlertStore, Telling
    from inward.alerting.sinks.sink import Request, Sink
    from inward.control.exporting.answer import Answer
    from inward.control.watching.post import Poster

_logger = logging.getLogger(__name__)

IDLE_SECONDS = 0.5
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 300.0
REMIND_SECONDS = 60.0
LOOK_AHEAD = 20  # things that are told one by one where one is refused


class Courier:
    """Tells one sink. `told` takes a warning."""

    def __init__(self, sink: Sink, store: AlertStore, poster: Poster, told: Callable[[str], None]) -> None:
        self._sink = sink
        self._store = store
        self._poster = poster
        self._told = told
        self._failures = 0
        self._problem = ""
        self._reminded = -REMIND_SECONDS

    async def keep(self) -> None:
        """Tell for as long as this runs."""
        try:
            while True:
                await asyncio.sleep(await self._turn_or_wait())
        finally:
            await self._poster.close()

    async def _turn_or_wait(self) -> float:
        try:
            return await self.turn()
        except Exception as error:  # nobody would notice that one of several couriers has ended
            _logger.debug("telling %s failed", self._sink.name, exc_info=True)
            return await self._wait(f"{type(error).__name__}: {error}")

    async def turn(self) -> float:
        """Tell one batch; return how many seconds to rest."""
        try:
            pending = await asyncio.to_thread(self._store.pending, self._sink.name, self._sink.most)
            if not pending:
                return await self._remind()
            request = self._sink.request(pending, datetime.now(UTC))
            if request is not None:
                answer = await self._poster.post(request)
                if answer.kind == "unfit":
                    return await self._one_by_one(answer)
                if answer.kind == "away":
                    return await self._wait(answer.why, answer.wait)
            await asyncio.to_thread(self._store.told, self._sink.name, pending[-1].number)
        except AlertStoreError as error:
            return await self._wait(error.message)
        self._right_again()
        return 0.0

    async def _remind(self) -> float:
        """Say again what is open, to a receiver that forgets."""
        now = asyncio.get_running_loop().time()
        if now - self._reminded < REMIND_SECONDS:
            return IDLE_SECONDS
        self._reminded = now
        open_ones = await asyncio.to_thread(self._store.to_remind)
        for start in range(0, len(open_ones), self._sink.most):
            request: Request | None = self._sink.reminder(open_ones[start : start + self._sink.most], datetime.now(UTC))
            if request is None:
                break
            answer = await self._poster.post(request)
            if answer.kind != "taken":
                return await self._wait(answer.why, answer.wait)
            self._right_again()
        return IDLE_SECONDS

    async def _one_by_one(self, answer: Answer) -> float:
        """Tell things alone, as one of them was refused: it is given up if another is taken."""
        most = max(self._sink.most, LOOK_AHEAD)
        refused: list[Telling] = []
        taken = 0
        for telling in await asyncio.to_thread(self._store.pending, self._sink.name, most):
            request = self._sink.request([telling], datetime.now(UTC))
            if request is None:
                continue
            one = await self._poster.post(request)
            if one.kind == "away":
                return await self._wait(one.why, one.wait)
            if one.kind == "taken":
                taken = telling.number
            else:
                refused.append(telling)
        if not taken:
            return await self._wait(answer.why, answer.wait)
        for telling in refused:
            if telling.number < taken:
                alert = telling.kept.alert.id[:12]
                self._told(f"{self._sink.name} refuses to be told of alert {alert}, and was told others: {answer.why}")
        await asyncio.to_thread(self._store.told, self._sink.name, taken)
        return 0.0

    async def _wait(self, why: str, asked: float = 0.0) -> float:
        longest = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** min(self._failures, 16))
        self._failures += 1
        if why != self._problem:
            self._problem = why
            self._told(f"{self._sink.name} is not told of alerts, which wait: {why}")
            with contextlib.suppress(AlertStoreError):  # which may be the reason itself
                await asyncio.to_thread(self._store.failed, self._sink.name, why)
        return max(asked, random.uniform(longest / 2, longest))  # noqa: S311 - so that many do not come back at once

    def _right_again(self) -> None:
        if self._problem:
            self._told(f"{self._sink.name} is told of alerts again")
        self._problem, self._failures = "", 0
