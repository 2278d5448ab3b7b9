"""Reads `x-forwarded-client-cert`, by which a verifying proxy tells who called; and what callers could claim to be by.

It leaves out whether the proxy may be believed: only what comes from an Envoy of ours, over a socket that nobody else
can reach, says anything.
"""

from __future__ import annotations

import re
from functools import lru_cache

CALLER_HEADER = "x-forwarded-client-cert"
# What an application may take for "who is calling", when it stands behind a proxy that it trusts. The enforcer is that
# proxy, so a caller's own copy is dropped before anything looks at the request.
IDENTITY_HEADERS = (
    "forwarded",
    "proxy-authorization",
    "remote-user",
    "tailscale-user-login",
    "true-client-ip",
    "x-amzn-oidc-data",
    "x-amzn-oidc-identity",
    "x-auth-request-email",
    "x-auth-request-groups",
    "x-auth-request-user",
    "x-authenticated-user",
    "x-client-cert",
    "x-client-dn",
    "x-client-verify",
    "x-consumer-id",
    "x-consumer-username",
    "x-forwarded-access-token",
    "x-forwarded-client-cert",
    "x-forwarded-email",
    "x-forwarded-for",
    "x-forwarded-groups",
    "x-forwarded-host",
    "x-forwarded-preferred-username",
    "x-forwarded-proto",
    "x-forwarded-user",
    "x-goog-authenticated-user-email",
    "x-goog-authenticated-user-id",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-real-ip",
    "x-remote-user",
    "x-request-id",
    "x-rewrite-url",
    "x-ssl-cert",
    "x-ssl-client-cert",
    "x-ssl-client-s-dn",
    "x-ssl-client-verify",
    "x-user",
    "x-user-id",
    "x-webauth-user",
)
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
