"""A labelled set for the spotter: fields with a kind, and fields that only look like one.

Numbers with check digits come from Faker, an implementation of its own; telephone numbers are put together from
prefixes that the numbering plans of their countries give to subscribers; tokens from their issuers' published forms.
Near misses are what business APIs are full of: order numbers, UUIDs, times, prices, ISBNs, versions, hashes.
"""

from __future__ import annotations

import base64
import json
import random
import string
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from faker import Faker

from inward.spotting.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EACH = 200  # values of each kind
OF_NEAR_MISSES = 60  # of each form
_NATIONAL = {
    "nl_BE": "ssn", "pt_BR": "cpf", "zh_CN": "ssn", "fi_FI": "ssn", "fr_FR": "ssn", "it_IT": "ssn", "nl_NL": "ssn",
    "no_NO": "ssn", "pl_PL": "pesel", "es_ES": "nif", "sv_SE": "ssn",
}  # fmt: skip
_PHONES = (
    "+49 151 ########", "+49 30 2#######", "+44 7400 ######", "+44 20 7946 0###", "+33 6 ## ## ## ##",
    "+34 612 ### ###", "+39 347 #######", "+46 70 ### ## ##", "+48 501 ### ###", "+31 6 12######", "+91 98### #####",
    "+81 90-1234-####", "+1 212-736-####", "+1 (415) 621-####", "+12024561###", "(312) 664-####", "415-864-####",
    "0049 171 #######",
)  # fmt: skip
_LOCAL_PHONES = ("030 2#######", "0171 #######", "06 12 ## ## ##", "07911 12####", "2127361###")
_WORDS = (
    "order",
    "blue",
    "teapot",
    "sent",
    "the",
    "yesterday",
    "to",
    "customer",
    "please",
    "call",
    "back",
    "at",
    "noon",
)


@dataclass(frozen=True, slots=True)
class Labelled:
    """A field and what its value is: a kind, or None for a near miss of the form `form`."""

    field: str
    value: str | int
    kind: Kind | None
    form: str


def labelled_values(seed: int) -> list[Labelled]:
    """Return the labelled set, the same for the same seed."""
    chance = random.Random(seed)
    fakers = {name: Faker(name) for name in ("en_US", "de_DE", "fr_FR", "es_ES", "nl_NL", "pl_PL", "en_GB", *_NATIONAL)}
    for number, faker in enumerate(fakers.values()):
        faker.seed_instance(seed + number)
    found = [*_positives(chance, fakers), *_near_misses(chance, fakers["en_US"])]
    chance.shuffle(found)
    return found


def _positives(chance: random.Random, fakers: dict[str, Faker]) -> Iterator[Labelled]:
    for number in range(EACH):
        email = fakers[chance.choice(list(fakers))].email()
        bare = number % 3 > 0
        yield Labelled("contact", email if bare else _prose(chance, email), Kind.EMAIL, "e-mail")
        local = number % 4 == 0
        phone = _digits(chance, chance.choice(_LOCAL_PHONES if local else _PHONES))
        in_prose = not local and not bare
        field = "phone_number" if local else "contact"
        yield Labelled(field, _prose(chance, phone) if in_prose else phone, Kind.PHONE, "telephone")
        network = chance.choice(("visa16", "mastercard", "amex", "discover", "diners"))
        card = fakers["en_US"].credit_card_number(network)
        grouped = " ".join(card[at : at + 4] for at in range(0, 16, 4)) if len(card) == 16 and number % 2 else card
        yield Labelled("reference", int(card) if number % 5 == 0 else grouped, Kind.CARD, "card")
        iban = fakers[chance.choice(("de_DE", "fr_FR", "es_ES", "nl_NL", "pl_PL", "en_GB"))].iban()
        grouped = " ".join(iban[at : at + 4] for at in range(0, len(iban), 4))
        yield Labelled("account", iban if bare else grouped, Kind.IBAN, "IBAN")
        locale = chance.choice(list(_NATIONAL))
        value = str(getattr(fakers[locale], _NATIONAL[locale])())
        yield Labelled("bsn" if locale == "nl_NL" else "number", value, Kind.NATIONAL_ID, "national id")
        field, secret = chance.choice(_SECRETS)(chance)
        yield Labelled(field, secret, Kind.SECRET, "secret")


