"""How long certificates live, and when the CA is rolled over. The values that are there are SPIRE's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from inward.errors import BadInputError
from inward.identity.bundle import DEFAULT_REFRESH_HINT

_SECOND = timedelta(seconds=1)
_LONGEST = timedelta(days=3650)
_EARLIEST = 0.25  # so that few generations are there at a time


class InvalidSettingsError(BadInputError):
    """Lifetimes that do not go together."""

    code = "invalid_authority_settings"


@dataclass(frozen=True, slots=True)
class AuthoritySettings:
    """Lifetimes of an authority. Any from two seconds on work, so that tests can rotate quickly.

    The life of a CA: at `prepare_at` of it the next one is made and put into the bundle; at `activate_at` the
    next one begins to sign; at its end, which nothing that it signed outlives, it leaves the bundle. What
    lies between the first two, `spread`, is the time that bundles have to reach every verifier.
    """

    svid_ttl: timedelta = timedelta(hours=1)
    ca_ttl: timedelta = timedelta(hours=24)
    backdate: timedelta = timedelta(seconds=10)  # how far a verifier's clock may be behind
    prepare_at: float = 1 / 2
    activate_at: float = 2 / 3

    def __post_init__(self) -> None:
        if not _EARLIEST <= self.prepare_at < self.activate_at < 1:
            raise InvalidSettingsError(
                f"a CA that is prepared at {self.prepare_at} and activated at {self.activate_at} of a life",
                hint="use two fractions of 0.25 or more, the first one smaller",
            )
        if self.svid_ttl < 2 * _SECOND or self.backdate < 0 * _SECOND or self.ca_ttl > _LONGEST:
            raise InvalidSettingsError(
                f"lifetimes of {self.svid_ttl} (SVID), {self.backdate} (backdate) and {self.ca_ttl} (CA)",
                hint="at least 2 seconds, none or more, and ten years at most",
            )
        rest = self.ca_ttl * (1 - self.activate_at)
        if self.svid_ttl > rest:
            raise InvalidSettingsError(
                f"SVIDs that live {self.svid_ttl} of a CA that signs until {rest} before its end",
                hint=f"let the CA live at least {self.svid_ttl / (1 - self.activate_at)}, or SVIDs shorter",
            )
        if self.spread < _SECOND:
            raise InvalidSettingsError(f"bundles have {self.spread} to spread", hint="let the CA live longer")

    @property
    def spread(self) -> timedelta:
        """How long the next CA is in the bundle before it begins to sign."""
        return self.ca_ttl * (self.activate_at - self.prepare_at)

    @property
    def refresh_hint(self) -> int:
        """After how many seconds to look for another bundle: 300, or less where that would be too late."""
        return max(1, min(DEFAULT_REFRESH_HINT, int(self.spread.total_seconds() // 2)))
