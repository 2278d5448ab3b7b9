"""All detectors over one stream of entries, and what is kept of them between two processes.

A snapshot goes with a place in the record: whoever keeps both together, and feeds what follows that place, is given the
alerts of an engine that was never interrupted. The engine reads and writes nothing itself.

Rules:

1. Entries are fed in the order of the record, each once.
2. The settings and the catalog may change between two snapshots. What a detector had learned under other settings is
   dropped for that detector, and it learns anew; a changed catalog drops nothing.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import msgspec

from inward.alerting.detector import Moment
from inward.alerting.detectors.first_seen_edge import FirstSeenEdge, FirstSeenEdgeSettings
from inward.alerting.registry import REGISTRY
from inward.alerting.stream.clock import DAY, Clock, TimeReader
from inward.alerting.stream.novelty import Edges
from inward.alerting.stream.saved import SnapshotError, load, save
from inward.record.call import Act, Gap

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from inward.alerting.alert import Alert
    from inward.alerting.detector import Detector
    from inward.alerting.view import View
    from inward.record.call import Entry

_FORM = 1  # of snapshots
_EDGES = "edges"
LEARN_DAYS = 7


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """`detectors` has settings by slug (`registry.parse_settings`), None for one that is off; others have defaults.

    `learn_days` of the stream pass before anything is told of that needs to know what is usual.
    """

    detectors: Mapping[str, msgspec.Struct | None] = field(default_factory=dict)
    learn_days: int = LEARN_DAYS

    def of(self, slug: str) -> msgspec.Struct | None:
        """Return the settings of a detector, or None where it is off."""
        return self.detectors[slug] if slug in self.detectors else REGISTRY[slug].settings()


class _Part(msgspec.Struct, frozen=True):
    settings: bytes
    state: bytes


class _Snapshot(msgspec.Struct, frozen=True):
    form: Annotated[int, msgspec.Meta(ge=_FORM, le=_FORM)]
    secret: str
    clock: Clock
    parts: dict[str, _Part]


class Engine:
    """The detectors of one system."""

    def __init__(self, settings: EngineSettings, view: View, *, secret: str | None = None) -> None:
        """Begin with nothing learned. `secret` is for tests: it is chosen anew, and kept in snapshots."""
        self.settings = settings
        self.view = view
        self.clock = Clock()
        self._begin(secret or secrets.token_hex(8))

    def _begin(self, secret: str) -> None:
        self._secret = secret
        self._read_time = TimeReader().seconds
        first = self.settings.of(FirstSeenEdge.slug)
        self._first = first if isinstance(first, FirstSeenEdgeSettings) else FirstSeenEdgeSettings()
        self._edges = Edges(remember_days=self._first.remember_days, grant_days=self._first.grant_days)
        self._detectors: dict[str, tuple[msgspec.Struct, Detector]] = {}
        for slug, kind in REGISTRY.items():
            settings = self.settings.of(slug)
            if settings is not None:
                self._detectors[slug] = (settings, kind.make(settings, self.view, secret))
        self._see = [detector.see for _, detector in self._detectors.values()]

    def feed(self, entries: Iterable[Entry]) -> list[Alert]:
        """Take the next entries of the record, and return the alerts that they complete, in order."""
        found: list[Alert] = []
        clock, read_time, edges, see = self.clock, self._read_time, self._edges, self._see
        learn_seconds = self.settings.learn_days * DAY
        for entry in entries:
            if isinstance(entry, Gap):
                continue
            seconds = read_time(entry.time)
            if seconds is None:
                clock.unreadable += 1
                continue
            at, late = clock.see(seconds)
            age = at - clock.began
            moment = Moment(at, seconds, late, age < learn_seconds, age)
            if isinstance(entry, Act):
                edges.see_act(entry, at)
            elif entry.caller is not None and entry.operation is not None:
                if entry.carried_out == "allow":
                    moment.new = edges.see(entry, entry.caller, entry.operation, at)
                else:
                    moment.known = edges.knows(entry.caller, entry.operation)
            for each in see:
                alerts = each(entry, moment)
                if alerts:
                    found += alerts
        return found

    def evicted(self) -> dict[str, int]:
        """Return how many keys each detector gave up because there were too many; those that gave up some."""
        counts = {slug: detector.evicted() for slug, (_, detector) in self._detectors.items()}
        counts[_EDGES] = self._edges.evicted
        return {name: count for name, count in counts.items() if count}

    def change_view(self, view: View) -> None:
        """Go on with another catalog; nothing that was learned is lost."""
        snapshot = self.snapshot()
        self.view = view
        self.restore(snapshot)

    def snapshot(self) -> bytes:
        """Return all that is known of the stream so far, for an engine that goes on from here."""
        parts = {
            slug: _Part(save(settings), detector.state()) for slug, (settings, detector) in self._detectors.items()
        }
        parts[_EDGES] = _Part(save(self._first), self._edges.dumped())
        return save(_Snapshot(_FORM, self._secret, self.clock, parts))

    def restore(self, snapshot: bytes) -> None:
        """Go on from a snapshot; raises `SnapshotError`, and has learned nothing then."""
        kept = load(snapshot, _Snapshot)
        self._begin(kept.secret)
        self.clock = kept.clock
        try:
            for slug, (settings, detector) in self._detectors.items():
                part = kept.parts.get(slug)
                if part is not None and part.settings == save(settings):
                    detector.restore(part.state)
            part = kept.parts.get(_EDGES)
            if part is not None and part.settings == save(self._first):
                self._edges.restore(part.state)
        except SnapshotError:
            self.clock = Clock()
            self._begin(kept.secret)
            raise
