from __future__ import annotations

from typing import TYPE_CHECKING

import cedarpy
import pytest
from cedarpy import pst

from inward.policy import literals
from inward.policy.literals import MOST_CHARACTERS, UnreadableLiteralError

if TYPE_CHECKING:
    from collections.abc import Callable

DAY = 86_400_000
MOST = 2**63 - 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1970-01-01", 0),
        ("1970-01-02", DAY),
        ("1969-12-31", -DAY),
        ("1969-12-31T23:59:59.999Z", -1),
        ("1970-01-01T00:00:00.001Z", 1),
        ("1970-01-01T01:00:00+0100", 0),
        ("1970-01-01T00:00:00.250-0030", 1_800_250),
        ("1970-01-01T00:00:00-2359", 86_340_000),
        ("2024-02-29", 19_782 * DAY),
        ("2000-02-29", 11_016 * DAY),
        ("0001-01-01", -719_162 * DAY),
        ("0000-12-31", -719_163 * DAY),
        ("0000-02-29", -719_469 * DAY),
        ("0000-01-01", -719_528 * DAY),
        ("0000-01-01T00:00:00+2359", -719_528 * DAY - 86_340_000),
        ("9999-12-31T23:59:59.999-2359", 253_402_387_139_999),
    ],
)
def test_datetimes(text: str, value: int) -> None:
    assert literals.datetime_ms(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0ms", 0),
        ("-0ms", 0),
        ("5ms", 5),
        ("1m5ms", 60_005),
        ("1d2h3m4s5ms", 93_784_005),
        ("-90m", -5_400_000),
        ("1h90m", 9_000_000),
        ("0" * 60 + "7s", 7000),
        ("106751991167d7h12m55s807ms", MOST),
        ("-106751991167d7h12m55s808ms", -MOST - 1),
    ],
)
def test_durations(text: str, value: int) -> None:
    assert literals.duration_ms(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.0", 0),
        ("-0.0", 0),
        ("1.5", 15_000),
        ("1.50", 15_000),
        ("-0.0001", -1),
        ("12.3456", 123_456),
        ("0" * 60 + "1.0", 10_000),
        ("922337203685477.5807", MOST),
        ("-922337203685477.5808", -MOST - 1),
    ],
)
def test_decimals(text: str, value: int) -> None:
    assert literals.decimal_units(text) == value


REFUSED = {
    literals.datetime_ms: [
        "2026",
        "2026-1-1",
        "2026-13-01",
        "2026-00-01",
        "2026-01-00",
        "2023-02-29",
        "1900-02-29",
        "10000-01-01",
        "-001-01-01",
        "2026-01-01T00:00:00",
        "2026-01-01T24:00:00Z",
        "2026-01-01T23:59:60Z",
        "2026-01-01T00:00Z",
        "2026-01-01T00:00:00z",
        "2026-01-01T00:00:00.1Z",
        "2026-01-01T00:00:00+2400",
        "2026-01-01T00:00:00+0060",
        "2026-01-01T00:00:00+01:00",
        "1970-01-01\n",
        " 1970-01-01",
        "\uff11970-01-01",
    ],
    literals.duration_ms: [
        "-",
        "1",
        "ms",
        "1h1d",
        "1d-2h",
        "1.5h",
        "+1h",
        "1 h",
        "1ms1s",
        "1h\n",
        "\u0661h",
        "9223372036854775808ms",
        "-9223372036854775809ms",
        "106751991168d",
    ],
    literals.decimal_units: [
        "1",
        "1.",
        ".5",
        "1.00000",
        "+1.0",
        "1e3.0",
        "- 1.0",
        "1.0\n",
        "1.\u0663",
        "922337203685477.5808",
        "-922337203685477.5809",
    ],
    literals.ip_text: [
        "10.0.0",
        "10.0.0.256",
        "010.0.0.1",
        "10.0.0.1/33",
        "10.0.0.1/032",
        "::1/129",
        "::ffff:10.0.0.1",
        "fe80::1%eth0",
        "localhost",
        "10.0.0.1\n",
    ],
}
FUNCTIONS: dict[Callable[[str], object], pst.UnaryOpName] = {
    literals.datetime_ms: "datetime",
    literals.duration_ms: "duration",
    literals.decimal_units: "decimal",
    literals.ip_text: "ip",
}
CASES = [(read, text) for read, texts in REFUSED.items() for text in ("", "x", *texts)]


@pytest.mark.parametrize(("read", "text"), CASES, ids=[f"{FUNCTIONS[read]} {text!r}" for read, text in CASES])
def test_what_cedar_refuses_is_unreadable(read: Callable[[str], object], text: str) -> None:
    with pytest.raises(UnreadableLiteralError) as caught:
        read(text)
    assert caught.value.message == f'`{FUNCTIONS[read]}("{text}")`'
    assert _refused_by_cedar(FUNCTIONS[read], text)


def _refused_by_cedar(function: pst.UnaryOpName, text: str) -> bool:
    literal = pst.UnaryOp(function, pst.StringLit(text))
    anything = pst.ScopeAny()
    clause = pst.When(pst.BinaryOp("eq", literal, literal))
    policy = pst.Template("p", "permit", anything, anything, anything, (clause,), pst.FrozenMap())
    try:
        policies = cedarpy.PolicySet.from_pst(pst.PolicySet({}, {"p": policy}, ()))
    except ValueError:
        return True
    anybody = {"type": "Service", "id": "a"}
    request = {"principal": anybody, "action": {"type": "Action", "id": "a"}, "resource": anybody, "context": {}}
    return bool(cedarpy.is_authorized(request, policies, cedarpy.Entities.from_json_str("[]")).diagnostics.errors)


@pytest.mark.parametrize("read", FUNCTIONS, ids=list(FUNCTIONS.values()))
def test_a_literal_of_any_length_is_answered(read: Callable[[str], object]) -> None:
    for text in ("0" * MOST_CHARACTERS + "1ms", "9" * 10_000 + "d", "9" * 10_000 + ".0", "a" * 1_000_000):
        with pytest.raises(UnreadableLiteralError) as caught:
            read(text)
        assert len(caught.value.message) < MOST_CHARACTERS + 20


def test_what_cedar_reads_differently_is_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(literals, "_UNITS", (1, 1, 1, 1, 1))
    assert literals.duration_ms.__wrapped__("2ms") == 2
    with pytest.raises(UnreadableLiteralError):
        literals.duration_ms.__wrapped__("2h")


def test_addresses() -> None:
    assert literals.ip_text("10.0.0.1/8") == "10.0.0.1/8"
    assert literals.same_ip("10.0.0.1", "10.0.0.1/32")
    assert literals.same_ip("::1", "0:0::1")
    assert not literals.same_ip("10.0.0.1", "10.0.0.1/8")
    assert literals.ip_in_range("10.1.2.3", "10.0.0.0/8")
    assert not literals.ip_in_range("10.0.0.0/8", "10.1.2.3")
    assert not literals.ip_in_range("::1", "0.0.0.0/0")
    assert literals.ip_is("is_loopback", "127.0.0.0/8")
    assert not literals.ip_is("is_loopback", "127.0.0.0/7")
    with pytest.raises(UnreadableLiteralError, match="no address"):
        literals.same_ip("no address", "10.0.0.1")
