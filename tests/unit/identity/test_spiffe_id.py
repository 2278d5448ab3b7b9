from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inward.identity.spiffe_id import InvalidSpiffeIDError, SpiffeID, parse_trust_domain

SEGMENT = st.text("abcXYZ019._-", min_size=1, max_size=12).filter(lambda text: text not in {".", ".."})


@given(st.text("abc019._-", min_size=1, max_size=30), st.lists(SEGMENT, max_size=5))
def test_what_keeps_the_rules_is_read_and_written_back(domain: str, segments: list[str]) -> None:
    text = f"spiffe://{domain}" + "".join(f"/{segment}" for segment in segments)
    spiffe_id = SpiffeID.parse(text)
    assert str(spiffe_id) == text
    assert spiffe_id.trust_domain == domain
    assert spiffe_id.path == text.removeprefix(f"spiffe://{domain}")


@given(st.text(max_size=40) | st.text(max_size=40).map("spiffe://".__add__) | st.text().map("spiffe://td/".__add__))
def test_whatever_is_read_keeps_the_rules(text: str) -> None:
    try:
        spiffe_id = SpiffeID.parse(text)
    except InvalidSpiffeIDError as error:
        refused = error.message
        assert refused.isprintable()
        assert len(refused) < 1500
    else:
        assert str(spiffe_id) == text
        assert re.fullmatch(r"spiffe://[a-z0-9._-]+(/[A-Za-z0-9._-]+)*", text, re.ASCII)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "spiffe:",
        "spiffe://",
        "spiffe:///orders",
        "spiffe://td/",
        "spiffe://td//x",
        "spiffe://td/x/",
        "spiffe://td/.",
        "spiffe://td/../x",
        "spiffe://td/x\n",
        "spiffe://td\n",
        "\nspiffe://td/x",
        "spiffe://td/x\x00",
        "spiffe://TD/x",
        "spiffe://t%64/x",
        "spiffe://td/%78",
        "spiffe://user@td/x",
        "spiffe://td:1/x",
        "spiffe://[::1]/x",
        "spiffe://td/x?y",
        "spiffe://td/x#y",
        "spiffe://td/é",
        "spiffe://té/x",
        "spiffe://td/\u0661",  # a digit, but no ASCII one
        "spiffe://td/\ud800",
        "SPIFFE://td/x",
        "http://td/x",
        "spiffe:/td/x",
        "//td/x",
    ],
)
def test_what_breaks_a_rule(text: str) -> None:
    with pytest.raises(InvalidSpiffeIDError) as caught:
        SpiffeID.parse(text)
    assert caught.value.message.isprintable()


def test_lengths() -> None:
    assert SpiffeID.parse("spiffe://td/".ljust(2048, "a")).path.endswith("a")
    with pytest.raises(InvalidSpiffeIDError, match="2048"):
        SpiffeID.parse("spiffe://td/".ljust(2049, "a"))
    assert parse_trust_domain("a" * 255)
    with pytest.raises(InvalidSpiffeIDError, match="256 bytes"):
        parse_trust_domain("a" * 256)


def test_the_id_of_a_service() -> None:
    assert str(SpiffeID.of_service("shop.internal", "orders")) == "spiffe://shop.internal/orders"
    with pytest.raises(InvalidSpiffeIDError):
        SpiffeID.of_service("shop.internal", "")


@pytest.mark.parametrize("text", ["", "Shop", "shop internal", "shop/", "shop\n", "a:1", "é"])
def test_what_is_no_trust_domain(text: str) -> None:
    with pytest.raises(InvalidSpiffeIDError):
        parse_trust_domain(text)
