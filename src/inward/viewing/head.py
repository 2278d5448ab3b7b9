"""Heads of answers that are viewed: what an enforcer asks a service not to send, can read, and does not hand on.

Values only, so that a guard and an Envoy cannot differ in them; what they do with them is theirs.
"""

from __future__ import annotations

from typing import Final

# What the service is not asked for where a class is at stake: parts, and encodings.
NOT_ASKED_FOR: Final = frozenset({"accept-encoding", "if-range", "range"})

# Headers that speak of the bytes of the whole, and are dropped with them.
OF_THE_WHOLE: Final = frozenset(
    {
        "accept-ranges",
        "content-digest",
        "content-encoding",
        "content-length",
        "content-md5",
        "digest",
        "etag",
        "repr-digest",
        "signature",
        "signature-input",
        "trailer",
        "transfer-encoding",
    }
)

CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii"})  # what a body in UTF-8 may call itself

# Media types of JSON documents of which each stands on a line of its own.
LINES: Final = frozenset(
    {
        "application/json-lines",
        "application/jsonl",
        "application/jsonlines",
        "application/ndjson",
        "application/x-json-lines",
        "application/x-jsonlines",
        "application/x-ndjson",
    }
)
