"""Where the record is sent, from the environment: the standard variables of OpenTelemetry, and ours for OCSF.

Rules: nothing is sent unless an endpoint is set. What is set and cannot be used is an error, so that nobody takes a
record for sent that is not. What is secret (headers, what a URL holds beside its host and path) is in no message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from inward.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Name = Literal["otlp-logs", "otlp-traces", "otlp-metrics", "ocsf", "alerts"]
LIMIT_BYTES = 1 << 30  # some three million calls
SECRETS = ("INWARD_OCSF_HEADERS", "INWARD_OCSF_URL")  # what no service is given
_TIMEOUT_MS = 10_000
_LEAST_TIMEOUT_MS, _MOST_TIMEOUT_MS = 100, 600_000
_INTERVAL_MS, _LEAST_INTERVAL_MS = 60_000, 100
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a header's name (RFC 9110 section 5.6.2)
_VALUE = re.compile(r"[\x20-\x7e]*")
_OTLP = "OTEL_EXPORTER_OTLP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """One receiver, and how it is spoken to."""

    name: Name
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    authorities: Path | None = None  # the certificates that its own must come from, in the place of the system's
    certificate: Path | None = None  # our own, where it asks for one
    key: Path | None = None
    timeout: float = _TIMEOUT_MS / 1000  # seconds that one request may take, with its answer
    gzip: bool = False
    lines: bool = False  # OCSF: one event a line, in the place of an array

    @property
    def shown(self) -> str:
        """Where it is, without what may be secret."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    @property
    def plain(self) -> bool:
        """Whether what is sent can be read on the way."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and parts.hostname not in _LOOPBACK


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """What is sent where. `limit` is how many bytes of the record may wait for a receiver."""

    destinations: tuple[Destination, ...] = ()
    metrics: Destination | None = None  # where metrics are sent, which are no part of the record
    metrics_seconds: float = 60.0  # how often
    limit: int = LIMIT_BYTES
    resource: Mapping[str, str] = field(default_factory=dict)  # attributes that people added

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> ExportSettings:
        """Read the variables; raise `BadInputError` for one that cannot be used."""
        logs, traces = _otlp("otlp-logs", "LOGS", environment), _otlp("otlp-traces", "TRACES", environment)
        return cls(
            destinations=tuple(found for found in (logs, traces, _ocsf(environment)) if found is not None),
            metrics=_otlp("otlp-metrics", "METRICS", environment),
            metrics_seconds=_interval("OTEL_METRIC_EXPORT_INTERVAL", environment),
            limit=_limit(environment),
            resource=_pairs("OTEL_RESOURCE_ATTRIBUTES", environment.get("OTEL_RESOURCE_ATTRIBUTES", "")),
        )


def _otlp(name: Name, signal: str, environment: Mapping[str, str]) -> Destination | None:
    """Return where a signal goes, by the rules of OpenTelemetry's exporter specification."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    if environment.get(f"OTEL_{signal}_EXPORTER", "otlp") == "none":
        return None

    def find(what: str) -> tuple[str, str]:
        own = f"{_OTLP}_{signal}_{what}"
        chosen = own if environment.get(own) else f"{_OTLP}_{what}"
        return chosen, environment.get(chosen, "")

    variable, url = find("ENDPOINT")
    if not url:
        return None
    if variable == f"{_OTLP}_ENDPOINT":
        url = f"{url.rstrip('/')}/v1/{signal.lower()}"
    protocol, spoken = find("PROTOCOL")
    if spoken not in {"", "http/protobuf"}:
        raise BadInputError(
            f"`{protocol}` is `{spoken}`: only http/protobuf is spoken",
            hint=f"set {_OTLP}_{signal}_PROTOCOL and {_OTLP}_{signal}_ENDPOINT, or OTEL_{signal}_EXPORTER=none",
        )
    return _destination(name, variable, url, find, lines=False)


