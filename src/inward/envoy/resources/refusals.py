"""What a refused caller is told: problem details (RFC 9457), a reason code, a reference, nothing of the policy."""

from __future__ import annotations

from inward.envoy.resources.grpc import (
    DEADLINE_EXCEEDED,
    INTERNAL,
    INVALID_ARGUMENT,
    UNAUTHENTICATED,
    UNAVAILABLE,
    UNIMPLEMENTED,
    only_grpc,
    with_status,
)
from inward.envoy.resources.proto import EXPRESSION_FILTER, Resource, extension
from inward.envoy.views.source import (
    ANSWERED_BY_LUA_DETAILS,
    NOT_ADMITTED_DETAILS,
    REFUSED_DETAILS,
    REQUEST_TOO_LONG_DETAILS,
    TOO_LONG_DETAILS,
)
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


def _details(details: str) -> Resource:
    return _expression(f"response.code_details == '{details}'")


def _expression(expression: str) -> Resource:
    cel = extension("envoy.access_loggers.extension_filters.cel", EXPRESSION_FILTER, expression=expression)
    return {"extension_filter": cel}


def _unviewed() -> Resource:
    """Return how the refusal of an answer is handed on: its body is made already, in `envoy.views`. Not so for gRPC."""
    kind = "request.headers['content-type']"
    grpc = f"'content-type' in request.headers && {kind}.startsWith('application/grpc')"
    made = {"text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"}, "content_type": CONTENT_TYPE}
    condition = _expression(f"response.code_details == '{REFUSED_DETAILS}' && !({grpc})")
    return {"filter": condition, "body_format_override": made}


def _both(*filters: Resource) -> Resource:
    return {"and_filter": {"filters": list(filters)}}


def _mapper(condition: Resource, reason: Reason) -> Resource:
    return {"filter": condition, "body_format_override": _problem(reason)}


_GRPC_STATUS = {
    Reason.UNKNOWN_OPERATION: UNIMPLEMENTED,
    Reason.UNVIEWABLE: INTERNAL,  # the same would become of it if it was tried again
    Reason.UNREADABLE: INVALID_ARGUMENT,
    Reason.SLOW_PATH_DOWN: UNAVAILABLE,
    Reason.UNKNOWN_SERVICE: UNAVAILABLE,
    Reason.BAD_CREDENTIAL: UNAUTHENTICATED,
}  # of all others, Envoy's choice by the HTTP status is right: 403 is PERMISSION_DENIED, 503 is UNAVAILABLE


def _message(text: str) -> Resource:
    return {"text_format_source": {"inline_string": f"{text} ({REFERENCE})"}}


def _for_grpc(mapper: Resource) -> Resource:
    """Return a mapper's counterpart for gRPC calls: a message in the place of problem details."""
    problem = mapper["body_format_override"]["json_format"]
    reason = Reason(problem["code"])
    told = {**mapper, "body_format_override": _message(f"{reason.value}: {problem['title']}")}
    return with_status(told, _GRPC_STATUS.get(reason))


def _with_grpc(mappers: list[Resource]) -> Resource:
    """Return replies with a counterpart for gRPC before each of them. The first that fits counts."""
    otherwise = _problem(Reason.BAD_REQUEST)
    late = {"filter": _status("EQ", 408), "body_format_override": _message("deadline: The call took too long")}
    grpc = [
        *map(_for_grpc, mappers),
        with_status(late, DEADLINE_EXCEEDED),
        _for_grpc({"filter": only_grpc(), "body_format_override": otherwise}),
    ]
    return {"mappers": [*grpc, *mappers], "body_format": otherwise}


def ingress_replies() -> Resource:
    """Return the bodies of what an ingress itself answers."""
    named = [Reason.NO_GRANT, Reason.CONDITION, Reason.FORBIDDEN, Reason.QUARANTINED]
    too_long = {**_mapper(_details(TOO_LONG_DETAILS), Reason.UNVIEWABLE), "status_code": 502}
    replies = _with_grpc(
        [
            too_long,
            _mapper(_details(REFUSED_DETAILS), Reason.UNVIEWABLE),
            _mapper(_both(_status("EQ", 403), _details(ANSWERED_BY_LUA_DETAILS)), Reason.UNDISCLOSED),
            _mapper(_details(ANSWERED_BY_LUA_DETAILS), Reason.UNREADABLE),
            _mapper(_details(REQUEST_TOO_LONG_DETAILS), Reason.UNREADABLE),
            {**_mapper(_details(NOT_ADMITTED_DETAILS), Reason.SLOW_PATH_DOWN), "status_code": 503},
            *(_mapper(_both(_status("EQ", 403), _action_named(reason)), reason) for reason in named),
            _mapper(_both(_status("EQ", 403), {"response_flag_filter": {"flags": ["UAEX"]}}), Reason.CONDITION),
            _mapper(_status("EQ", 403), Reason.UNKNOWN_OPERATION),
            _mapper(_both(_status("GE", 500), {"response_flag_filter": {"flags": ["UAEX"]}}), Reason.SLOW_PATH_DOWN),
            _mapper(_status("GE", 500), Reason.UNREACHABLE),
        ]
    )
    return {**replies, "mappers": [_unviewed(), *replies["mappers"]]}


def egress_replies() -> Resource:
    """Return the bodies of what an egress itself answers."""
    return _with_grpc(
        [
            _mapper(_status("EQ", 407), Reason.BAD_CREDENTIAL),
            _mapper(_status("EQ", 404), Reason.UNKNOWN_SERVICE),
            _mapper(_status("GE", 500), Reason.UNREACHABLE),
        ]
    )
