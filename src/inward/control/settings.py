"""Settings of a run: all from the environment, each with a default that suits production."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from inward.authority.settings import AuthoritySettings
from inward.catalog.model import Address, InvalidAddressError
from inward.control.exporting.settings import ExportSettings
from inward.control.watching.start import WatchSettings
from inward.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

MIN_CHECKPOINT_SECONDS = 0.1
_TEN_YEARS = 3650 * 86400.0


@dataclass(frozen=True, slots=True)
class Settings:
    """How a system is run. Durations in seconds, sizes in bytes."""

    authority: AuthoritySettings = field(default_factory=AuthoritySettings)
    passphrase: bytes | None = None  # for the CA's key at rest
    envoy_threads: int = 2  # worker threads of each Envoy
    buffered_log: bool = False  # cheaper, and loses up to 64 kB of log lines when an Envoy is killed
    log_file_bytes: int = 64 * 1024 * 1024
    log_file_seconds: float = 3600.0  # after which a log goes on in another file, so that this one can be deleted
    reload_seconds: float = 0.15  # how often the system folder is looked at
    start_seconds: float = 60.0  # how long a service may take until it listens
    checkpoint_seconds: float = 10.0  # how often the record is signed
    sampling: bool = True  # whether answers are looked at for undeclared data
    exporting: ExportSettings = field(default_factory=ExportSettings)  # where the record is sent
    alerts: WatchSettings = field(default_factory=WatchSettings)  # whether the record is watched, and who is told
    state_url: str | None = None  # of the state database, where that is not SQLite in the state folder
    bucket: str | None = None  # where sealed segments go, `s3://…`
    may_be_attacked: bool = False  # by `inward attack`, which really tries what an intruder would
    metrics: Address | Path | None = None  # where Prometheus finds them: at an address, or at a Unix socket

    @property
    def has_metrics(self) -> bool:
        """Whether anybody is to see metrics."""
        return self.metrics is not None or self.exporting.metrics is not None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read `INWARD_…` variables; raise `BadInputError` for one that cannot be used."""
        defaults = AuthoritySettings()
        authority = AuthoritySettings(
            svid_ttl=_seconds(environment, "INWARD_SVID_TTL", defaults.svid_ttl),
            ca_ttl=_seconds(environment, "INWARD_CA_TTL", defaults.ca_ttl),
            backdate=_seconds(environment, "INWARD_BACKDATE", defaults.backdate),
        )
        passphrase = environment.get("INWARD_CA_PASSPHRASE") or None
        return cls(
            authority=authority,
            passphrase=passphrase.encode() if passphrase else None,
            buffered_log=_switch(environment, "INWARD_BUFFERED_LOG"),
            checkpoint_seconds=max(
                MIN_CHECKPOINT_SECONDS,
                _seconds(environment, "INWARD_CHECKPOINT_SECONDS", timedelta(seconds=10)).total_seconds(),
            ),
            sampling=_switch(environment, "INWARD_SAMPLING", default=True),
            exporting=ExportSettings.from_environment(environment),
            alerts=WatchSettings.from_environment(environment, on=_switch(environment, "INWARD_ALERTS", default=True)),
            state_url=environment.get("INWARD_STATE_URL") or None,
            bucket=environment.get("INWARD_RECORD_BUCKET") or None,
            may_be_attacked=_switch(environment, "INWARD_ALLOW_ATTACK"),
            metrics=_listen(environment, "INWARD_METRICS"),
        )


def _seconds(environment: Mapping[str, str], name: str, default: timedelta) -> timedelta:
    text = environment.get(name)
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _TEN_YEARS:
        raise BadInputError(f"`{name}` is `{text}`", hint="give a number of seconds, such as 3600")
    return timedelta(seconds=seconds)


def _listen(environment: Mapping[str, str], name: str) -> Address | Path | None:
    text = environment.get(name)
    if not text:
        return None
    if text.startswith("unix:/"):
        return Path(text.removeprefix("unix:"))
    try:
        return Address.parse(text)
    except InvalidAddressError:
        hint = "give an IP address and a port, such as 127.0.0.1:9464, or unix:/PATH"
        raise BadInputError(f"`{name}` is `{text}`", hint=hint) from None


def _switch(environment: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    text = environment.get(name, "").lower()
    if text not in {"", "0", "1", "false", "true"}:
        raise BadInputError(f"`{name}` is `{text}`", hint="give 1 or 0")
    return text in {"1", "true"} if text else default
