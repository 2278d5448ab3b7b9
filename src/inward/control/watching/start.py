"""Beginning to watch, where what it needs is installed and nobody switched it off."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inward.alerting.sinks.configured import sinks_of
from inward.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inward.catalog.model import Catalog
    from inward.control.layout import Layout
    from inward.control.run.events import Told
    from inward.control.watching.keeper import Watching
    from inward.record.follow import Durable

SECRETS = (
    "INWARD_ALERT_WEBHOOK",
    "INWARD_ALERT_WEBHOOK_SECRET",
    "INWARD_ALERT_SLACK",
    "INWARD_ALERT_OCSF",
    "INWARD_ALERTMANAGER",
)  # what no service is given


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """Whether a run watches its record, and who is told: `sinks` has the variables that are set. They are secret."""

    on: bool = True
    sinks: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], *, on: bool) -> WatchSettings:
        """Read the variables of sinks; raise `BadInputError` for one that cannot be used."""
        sinks = {name: value for name in SECRETS if (value := environment.get(name))}
        if sinks_of(sinks, lambda _detector: ()) and importlib.util.find_spec("httpx") is None:
            raise BadInputError("alerts cannot be sent: httpx is not installed", hint="`pip install 'inward[export]'`")
        return cls(on, sinks)


def make_watching(
    layout: Layout,
    durable: Durable,
    catalog: Callable[[], Catalog],
    settings: WatchSettings,
    told: Told,
    note: Callable[[str, str, str], None],
) -> Watching | None:
    """Return what watches a system; None where nothing is to."""
    if not settings.on:
        return None
    # here, and not above: the settings of a run are read where no detector is needed
    from inward.control.watching.keeper import Watching  # noqa: PLC0415 - see above

    return Watching(layout, durable, catalog, settings.sinks, told, note)
