"""SPIFFE IDs (SPIFFE-ID, sections 2.1 to 2.3): parsing and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass

from inward.errors import BadInputError

MAX_BYTES = 2048
MAX_TRUST_DOMAIN_BYTES = 255
_TRUST_DOMAIN = re.compile(r"[a-z0-9._-]+")
_SEGMENT = re.compile(r"[A-Za-z0-9._-]+")


class InvalidSpiffeIDError(BadInputError):
    """A text is no SPIFFE ID or no trust domain name."""

    code = "invalid_spiffe_id"


def _quoted(text: str) -> str:
    """Return hostile text for a message: short, and without control characters."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text[:100])


def parse_trust_domain(text: str) -> str:
    """Return the trust domain name `text` (SPIFFE-ID section 2.1), or raise `InvalidSpiffeIDError`."""
    if not _TRUST_DOMAIN.fullmatch(text):
        raise InvalidSpiffeIDError(
            f"`{_quoted(text)}` is no trust domain",
            hint="use lower-case letters, digits, dots, dashes and underscores, such as `shop.internal`",
        )
    if len(text) > MAX_TRUST_DOMAIN_BYTES:
        raise InvalidSpiffeIDError(
            f"a trust domain of {len(text)} bytes", hint=f"{MAX_TRUST_DOMAIN_BYTES} bytes at most"
        )
    return text


@dataclass(frozen=True, slots=True, order=True)
class SpiffeID:
    """One workload's name: `spiffe://<trust domain>/<path>`."""

    trust_domain: str
    path: str  # with its leading slash; empty for the trust domain itself

    @classmethod
    def parse(cls, text: str) -> SpiffeID:
        """Parse a SPIFFE ID; every rule of the specification holds for what is returned."""
        if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
            raise InvalidSpiffeIDError(f"a SPIFFE ID of more than {MAX_BYTES} bytes")
        if not text.startswith("spiffe://"):
            raise InvalidSpiffeIDError(f"`{_quoted(text)}` does not start with `spiffe://`")
        trust_domain, slash, path = text.removeprefix("spiffe://").partition("/")
        parse_trust_domain(trust_domain)
        if slash:
            for segment in path.split("/"):
                if segment in {".", ".."} or not _SEGMENT.fullmatch(segment):
                    raise InvalidSpiffeIDError(f"`{_quoted(text)}` has the path segment `{_quoted(segment)}`")
        return cls(trust_domain, slash + path)

    @classmethod
    def of_service(cls, trust_domain: str, service: str) -> SpiffeID:
        """Return the ID of a service of a system: `spiffe://<trust domain>/<service>`."""
        return cls.parse(f"spiffe://{trust_domain}/{service}")

    def __str__(self) -> str:
        return f"spiffe://{self.trust_domain}{self.path}"