def _ocsf(environment: Mapping[str, str]) -> Destination | None:
    variable = "INWARD_OCSF_URL"
    url = environment.get(variable, "")
    if not url:
        return None
    form = environment.get("INWARD_OCSF_FORMAT", "")
    if form not in {"", "array", "lines"}:
        raise BadInputError(f"`INWARD_OCSF_FORMAT` is `{form}`", hint="give array or lines")

    def find(what: str) -> tuple[str, str]:
        return f"INWARD_OCSF_{what}", environment.get(f"INWARD_OCSF_{what}", "")

    return _destination("ocsf", variable, url, find, lines=form == "lines")


def _destination(
    name: Name, variable: str, url: str, find: Callable[[str], tuple[str, str]], *, lines: bool
) -> Destination:
    _check_url(variable, url)
    compression, chosen = find("COMPRESSION")
    if chosen not in {"", "none", "gzip"}:
        raise BadInputError(f"`{compression}` is `{chosen}`", hint="give gzip or none")
    return Destination(
        name=name,
        url=url,
        headers=_headers(*find("HEADERS")),
        authorities=_file(*find("CERTIFICATE")),
        certificate=_file(*find("CLIENT_CERTIFICATE")),
        key=_file(*find("CLIENT_KEY")),
        timeout=_timeout(*find("TIMEOUT")),
        gzip=chosen == "gzip",
        lines=lines,
    )


def _check_url(variable: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        right = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    if not right or not url.isascii() or not url.isprintable() or " " in url:
        raise BadInputError(f"`{variable}` is no URL", hint="such as https://collector.example:4318")


def _pairs(variable: str, text: str) -> dict[str, str]:
    """Return pairs that are written as those of W3C Baggage: `name=value,name=value`, percent-encoded."""
    found: dict[str, str] = {}
    for number, pair in enumerate(filter(None, (each.strip() for each in text.split(","))), 1):
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise BadInputError(  # without the pair, which may be secret
                f"pair {number} of `{variable}` has no name or no `=`", hint="write name=value,name=value"
            )
        found[unquote(name.strip())] = unquote(value.strip())
    return found


def _headers(variable: str, text: str) -> dict[str, str]:
    found = _pairs(variable, text)
    for number, (name, value) in enumerate(found.items(), 1):
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise BadInputError(
                f"header {number} of `{variable}` cannot be sent", hint="letters, digits and signs of ASCII only"
            )
    return {name.lower(): value for name, value in found.items()}


def _file(variable: str, text: str) -> Path | None:
    if not text:
        return None
    path = Path(text)
    if not path.is_file():
        raise BadInputError(f"`{variable}` is `{text}`: there is no such file", hint="give a PEM file")
    return path


def _timeout(variable: str, text: str) -> float:
    if not text:
        return _TIMEOUT_MS / 1000
    if not (text.isascii() and text.isdigit()) or not _LEAST_TIMEOUT_MS <= int(text[:9]) <= _MOST_TIMEOUT_MS:
        raise BadInputError(f"`{variable}` is `{text}`", hint="give milliseconds, such as 10000; 100 at least")
    return int(text) / 1000


def _interval(variable: str, environment: Mapping[str, str]) -> float:
    text = environment.get(variable, "")
    if not text:
        return _INTERVAL_MS / 1000
    if not (text.isascii() and text.isdigit()) or int(text[:9]) < _LEAST_INTERVAL_MS:
        raise BadInputError(f"`{variable}` is `{text}`", hint="give milliseconds, such as 60000; 100 at least")
    return int(text[:9]) / 1000


def _limit(environment: Mapping[str, str]) -> int:
    text = environment.get("INWARD_EXPORT_LIMIT", "")
    if not text:
        return LIMIT_BYTES
    if not (text.isascii() and text.isdigit()) or len(text) > 18:  # noqa: PLR2004 - what fits 64 bits
        raise BadInputError(f"`INWARD_EXPORT_LIMIT` is `{text}`", hint="give a number of bytes, such as 1073741824")
    return int(text)
