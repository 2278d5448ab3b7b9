"""What a refused caller is told: by the status and what refused it, and never more than that."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from tests.unit.envoy import shop

from inward.envoy.resources.refusals import REFERENCE, egress_replies, ingress_replies
from inward.envoy.views.source import REFUSED_DETAILS, TOO_LONG_DETAILS
from inward.policy.decision import Reason

if TYPE_CHECKING:
    from inward.envoy.resources.proto import Resource


def reply(replies: Resource, content_type: str, status: int, details: str = "", flag: str = "") -> Resource:
    """Return the mapper of what an Envoy with these replies answers, by Envoy's rules: the first one counts."""
    for mapper in replies["mappers"]:
        if holds(mapper["filter"], content_type, status, details, flag):
            found: Resource = mapper
            return found
    return {"body_format_override": replies["body_format"]}


def code(replies: Resource, status: int, details: str = "", flag: str = "") -> str:
    """Return the reason code of what a caller is told who is no gRPC client."""
    mapper = reply(replies, "application/json", status, details, flag)
    return str(mapper["body_format_override"]["json_format"]["code"])


def grpc_answer(replies: Resource, status: int, details: str = "", flag: str = "") -> tuple[str, str | None]:
    """Return the message that a gRPC client is told, and the gRPC status where it is not Envoy's own choice."""
    mapper = reply(replies, "application/grpc+proto", status, details, flag)
    ((header,),) = ([each["header"] for each in mapper.get("headers_to_add", [{"header": {}}])],)
    assert header.get("key") in {None, "grpc-status"}
    return mapper["body_format_override"]["text_format_source"]["inline_string"], header.get("value")


def holds(condition: Resource, content_type: str, status: int, details: str, flag: str) -> bool:
    ((kind, body),) = condition.items()
    if kind == "and_filter":
        return all(holds(each, content_type, status, details, flag) for each in body["filters"])
    if kind == "header_filter":
        assert body["header"]["name"] == "content-type"
        return content_type.startswith(body["header"]["string_match"]["prefix"])
    if kind == "status_code_filter":
        wanted = body["comparison"]["value"]["default_value"]
        return bool(status == wanted if body["comparison"]["op"] == "EQ" else status >= wanted)
    if kind == "response_flag_filter":
        return flag in body["flags"]
    expression = body["typed_config"]["expression"]
    alone = re.fullmatch(
        r"response\.code_details == '([^']*)'(?: && (!\('content-type' in request\.headers && .*\)))?", expression
    )
    if alone:
        return details == alone[1] and not (alone[2] and content_type.startswith("application/grpc"))
    terms = expression.split(" || ")
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


@pytest.mark.parametrize(
    ("replies", "status", "details", "flag", "expected", "grpc_status"),
    [
        (ingress_replies(), 403, denied("no_grant"), "", Reason.NO_GRANT, None),  # 403 is PERMISSION_DENIED to Envoy
        (ingress_replies(), 403, denied("quarantined"), "", Reason.QUARANTINED, None),
        (ingress_replies(), 403, denied("unknown_operation"), "", Reason.UNKNOWN_OPERATION, "12"),
        (ingress_replies(), 403, "ext_authz_denied", "UAEX", Reason.CONDITION, None),
        (ingress_replies(), 503, "ext_authz_error", "UAEX", Reason.SLOW_PATH_DOWN, "14"),
        (
            ingress_replies(),
            503,
            "upstream_reset_before_response_started",
            "UF",
            Reason.UNREACHABLE,
            None,
        ),  # 503: UNAVAILABLE
        (ingress_replies(), 431, "http1.headers_too_large", "DPE", Reason.BAD_REQUEST, None),
        (ingress_replies(), 502, REFUSED_DETAILS, "", Reason.UNVIEWABLE, "13"),
        (ingress_replies(), 500, TOO_LONG_DETAILS, "", Reason.UNVIEWABLE, "13"),
        (egress_replies(), 407, "direct_response", "", Reason.BAD_CREDENTIAL, "16"),
        (egress_replies(), 404, "direct_response", "", Reason.UNKNOWN_SERVICE, "14"),
        (egress_replies(), 503, "", "UF", Reason.UNREACHABLE, None),
    ],
)
def test_a_grpc_client_is_told_a_status_and_a_message(
    replies: Resource, status: int, details: str, flag: str, expected: Reason, grpc_status: str | None
) -> None:
    message, told = grpc_answer(replies, status, details, flag)
    assert message.startswith(f"{expected}: ")
    assert message.endswith(f" ({REFERENCE})")
    assert told == grpc_status


def test_a_call_that_takes_longer_than_its_deadline_is_told_so() -> None:
    message, told = grpc_answer(ingress_replies(), 408, "max_duration_timeout")
    assert (message, told) == (f"deadline: The call took too long ({REFERENCE})", "4")


@pytest.mark.parametrize("replies", [ingress_replies(), egress_replies()])
def test_a_body_is_fixed_but_for_status_and_reference(replies: Resource) -> None:
    plain = [mapper for mapper in replies["mappers"] if "json_format" in mapper["body_format_override"]]
    texts = [
        mapper["body_format_override"]["text_format_source"]["inline_string"]
        for mapper in replies["mappers"]
        if mapper not in plain and mapper["body_format_override"].get("content_type") is None
    ]
    assert len(texts) == len(plain) + 2  # each again for gRPC; and a deadline, and all else
    assert all(re.fullmatch(r"[a-z_]+: [^%()]+ \(urn:uuid:%REQ\(X-REQUEST-ID\)%\)", text) for text in texts)
    bodies = [mapper["body_format_override"] for mapper in plain] + [replies["body_format"]]
    for body in bodies:
        assert body["content_type"] == "application/problem+json"
        told = body["json_format"]
        assert set(told) == {"type", "title", "status", "code", "instance"}
        assert told["instance"] == REFERENCE == "urn:uuid:%REQ(X-REQUEST-ID)%"
        assert told["status"] == "%RESPONSE_CODE%"
        assert told["code"] in set(Reason)
        assert "%" not in told["title"]
    # %RESPONSE_CODE_DETAILS% and %DYNAMIC_METADATA% hold the policy's name
    assert not any("DETAILS%" in text or "METADATA" in text for text in shop.texts(replies))