def _near_misses(chance: random.Random, faker: Faker) -> Iterator[Labelled]:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for _ in range(OF_NEAR_MISSES):
        moment = start + timedelta(seconds=chance.randrange(30_000_000))
        hexadecimal = f"{chance.getrandbits(256):064x}"
        isbn = _digits(chance, "978-#-##-######-#")
        values: dict[str, str | int] = {
            "order number": _digits(chance, "ORD-2026-######"),
            "order of ten digits": chance.randrange(10**9, 10**10),
            "order of 11 digits": _digits(chance, "1##########"),
            "order of 16 digits": _digits(chance, "4###############"),
            "order with dashes": _digits(chance, "###-#######-#######"),
            "parcel": _digits(chance, "1Z999AA1##########"),
            "snowflake": chance.randrange(10**17, 10**18),
            "uuid": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            "time": moment.isoformat(),
            "time in milliseconds": int(moment.timestamp() * 1000),
            "time in digits": moment.strftime("%Y%m%d%H%M%S"),
            "price": f"{chance.randrange(10**6) / 100:.2f} EUR",
            "isbn": isbn,
            "isbn in digits": isbn.replace("-", ""),
            "version": _digits(chance, "1#.#.##-rc.#+build.####"),
            "package": f"teapot@{chance.randrange(9)}.{chance.randrange(99)}.1",
            "picture": f"https://cdn.test/img/{hexadecimal[:8]}@2x.png",
            "clone": f"git@git.test:team/{hexadecimal[:6]}.git",
            "hash": hexadecimal,
            "short hash": hexadecimal[:12],
            "ip address": ".".join(str(chance.randrange(256)) for _ in range(4)),
            "coordinates": f"{chance.uniform(-90, 90):.6f},{chance.uniform(-180, 180):.6f}",
            "sku": _digits(chance, "########") + chance.choice(string.ascii_uppercase),
            "bank code": "DE" + _digits(chance, "####################"),
            "token type": "Bearer",
            "version of an app": _digits(chance, "1#.#.####"),
            "tax in cents": chance.randrange(10**8, 10**9),
            "time of a change": moment.isoformat(),
            "hint of a password": "the street where I grew up, in capitals",
            "kind of telephone": chance.choice(("mobile", "landline", "SM-G991B")),
            "page token": base64.urlsafe_b64encode(hexadecimal[:24].encode()).decode(),
            "ipv6 address": faker.ipv6(),
            "entity tag": f'W/"{hexadecimal[:32]}"',
            "picture in a URL": "data:image/png;base64," + base64.b64encode(hexadecimal[:48].encode()).decode(),
            "range of times": f"{moment:%Y-%m-%d %H:%M} - {moment:%H:%M}",
            "amount with spaces": _digits(chance, "1# ### ###.##"),
            "number of a room": _digits(chance, "0#-##-###"),
            "sentence": faker.sentence(),
        }
        fields = {
            "token type": "token_type",
            "version of an app": "mobile_version",
            "tax in cents": "tax_amount",
            "time of a change": "password_changed_at",
            "hint of a password": "password_hint",
            "kind of telephone": "phone_type",
            "page token": "next_page_token",
        }
        yield from (Labelled(fields.get(form, "reference"), value, None, form) for form, value in values.items())


def _digits(chance: random.Random, pattern: str) -> str:
    return "".join(str(chance.randrange(10)) if character == "#" else character for character in pattern)


def _prose(chance: random.Random, value: str) -> str:
    return " ".join([*chance.sample(_WORDS, 4), value, *chance.sample(_WORDS, 3)])


def _random(chance: random.Random, alphabet: str, length: int) -> str:
    return "".join(chance.choices(alphabet, k=length))


_ALNUM = string.ascii_letters + string.digits


def _jwt(chance: random.Random) -> tuple[str, str]:
    parts = [
        {"alg": "ES256", "kid": _random(chance, _ALNUM, 8)},
        {"sub": _random(chance, _ALNUM, 8), "exp": 1800000000},
    ]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return "value", ".".join([*encoded, _random(chance, _ALNUM + "-_", 86)])


_SECRETS: tuple[Callable[[random.Random], tuple[str, str]], ...] = (
    _jwt,
    lambda chance: ("value", "AKIA" + _random(chance, string.ascii_uppercase + "234567", 16)),
    lambda chance: ("value", "ghp_" + _random(chance, _ALNUM, 36)),
    lambda chance: ("value", "xoxb-" + _digits(chance, "############-") + _random(chance, _ALNUM, 24)),
    lambda chance: ("value", "sk_live_" + _random(chance, _ALNUM, 24)),
    lambda chance: ("value", "AIza" + _random(chance, _ALNUM + "-_", 35)),
    lambda chance: ("value", "-----BEGIN PRIVATE KEY-----\n" + _random(chance, _ALNUM, 64)),
    lambda chance: ("dsn", f"postgres://app:{_random(chance, _ALNUM, 12)}@db.test:5432/app"),
    lambda chance: ("header", "Bearer " + _random(chance, _ALNUM, 32)),
    lambda chance: ("client_secret", _random(chance, _ALNUM, 24)),
    lambda chance: ("password", _random(chance, _ALNUM + "!%&+", 14)),
)
