"""Alerts as OCSF events: each is valid by the schema of OCSF itself, whatever the alert."""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
from tests.contract.sinks.test_sinks import kept

from inward.alerting.alert import Alert
from inward.alerting.keeping.store import Kept
from inward.alerting.registry import REGISTRY
from inward.alerting.sinks.ocsf import detection_finding
from inward.alerting.sinks.techniques import Attack, attacks_of
from inward.record.export.ocsf import SCHEMA_VERSION

TIME = "2026-11-26T12:00:00.000Z"


@cache
def schema() -> jsonschema_rs.Validator:
    found = OcsfJsonSchemaEmbedded(get_ocsf_schema(SCHEMA_VERSION)).get_class_schema("detection_finding", profiles=[])
    return jsonschema_rs.validator_for(found)


def valid(alert: Kept, *attacks: Attack, created: bool = True) -> dict[str, Any]:
    event: dict[str, Any] = msgspec.json.decode(
        msgspec.json.encode(detection_finding(alert, attacks, uid="x-1", created=created))
    )
    schema().validate(event)
    return event


@pytest.mark.parametrize("slug", REGISTRY)
def test_each_detector_has_its_technique(slug: str) -> None:
    event = valid(kept(detector=slug), *attacks_of(tuple)(slug))
    technique = REGISTRY[slug].technique
    (attack,) = event["finding_info"]["attacks"]
    found = attack.get("sub_technique") or attack["technique"]
    assert (found["uid"], attack["tactic"]["uid"]) == (technique.id, technique.tactic_id)


def test_what_it_says() -> None:
    event = valid(kept(severity="critical"), created=False)
    assert (event["class_uid"], event["type_uid"], event["activity_id"]) == (2004, 200402, 2)
    assert (event["severity_id"], event["status_id"], event["count"]) == (5, 1, 9)
    assert event["finding_info"]["analytic"]["type_id"] == 2
    assert event["finding_info"]["related_events_count"] == 2
    assert event["evidences"][0]["src_endpoint"] == {"svc_name": "checkout"}
    assert [resource["name"] for resource in event["resources"]] == ["checkout", "orders"]
    assert valid(kept(detector="sigma:x"), Attack("T1078.004"))["finding_info"]["attacks"] == [
        {"technique": {"uid": "T1078"}, "sub_technique": {"uid": "T1078.004"}}
    ]


def test_the_schema_would_notice() -> None:
    event = detection_finding(kept(), (), uid="x", created=True)
    wrongs: list[dict[str, Any]] = [{"severity_id": 77}, {"nothing": 1}, {"finding_info": {}}, {"type_uid": 1}]
    for wrong in wrongs:
        with pytest.raises(jsonschema_rs.ValidationError):
            schema().validate({**event, **wrong})


TEXT = st.none() | st.text(max_size=20)
ALERTS = st.builds(
    Alert,
    id=st.text(min_size=1, max_size=40),
    time=st.just(TIME),
    began=st.just(TIME),
    caller=TEXT,
    callee=TEXT,
    operation=TEXT,
    data_class=TEXT,
    count=st.integers(0, 2**31 - 1),
    calls=st.lists(st.text(max_size=9), max_size=20).map(tuple),
)


@given(ALERTS, st.sampled_from(["open", "acknowledged"]), st.none() | st.text())
def test_any_alert_is_valid(alert: Alert, state: Any, note: str | None) -> None:
    event = valid(Kept(alert, state, 1, TIME, note, note, 1))
    assert event["finding_info"]["uid"] == alert.id
