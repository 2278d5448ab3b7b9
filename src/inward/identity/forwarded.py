"""Reads `x-forwarded-client-cert`: by which a verifying proxy tells who called.

It leaves out whether the proxy may be believed: only what comes from an Envoy of ours, over a socket that nobody else
can reach, says anything.
"""

from __future__ import annotations

import re
from functools import lru_cache

CALLER_HEADER = "x-forwarded-client-cert"
_SPIFFE_ID = re.compile(r"spiffe://[A-Za-z0-9._/-]+")


@lru_cache(maxsize=1024)  # one for each connection of an Envoy, many calls long
def peer_of(forwarded_client_cert: str) -> str | None:
    """Return the one SPIFFE ID that the ingress verified, or None where it is not exactly one.

    The value is `By=…;Hash=…;URI=…`. Quotes and commas (a second certificate) are in nothing that an authority of ours
    issued a certificate for, and could hide the end of a field.
    """
    if '"' in forwarded_client_cert or "," in forwarded_client_cert:
        return None
    fields = [field.partition("=") for field in forwarded_client_cert.split(";")]
    uris = [value for name, _, value in fields if name.strip().lower() == "uri"]
    return uris[0] if len(uris) == 1 and _SPIFFE_ID.fullmatch(uris[0]) else None
