"""National numbers: those of another implementation are told, with and without their signs; near misses are not."""

from __future__ import annotations

import random

import pytest
from faker import Faker

from inward.spotting.recognisers.national import NATIONAL_ID, is_dutch, is_french, is_german

ALONE = {
    "nl_BE": "ssn",
    "pt_BR": "cpf",
    "zh_CN": "ssn",
    "fi_FI": "ssn",
    "fr_FR": "ssn",
    "it_IT": "ssn",
    "no_NO": "ssn",
    "pl_PL": "pesel",
    "es_ES": "nif",
    "sv_SE": "ssn",
}


def told(text: str, *, hinted: bool = False) -> bool:
    return any(NATIONAL_ID.candidates(text, hinted=hinted))


@pytest.mark.parametrize("locale", ALONE)
def test_numbers_of_another_implementation(locale: str) -> None:
    faker = Faker(locale)
    faker.seed_instance(2)
    for _ in range(100):
        text = str(getattr(faker, ALONE[locale])())
        assert told(text)
        assert told(f"born as {text}, see above")
        assert not told(f"X{text}9")


@pytest.mark.parametrize("locale", ALONE)
def test_most_with_a_wrong_digit_are_not_told(locale: str) -> None:
    faker, chance = Faker(locale), random.Random(2)  # noqa: S311 - nothing secret
    faker.seed_instance(2)
    taken = 0
    for _ in range(200):
        text = list(str(getattr(faker, ALONE[locale])()))
        where = chance.choice([at for at, character in enumerate(text) if character.isdigit()])
        text[where] = str((int(text[where]) + chance.randrange(1, 10)) % 10)
        taken += told("".join(text))
    # eleven digits that begin with a date are a Polish number in one of ten cases
    assert taken <= (30 if locale in {"nl_BE", "pl_PL"} else 10)


def test_dutch_numbers_need_a_hint() -> None:
    faker = Faker("nl_NL")
    faker.seed_instance(2)
    for _ in range(100):
        text = faker.ssn()
        assert told(text, hinted=True)
        assert not told(text)


def test_examples_of_authorities() -> None:
    assert told("85.07.30-033.28")  # Belgium
    assert told("17073003384")  # Belgium, born in 2017
    assert told("131052-308T")  # Finland
    assert told("2 55 08 14 168 025 38")  # France
    assert told("X1234567L")  # Spain, a foreigner
    assert told("529.982.247-25")  # Brazil
    assert told("11010519491231002X")  # China
    assert told("86095742719", hinted=True)  # Germany
    assert not told("86095742719")
    assert not told("189008142382")  # Sweden: of the 19th century, and without a hint
    assert told("198112289874", hinted=True)
    assert told("811228+9874")


def test_rules_beside_the_check_digits() -> None:
    assert not any(is_german(f"1234567890{end}") for end in range(10))  # no digit stands twice
    assert not any(is_german(f"0609574271{end}") for end in range(10))  # it begins with 0
    assert any(is_german(f"8609574271{end}") for end in range(10))
    assert not any(is_dutch(f"0012345{end:02d}") for end in range(100))
    assert any(is_dutch(f"0112345{end:02d}") for end in range(100))
    assert not any(is_french(f"2551514168025{end:02d}") for end in range(100))  # there is no month 15
    assert any(is_french(f"2553514168025{end:02d}") for end in range(100))


@pytest.mark.parametrize(
    "text",
    [
        "00000000000",
        "111.111.111-11",
        "2026-01-02T10:00:00Z",
        "20260102100000",
        "202601021000",
        "1767225600000",
        "978-3-16-148410-0",
        "9783161484100",
        "c0ffee00-1234-4abc-8def-001122334455",
        "ORD-2026-000123",
        "10.0.0.1",
        "1.2.3-rc.4+build.5678",
        "d41d8cd98f00b204e9800998ecf8427e",
        "199.90 EUR",
        "٤٤٠٥١٤٠١٣٥٩",
    ],
)
def test_what_business_is_full_of_is_not_told(text: str) -> None:
    assert not told(text)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("bsn", True),
        ("national_id", True),
        ("tax_id", True),
        ("person_nr", True),
        ("nir", True),
        ("tax_amount", False),
        ("id", False),
        ("nirvana", False),
        ("number", False),
    ],
)
def test_names_that_say_it(name: str, hint: bool) -> None:  # noqa: FBT001 - pytest gives it
    assert NATIONAL_ID.hints is not None
    assert bool(NATIONAL_ID.hints.search(name)) is hint
