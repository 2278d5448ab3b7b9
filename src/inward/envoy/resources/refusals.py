"""What a refused caller is told: problem details (RFC 9457), a reason code, a reference, nothing of the policy."""

from __future__ import annotations

from inward.envoy.resources.proto import EXPRESSION_FILTER, Resource, extension
from inward.policy.decision import Reason
from inward.policy.refusal import CONTENT_TYPE, TITLES

REFERENCE = "urn:uuid:%REQ(X-REQUEST-ID)%"


def _problem(reason: Reason) -> Resource:
    return {
        "content_type": CONTENT_TYPE,
        "json_format": {
            "type": "about:blank",
            "title": TITLES[reason],
            "status": "%RESPONSE_CODE%",
            "code": reason.value,
            "instance": REFERENCE,
        },
    }


def _status(operator: str, value: int) -> Resource:
    comparison = {"op": operator, "value": {"default_value": value, "runtime_key": "inward.unused"}}
    return {"status_code_filter": {"comparison": comparison}}


def _action_named(reason: Reason) -> Resource:
    """Match the name of the action that refused: `<reason>` alone or before a colon.

    The filter's dynamic metadata would say the same, but is not there yet when a local reply is made.
    """
    opening = f"rbac_access_denied_matched_policy[{reason}"
    details = "response.code_details"
    return {
        "extension_filter": extension(
            "envoy.access_loggers.extension_filters.cel",
            EXPRESSION_FILTER,
            expression=f"{details} == '{opening}]' || {details}.startsWith('{opening}:')",
        )
    }


def _both(*filters: Resource) -> Resource:
    return {"and_filter": {"filters": list(filters)}}


def _mapper(condition: Resource, reason: Reason) -> Resource:
    return {"filter": condition, "body_format_override": _problem(reason)}


def ingress_replies() -> Resource:
    """Return the bodies of what an ingress itself answers."""
    named = [Reason.NO_GRANT, Reason.CONDITION, Reason.FORBIDDEN, Reason.QUARANTINED]
    return {
        "mappers": [
            *(_mapper(_both(_status("EQ", 403), _action_named(reason)), reason) for reason in named),
            _mapper(_both(_status("EQ", 403), {"response_flag_filter": {"flags": ["UAEX"]}}), Reason.CONDITION),
            _mapper(_status("EQ", 403), Reason.UNKNOWN_OPERATION),
            _mapper(_both(_status("GE", 500), {"response_flag_filter": {"flags": ["UAEX"]}}), Reason.SLOW_PATH_DOWN),
            _mapper(_status("GE", 500), Reason.UNREACHABLE),
        ],
        "body_format": _problem(Reason.BAD_REQUEST),
    }


def egress_replies() -> Resource:
    """Return the bodies of what an egress itself answers."""
    return {
        "mappers": [
            _mapper(_status("EQ", 407), Reason.BAD_CREDENTIAL),
            _mapper(_status("EQ", 404), Reason.UNKNOWN_SERVICE),
            _mapper(_status("GE", 500), Reason.UNREACHABLE),
        ],
        "body_format": _problem(Reason.BAD_REQUEST),
    }
