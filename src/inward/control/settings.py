"""Settings of a run: all from the environment, each with a default that suits production."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from inward.authority.settings import AuthoritySettings
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
    reload_seconds: float = 0.15  # how often the system folder is looked at
    start_seconds: float = 60.0  # how long a service may take until it listens
    checkpoint_seconds: float = 10.0  # how often the record is signed
    sampling: bool = True  # whether answers are looked at for undeclared data

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


def _switch(environment: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    text = environment.get(name, "").lower()
    if text not in {"", "0", "1", "false", "true"}:
        raise BadInputError(f"`{name}` is `{text}`", hint="give 1 or 0")
    return text in {"1", "true"} if text else default
