"""Slack, and what takes its incoming webhooks (Mattermost, Rocket.Chat, Discord behind `/slack`): a message of text.

Names and sentences hold what callers chose. Rules: `&`, `<` and `>` are escaped (Slack's "Escaping text"), so nothing
is a link or `<!channel>`; a mention needs `@` and a name, so a space that nobody sees stands between; markup is off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from inward.alerting.sinks.sink import JSON, Request, Target
from inward.alerting.sinks.webhook import page_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from inward.alerting.keeping.store import Kept, Telling

MOST_CHARACTERS = 1000  # of one sentence
_WORDS = {"new": "", "again": "again: ", "still": "still: "}
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "@\u200b"})


class Slack:
    """Posts messages to an incoming webhook."""

    name = "slack"
    most = 20

    def __init__(self, target: Target) -> None:
        self.target = target

    def request(self, tellings: Sequence[Telling], _now: datetime) -> Request | None:
        """Return one message of all tellings; what was acknowledged is left out, as people did that."""
        lines = [_line(telling) for telling in tellings if telling.what in _WORDS]
        if not lines:
            return None
        text = {"text": "\n".join(lines), "mrkdwn": False, "unfurl_links": False, "unfurl_media": False}
        return Request(msgspec.json.encode(text), JSON)

    def reminder(self, _open: Sequence[Kept], _now: datetime) -> Request | None:
        """Return nothing: a message is there to stay."""
        return None


def _line(telling: Telling) -> str:
    alert = telling.kept.alert
    what = f"{_WORDS[telling.what]}{alert.why}"
    where = f"{alert.time} {alert.detector}, inward alerts show {alert.id[:12]}, {page_of(alert.detector)}"
    return f"[{alert.severity}] {_harmless(what)} ({_harmless(where)})"


def _harmless(text: str) -> str:
    text = text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + "…"
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text).translate(_ESCAPES)
