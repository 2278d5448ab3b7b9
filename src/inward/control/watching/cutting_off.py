"""Cutting a caller off because of an alert: off unless a system asks for it, and bounded when it does.

An attacker who can make alerts about others must not be able to stop a company. Rules:

1. Only the caller of an alert, which is a verified identity, and only a service of the catalog.
2. Only for detectors that say `quarantine: true`, at a severity at least, and never a service that is listed.
3. No more than a number an hour, counted durably; what is more is told, and left to people.
4. When an alert is new or there again, not while it goes on: what people release stays released until it happens anew.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from inward.control.quarantine import Quarantined, change_quarantine, load_quarantine
from inward.record.call import timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from inward.alerting.keeping.store import AlertStore, Telling
    from inward.alerting.settings import QuarantineSettings
    from inward.catalog.model import Catalog
    from inward.control.layout import Layout

NAME = "quarantine"  # of the sink that it is
MOST = 100
MAX_REASON = 500


class CuttingOff:
    """Takes tellings in order, like a sink. `note` notes an act, `told` tells people of a service; neither raises."""

    def __init__(
        self,
        layout: Layout,
        store: AlertStore,
        catalog: Callable[[], Catalog],
        note: Callable[[str, str, str], None],
        told: Callable[[str, str], None],
    ) -> None:
        self._layout = layout
        self._store = store
        self._catalog = catalog
        self._note = note
        self._told = told

    def turn(self, settings: QuarantineSettings) -> None:
        """Take what there is. Raises `InwardError`; what was not done is then done the next time."""
        while pending := self._store.pending(NAME, MOST):
            for telling in pending:
                self._take(telling, settings)
                self._store.told(NAME, telling.number)

    def _take(self, telling: Telling, settings: QuarantineSettings) -> None:
        alert, catalog = telling.kept.alert, self._catalog()
        service = alert.caller
        wanted = telling.what in {"new", "again"} and telling.kept.state == "open"
        if not wanted or service is None or not settings.wants(alert.detector, alert.severity):
            return
        if service not in catalog.services or service in load_quarantine(self._layout):
            return
        why = f"alert {alert.id[:12]}: {alert.why}"
        if service in settings.never:
            self._told(service, f"{service} is never put into quarantine by an alert; {why}")
            return
        if not self._store.may_cut_off(service, datetime.now(UTC), settings.an_hour):
            self._told(service, f"{service} is not put into quarantine: {settings.an_hour} were within the hour; {why}")
            return
        reason = why[:MAX_REASON]
        change_quarantine(self._layout, catalog, Quarantined(service, timestamp(datetime.now(UTC)), reason), None)
        self._note(NAME, service, reason)
        self._told(service, f"{service} is in quarantine; {why} (to release it: inward quarantine {service} --release)")
