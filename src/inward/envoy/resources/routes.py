"""Operations to routes, in a structure whose cost does not grow with their number.

The path is looked up in a map of the templates' static prefixes, then tried against the few routes under that prefix,
most specific first. Two rules of Envoy's map make the rest: it takes the longest prefix and never falls back to a
shorter one, so a route with a shorter prefix is copied into every longer one that its paths can begin with; and a path
that matches no route has none, which the base authorization filter refuses.
"""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING

from inward.envoy.resources.proto import (
    HEADER_INPUT,
    MOST_NESTED,
    ROUTE,
    ROUTE_CONFIGURATION,
    ROUTE_LIST,
    Resource,
    extension,
    typed,
)
from inward.envoy.resources.rbac import RBAC_FILTER, unknown_operation
from inward.envoy.resources.route_tree import MOST_SPLITS, Leaf, Node, route_tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inward.catalog.model import Mode, Operation, Service

INGRESS_ROUTES = "ingress"
APP_CLUSTER = "local:app"
_PATH = extension("path", HEADER_INPUT, header_name=":path")
MOST_NESTED_LEAF = MOST_NESTED - 21 - 5 * MOST_SPLITS  # around it: the routes, and the splits on the way to them
_APP = {"cluster": APP_CLUSTER, "timeout": "0s"}  # how long an answer may take is the service's business


def _match(operation: Operation) -> Resource:
    template = operation.template
    path: Resource = {"safe_regex": {"regex": template.regex}} if template.variables else {"path": template.text}
    method = {"name": ":method", "string_match": {"exact": operation.method}}
    return {**path, "headers": [method]}


def operation_route(operation: Operation, filters: Mapping[str, Resource]) -> Resource:
    """Return the route of one operation with its own filter configurations."""
    return {
        "name": operation.id,
        "match": _match(operation),
        "route": _APP,
        "typed_per_filter_config": dict(filters),
    }


def _unknown_route(mode: Mode) -> Resource:
    return {
        "name": "",
        "match": {"prefix": "/"},
        "route": _APP,
        "typed_per_filter_config": {RBAC_FILTER: unknown_operation(mode)},
    }


def prefix_groups(operations: Sequence[Operation]) -> dict[str, list[Operation]]:
    """Group operations (most specific first, and kept so) by the static prefixes of their templates.

    A group holds every operation that a path which begins with its prefix can mean, where no longer prefix of the map
    begins that path.
    """
    prefixes = sorted({operation.template.static_prefix for operation in operations})
    members: dict[str, list[int]] = {prefix: [] for prefix in prefixes}
    for rank, operation in enumerate(operations):
        own = operation.template.static_prefix
        members[own].append(rank)
        if operation.template.variables:
            for index in range(bisect.bisect_right(prefixes, own), len(prefixes)):
                prefix = prefixes[index]
                if not prefix.startswith(own):
                    break  # prefixes are sorted: those that begin with `own` stand together
                if _can_begin(operation.template.text, prefix):
                    members[prefix].append(rank)
    return {prefix: [operations[rank] for rank in sorted(ranks)] for prefix, ranks in members.items()}


def _can_begin(template: str, prefix: str) -> bool:
    """Whether a path of `template` can begin with `prefix`; too often true costs a little, too seldom is a hole."""
    wanted, pieces = prefix.split("/"), template.split("/")
    if len(wanted) > len(pieces):
        return False
    *whole, last = wanted
    for segment, piece in zip(whole, pieces, strict=False):
        if "{" not in piece and segment != piece:
            return False
    head, brace, _ = pieces[len(whole)].partition("{")
    return head.startswith(last) or (bool(brace) and last.startswith(head))


def _entry(node: Node, routes: Mapping[str, Resource], unknown: Resource) -> Resource:
    """Return a node of the tree as Envoy's matcher: an action that tries a list of routes, or another matcher."""
    if isinstance(node, Leaf):
        listed = [*(routes[operation.id] for operation in node.operations), unknown]
        return {"action": {"name": "routes", "typed_config": typed(ROUTE_LIST, routes=listed)}}
    matchers = [
        {
            "predicate": {
                "single_predicate": {
                    "input": _PATH,
                    "value_match": {"safe_regex": {"google_re2": {}, "regex": expression}},
                }
            },
            "on_match": _entry(branch, routes, unknown),
        }
        for expression, branch in node.branches
    ]
    otherwise = _entry(node.otherwise, routes, unknown)
    return {"matcher": {"matcher_list": {"matchers": matchers}, "on_no_match": otherwise}}


def route_configuration(
    service: Service, routes: Mapping[str, Resource], ordered: Sequence[Operation], version: str
) -> Resource:
    """Return an ingress's routes: `routes` by operation id, `ordered` the operations, most specific first.

    `version` is the policy's, and stands in the virtual host's metadata, so that each log line says what was enforced.
    """
    unknown = _unknown_route(service.mode)
    entries = {}
    for prefix, group in prefix_groups(ordered).items():
        entries[prefix] = _entry(route_tree(group), routes, unknown)
    fallback = {"action": {"name": "unknown", "typed_config": typed(ROUTE, **unknown)}}
    host: Resource = {
        "name": service.name,
        "domains": ["*"],
        "metadata": {"filter_metadata": {"inward": {"version": version}}},
    }
    if entries:
        host["matcher"] = {
            "matcher_tree": {
                "input": _PATH,
                "prefix_match_map": {"map": entries},
            },
            "on_no_match": fallback,
        }
    else:
        host["routes"] = [unknown]
    return typed(ROUTE_CONFIGURATION, name=INGRESS_ROUTES, virtual_hosts=[host])
