"""Alerts in a running system: each detector is provoked once by real calls, and everybody is told.

What needs weeks of season (volume, data volume) is fed from a record that is there before the start; so is what is
usual for all others. Everything else happens live.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import socket
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.system import wire
from tests.system.company import COMPANY
from tests.system.guarded import eventually
from tests.unit.control.watching.receiver import Receiver

from inward.identity.private_files import private_folder
from inward.record.call import Call, timestamp
from inward.record.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.system.guarded import Guarded

KEY = b"k" * 32
SECRET = "whsec_" + base64.b64encode(KEY).decode()
DAYS = 12
STEP = timedelta(minutes=10)
ALERTS = """\
alerts:
  detectors:
    after-quarantine: {grace_seconds: 0}
    forgotten-operation: {days: 5}
    enumeration: {quarantine: true}
  quarantine: {never: [auditor]}
"""
RULE = """\
title: Somebody read keys
id: reads-keys
logsource: {product: inward, category: calls}
detection:
  keys: {path|contains: keys, method: GET}
  condition: keys
level: critical
tags: [attack.t1552]
"""


def files(*without: str) -> dict[str, str]:
    """The company without some services: each Envoy takes a while to start."""
    found = {name: text for name, text in COMPANY.items() if "payments" not in name}
    parts = re.split(r"(?m)^(?=  [a-z]+:)", found["inward.yaml"])
    kept = (part for part in parts if part.strip().partition(":")[0] not in without)
    found["inward.yaml"] = "".join(kept) + "data: {pii: {owner: team-orders}}\n" + ALERTS
    keys = found["apis/orders.yaml"].index("operationId: getOrderKeys")
    done = "responses: {'200': {description: done}}"
    marked = (
        "responses: {'200': {description: done, content: {application/json: {schema: {type: object,"
        " properties: {key: {type: string, x-inward-data: pii}}}}}}}"
    )
    api = found["apis/orders.yaml"]
    found["apis/orders.yaml"] = api[:keys] + api[keys:].replace(done, marked, 1)
    grants = found["policies/orders.cedar"].split("\n\n")
    found["policies/orders.cedar"] = "\n\n".join(part for part in grants if "checkout" not in part)
    found["alerts/reads-keys.yml"] = RULE
    return found


def history(now: datetime) -> Iterator[Call]:
    """What was usual: a reader, an auditor, and, in the last half hour, far too much of both."""
    number = 0

    def call(moment: datetime, caller: str, operation: str, **fields: Any) -> Call:
        nonlocal number
        number += 1
        known: dict[str, Any] = {
            "caller": caller,
            "callee": "orders",
            "operation": f"orders:{operation}",
            "method": "GET",
            "path": "/orders/{id}",
            "parameters": {"id": str(number % 3)},
            "policies": ("readers-read-one" if caller == "reader" else "auditors-do-all",),
            "address": "127.0.0.1",
            "status": 200,
            "bytes_out": 100,
        }
        return Call(
            time=timestamp(moment),
            id=f"old-{number}",
            decision="allow",
            carried_out="allow",
            reason="granted",
            **{**known, **fields},
        )

    moment = now - timedelta(days=DAYS)
    yield call(moment, "auditor", "getRegions", path="/regions", parameters={})
    while moment < now - timedelta(minutes=1):
        much = now - timedelta(minutes=50) < moment < now - timedelta(minutes=10)
        for _ in range(400 if much else 2):
            yield call(moment, "reader", "getOrder")
            moment += timedelta(seconds=1) if much else timedelta()
        yield call(moment, "auditor", "getOrderKeys", bytes_out=500_000 if much else 100)
        moment += STEP if not much else timedelta(seconds=20)


def write(folder: Path, calls: list[Call]) -> None:
    private_folder(folder)
    with Recorder(folder, now=lambda: datetime.now(UTC) - timedelta(days=DAYS)) as recorder:
        recorder.append(calls)


def call_from(system: Guarded, address: str, caller: str, target: str, callee: str = "orders") -> wire.Answer:
    """Call from another address of this machine."""
    identity = system.identity(caller)
    plain = socket.create_connection(system.ingress(callee), 10, source_address=(address, 0))
    with wire.Connection(wire.context(identity).wrap_socket(plain)) as connection:
        return connection.call("GET", target, host=callee)


def alerts(system: Guarded) -> list[dict[str, Any]]:
    done = system.inward("alerts", "--json", "--limit", "0")
    assert done.returncode == 0, done
    return [json.loads(line) for line in done.stdout.splitlines()]


def fired(system: Guarded, detector: str) -> dict[str, Any]:
    """Wait for an alert of a detector, as the run tells it."""

    def look() -> dict[str, Any] | None:
        told = [event for event in system.events if event["event"] == "alert"]
        return next((event for event in told if event["alert"]["detector"] == detector), None)

    event: dict[str, Any] = eventually(f"an alert of {detector}", look)
    return {**event["alert"], "at": event["at"]}


def test_each_detector_once_and_all_that_follows(guard: Callable[..., Guarded]) -> None:
    with Receiver() as receiver:
        environment = {
            "INWARD_ALERT_WEBHOOK": f"{receiver.url}/hook",
            "INWARD_ALERT_WEBHOOK_SECRET": SECRET,
            "INWARD_ALERTMANAGER": receiver.url,
        }
        system = guard(files("payments", "checkout"), environment)
        write(system.layout.record, list(history(datetime.now(UTC))))
        system.start()
        provoke(system)
        told = live(system)
        assert {alert["detector"] for alert in told.values()} == set(told)
        assert told["enumeration"]["caller"] == "reader"
        look_at_what_follows(system, receiver, told)
        again(system)


def provoke(system: Guarded) -> None:
    """Do what each detector looks for, but for what follows from the others."""
    # two-places: from where it always is, from elsewhere, and back
    for address in ("127.0.0.1", "127.77.0.1", "127.0.0.1"):
        assert call_from(system, address, "reader", "/orders/1").status == 200
    with system.connect("orders", "auditor") as connection:
        # first-seen-edge, and an operation that nobody called for days
        assert connection.call("DELETE", "/orders/7", host="orders").status == 200
        assert connection.call("GET", "/regions", host="orders").status == 200
        # a rule of the team
        assert connection.call("GET", "/admin/keys", host="orders").status == 200
    with system.connect("orders", "stranger") as connection:
        for target in ("/orders", "/orders/1", "/admin/keys", "/regions", "/nothing/here"):
            assert connection.call("GET", target, host="orders").status == 403
    with system.connect("shipping", "auditor") as connection:
        assert connection.call("GET", "/shadow/things", host="shipping").status == 200
    # lateral-movement: one reaches shipping for the first time, and soon shipping reaches out
    first = system.call("shipping", "stranger", "GET", "/shipments/7")
    assert first.status == 200
    system.recorded(first)  # logs of two Envoys are read in turn
    assert system.call("orders", "shipping", "DELETE", "/orders/7").status == 403
    # after-quarantine
    assert system.inward("quarantine", "stranger", "--yes").returncode == 0
    assert system.call("orders", "stranger", "GET", "/orders").status == 403
    with system.connect("orders", "reader") as connection:
        for number in range(150):
            if connection.call("GET", f"/orders/{1000 + number}", host="orders").status != 200:
                break  # it is cut off already


def live(system: Guarded) -> dict[str, dict[str, Any]]:
    names = (
        "two-places",
        "first-seen-edge",
        "forgotten-operation",
        "sigma:reads-keys",
        "probing",
        "undocumented-operation",
        "lateral-movement",
        "after-quarantine",
        "enumeration",
    )
    return {name: fired(system, name) for name in names}


def look_at_what_follows(system: Guarded, receiver: Receiver, told: dict[str, dict[str, Any]]) -> None:
    # what was too much before anybody watched is listed, and told nobody
    listed = {alert["detector"]: alert for alert in alerts(system)}
    for name in ("volume", "data-volume"):
        assert (listed[name]["state"], listed[name]["by"]) == ("acknowledged", "inward"), listed[name]
        assert name not in told
    # the caller that enumerates was cut off, and the record says so
    eventually("reader is cut off", lambda: system.call("orders", "reader", "GET", "/orders/1").status == 403)
    assert any("reader is in quarantine" in event["text"] for event in system.events if event["event"] == "warning")
    acts = system.inward("calls", "--acts", "--json").stdout
    assert '"what":"quarantine","about":"reader","detail":"alert ' in acts

    # the webhook was told each thing, signed
    def hooks() -> list[tuple[str, dict[str, str], Any]]:
        return [request for request in receiver.requests if request[0] == "/hook"]

    eventually(
        "the webhook is told", lambda: {alert["id"] for alert in told.values()} <= {h[2]["data"]["id"] for h in hooks()}
    )
    ids = [headers["webhook-id"] for _, headers, _ in hooks()]
    assert len(ids) == len(set(ids))
    for _, headers, body in hooks():
        content = (
            f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode()
            + json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
        )
        signature = base64.b64encode(hmac.digest(KEY, content, hashlib.sha256)).decode()
        assert headers["webhook-signature"] == f"v1,{signature}"
    assert any(path == "/api/v2/alerts" for path, _, _ in receiver.requests)
    # people look at one
    shown = system.inward("alerts", "show", told["probing"]["id"][:8])
    assert "docs/alerts/probing.md" in shown.stdout
    assert "stranger → orders" in shown.stdout
    acked = system.inward("alerts", "ack", told["probing"]["id"][:8], "--note", "a test", "--json")
    assert json.loads(acked.stdout)["acknowledged"][0]["changed"] is True
    eventually(
        "the act is recorded", lambda: '"what":"acknowledge"' in system.inward("calls", "--acts", "--json").stdout
    )


def again(system: Guarded) -> None:
    """A start after a kill goes on where it was: nothing is told again, and something new is."""
    before = {alert["id"]: alert["fired"] for alert in alerts(system)}
    system.kill()
    system.start()
    started = time.monotonic()
    assert system.call("orders", "auditor", "GET", "/orders/9:keys").status in {200, 502}
    found = fired(system, "sigma:reads-keys")
    assert found["at"] - started < 5
    assert found["operation"] == "orders:getOrderKeys"
    after = {alert["id"]: alert["fired"] for alert in alerts(system)}
    assert {name: count for name, count in after.items() if name in before} == before
    told = [event for event in system.events if event["event"] == "alert"]
    assert [event["alert"]["detector"] for event in told if event["alert"]["id"] in before] == []


def test_settings_are_taken_over_and_mistakes_are_told(guard: Callable[..., Guarded]) -> None:
    texts = {name: text for name, text in files("payments", "checkout", "shipping").items() if "/shipping" not in name}
    texts["inward.yaml"] = texts["inward.yaml"].replace(ALERTS, "")
    del texts["alerts/reads-keys.yml"]
    system = guard(texts).start()
    system.write("alerts/reads-keys.yml", "title: x\n")
    event = system.event("mistakes")
    assert event["text"].startswith("the alerts have 2 mistakes; what was watched before goes on:")
    assert {mistake["file"] for mistake in event["mistakes"]} == {"alerts/reads-keys.yml"}
    assert system.inward("alerts", "test").returncode == 3
    assert system.inward("check").returncode == 3
    system.write("alerts/reads-keys.yml", RULE)

    def provoked() -> bool:
        system.call("orders", "auditor", "GET", "/admin/keys")
        return any(each["event"] == "alert" for each in system.events)

    eventually("the rule is taken over", provoked)
    assert system.inward("alerts", "mute", "--detector", "sigma:reads-keys", "--for", "1h").returncode == 0
    assert "muted until" in system.inward("alerts", "rules").stdout


@pytest.mark.parametrize("variable", ["INWARD_ALERT_WEBHOOK", "INWARD_ALERT_SLACK"])
def test_a_sink_that_is_none_is_said_before_anything_starts(guard: Callable[..., Guarded], variable: str) -> None:
    system = guard(COMPANY, {variable: "nonsense/hidden"})
    done = system.inward("up")
    assert done.returncode == 3
    assert f"`{variable}` is no URL" in done.stderr
    assert "hidden" not in done.stderr
