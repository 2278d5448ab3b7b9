"""Which sinks a run has: those whose variable is set. All of it comes from the environment, as it is secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inward.alerting.sinks.alertmanager import PATH, Alertmanager
from inward.alerting.sinks.sink import Sink, parse_target
from inward.alerting.sinks.slack import Slack
from inward.alerting.sinks.webhook import SECRET, Webhook

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from inward.alerting.sinks.techniques import Attack

WEBHOOK, SLACK = "INWARD_ALERT_WEBHOOK", "INWARD_ALERT_SLACK"
ALERTMANAGER, OCSF_URL = "INWARD_ALERTMANAGER", "INWARD_ALERT_OCSF"


def sinks_of(environment: Mapping[str, str], attacks: Callable[[str], Sequence[Attack]]) -> list[Sink]:
    """Return the sinks that are set up. Raises `SinkError`."""
    found: list[Sink] = []
    if url := environment.get(WEBHOOK):
        found.append(Webhook(parse_target(WEBHOOK, url), environment.get(SECRET, "")))
    if url := environment.get(SLACK):
        found.append(Slack(parse_target(SLACK, url)))
    if url := environment.get(ALERTMANAGER):
        found.append(Alertmanager(parse_target(ALERTMANAGER, url, path=PATH)))
    if url := environment.get(OCSF_URL):
        # here, and not above: most runs need none of it
        from inward.alerting.sinks.ocsf import OCSF  # noqa: PLC0415 - see above

        found.append(OCSF(parse_target(OCSF_URL, url), attacks))
    return found
