r"""One line of an access log: method, path and status; all else of it is dropped at once, the query too.

Envoy's default format, the common and the combined format (NGINX, Apache), and JSON, one object a line, with the names
that Envoy's and NGINX's operators are usually given. A line is a stranger's: what cannot be read is no line, never
half of one. In the text formats nothing before the quoted request can hold a quote: each of these servers writes one of
a client's as `\"` or `\x22`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

Format = Literal["envoy", "combined", "json"]
MAX_LINE = 65_536  # bytes

_ENVOY = re.compile(rb'\[[^\]"]*\] "([^" ]+) ([^" ]+) [^" ]*" ([0-9]{1,3})(?: |$)')
_COMBINED = re.compile(rb'[^"]*\[[^\]"]*\] "([^" ]+) ([^" ]+)(?: [^" ]+)?" ([0-9]{3})(?: |$)')
_METHODS = ("method", "request_method", "verb", ":method", ":METHOD")
_PATHS = ("path", "request_uri", "uri", "original_path", "x_envoy_original_path", ":path", ":PATH", "url")
_STATUSES = ("response_code", "status", "status_code", "code")
_MAX_DIGITS = 3
_ORIGIN = re.compile(r"[a-z]+://[^/?#]*", re.IGNORECASE)  # of a request that names its host (RFC 9112 section 3.2.2)
_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_value = msgspec.json.Decoder(str | int | None)


class Seen(NamedTuple):
    """A call in a log; `status` is None where there was no answer."""

    method: str
    path: str
    status: int | None


def _text(form: re.Pattern[bytes], line: bytes) -> Seen | None:
    found = form.match(line)
    if found is None:
        return None
    method, target, status = found.groups()
    return _seen(method.decode("ascii", "replace"), target.decode("latin-1"), int(status))


def envoy(line: bytes) -> Seen | None:
    """Read a line of Envoy's default format; None for any other."""
    return _text(_ENVOY, line)


def combined(line: bytes) -> Seen | None:
    """Read a line of the common or the combined format; None for any other."""
    return _text(_COMBINED, line)


def json_line(line: bytes) -> Seen | None:
    """Read a line of JSON; None for any other."""
    try:
        fields = _decoder.decode(line)
        method, path, status = (_first(fields, names) for names in (_METHODS, _PATHS, _STATUSES))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    if not isinstance(method, str) or not isinstance(path, str):
        return None
    if isinstance(status, str):
        status = int(status) if status.isascii() and status.isdigit() and len(status) <= _MAX_DIGITS else None
    return _seen(method, path, status or 0)


def _first(fields: dict[str, msgspec.Raw], names: tuple[str, ...]) -> str | int | None:
    return next((_value.decode(fields[name]) for name in names if name in fields), None)


def _seen(method: str, target: str, status: int) -> Seen:
    path = target.partition("?")[0]
    if not path.startswith("/"):
        path = _ORIGIN.sub("", path, count=1) or "/"
    return Seen(method, path, status or None)


READERS: dict[Format, Callable[[bytes], Seen | None]] = {"envoy": envoy, "combined": combined, "json": json_line}


def format_of(lines: list[bytes]) -> Format | None:
    """Return the format that most of a log's first lines have; None where they have none of them."""
    counts = {name: sum(read(line) is not None for line in lines) for name, read in READERS.items()}
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] * 2 > len(lines) else None
