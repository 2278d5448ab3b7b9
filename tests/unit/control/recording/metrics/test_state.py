"""How a run does, as metrics: what cannot be read is left out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from inward.control.exporting.state import ExportState
from inward.control.layout import Layout
from inward.control.readback import EnvoyState
from inward.control.recording.metrics.state import Run, read_run
from inward.envoy.folder import VERSION_STATS
from inward.identity.private_files import private_folder
from inward.record.metrics import defined

if TYPE_CHECKING:
    from pathlib import Path

    from inward.record.metrics.defined import Metric

MOMENT = datetime(2026, 11, 26, 12, tzinfo=UTC)
SECONDS = MOMENT.timestamp()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "inward.yaml").write_text("trust_domain: shop.internal\n")
    layout = Layout.of(tmp_path)
    private_folder(layout.record)
    policy: Any = SimpleNamespace(version="abc", catalog=SimpleNamespace(services={"orders": 0, "till": 0}))
    signing: Any = SimpleNamespace(checkpoint_size=None, checkpoint_at=None, signed_until=None)
    return Run(
        layout, lambda: policy, list, lambda _: True, lambda: {"orders": 12}, lambda: None, signing, lambda: 7, dict
    )


def values(run: Run, metric: Metric, *states: tuple[EnvoyState, bool]) -> dict[tuple[str, ...], Any]:
    [reading] = [each for each in read_run(run, states) if each.metric is metric]
    return {sample.labels: sample.value for sample in reading.samples}


def test_what_the_envoys_enforce_is_what_they_say(run: Run) -> None:
    routes = VERSION_STATS["routes.json"]
    states = (
        (EnvoyState("orders", live=True, versions={routes: "abc.1"}, svid_expires=MOMENT), True),
        (EnvoyState("till", live=True, outdated=frozenset({"egress.json"})), False),
        (EnvoyState("gone", live=False), False),
    )
    assert values(run, defined.ENFORCED, *states) == {("orders", "abc"): 1}
    assert values(run, defined.UP_TO_DATE, *states) == {("orders",): 1, ("till",): 0, ("gone",): 0}
    assert values(run, defined.SERVICE_UP, *states) == {("orders",): 1, ("till",): 0, ("gone",): 0}
    assert values(run, defined.SVID_EXPIRY, *states) == {("orders",): SECONDS}


def test_what_is_not_signed_is_since_1970(run: Run) -> None:
    assert values(run, defined.SIGNED_TIME) == values(run, defined.CHECKPOINT_TIME) == {(): 0}
    assert values(run, defined.CHECKPOINT_SIZE) == {}
    signing: Any = SimpleNamespace(checkpoint_size=7, checkpoint_at=MOMENT, signed_until=MOMENT)
    signed = replace(run, signing=signing)
    assert values(signed, defined.SIGNED_TIME) == values(signed, defined.CHECKPOINT_TIME) == {(): SECONDS}
    assert values(signed, defined.CHECKPOINT_SIZE) == {(): 7}


def test_the_rest_of_a_run_is_read(run: Run) -> None:
    assert values(run, defined.UNRECORDED) == {("orders",): 12}
    assert values(run, defined.POLICY) == {("abc",): 1}
    assert values(run, defined.FREE)[()] > 0
    assert values(run, defined.CA_EXPIRY) == {}
    assert values(replace(run, authority_expires=lambda: MOMENT), defined.CA_EXPIRY) == {(): SECONDS}
    assert list(values(run, defined.BUILD).values()) == [1]


def test_what_follows_the_record_says_how_far_it_is(run: Run) -> None:
    assert (values(run, defined.ROLLUP_UP), values(run, defined.ROLLUP_BEHIND)) == ({(): 1}, {(): 7})
    away = replace(run, rollup_behind=lambda: None)
    assert (values(away, defined.ROLLUP_UP), values(away, defined.ROLLUP_BEHIND)) == ({(): 0}, {})
    states = {"ocsf": ExportState(sent=5, skipped=2, refused=1, waiting=99, trouble="away"), "otlp-logs": ExportState()}
    sending = replace(run, exports=lambda: states)
    assert values(run, defined.EXPORTED) == {}
    assert values(sending, defined.EXPORTED) == {("ocsf",): 5, ("otlp-logs",): 0}
    assert values(sending, defined.SKIPPED) == {("ocsf",): 2, ("otlp-logs",): 0}
    assert values(sending, defined.REFUSED) == {("ocsf",): 1, ("otlp-logs",): 0}
    assert values(sending, defined.WAITING) == {("ocsf",): 99, ("otlp-logs",): 0}
    assert values(sending, defined.EXPORT_UP) == {("ocsf",): 0, ("otlp-logs",): 1}


def test_quarantine_is_told_of_each_service_and_of_those_that_are_no_more(run: Run) -> None:
    assert values(run, defined.QUARANTINED) == {("orders",): 0, ("till",): 0}
    run.layout.quarantine.write_text('{"old": {"service": "old", "since": "", "reason": ""}}')
    run.layout.quarantine.chmod(0o600)
    assert values(run, defined.QUARANTINED) == {("old",): 1, ("orders",): 0, ("till",): 0}


def test_what_cannot_be_read_is_left_out(run: Run) -> None:
    run.layout.quarantine.write_text("{")
    run.layout.quarantine.chmod(0o600)
    run.layout.record.rmdir()
    assert values(run, defined.QUARANTINED) == {}
    assert values(run, defined.FREE) == {}
