"""The webhook's signature, by the Standard Webhooks specification and its own example."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.contract.sinks.test_sinks import telling

from inward.alerting.registry import REGISTRY
from inward.alerting.sinks.sink import parse_target
from inward.alerting.sinks.webhook import Webhook, page_of

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
KEYS = [b"k" * 24, b"l" * 32]
SECRETS = " ".join("whsec_" + base64.b64encode(key).decode() for key in KEYS)


def test_each_secret_signs() -> None:
    sink = Webhook(parse_target("X", "https://host/"), SECRETS)
    request = sink.request([telling(7)], NOW)
    assert request is not None
    headers = request.headers
    assert headers["webhook-id"] == f"msg_{telling().kept.alert.id}_7"
    assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.body
    expected = ["v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode() for key in KEYS]
    assert headers["webhook-signature"].split() == expected
    later = sink.request([telling(7)], NOW + timedelta(minutes=5))
    assert later is not None
    assert later.headers["webhook-id"] == headers["webhook-id"]
    assert later.headers["webhook-signature"] != headers["webhook-signature"]


def test_what_it_says() -> None:
    request = Webhook(parse_target("X", "https://host/"), SECRETS).request([telling(what="again")], NOW)
    assert request is not None
    body = json.loads(request.body)
    assert (body["type"], body["timestamp"]) == ("alert.again", "2026-11-26T12:00:00.000Z")
    assert body["data"]["detector"] == "probing"
    assert body["data"]["state"] == "open"
    assert body["data"]["calls"] == ["call-1", "call-2"]


def test_every_detector_has_the_page_that_is_named() -> None:
    docs = Path(__file__).resolve().parents[4]
    assert [slug for slug in REGISTRY if not (docs / page_of(slug)).is_file()] == []
    page, _, heading = page_of("sigma:x").partition("#")
    text = (docs / page).read_text().lower()
    assert f"## {heading.replace('-', ' ')}" in text
