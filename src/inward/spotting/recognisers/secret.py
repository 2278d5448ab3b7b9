"""Secrets: private keys, tokens with a form of their own, passwords in URLs, and hashes of passwords.

The prefixes are those that the issuers publish so that such tokens can be found. A text without a form of its own is
taken for a secret only where the field's name says so and it is as random as one.
"""

from __future__ import annotations

import binascii
import math
import re
from base64 import b64decode, urlsafe_b64decode
from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from inward.spotting.kinds import Kind, Recogniser

if TYPE_CHECKING:
    from collections.abc import Iterator

_LEAST_BITS = 40  # of a text that is a secret by its field's name
_LONGEST = 512
_TOKENS: Final = (
    r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----",
    r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b",  # Amazon Web Services
    r"\bAIza[0-9A-Za-z_-]{35}",  # Google
    r"\bGOCSPX-[0-9A-Za-z_-]{28}",
    r"\bya29\.[0-9A-Za-z_-]{20}",
    r"\bgh[pousr]_[0-9A-Za-z]{36}",  # GitHub
    r"\bgithub_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{59}",
    r"\bglpat-[0-9A-Za-z_-]{20}",  # GitLab
    r"\bxox[abeoprs]-[0-9A-Za-z-]{10}",  # Slack
    r"\bxapp-[0-9]-[0-9A-Z]{8,12}-[0-9]{8}",
    r"hooks\.slack\.com/services/T[0-9A-Z]{8,12}/B[0-9A-Z]{8,12}/[0-9A-Za-z]{20}",
    r"\b[sr]k_(?:live|test)_[0-9A-Za-z]{16}",  # Stripe
    r"\bwhsec_[0-9A-Za-z+/]{24}",
    r"\bsk-(?:ant|proj)-[0-9A-Za-z_-]{20}",  # Anthropic, OpenAI
    r"\bnpm_[0-9A-Za-z]{36}",
    r"\bpypi-AgE[0-9A-Za-z_-]{50}",
    r"\bSG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43}",  # SendGrid
    r"\bhvs\.[0-9A-Za-z_-]{24}",  # Vault
    r"\bhf_[0-9A-Za-z]{34}",  # Hugging Face
    r"\bdop_v1_[0-9a-f]{64}",  # DigitalOcean
    r"\bAGE-SECRET-KEY-1[0-9A-Z]{58}",
    r"\bAccountKey=[0-9A-Za-z+/]{86}==",  # Azure
    r"\$2[aby]\$[0-9]{2}\$[0-9A-Za-z./]{53}",  # bcrypt
    r"\$argon2(?:id|i|d)\$v=",
    r"\b[Bb]earer [0-9A-Za-z._~+/-]{16}",  # RFC 6750 section 2.1
)
_JWT = r"\beyJ[0-9A-Za-z_-]{10,2000}\.[0-9A-Za-z_-]{0,2000}\.[0-9A-Za-z_-]{0,2000}"
_BASIC = r"\b[Bb]asic [0-9A-Za-z+/]{8,500}={0,2}"
_URL = r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@?#]{0,64}:[^\s/@?#]{3,128}@"
_FOUND = re.compile("|".join(_TOKENS), re.ASCII)
_CHECKED = re.compile(f"(?P<jwt>{_JWT})|(?P<basic>{_BASIC})|(?P<url>{_URL})", re.ASCII)
_NAME = re.compile(
    r"(?:passw(?:or)?d|passphrase|pwd|secret|(?:api|private|access|secret|signing|encryption)_?key|credential"
    r"|(?:^|_)(?:auth|access|refresh|bearer|session|api|id)_?token|^token)(?:_?(?:value|hash))?s?$",
    re.IGNORECASE,
)
_RANDOM = re.compile(r"[!-~]{8,512}", re.ASCII)
_HARMLESS = re.compile(r"(.)\1*|[*•xX.]{3,}.{0,4}|\$?\{.*\}|<.*>|[a-z]+://.*|[a-z]+(?:[_-][a-z]+)*", re.DOTALL)
_PLACEHOLDER = re.compile(r"[*•xX.]+|\$?\{.*|<.*|%.*")


def _secrets(text: str, *, hinted: bool) -> Iterator[bool]:
    if _FOUND.search(text):
        yield True
    for found in _CHECKED.finditer(text):
        if found["jwt"]:
            yield _is_jose_header(found[0].partition(".")[0])
        elif found["basic"]:
            yield _names_a_password(found[0][6:])
        else:
            yield not _PLACEHOLDER.fullmatch(found[0][:-1].rpartition(":")[2])
    if hinted and len(text) <= _LONGEST:
        yield _is_random(text)


def _is_jose_header(text: str) -> bool:
    """Tell whether a text is the header of a JWS or JWE (RFC 7515 section 4.1)."""
    try:
        header = msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError):
        return False
    return isinstance(header, dict) and isinstance(header.get("alg"), str)


def _names_a_password(text: str) -> bool:
    """Tell whether a text is a user's name and password (RFC 7617)."""
    try:
        decoded = b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return False
    return ":" in decoded and decoded.isprintable()


def _is_random(text: str) -> bool:
    """Tell whether a text has the entropy of a password or key, by how often its characters stand in it."""
    if not _RANDOM.fullmatch(text) or _HARMLESS.fullmatch(text):
        return False
    counts = Counter(text).values()
    bits = sum(count * math.log2(len(text) / count) for count in counts)
    return bits >= _LEAST_BITS


SECRET = Recogniser(
    Kind.SECRET,
    (
        r"-----BEGIN [A-Z0-9 ]{0,26}PRIVATE KEY",
        r"\b(?:AKIA|ASIA|AIza|GOCSPX-|ya29\.|github_pat_|glpat-|xox[a-z]-|xapp-|whsec_|npm_|pypi-|SG\.|hvs\.|hf_|dop_v1_)",
        r"\b(?:gh[pousr]_|[sr]k_(?:live|test)_|sk-(?:ant|proj)-|AGE-SECRET-KEY-1|AccountKey=)",
        r"\b[Bb]earer [0-9A-Za-z._~+/-]{16}",
        r"hooks\.slack\.com/services/",
        r"\$(?:2[aby]|argon2[id]{1,2})\$",
        r"\beyJ[0-9A-Za-z_-]{10}",
        r"\b[Bb]asic [0-9A-Za-z+/]{8}",
        r"[a-z0-9]://[^\s/:@?#]{0,64}:[^\s/@?#]{3}",
    ),
    _NAME,
    _secrets,
)
