"""How a run does, read when somebody asks: what each Envoy enforces, what is signed, what is not recorded yet.

Rules: what cannot be read is left out, never made up; a number that is missing is as much of a sign as a wrong one. And
what the Envoys enforce is asked of them, not remembered.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inward import __version__
from inward.control.quarantine import load_quarantine
from inward.control.readback import read_envoys
from inward.errors import InwardError
from inward.record.metrics import defined
from inward.record.metrics.defined import Reading, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from inward.control.bundle import Policy
    from inward.control.exporting.state import ExportState
    from inward.control.layout import Layout
    from inward.control.readback import EnvoyState
    from inward.control.recording.signing import Signing
    from inward.record.metrics.defined import Metric


@dataclass(frozen=True)
class Run:
    """What of a run is asked. `services` are those that it runs; `alive` is for the event loop's thread only."""

    layout: Layout
    policy: Callable[[], Policy]
    services: Callable[[], Iterable[str]]
    alive: Callable[[str], bool]  # whether the process of a service runs
    unrecorded: Callable[[], Mapping[str, int]]  # bytes in the logs, by service
    authority_expires: Callable[[], datetime | None]
    signing: Signing
    rollup_behind: Callable[[], int | None]  # bytes; None: its database cannot be used
    exports: Callable[[], Mapping[str, ExportState]]  # by destination


async def ask_services(run: Run) -> list[tuple[EnvoyState, bool]]:
    """Ask every Envoy of a run what it enforces; and tell of each service whether its process and its Envoy run."""
    envoys = await read_envoys(run.layout, list(run.services()))
    return [(each, each.live and run.alive(each.service)) for each in envoys]


def read_run(run: Run, states: Sequence[tuple[EnvoyState, bool]]) -> list[Reading]:
    """Return how a run does, by those metrics of `defined.OF_INWARD` that are not counted. It reads files."""
    live = [each for each, _ in states if each.live]
    policy = run.policy()
    expires, behind = run.authority_expires(), run.rollup_behind()
    return [
        Reading(defined.BUILD, [Sample((__version__,), 1)]),
        Reading(defined.UNRECORDED, [Sample((name,), size) for name, size in run.unrecorded().items()]),
        _one(defined.FREE, _free_bytes(run.layout)),
        _one(defined.CHECKPOINT_SIZE, run.signing.checkpoint_size),
        _one(defined.CHECKPOINT_TIME, _seconds(run.signing.checkpoint_at)),
        _one(defined.SIGNED_TIME, _seconds(run.signing.signed_until)),
        Reading(defined.POLICY, [Sample((policy.version,), 1)]),
        Reading(
            defined.ENFORCED,
            [Sample((each.service, each.policy_version), 1) for each in live if each.policy_version is not None],
        ),
        # One that does not answer enforces what it has, or nothing: not that it is current.
        Reading(
            defined.UP_TO_DATE, [Sample((each.service,), int(each.live and not each.outdated)) for each, _ in states]
        ),
        Reading(defined.SERVICE_UP, [Sample((each.service,), int(up)) for each, up in states]),
        Reading(
            defined.SVID_EXPIRY,
            [Sample((each.service,), each.svid_expires.timestamp()) for each in live if each.svid_expires is not None],
        ),
        _one(defined.CA_EXPIRY, None if expires is None else expires.timestamp()),
        Reading(defined.QUARANTINED, _quarantined(run.layout, policy)),
        _one(defined.ROLLUP_UP, int(behind is not None)),
        _one(defined.ROLLUP_BEHIND, behind),
        *_exports(run.exports()),
    ]


def _exports(states: Mapping[str, ExportState]) -> list[Reading]:
    return [
        Reading(metric, [Sample((name,), value(state)) for name, state in states.items()])
        for metric, value in (
            (defined.EXPORTED, lambda state: state.sent),
            (defined.SKIPPED, lambda state: state.skipped),
            (defined.REFUSED, lambda state: state.refused),
            (defined.WAITING, lambda state: state.waiting),
            (defined.EXPORT_UP, lambda state: int(state.trouble is None)),
        )
    ]


def _one(metric: Metric, value: float | None) -> Reading:
    return Reading(metric, [] if value is None else [Sample((), value)])


def _seconds(moment: datetime | None) -> float:
    return 0.0 if moment is None else moment.timestamp()


def _free_bytes(layout: Layout) -> int | None:
    try:
        disk = os.statvfs(layout.record)
    except OSError:
        return None
    return disk.f_bavail * disk.f_frsize


def _quarantined(layout: Layout, policy: Policy) -> list[Sample]:
    try:
        entries = load_quarantine(layout)
    except InwardError:
        return []
    names = sorted({*policy.catalog.services, *entries})
    return [Sample((name,), int(name in entries)) for name in names]
