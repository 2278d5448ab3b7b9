"""Envoy's tap: what it is asked, and what is read of what it gives. That Envoy takes both is for tests/system."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
from tests.unit.envoy import shop

from inward.envoy.tap import MAX_ANSWERS, MAX_BODY, TapError, Tapped, parse_tapped, tap_filter, tap_request

ADA = "ada@lindqvist.test"


def trace(body: str, *, truncated: bool = False, path: str = "/orders/7?x=1", **headers: str) -> bytes:
    """Return an answer as Envoy writes it: indented JSON."""
    answered = {":status": "200", "content-type": "application/json", **headers}
    asked = {":method": "GET", ":path": path, "authorization": f"Bearer {ADA}"}
    wrapper = {
        "http_buffered_trace": {
            "request": {"headers": listed(asked), "trailers": []},
            "response": {
                "headers": listed(answered),
                "body": {"as_bytes": base64.b64encode(body.encode()).decode(), "truncated": truncated},
                "trailers": [],
            },
        },
        "configured_sample_rate": {"numerator": 10000, "denominator": "MILLION"},
    }
    return json.dumps(wrapper, indent=1).encode() + b"\n"


def listed(headers: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value, "raw_value": ""} for key, value in headers.items()]


def test_answers_are_read_one_after_the_other() -> None:
    odd = "}\n{\n}\n"
    given = trace(odd) + trace("", truncated=True, **{":status": "404", "content-encoding": " GZIP"})
    first, second = parse_tapped(given)
    assert first == Tapped("GET", "/orders/7", 200, "application/json", "", odd.encode(), truncated=False)
    assert second == Tapped("GET", "/orders/7", 404, "application/json", "gzip", b"", truncated=True)
    assert list(parse_tapped(b"")) == []


def test_of_a_request_only_method_and_path_are_kept() -> None:
    """Else a credential would be in memory for longer, and in what is printed of a failure."""
    (tapped,) = parse_tapped(trace("{}"))
    assert ADA not in str([getattr(tapped, name) for name in Tapped.__slots__])
    (tapped,) = parse_tapped(trace(ADA))
    assert ADA not in repr(tapped)
    assert "lindqvist" not in f"{tapped}"


@pytest.mark.parametrize(
    "given",
    [
        b"x",
        b"{}\n",
        trace(ADA)[:-20],
        trace(ADA).replace(b'"200"', b'"two"'),
        trace(ADA).replace(b'"as_bytes": "', b'"as_bytes": "%'),
        b"[" * 100_000,
        b"\xff\n}\n",
    ],
)
def test_what_cannot_be_read_is_refused_without_a_word_of_it(given: bytes) -> None:
    with pytest.raises(TapError) as raised:
        list(parse_tapped(given))
    assert raised.value.message == "what Envoy's tap gave cannot be read"
    assert raised.value.__suppress_context__


def test_an_answer_without_a_body() -> None:
    given = json.loads(trace(""))
    del given["http_buffered_trace"]["response"]["body"]
    (tapped,) = parse_tapped(json.dumps(given, indent=1).encode() + b"\n")
    assert (tapped.body, tapped.truncated) == (b"", False)


def asked(share: float, *known: Any) -> Any:
    return json.loads(tap_request(share, known))


def test_it_takes_itself_off_and_gives_to_nobody_else() -> None:
    request = asked(0.01)
    assert request["config_id"] == tap_filter()["typed_config"]["common_config"]["admin_config"]["config_id"]
    config = request["tap_config"]
    assert config["tap_enabled"] == {"default_value": {"numerator": 10_000, "denominator": "MILLION"}}
    (sink,) = config["output_config"]["sinks"]
    assert set(sink) == {"format", "buffered_admin"}
    assert sink["buffered_admin"]["max_traces"] == MAX_ANSWERS
    assert re.fullmatch(r"[1-9][0-9]*s", sink["buffered_admin"]["timeout"])
    assert config["output_config"]["max_buffered_rx_bytes"] == 0  # nothing of a request's body
    assert config["output_config"]["max_buffered_tx_bytes"] == MAX_BODY


def test_operations_that_are_known_are_left_alone(shop_operations: list[Any]) -> None:
    rules = asked(1, *shop_operations)["tap_config"]["match"]["and_match"]["rules"]
    assert len(rules) == 1 + len(shop_operations)
    for operation, rule in zip(shop_operations, rules[1:], strict=True):
        method, path = rule["not_match"]["http_request_headers_match"]["headers"]
        assert (method["name"], method["string_match"]) == (":method", {"exact": operation.method})
        expression = path["string_match"]["safe_regex"]["regex"]
        text = re.sub(r"\{[^}]*\}", "7", operation.template.text)
        assert re.fullmatch(expression, text)
        assert re.fullmatch(expression, text + "?a=b&c")
        assert not re.fullmatch(expression, text + "/more/of/it")
    assert "and_match" not in asked(1)["tap_config"]["match"]


@pytest.fixture
def shop_operations(tmp_path: Any) -> list[Any]:
    from inward.catalog.system import load_catalog  # noqa: PLC0415 - the folder has to be there

    catalog, mistakes = load_catalog(shop.write(tmp_path / "system", shop.files()))
    assert catalog is not None
    assert mistakes == []
    return list(catalog.operations.values())
