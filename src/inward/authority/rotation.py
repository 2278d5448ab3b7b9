"""When to renew an SVID. Pure: times in, times out.

An SVID is renewed at half of the life that it had left when it was received, a little earlier by an amount
that differs between SVIDs, so that the services of a system that started together do not renew together. What
an SVID has left, and not its whole validity, is what counts: the start of its validity is backdated, by more
than the whole life where lives are short.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from inward.identity.svid import X509SVID

RENEW_AT = 0.5  # of the life that is left at receipt
JITTER = 0.1  # of that half, at most
_JITTER_STEPS = 2**16


def renewal_time(svid: X509SVID, received: datetime) -> datetime:
    """Return when to renew an SVID that was received at `received`; the same for the same arguments.

    It lies between 45 % and 50 % of the way from `received` to the end of the SVID, and is `received` itself
    for one that had ended by then.
    """
    left = max(svid.not_after - received, received - received)
    # Serial numbers are random, so their low bits are as good a jitter as any and make this repeatable.
    jitter = JITTER * (svid.serial % _JITTER_STEPS) / _JITTER_STEPS
    return received + left * RENEW_AT * (1 - jitter)


def due(svid: X509SVID, received: datetime, now: datetime) -> bool:
    """Return whether to renew at `now` an SVID that was received at `received`.

    That is so from its renewal time on, and where the clock was set back to before the SVID's validity.
    """
    return now >= renewal_time(svid, received) or now < svid.not_before
