"""Paths that no operation explains, without what differs from call to call: `/orders/7/lines` is `/orders/{}/lines`."""

from __future__ import annotations

import re
from functools import lru_cache

_VARIABLE = re.compile(r"[^/]*[0-9][^/]*|[^/]{40,}")
_MOST_CHARACTERS = 200


@lru_cache(maxsize=4096)  # bounded texts: what callers send is cut first
def _shape(path: str) -> str:
    return _VARIABLE.sub("{}", path)


def shape(path: str) -> str:
    """Return `path` with `{}` for segments that have a digit or are very long; cut after 200 characters."""
    return _shape(path[:_MOST_CHARACTERS])
