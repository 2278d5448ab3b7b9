"""The filters of an ingress that view answers, switched off until a route switches them on for itself.

Three, and the order matters. The Lua filter views, and says `admitted` of a request that may go in and `shown` of an
answer that may go out. The ones around it, which are not Lua, refuse every request and every answer of the service of
which nothing says that: so neither a mistake in the filter, nor an error in it, nor too little memory, nor a missing
program lets anything through, since Envoy goes on where a Lua filter fails.

An answer that is refused by its head is not waited for; its connection is closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from inward.catalog.model import Mode
from inward.envoy.resources.proto import (
    CEL_INPUT,
    CEL_MATCHER,
    CUSTOM_RESPONSE,
    DYNAMIC_METADATA_INPUT,
    FILTER_CONFIG,
    HEADER_MUTATION,
    LOCAL_RESPONSE,
    LUA,
    LUA_PER_ROUTE,
    METADATA_MATCHER,
    RBAC,
    Resource,
    extension,
    typed,
)
from inward.envoy.views.program import program_of
from inward.envoy.views.source import NOT_ADMITTED, VIEW_METADATA, source
from inward.policy.decision import Reason
from inward.policy.refusal import CONTENT_TYPE, TITLES
from inward.record.verdict import HEADER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inward.catalog.model import Catalog
    from inward.viewing.withholding import Viewed

VIEW_FILTER: Final = "inward.view"
REFUSING_FILTER: Final = "inward.refuse_unviewed"
ADMITTING_FILTER: Final = "inward.require_admitted"
WHOLE_SECONDS: Final = 300  # an answer that is held back must be whole by then
_STATUS = 502
_REFERENCE = "urn:uuid:%REQ(X-REQUEST-ID)%"
_ANSWERED = "via_upstream"


def view_filters(token_key: str) -> list[Resource]:
    """Return the filters as they stand in the ingress of a service without a guard.

    `token_key` is the path of the key of tokens. The last one takes out what the service says in the name of a guard.
    """
    lua = typed(LUA, default_source_code={"inline_string": source(token_key)})
    refusing = typed(CUSTOM_RESPONSE, custom_response_matcher=_refused())
    spoken = {"remove_on_match": {"key_matcher": {"exact": HEADER}}}
    return [
        {"name": REFUSING_FILTER, "typed_config": refusing, "disabled": True},
        {"name": VIEW_FILTER, "typed_config": lua, "disabled": True},
        {"name": ADMITTING_FILTER, "typed_config": _admitted(), "disabled": True},
        extension("envoy.filters.http.header_mutation", HEADER_MUTATION, mutations={"response_mutations": [spoken]}),
    ]


def view_route(viewed: Viewed, catalog: Catalog) -> dict[str, Resource]:
    """Return the configurations that switch the filters on for the route of an operation."""
    text, digest = program_of(viewed, catalog)
    lua = typed(LUA_PER_ROUTE, filter_context={"id": digest, "program": text})
    filters = {VIEW_FILTER: typed(FILTER_CONFIG, config=lua, disabled=False)}
    on = typed(FILTER_CONFIG, config={}, disabled=False)
    if viewed.operation.mode is Mode.ENFORCE and viewed.answers:
        filters[REFUSING_FILTER] = on
    if viewed.operation.mode is Mode.ENFORCE and viewed.requests:
        filters[ADMITTING_FILTER] = on
    return filters


def _admitted() -> Resource:
    """Refuse requests of which the Lua filter did not say that they may go in; where nothing is said, that is no."""
    said = {"filter": VIEW_METADATA, "path": [{"key": "admitted"}], "value": {"string_match": {"exact": "yes"}}}
    policy = {"permissions": [{"not_rule": {"metadata": said}}], "principals": [{"any": True}]}
    # The prefix keeps apart what this filter says from what the authorization said, in the log.
    return typed(RBAC, rules={"action": "DENY", "policies": {NOT_ADMITTED: policy}}, rules_stat_prefix="admitted_")


def _refused() -> Resource:
    """Match answers of the service itself that nothing says are shown; Envoy's own refusals are not among them."""
    details = {"select_expr": {"operand": {"ident_expr": {"name": "response"}}, "field": "code_details"}}
    answered = {
        "call_expr": {"function": "_==_", "args": [details, {"const_expr": {"string_value": _ANSWERED}}]},
    }
    cel = extension(
        "envoy.matching.matchers.cel_matcher", CEL_MATCHER, expr_match={"cel_expr_parsed": {"expr": answered}}
    )
    from_service = {
        "single_predicate": {"input": extension("envoy.matching.inputs.cel_data_input", CEL_INPUT), "custom_match": cel}
    }
    unviewed = {"and_matcher": {"predicate": [from_service, {"not_matcher": _said("shown")}]}}
    kept = {
        "matcher_list": {"matchers": [{"predicate": _said("kept"), "on_match": _error()}]},
        "on_no_match": _refusal(),
    }
    return {"matcher_list": {"matchers": [{"predicate": unviewed, "on_match": {"matcher": kept}}]}}


def _said(key: str) -> Resource:
    """Match where the Lua filter said `yes` about something."""
    metadata = extension(
        "envoy.matching.inputs.dynamic_metadata", DYNAMIC_METADATA_INPUT, filter=VIEW_METADATA, path=[{"key": key}]
    )
    value = extension(
        "envoy.matching.matchers.metadata_matcher", METADATA_MATCHER, value={"string_match": {"exact": "yes"}}
    )
    return {"single_predicate": {"input": metadata, "custom_match": value}}


def _error() -> Resource:
    """Return the answer to an error, which keeps its status and loses its page."""
    told = {
        "type": "about:blank",
        "title": f"%DYNAMIC_METADATA({VIEW_METADATA}:title)%",
        "status": f"%DYNAMIC_METADATA({VIEW_METADATA}:status)%",
        "instance": _REFERENCE,
    }
    return _answer(told)


def _refusal() -> Resource:
    told: dict[str, str | int] = {
        "type": "about:blank",
        "title": TITLES[Reason.UNVIEWABLE],
        "status": _STATUS,
        "code": Reason.UNVIEWABLE.value,
        "instance": _REFERENCE,
    }
    return _answer(told, status_code=_STATUS)


def _answer(told: Mapping[str, str | int], **fields: object) -> Resource:
    body = {"json_format": dict(told), "content_type": CONTENT_TYPE}
    policy = typed(LOCAL_RESPONSE, body_format=body, **fields)
    return {"action": {"name": "refuse", "typed_config": policy}}
