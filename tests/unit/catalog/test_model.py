"""The values of a catalog: addresses, ids, look-ups."""

from __future__ import annotations

import pytest

from inward.catalog.model import Address, Catalog, InvalidAddressError


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:7001", "127.0.0.1", 7001),
        ("0.0.0.0:0", "0.0.0.0", 0),
        ("[::1]:65535", "::1", 65535),
        ("[0:0:0:0:0:0:0:1]:1", "::1", 1),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    address = Address.parse(text)
    assert address == Address(host, port)
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "7001", ":7001", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1"),
        *(
            "127.0.0.1: 1",
            "127.0.0.1:01",
            "127.0.0.1:1\n",
            "127.0.0.1:\u0661",
            "127.1:80",
            "0127.0.0.1:80",
            "1.2.3.4.5:80",
        ),
        *(
            "localhost:80",
            "example.org:80",
            "::1:80",
            "[127.0.0.1]:80",
            "[::1:80",
            "::1]:80",
            "[fe80::1%eth0]:80",
            "[]:80",
        ),
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(InvalidAddressError, match="is no address to listen on"):
        Address.parse(text)


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ("127.0.0.1:7000", "127.0.0.1:7000", True),
        ("127.0.0.1:7000", "127.0.0.1:7001", False),
        ("127.0.0.1:7000", "127.0.0.2:7000", False),
        ("0.0.0.0:7000", "127.0.0.1:7000", True),
        ("0.0.0.0:7000", "[::1]:7000", False),
        ("[::]:7000", "127.0.0.1:7000", True),
        ("[::]:7000", "[::1]:7000", True),
        ("[::]:7000", "0.0.0.0:7000", True),
        ("[::ffff:127.0.0.1]:7000", "127.0.0.1:7000", True),
        ("[::ffff:127.0.0.1]:7000", "0.0.0.0:7000", True),
        ("127.0.0.1:0", "127.0.0.1:0", False),
        ("0.0.0.0:0", "127.0.0.1:0", False),
    ],
)
def test_addresses_that_cannot_both_be_listened_on(one: str, other: str, *, clash: bool) -> None:
    assert Address.parse(one).clashes_with(Address.parse(other)) is clash
    assert Address.parse(other).clashes_with(Address.parse(one)) is clash


def test_an_empty_catalog_knows_nobody() -> None:
    assert Catalog("shop.internal", {}, {}).by_spiffe_id("spiffe://shop.internal/orders") is None
