"""What a guard says to its Envoy: it comes back, it is bounded, and nothing else is taken for it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inward.record.verdict import MAX_BYTES, MAX_USER_BYTES, Verdict, encode_verdict, parse_verdict


@pytest.mark.parametrize(
    "verdict",
    [
        Verdict(),
        Verdict(withheld=("pii.email", "pii.phone")),
        Verdict(reason="no_grant", policies=("a", "b"), observed=True),
        Verdict(reason="undisclosed", sent=("pii.email",), withheld=("pii",), observed=True),
    ],
)
def test_it_comes_back(verdict: Verdict) -> None:
    value = encode_verdict(verdict)
    assert value.isascii()
    assert b"\n" not in value
    assert parse_verdict(value.decode()) == verdict


def test_what_is_too_long_is_cut_and_says_so() -> None:
    verdict = Verdict(withheld=tuple(f"pii.{'x' * 60}.{number}" for number in range(1000)), policies=("p" * 5000,))
    value = encode_verdict(verdict)
    assert len(value) <= MAX_BYTES
    found = parse_verdict(value.decode())
    assert found is not None
    assert (found.more, found.policies) == (True, ())
    assert found.withheld == verdict.withheld[: len(found.withheld)]
    for long in (Verdict(withheld=("p" * 5000,)), Verdict(sent=("p" * 5000,))):
        assert len(encode_verdict(long)) <= MAX_BYTES


@pytest.mark.parametrize("value", ["", "{", "[]", '{"withheld": "pii"}', '{"reason": 1}', "[" * 100_000, "\ud800"])
def test_what_is_none_is_none(value: str) -> None:
    assert parse_verdict(value) is None


@given(st.text(max_size=1024))
def test_a_user_travels_in_printable_ascii_or_is_said_to_be_too_long(user: str) -> None:
    value = encode_verdict(Verdict(reason="condition", policies=("p" * 90,) * 90, user=user))
    assert len(value) <= MAX_BYTES
    assert all(0x20 <= byte < 0x7F for byte in value)
    found = parse_verdict(value.decode("ascii"))
    assert found is not None
    assert (found.user, found.long_user) in {(user, False), (None, True)}
    assert found.user == user or len(json.dumps(user)) > MAX_USER_BYTES // 2  # a DEL takes six bytes there


@pytest.mark.parametrize("user", ["a" * 1024, "ü" * 300, '\x7f\0\n"\\', "\U0001f600" * 100, ""])
def test_an_ordinary_user_is_told_whole(user: str) -> None:
    assert parse_verdict(encode_verdict(Verdict(user=user)).decode("ascii")) == Verdict(user=user)


def test_a_user_that_is_too_long_is_not_told_in_part() -> None:
    found = parse_verdict(encode_verdict(Verdict(user="ü" * 1024, withheld=("pii",))).decode("ascii"))
    assert found == Verdict(withheld=("pii",), long_user=True)
