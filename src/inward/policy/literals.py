"""What the literals of Cedar's extension types mean: worked out here, and confirmed by Cedar itself.

A literal that Cedar reads differently, or that is not of a known form, is an `UnreadableLiteralError`, whose message is
the literal: nothing is ever concluded from what we believe it to mean.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import cedarpy
from cedarpy import pst

from inward.errors import InwardError

MOST_CHARACTERS = 100  # of a literal; Cedar itself takes any number of leading zeros
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATETIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.(\d{3}))?(?:Z|([+-])(\d\d)(\d\d)))?", re.ASCII
)
_CYCLE = 400  # years, after which the calendar repeats itself
_CYCLE_LENGTH = timedelta(days=146_097)
_DURATION = re.compile(r"(-?)(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII)
_UNITS = (86_400_000, 3_600_000, 60_000, 1000, 1)  # of a duration, in milliseconds
_DECIMAL = re.compile(r"(-?)(\d+)\.(\d{1,4})", re.ASCII)
_NO_ENTITIES = cedarpy.Entities.from_json_str("[]")
_ANYBODY = {"type": "Service", "id": "a"}
_REQUEST = {"principal": _ANYBODY, "action": {"type": "Action", "id": "a"}, "resource": _ANYBODY}


class UnreadableLiteralError(InwardError):
    """A literal has no meaning that Cedar confirms."""

    code = "unreadable_literal"


@lru_cache(maxsize=4096)
def datetime_ms(text: str) -> int:
    """Return the literal `datetime(text)` as milliseconds since 1970."""
    found = _parts(_DATETIME, "datetime", text)
    year, month, day, hour, minute, second, milli = (int(part or 0) for part in found.groups()[:7])
    try:
        moment = datetime(year or _CYCLE, month, day, hour, minute, second, milli * 1000, tzinfo=UTC)
    except ValueError as error:
        raise _unreadable("datetime", text) from error
    since = moment - _EPOCH
    if year == 0:  # Python's calendar begins a year later than Cedar's
        since -= _CYCLE_LENGTH
    if found[8]:
        east = timedelta(hours=int(found[9]), minutes=int(found[10]))
        since -= east if found[8] == "+" else -east
    value = since // timedelta(milliseconds=1)
    moved = pst.BinaryOp("offset", _literal("datetime", "1970-01-01"), _literal("duration", f"{value}ms"))
    return _confirmed(value, "datetime", text, moved)


@lru_cache(maxsize=4096)
def duration_ms(text: str) -> int:
    """Return the literal `duration(text)` in milliseconds."""
    sign, *parts = _parts(_DURATION, "duration", text).groups()
    size = sum(int(part or 0) * unit for part, unit in zip(parts, _UNITS, strict=True))
    value = -size if sign else size
    return _confirmed(value, "duration", text, _literal("duration", f"{value}ms"))


@lru_cache(maxsize=4096)
def decimal_units(text: str) -> int:
    """Return the literal `decimal(text)` in ten-thousandths."""
    sign, whole, fraction = _parts(_DECIMAL, "decimal", text).groups()
    size = int(whole) * 10_000 + int(fraction.ljust(4, "0"))
    written = f"{sign}{size // 10_000}.{size % 10_000:04d}"
    return _confirmed(-size if sign else size, "decimal", text, _literal("decimal", written))


@lru_cache(maxsize=4096)
def ip_text(text: str) -> str:
    """Return `text` where `ip(text)` is a literal that Cedar can read."""
    if len(text) > MOST_CHARACTERS or not same_ip(text, text):
        raise _unreadable("ip", text)
    return text


@lru_cache(maxsize=4096)
def same_ip(left: str, right: str) -> bool:
    """Return whether two literals `ip(…)` are equal."""
    return _asked(pst.BinaryOp("eq", _literal("ip", left), _literal("ip", right)), _unreadable("ip", left))


@lru_cache(maxsize=4096)
def ip_in_range(text: str, of: str) -> bool:
    """Return whether the address or range `ip(text)` lies in the range `ip(of)`."""
    return _asked(pst.BinaryOp("is_in_range", _literal("ip", text), _literal("ip", of)), _unreadable("ip", text))


@lru_cache(maxsize=4096)
def ip_is(op: pst.UnaryOpName, text: str) -> bool:
    """Return what `isIpv4`, `isLoopback` and the like say of the literal `ip(text)`."""
    return _asked(pst.UnaryOp(op, _literal("ip", text)), _unreadable("ip", text))


def _parts(form: re.Pattern[str], function: str, text: str) -> re.Match[str]:
    found = form.fullmatch(text) if len(text) <= MOST_CHARACTERS else None
    if found is None:
        raise _unreadable(function, text)
    return found


def _unreadable(function: str, text: str) -> UnreadableLiteralError:
    shown = text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + "…"
    return UnreadableLiteralError(f'`{function}("{shown}")`')


def _literal(function: pst.UnaryOpName, text: str) -> pst.UnaryOp:
    return pst.UnaryOp(function, pst.StringLit(text))


def _confirmed(value: int, function: pst.UnaryOpName, text: str, read: pst.Expr) -> int:
    # INVARIANT: a literal means what Cedar says; what is read here only finds out how to ask.
    unreadable = _unreadable(function, text)
    if not _asked(pst.BinaryOp("eq", _literal(function, text), read), unreadable):
        raise unreadable
    return value


def _asked(expr: pst.Expr, unreadable: UnreadableLiteralError) -> bool:
    """Return the value of a Boolean expression of literals, by cedarpy; raise `unreadable` where it has none."""
    always, clause = pst.ScopeAny(), (pst.When(expr),)
    policy = pst.Template("p", "permit", always, always, always, clause, pst.FrozenMap())
    try:
        policies = cedarpy.PolicySet.from_pst(pst.PolicySet({}, {"p": policy}, ()))
    except ValueError as error:
        raise unreadable from error
    answer = cedarpy.is_authorized({**_REQUEST, "context": json.dumps({})}, policies, _NO_ENTITIES)
    if answer.diagnostics.errors or answer.decision is cedarpy.Decision.NoDecision:
        raise unreadable
    return answer.decision is cedarpy.Decision.Allow
