"""The line of an enforcer's log, before it is an entry of the record: what Envoy's JSON log has, field by field.

Envoy writes it (`inward.envoy.access_log` says by which of its operators), and so does a guard that has no Envoy in
front of it; the tailer reads both alike. It leaves out what a line means, which is for who reads it.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

_TELLING = re.compile(rb'"(id|m|s|t)":(?:"([0-9A-Za-z.:+-]{1,64})"|([0-9]{1,3}))[,}]')
_NAMES = {b"t": "at", b"id": "reference", b"m": "method", b"s": "status"}


class LogLine(msgspec.Struct, omit_defaults=True):
    """A line of an ingress (`i`), an egress (`e`), or a connection (`c`); what does not apply is null, or not there."""

    e: Literal["i", "e", "c"]
    t: str
    id: str | None = None
    m: str | None = None
    p: str | None = None
    s: int | None = None
    gs: int | None = None
    f: str | None = None
    d: str | None = None
    us: int | None = None
    bi: int | None = None
    bo: int | None = None
    tp: str | None = None
    peer: str | None = None
    op: str | None = None
    v: str | None = None
    en: str | None = None
    sn: str | None = None
    slow: str | None = None
    g: str | None = None
    w: str | None = None
    a: str | None = None
    ub: int | None = None
    peer_address: str | None = None  # without a port
    peer_port: int | None = None


def remains_of(line: bytes) -> str | None:
    """Return what can be told of a line that is not whole, or cannot be read; None for nothing.

    That is the time, the reference, the method and the status, as far as they are there. All else of a line may hold
    what the record must not: a part of a path, a user, a password that stands before a host.
    """
    found = {_NAMES[name]: (text or digits).decode("ascii") for name, text, digits in _TELLING.findall(line)}
    return ", ".join(f"{name} {found[name]}" for name in _NAMES.values() if name in found) or None
