"""Request targets that mean one thing to whoever reads them, and the headers that no caller may send. No I/O.

An Envoy in front resolves `//`, `/./` and `/../`, and refuses what it cannot resolve for sure. Here nothing stands
between the caller and the application, which decodes a path before it chooses a route, while the policy is asked about
the path as it was sent. So a target is refused unless both are the same: what Envoy resolves is refused here.
"""

from __future__ import annotations

import re

from inward.catalog.template import SEGMENT
from inward.identity.forwarded import IDENTITY_HEADERS

MAX_HEAD_BYTES = 64 * 1024  # of a request line with all headers
_PATH = re.compile(rf"/(?:{SEGMENT}(?:/{SEGMENT})*/?)?", re.ASCII)
_QUERY = re.compile(r"[!-~]*", re.ASCII)
_DOTS = re.compile(r"/\.{1,2}(?=/|$)")
# What needs no encoding (RFC 3986 section 2.3) has none: `/%61dmin` is another path to a policy than to a framework.
_NEEDLESS = re.compile(r"%(?:2[Dd]|3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa]|5[Ff]|7[Ee])")
_DROPPED = frozenset(name.encode("ascii") for name in IDENTITY_HEADERS)
_DROPPED_PREFIXES = (b"x-inward-", b"x-envoy-")


def is_plain(path: str, query: str) -> bool:
    """Whether a request line's path (with its leading slash) and query (without `?`) can be read in one way only."""
    return (
        _PATH.fullmatch(path) is not None
        and _DOTS.search(path) is None
        and _NEEDLESS.search(path) is None
        and _QUERY.fullmatch(query) is not None
        and "#" not in query
    )


def is_dropped(name: bytes) -> bool:
    """Whether a header, whose name is in lower case, is kept from the application.

    Names with an underscore are: a WSGI or CGI program reads `x_forwarded_user` and `x-forwarded-user` as one.
    """
    return name in _DROPPED or b"_" in name or name.startswith(_DROPPED_PREFIXES)


def has_one_host(headers: list[tuple[bytes, bytes]], http_version: str) -> bool:
    """Whether a request names its host as it must (RFC 9112 section 3.2): once; in HTTP/1.0 it need not."""
    count = sum(name == b"host" for name, _ in headers)
    return count == 1 or (count == 0 and http_version == "1.0")
