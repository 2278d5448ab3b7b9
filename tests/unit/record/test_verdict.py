"""What a guard says to its Envoy: it comes back, it is bounded, and nothing else is taken for it."""

from __future__ import annotations

import pytest

from inward.record.verdict import MAX_BYTES, Verdict, encode_verdict, parse_verdict


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
