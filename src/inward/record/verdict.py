"""The verdict: what the guard of a service says of a call to the Envoy in front, which logs it with the call.

It travels in a header of the answer, which Envoy takes out: the record then has it as durably as the call itself, and
exactly once, and the guard needs no log of its own. Nothing in it is secret from the service, and callers never see it.
A service that has no guard could write one too, and so speak of its own answers only.
"""

from __future__ import annotations

import json
from functools import lru_cache

import msgspec

HEADER = "x-inward-guard"
MAX_BYTES = 4096  # of the header's value; Envoy keeps 8192
MAX_USER_BYTES = 2048  # of a user in it
MAX_USER_CHARACTERS = 1024  # as a token's subject has at most: in ASCII, all of them fit


class Verdict(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a guard decided beyond what its Envoy did.

    `reason` and `policies` tell of a refusal. `withheld` are the data classes that were cut out of the answer, or that
    would be looked for in it where `observed`: then nothing of it was carried out. `sent` are those in the request that
    the service may not receive, for which it was refused. `more`: it was too long to be said. `user` is the subject of
    the end user whose token the guard has verified; `long_user`: there is one, and its name is too long.
    """

    reason: str | None = None
    policies: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    sent: tuple[str, ...] = ()
    observed: bool = False
    more: bool = False
    user: str | None = None
    long_user: bool = False


_decoder = msgspec.json.Decoder(Verdict)


@lru_cache(maxsize=1024)  # most calls of an operation say the same
def encode_verdict(verdict: Verdict) -> bytes:
    """Return the header's value: JSON in printable ASCII, without what would make it too long."""
    if verdict.user is not None and len(_printable(verdict.user)) > MAX_USER_BYTES:
        verdict = msgspec.structs.replace(verdict, user=None, long_user=True)
    while True:
        value = _printable(verdict)
        if len(value) <= MAX_BYTES or not (verdict.withheld or verdict.sent or verdict.policies):
            return value
        verdict = msgspec.structs.replace(
            verdict,
            withheld=verdict.withheld[: len(verdict.withheld) // 2],
            sent=verdict.sent[: len(verdict.sent) // 2],
            policies=verdict.policies[: len(verdict.policies) // 2],
            more=True,
        )


def _printable(value: Verdict | str) -> bytes:
    encoded = msgspec.json.encode(value)
    if not encoded.isascii():
        encoded = json.dumps(json.loads(encoded), separators=(",", ":")).encode("ascii")
    return encoded.replace(b"\x7f", b"\\u007f")  # the one control character that JSON leaves as it is


def parse_verdict(value: str) -> Verdict | None:
    """Return the verdict in a header's value, or None where it is none."""
    try:
        return _decoder.decode(value)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
