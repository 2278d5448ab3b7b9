"""A chain of new edges: `a` reached `b` for the first time, and soon after `b` tried what it never did.

Also one caller that reaches several callees for the first time within the same window. A refused call to an operation
that the caller never called counts as a link too: an intruder who holds `b` does not know what `b` may do. Two links of
one trace need no nearness in time but that of the window; a trace that is missing or forged takes nothing away.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Annotated

import msgspec

from inward.alerting.detector import Moment, Seen, alert, shown, span_text
from inward.alerting.stream.bounded import Table
from inward.alerting.stream.saved import load, save
from inward.record.call import Call

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inward.alerting.alert import Alert, Severity

MOST_LINKS = 1000
MOST_KNOWN = 50_000
_MOST_HOPS = 20
_NOT_TRIED = frozenset({"quarantined", "slow_path_down", "unreachable", "bad_credential", "bad_identity"})


class LateralMovementSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`window_minutes`: how soon a link must follow. `links`: of a chain. `callees`: new ones of one caller."""

    window_minutes: Annotated[int, msgspec.Meta(ge=1, le=1440)] = 60
    links: Annotated[int, msgspec.Meta(ge=2, le=20)] = 2
    callees: Annotated[int, msgspec.Meta(ge=2, le=1000)] = 3


class _Link(msgspec.Struct, frozen=True):
    at: float
    time: str
    caller: str
    callee: str
    operation: str
    call: str
    trace: str | None
    refused: bool


class LateralMovement:
    """Keeps the new edges of the last window, and which refused ones were tried before."""

    slug = "lateral-movement"

    def __init__(self, settings: LateralMovementSettings) -> None:
        self.settings = settings
        self._links: deque[_Link] = deque(maxlen=MOST_LINKS)
        self._tried: Table[tuple[str, str], float] = Table(MOST_KNOWN)
        self._told: Table[tuple[str, str, int], int] = Table(MOST_LINKS)

    def see(self, entry: Seen, moment: Moment) -> Iterable[Alert]:
        """Take one entry."""
        if not isinstance(entry, Call) or entry.caller is None or entry.callee is None:
            return ()
        refused = entry.carried_out == "deny"
        if refused:
            if moment.known or entry.reason in _NOT_TRIED or entry.enforcer == "egress":
                return ()
            key = (entry.caller, entry.operation or entry.callee)
            if self._tried.get(key) is not None:
                return ()
            self._tried.put(key, moment.at)
        elif moment.new is None or moment.new.granted == "new":
            return ()
        if moment.learning:
            return ()
        link = _Link(
            moment.at, entry.time, entry.caller, entry.callee, entry.operation or entry.callee, entry.id, entry.trace,
            refused,
        )  # fmt: skip
        oldest = moment.at - self.settings.window_minutes * 60
        while self._links and self._links[0].at < oldest:
            self._links.popleft()
        self._links.append(link)
        return self._judge(link, moment)

    def _judge(self, last: _Link, moment: Moment) -> Iterable[Alert]:
        chain = self._chain(last)
        if len(chain) >= self.settings.links:
            names = " → ".join([chain[0].caller, *(each.callee for each in chain)][: _MOST_HOPS + 1])
            traced = last.trace is not None and any(each.trace == last.trace for each in chain[:-1])
            how = "in one trace" if traced else f"within {span_text(max(last.at - chain[0].at, 1))}"
            refused = sum(each.refused for each in chain)
            end = f"; {refused} of them refused" if refused else ""
            why = f"{len(chain)} edges that were never there before follow one another {how}: {shown(names)}{end}"
            severe = len(chain) > 2 or traced  # noqa: PLR2004 - two is the least of a chain
            return self._tell("chain", chain[0].caller, chain, "critical" if severe else "high", why, moment)
        fan = {each.callee: each for each in self._links if each.caller == last.caller and not each.refused}
        if len(fan) >= self.settings.callees and not last.refused:
            why = (
                f"{shown(last.caller)} reached {len(fan)} services within"
                f" {span_text(self.settings.window_minutes * 60)} by operations that it never called before"
            )
            return self._tell("fan", last.caller, list(fan.values()), "high", why, moment)
        return ()

    def _chain(self, last: _Link) -> list[_Link]:
        """Return the longest way back from `last` over links that are older, the oldest first."""
        chain, visited = [last], {last.callee, last.caller}
        links = list(self._links)[:-1]
        while len(chain) < _MOST_HOPS:
            first = chain[0]
            # Only what was let through leads on: nobody stands behind a door that stayed shut.
            before = [
                each
                for each in links
                if each.callee == first.caller and each.at <= first.at and not each.refused
                and each.caller not in visited
            ]  # fmt: skip
            if not before:
                break
            traced = [each for each in before if each.trace is not None and each.trace == first.trace]
            chain.insert(0, (traced or before)[-1])
            visited.add(chain[0].caller)
        return chain

    def _tell(
        self, shape: str, origin: str, links: list[_Link], severity: Severity, why: str, moment: Moment
    ) -> Iterable[Alert]:
        """Tell of a chain, or of a fan: whoever spreads out first must not hide by that how it goes on."""
        told = self._told.get((shape, origin, moment.day)) or 0
        if len(links) <= told:
            return ()
        self._told.put((shape, origin, moment.day), len(links))
        last = links[-1]
        return (
            alert(
                self.slug,
                (shape, origin, str(moment.day)),
                severity,
                why,
                time=last.time,
                began=links[0].time,
                caller=origin,
                callee=last.callee,
                operation=last.operation,
                count=len(links),
                calls=tuple(each.call for each in links),
            ),
        )

    def evicted(self) -> int:
        """Return how many keys were given up because there were too many."""
        return self._tried.evicted + self._told.evicted

    def state(self) -> bytes:
        """Return all that it knows of the stream."""
        return save((list(self._links), self._tried.dump(), self._told.dump()))

    def restore(self, state: bytes) -> None:
        """Go on from a state; raises `SnapshotError`."""
        tried = list[tuple[tuple[str, str], float]]
        told = list[tuple[tuple[str, str, int], int]]
        links, kept_tried, kept_told = load(state, tuple[list[_Link], tuple[tried, tried, int], tuple[told, told, int]])
        self._links = deque(links, maxlen=MOST_LINKS)
        self._tried.load(kept_tried)
        self._told.load(kept_told)
