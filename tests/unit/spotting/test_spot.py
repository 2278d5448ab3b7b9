"""Spotting in documents: where, what is left alone, that no value gets out, and hostile documents."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.spotting.recognisers.test_secret import SECRETS

from inward.catalog.json_path import Wild, json_path
from inward.catalog.shape import NOTHING, Node, Shape
from inward.spotting import spot as spotting
from inward.spotting.kinds import Kind
from inward.spotting.spot import UnreadableAnswerError, spot

ADA = "ada@example.com"


def spotted(document: Any, shape: Shape = NOTHING) -> list[tuple[str, str]]:
    return [(each.place, each.kind.value) for each in spot(json.dumps(document).encode(), shape)]


def test_places_of_a_document() -> None:
    document = {
        "id": 1,
        "orders": [{"contact": ADA, "total": 3.5}, {"contact": "none"}, {"paid": {"card": 4111111111111111}}],
        "numbers": ["+49 30 1234567", "x"],
        "phone": 2127365000,
    }
    assert spotted(document) == [
        ("$.numbers[*]", "phone"),
        ("$.orders[*].contact", "email"),
        ("$.orders[*].paid.card", "card"),
        ("$.phone", "phone"),
    ]
    assert spotted(ADA) == [("$", "email")]
    assert spotted([[ADA]]) == [("$[*][*]", "email")]


@pytest.mark.parametrize("value", ["ada", 1, None, True, 1.5, [], {}, {"a": None}, "4111", 10**30, -4111111111111111])
def test_nothing_to_see(value: Any) -> None:
    assert spotted(value) == []


@pytest.mark.parametrize("text", SECRETS, ids=range(len(SECRETS)))
def test_what_a_recogniser_knows_triggers_it(text: str) -> None:
    assert ("$.note", "secret") in spotted({"note": text})


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("jörg@müller.example", Kind.EMAIL),
        ("0049 171 2345678", Kind.PHONE),
        ("(212) 736-5000", Kind.PHONE),
        ("212.736.5000", Kind.PHONE),
        ("3782 822463 10005", Kind.CARD),
        ("GB82 WEST 1234 5698 7654 32", Kind.IBAN),
        ("NO93 8601 1117 947", Kind.IBAN),
        ("85.07.30-033.28", Kind.NATIONAL_ID),
        ("44051401359", Kind.NATIONAL_ID),
        ("010107 50160", Kind.NATIONAL_ID),
        ("529.982.247-25", Kind.NATIONAL_ID),
        ("11010519491231002X", Kind.NATIONAL_ID),
        ("131052-308T", Kind.NATIONAL_ID),
        ("255081416802538", Kind.NATIONAL_ID),
        ("2 55 08 14 168 025 38", Kind.NATIONAL_ID),
        ("RSSMRA85T10A562S", Kind.NATIONAL_ID),
        ("12345678Z", Kind.NATIONAL_ID),
        ("X-1234567-L", Kind.NATIONAL_ID),
        ("811228-9874", Kind.NATIONAL_ID),
        ("19811228-9874", Kind.NATIONAL_ID),
    ],
)
def test_every_form_triggers_its_kind(text: str, kind: Kind) -> None:
    for around in ("{}", "it is {}", "{}, said Ada", "first\n{}\nlast"):
        assert ("$.note", kind.value) in spotted({"note": around.format(text), "more": "nothing"})


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("bsn", "111222333", "national-id"),
        ("taxId", "86095742719", "national-id"),
        ("homePhone", "030 23125000", "phone"),
        ("clientSecret", "9f8A7b6C5d4E3f2A1b0c", "secret"),
        ("api-key", "9f8A7b6C5d4E3f2A1b0c", "secret"),
    ],
)
def test_a_name_is_a_hint_for_its_value_and_its_items(name: str, value: str, kind: str) -> None:
    assert spotted({name: value}) == [(json_path((name,)), kind)]
    assert spotted({name: [value]}) == [(json_path((name, Wild.ITEM)), kind)]
    assert spotted({"other": value}) == []
    assert spotted({name: {"other": value}}) == []


def test_what_is_declared_is_not_looked_at() -> None:
    # $.a is marked, $.b[*].c is marked, $.m is a map with marked values but for `open`
    nodes = (
        Node((), {"a": 1, "b": 2, "m": 4}),
        Node(("pii",)),
        Node((), {}, None, 3),
        Node((), {"c": 1}),
        Node((), {"open": 5}, 1),
        Node(),
    )
    document = {
        "a": {"x": ADA},
        "b": [{"c": ADA, "d": ADA}],
        "m": {"one": ADA, ADA: 1, "open": ADA, "two": {"x": ADA}},
        "z": ADA,
    }
    assert spotted(document, Shape(nodes)) == [
        ("$.b[*].d", "email"),
        ("$.m.open", "email"),
        ("$.z", "email"),
    ]
    assert spotted({"a": ADA}, Shape((Node(("pii",)),))) == []


@pytest.mark.parametrize(
    "key",
    [
        ADA,
        "+49 30 1234567",
        "4111111111111111",
        "ada lovelace",
        "c0ffee00-1234-4abc",
        "2026-01-02",
        "ada.lovelace",
        "",
        "é",
        "ghp_aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgHiJ",
        "a" * 49,
        "12345",
        "x\n",
    ],
)
def test_a_key_that_is_no_name_of_a_field_stays_out_of_the_path(key: str) -> None:
    places = dict.fromkeys(place for place, _ in spotted({"by": {key: {"contact": ADA}}}))
    assert "$.by.*.contact" in places
    assert not any(key in place for place in places if key)


@pytest.mark.parametrize(
    "key", ["contact", "$ref", "@type", "line_1", "address2", "eMail", "x-inward-data", "_id", "dc:title"]
)
def test_names_of_fields_are_kept(key: str) -> None:
    assert spotted({key: ADA}) == [(json_path((key,)), "email")]


def test_a_key_that_is_data_is_found_itself() -> None:
    assert spotted({ADA: 1}) == [("$.*", "email")]


def test_a_large_object_is_a_map() -> None:
    assert spotted({f"user{chr(97 + n % 26)}{chr(97 + n // 26)}": ADA for n in range(200)}) == [("$.*", "email")]


def test_numbers_that_pass_by_chance_are_not_taken_for_cards() -> None:
    numbers = ["4111111111111111", *(f"42424242{n:08d}" for n in range(1, 30, 2))]
    assert spotted(numbers) == []
    assert spotted(["4111111111111111", "5555555555554444", *numbers]) == [("$[*]", "card")]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda part: st.lists(part) | st.dictionaries(st.text() | st.sampled_from(["a", "email", "token"]), part),
    ),
    st.sampled_from([ADA, "+46 70 123 45 67", "4111111111111111", "DE89370400440532013000"]),
)
def test_any_document_is_looked_at_and_none_of_its_values_returned(document: Any, value: str) -> None:
    found = spotted({"document": document, "value": value, value: [value]})
    assert "$.value" in {place for place, _ in found}
    assert not any(value in str(each) for each in found)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{",
        b'{"a":NaN}',
        b'"\xff"',
        b"\xef\xbb\xbf{}",
        b"{}{}",
        b"'a'",
        b'"\\ud800"',
        b"[" * 100_000,
        b" " * 300_000,
        b'"' + b"a" * 300_000 + b'"',
    ],
    ids=range(11),
)
def test_what_cannot_be_read_is_one_error_without_a_word_of_it(document: bytes) -> None:
    with pytest.raises(UnreadableAnswerError, match=r"^the document is (no JSON in UTF-8|larger than 256 KiB)$"):
        spot(document, NOTHING)


def test_the_work_is_bounded() -> None:
    deep: Any = ADA
    for _ in range(100):
        deep = [deep]
    assert spotted(deep) == []  # below `MAX_DEPTH`
    assert spotted(["x"] * spotting.MAX_VALUES + [ADA]) == []  # after `MAX_VALUES`
    assert spotted(" " * spotting.MAX_TEXT + ADA) == []  # beyond `MAX_TEXT`
    many = {f"phone{chr(97 + a)}{chr(97 + b)}": "0171 99999999" for a in range(26) for b in range(4)}
    assert len(spotted(many)) == spotting.MAX_CHECKS


HOSTILE = [
    ["a" * 4000 + "@"] * 60,
    ["a.-" * 1300 + "@" + "b-" * 20] * 60,
    ["!" * 4000 + "@x"] * 60,
    ["+1" + " (" * 1900] * 60,
    ["4111 " * 800] * 60,
    ["AB12 " * 800] * 60,
    ["12345678-" * 440] * 60,
    ["eyJ" + "a" * 4000] * 60,
    ["eyJaaaaaaaaaa." * 280] * 60,
    ["a://" * 1000] * 60,
    ["a://:aaaa" * 440] * 60,
    [{f"phone{chr(97 + n // 26)}{chr(97 + n % 26)}": f"{n:014d}", "token": "x" * 400} for n in range(500)],
    [{"a" * n: "1 " * 20} for n in range(1, 600)],
]


@pytest.mark.parametrize("document", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_documents_take_no_time(document: Any) -> None:
    encoded = json.dumps(document).encode()
    assert 50_000 < len(encoded) <= spotting.MAX_BYTES
    start = time.process_time()
    spot(encoded, NOTHING)
    assert time.process_time() - start < 2
