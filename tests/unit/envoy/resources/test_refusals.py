"""What a refused caller is told: by the status and what refused it, and never more than that."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from tests.unit.envoy import shop

from inward.envoy.resources.refusals import REFERENCE, egress_replies, ingress_replies
from inward.policy.decision import Reason

if TYPE_CHECKING:
    from inward.envoy.resources.proto import Resource


def code(replies: Resource, status: int, details: str = "", flag: str = "") -> str:
    """Return the reason code of what an Envoy with these replies answers, by Envoy's rules: the first mapper counts."""
    for mapper in replies["mappers"]:
        if holds(mapper["filter"], status, details, flag):
            return str(mapper["body_format_override"]["json_format"]["code"])
    return str(replies["body_format"]["json_format"]["code"])


def holds(condition: Resource, status: int, details: str, flag: str) -> bool:
    ((kind, body),) = condition.items()
    if kind == "and_filter":
        return all(holds(each, status, details, flag) for each in body["filters"])
    if kind == "status_code_filter":
        wanted = body["comparison"]["value"]["default_value"]
        return bool(status == wanted if body["comparison"]["op"] == "EQ" else status >= wanted)
    if kind == "response_flag_filter":
        return flag in body["flags"]
    terms = body["typed_config"]["expression"].split(" || ")
    equal = re.fullmatch(r"response\.code_details == '([^']*)'", terms[0])
    starts = re.fullmatch(r"response\.code_details\.startsWith\('([^']*)'\)", terms[1])
    assert equal
    assert starts
    return details == equal[1] or details.startswith(starts[1])


def denied(name: str) -> str:
    return f"rbac_access_denied_matched_policy[{name}]"


@pytest.mark.parametrize(
    ("status", "details", "flag", "expected"),
    [
        (403, denied("no_grant"), "", Reason.NO_GRANT),
        (403, denied("condition:secret-policy"), "", Reason.CONDITION),
        (403, denied("forbidden:secret-policy,other"), "", Reason.FORBIDDEN),
        (403, denied("quarantined"), "", Reason.QUARANTINED),
        (403, denied("unknown_operation"), "", Reason.UNKNOWN_OPERATION),
        (403, denied("none"), "", Reason.UNKNOWN_OPERATION),
        (403, denied("conditional"), "", Reason.UNKNOWN_OPERATION),
        (403, "ext_authz_denied", "UAEX", Reason.CONDITION),
        (503, "ext_authz_error", "UAEX", Reason.SLOW_PATH_DOWN),
        (503, "upstream_reset_before_response_started", "UF", Reason.UNREACHABLE),
        (400, "http1.codec_error", "DPE", Reason.BAD_REQUEST),
        (431, "http1.headers_too_large", "DPE", Reason.BAD_REQUEST),
    ],
)
def test_an_ingress_says_which_kind_of_refusal_it_is(status: int, details: str, flag: str, expected: Reason) -> None:
    assert code(ingress_replies(), status, details, flag) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [(407, Reason.BAD_CREDENTIAL), (404, Reason.UNKNOWN_SERVICE), (503, Reason.UNREACHABLE), (400, Reason.BAD_REQUEST)],
)
def test_an_egress_says_why_no_callee_answered(status: int, expected: Reason) -> None:
    assert code(egress_replies(), status) == expected


@pytest.mark.parametrize("replies", [ingress_replies(), egress_replies()])
def test_a_body_is_fixed_but_for_status_and_reference(replies: Resource) -> None:
    bodies = [mapper["body_format_override"] for mapper in replies["mappers"]] + [replies["body_format"]]
    for body in bodies:
        assert body["content_type"] == "application/problem+json"
        told = body["json_format"]
        assert set(told) == {"type", "title", "status", "code", "instance"}
        assert told["instance"] == REFERENCE == "urn:uuid:%REQ(X-REQUEST-ID)%"
        assert told["status"] == "%RESPONSE_CODE%"
        assert told["code"] in set(Reason)
        assert "%" not in told["title"]
    # %RESPONSE_CODE_DETAILS% and %DYNAMIC_METADATA% hold the policy's name
    assert not any("DETAILS%" in text or "METADATA" in text for text in shop.texts(bodies))
