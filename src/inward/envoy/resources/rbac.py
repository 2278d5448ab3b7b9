"""Cells to Envoy's native authorization: who may call one operation, as a map from the caller's SPIFFE ID.

The map is what keeps the cost flat: Envoy looks the caller up by hash, so 500 callers cost what one costs, where a list
of principals would be tried one by one. Every leaf is an action with a name, and the name is what the access log says:
`<reason>` or `<reason>:<policy id>,<policy id>`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inward.envoy.resources.proto import (
    CEL_INPUT,
    CEL_MATCHER,
    EXTENSION_CONFIG,
    RBAC,
    RBAC_ACTION,
    RBAC_PER_ROUTE,
    URI_SAN_INPUT,
    Resource,
    extension,
    typed,
)
from inward.policy.decision import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from inward.catalog.model import Mode

RBAC_FILTER = "envoy.filters.http.rbac"
QUARANTINE_FILTER = "quarantine"
SLOW = "slow_path"  # the name of an action that leaves the decision to the slow path


def allow(reason: str, policies: Iterable[str] = ()) -> Resource:
    """Return a leaf that allows, under the name that the log will show."""
    return _leaf("ALLOW", reason, policies)


def refuse(reason: str, policies: Iterable[str] = ()) -> Resource:
    """Return a leaf that refuses, under the name that the log will show."""
    return _leaf("DENY", reason, policies)


def _leaf(verdict: str, reason: str, policies: Iterable[str]) -> Resource:
    ids = ",".join(policies)
    name = f"{reason}:{ids}" if ids else str(reason)
    return {"action": {"name": "action", "typed_config": typed(RBAC_ACTION, name=name, action=verdict)}}


def when(conditions: Iterable[tuple[Resource, Resource]], otherwise: Resource) -> Resource:
    """Return a node: the first leaf whose CEL syntax tree is true, else `otherwise`; an error counts as not true."""
    matchers = []
    for tree, leaf in conditions:
        cel = extension(
            "envoy.matching.matchers.cel_matcher", CEL_MATCHER, expr_match={"cel_expr_parsed": {"expr": tree}}
        )
        predicate = {
            "input": extension("envoy.matching.inputs.cel_data_input", CEL_INPUT),
            "custom_match": cel,
        }
        matchers.append({"predicate": {"single_predicate": predicate}, "on_match": leaf})
    return {"matcher": {"matcher_list": {"matchers": matchers}, "on_no_match": otherwise}}


def per_route(callers: Mapping[str, Resource], mode: Mode) -> Resource:
    """Return the authorization of one route: `callers` maps SPIFFE IDs to leaves or nodes; nobody else is allowed.

    In observe mode the same matcher is evaluated and logged as a shadow rule and refuses nothing.
    """
    matcher: Resource = {"on_no_match": refuse(Reason.NO_GRANT)}
    if callers:
        matcher["matcher_tree"] = {
            "input": extension("envoy.matching.inputs.uri_san", URI_SAN_INPUT),
            "exact_match_map": {"map": dict(callers)},
        }
    else:
        matcher = {"matcher_list": {"matchers": [_never()]}, **matcher}
    rules = {"matcher": matcher} if mode == "enforce" else {"shadow_matcher": matcher}
    return typed(RBAC_PER_ROUTE, rbac=rules)


def _never() -> Resource:
    # A matcher must have a tree or a list: one that no SPIFFE ID can match.
    san = extension("envoy.matching.inputs.uri_san", URI_SAN_INPUT)
    predicate = {"single_predicate": {"input": san, "value_match": {"exact": "-"}}}
    return {"predicate": predicate, "on_match": refuse(Reason.NO_GRANT)}


def unknown_operation(mode: Mode) -> Resource:
    """Return the authorization of every path that no operation has."""
    matcher = {
        "matcher_list": {"matchers": [_never()]},
        "on_no_match": refuse(Reason.UNKNOWN_OPERATION),
    }
    return typed(RBAC_PER_ROUTE, rbac={"matcher" if mode == "enforce" else "shadow_matcher": matcher})


def base_filter() -> Resource:
    """Return the filter as it stands in the chain: where no route says otherwise, nothing is allowed."""
    return extension(RBAC_FILTER, RBAC, rules={"action": "ALLOW", "policies": {}})


def quarantine(service: str, spiffe_ids: Mapping[str, str], quarantined: Iterable[str]) -> Resource:
    """Return the quarantine filter of `service`: refuses quarantined callers, and everyone if it is quarantined itself.

    `spiffe_ids` holds the SPIFFE ID of each quarantined service. Enforced in observe mode too: quarantine only removes
    access.
    """
    names = sorted(set(quarantined))
    principals: list[Resource]
    if service in names:
        principals = [{"any": True}]
    else:
        principals = [{"authenticated": {"principal_name": {"exact": spiffe_ids[name]}}} for name in names]
    rules: Resource = {}
    if principals:
        quarantined_by = {"permissions": [{"any": True}], "principals": principals}
        rules = {"rules": {"action": "DENY", "policies": {Reason.QUARANTINED.value: quarantined_by}}}
    # Without rules the filter does nothing, which is cheaper than rules that match nobody.
    return typed(EXTENSION_CONFIG, name=QUARANTINE_FILTER, typed_config=typed(RBAC, **rules))
