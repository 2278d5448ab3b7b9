"""Who called, as the ingress wrote it: exactly one name, or nobody."""

from __future__ import annotations

import pytest

from inward.identity.forwarded import peer_of

ID = "spiffe://shop.internal"
CHECKOUT = f"{ID}/checkout"
FORWARDED = f"By={ID}/orders;Hash=00ff;URI={CHECKOUT}"


@pytest.mark.parametrize(
    ("forwarded", "peer"),
    [
        (FORWARDED, CHECKOUT),
        (f"URI={CHECKOUT}", CHECKOUT),
        ("", None),
        ("URI=", None),
        (f"By={CHECKOUT}", None),
        (f"Hash=00;Subject=URI={CHECKOUT}", None),
        (f"URI={CHECKOUT};URI={CHECKOUT}", None),
        (f"URI={CHECKOUT};uri={ID}/admin", None),
        (f"URI={CHECKOUT}; URI=https://x/?", None),
        (f"URI={CHECKOUT};URI=", None),
        (f"{FORWARDED},URI={ID}/admin", None),
        (f'URI="{CHECKOUT}"', None),
        (f'Subject="x;URI={CHECKOUT}";URI={ID}/admin', None),
        (f"URI={CHECKOUT}\n", None),
        (f"URI={CHECKOUT} ", None),
        (f"URI={CHECKOUT}%00", None),
        (f"URI={CHECKOUT}?a", None),
        (f"XURI={CHECKOUT}", None),
        ("URI=SPIFFE://shop.internal/checkout", None),
        (f"URI={CHECKOUT}é", None),
    ],
)
def test_the_peer_is_the_one_name_that_the_ingress_wrote(forwarded: str, peer: str | None) -> None:
    assert peer_of(forwarded) == peer
