"""Cards and IBANs: published test numbers, another implementation's, and what only looks like one."""

from __future__ import annotations

import pytest
from faker import Faker

from inward.spotting.recognisers.payment import CARD, IBAN, is_card, is_iban


def cards(text: str) -> list[bool]:
    return list(CARD.candidates(text, hinted=False))


def ibans(text: str) -> list[bool]:
    return list(IBAN.candidates(text, hinted=False))


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111111",
        "4111 1111 1111 1111",
        "paid with 5555-5555-5555-4444, thanks",
        "2223003122003222",
        "378282246310005",
        "3782 822463 10005",
        "6011111111111117",
        "30569309025904",
        "3566002020360505",
        "6200000000000005",
        "4111 1111 1111 1111 12/27",
    ],
)
def test_a_card(text: str) -> None:
    assert cards(text) == [True]


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",  # the check digit
        "9111111111111119",  # no network
        "411111111111111",  # a digit too few
        "4444444444444448" * 2,
        "ORD-4111111111111111",
        "4111111111111111.0",
        "a4111111111111111",
        "4111 1111-1111 1111",
        "0.4111111111111111",
        "DE12 4111 1111 1111 1111 11",
        "1767225600000",
        "978-3-16-148410-0",
        "c0ffee00-1234-4abc-8def-411111111111",
    ],
)
def test_no_card(text: str) -> None:
    assert True not in cards(text)


def test_numbers_of_another_implementation_are_cards() -> None:
    faker = Faker()
    faker.seed_instance(1)
    for network in ("visa16", "visa19", "mastercard", "amex", "discover", "diners"):
        for _ in range(50):
            assert is_card(faker.credit_card_number(network)), network


@pytest.mark.parametrize("locale", ["de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pl_PL", "en_GB", "fi_FI"])
def test_ibans_of_another_implementation(locale: str) -> None:
    faker = Faker(locale)
    faker.seed_instance(1)
    for _ in range(50):
        iban = faker.iban()
        grouped = " ".join(iban[at : at + 4] for at in range(0, len(iban), 4))
        assert ibans(iban) == [True]
        assert ibans(f"to {grouped}, please") == [True]
        wrong = iban[:-1] + str((int(iban[-1]) + 1) % 10)
        assert ibans(wrong) == [False]


@pytest.mark.parametrize(
    "text",
    [
        "DE8937040044053201300",  # a digit too few
        "DE893704004405320130000",
        "XX89370400440532013000",  # no country
        "XDE89370400440532013000",
        "de89370400440532013000",
        "AB12CDEF3456GHIJ",
    ],
)
def test_no_iban(text: str) -> None:
    assert True not in ibans(text)


def test_what_follows_a_grouped_iban_is_no_part_of_it() -> None:
    assert ibans("GB82 WEST 1234 5698 7654 32 FROM JOHN") == [True]
    assert ibans("NO93 8601 1117 947 1234") == [True]


def test_check_digits_that_are_never_given_are_refused() -> None:
    # ISO 13616: from 02 to 98. 00, 01 and 99 leave the same rest by 97 as 97, 98 and 02
    seen = set()
    for account in range(2000):
        for given, same in (("97", "00"), ("98", "01"), ("02", "99")):
            if is_iban(f"GB{given}WEST1234569876{account:04d}"):
                seen.add(given)
                assert not is_iban(f"GB{same}WEST1234569876{account:04d}")
    assert seen == {"97", "98", "02"}
