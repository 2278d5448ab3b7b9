"""A webhook: each thing that is to be told is one POST of JSON, signed as Standard Webhooks 1.0 has it.

The signature is the HMAC-SHA256 of `id.timestamp.body`; the id is that of the telling, and is the same whenever it is
sent again. Several secrets, with spaces between, are for changing one: each makes a signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING

import msgspec

from inward.alerting.sinks.sink import JSON, Request, SinkError, Target

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from inward.alerting.keeping.store import Kept, Telling

SECRET = "INWARD_ALERT_WEBHOOK_SECRET"  # noqa: S105 - the name of the variable
_PREFIX = "whsec_"
_BYTES = (24, 64)  # of a secret, by the specification


class Webhook:
    """Posts alerts to a URL."""

    name = "webhook"
    most = 1

    def __init__(self, target: Target, secrets: str) -> None:
        self.target = target
        self._keys = [_key(secret) for secret in secrets.split()]
        if not self._keys:
            raise SinkError(
                f"a webhook needs `{SECRET}`",
                hint=f'such as "{_PREFIX}$(head -c 32 /dev/urandom | base64)"; the receiver verifies by it',
            )

    def request(self, tellings: Sequence[Telling], now: datetime) -> Request | None:
        """Return the POST of one telling."""
        (telling,) = tellings
        body = msgspec.json.encode(
            {
                "type": f"alert.{telling.what}",
                "timestamp": telling.time,
                "data": as_json(telling.kept),
            }
        )
        identity = f"msg_{telling.kept.alert.id}_{telling.number}"
        moment = str(int(now.timestamp()))
        signed = f"{identity}.{moment}.".encode() + body
        signatures = (base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in self._keys)
        return Request(
            body,
            {
                **JSON,
                "webhook-id": identity,
                "webhook-timestamp": moment,
                "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
            },
        )

    def reminder(self, _open: Sequence[Kept], _now: datetime) -> Request | None:
        """Return nothing: a webhook is told once."""
        return None


def as_json(kept: Kept) -> dict[str, object]:
    """Return an alert and what became of it, as JSON values."""
    return {
        **msgspec.to_builtins(kept.alert),
        "state": kept.state,
        "fired": kept.fired,
        "since": kept.since,
        "by": kept.by,
        "note": kept.note,
        "page": page_of(kept.alert.detector),
    }


def page_of(detector: str) -> str:
    """Return the page of the documentation that says what a detector finds, and what to do."""
    return "docs/alerting.md#rules-of-your-own" if detector.startswith("sigma:") else f"docs/alerts/{detector}.md"


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_PREFIX) or not _BYTES[0] <= len(key) <= _BYTES[1]:
        raise SinkError(
            f"`{SECRET}` is no secret of a webhook",
            hint=f"write `{_PREFIX}` and {_BYTES[0]} to {_BYTES[1]} random bytes in Base64",
        )
    return key
