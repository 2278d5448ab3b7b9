"""All that looks at recorded calls in one: the detectors, and the rules of the team."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from inward.alerting.engine import Engine
from inward.alerting.sigma.watch import Watch
from inward.alerting.stream.saved import SnapshotError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inward.alerting.alert import Alert
    from inward.alerting.settings import AlertSettings
    from inward.alerting.view import View
    from inward.record.call import Entry


class _Snapshot(msgspec.Struct, frozen=True):
    engine: bytes
    rules: bytes


_decoder = msgspec.msgpack.Decoder(_Snapshot)


class Watcher:
    """Detectors and rules over one stream of entries; it is fed in the order of the record."""

    def __init__(self, settings: AlertSettings, view: View) -> None:
        self.settings = settings
        self._engine = Engine(settings.engine, view)
        self._rules = Watch(settings.rules)

    def feed(self, entries: Sequence[Entry]) -> list[Alert]:
        """Take entries; return the alerts that they complete."""
        return [*self._engine.feed(entries), *self._rules.feed(entries)]

    def change_view(self, view: View) -> None:
        """Go on with another catalog."""
        self._engine.change_view(view)

    def changed(self, settings: AlertSettings, view: View) -> Watcher:
        """Return one that goes on with other settings, and with all that these leave of what was learned."""
        other = Watcher(settings, view)
        other.restore(self.snapshot())
        return other

    def snapshot(self) -> bytes:
        """Return all that is known of the stream so far."""
        return msgspec.msgpack.encode(_Snapshot(self._engine.snapshot(), self._rules.snapshot()))

    def restore(self, snapshot: bytes) -> None:
        """Go on from a snapshot; raises `SnapshotError`."""
        try:
            kept = _decoder.decode(snapshot)
            self._rules.restore(kept.rules)
        except (msgspec.MsgspecError, ValueError) as error:
            raise SnapshotError(f"what was kept of detectors is damaged: {error}") from error
        self._engine.restore(kept.engine)

    def forgotten(self) -> Mapping[str, int]:
        """Return what was given up so that memory stays bounded, by detector; those that gave up something."""
        return {**self._engine.evicted(), **{f"sigma:{name}": count for name, count in self._rules.forgotten.items()}}
