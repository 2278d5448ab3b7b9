"""Operations to routes, in a structure whose cost does not grow with their number.

The path is looked up in a map of the templates' static prefixes, then tried against the few routes under that prefix,
most specific first. Two rules of Envoy's map make the rest: it takes the longest prefix and never falls back to a
shorter one, so a route with a shorter prefix is copied into every longer one that its paths can begin with; and a path
that matches no route has none, which the base authorization filter refuses.

Behind the route of a template that can be spelled in other ways stands one for those, which is nobody's: see
`inward.catalog.template`. So does one for what could be taken for an operation that is enforced, where its service is
not.
"""

from __future__ import annotations

import bisect
import dataclasses
from typing import TYPE_CHECKING

from inward.catalog.model import Mode
from inward.envoy.resources.grpc import GRPC_APP, IS_GRPC
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
from inward.envoy.views.filters import REFUSING_FILTER, WHOLE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inward.catalog.model import Operation, Service

INGRESS_ROUTES = "ingress"
APP_CLUSTER = "local:app"
_PATH = extension("path", HEADER_INPUT, header_name=":path")
MOST_NESTED_LEAF = MOST_NESTED - 21 - 5 * MOST_SPLITS  # around it: the routes, and the splits on the way to them
_APP = {"cluster": APP_CLUSTER, "timeout": "0s"}  # how long an answer may take is the service's business
_HELD = {**_APP, "timeout": f"{WHOLE_SECONDS}s"}  # but what is held back is held here


def _match(operation: Operation) -> Resource:
    template = operation.template
    path: Resource = {"safe_regex": {"regex": template.regex}} if template.variables else {"path": template.text}
    method = {"name": ":method", "string_match": {"exact": operation.method}}
    return {**path, **(IS_GRPC if operation.rpc is not None else {}), "headers": [method]}


def operation_route(operation: Operation, filters: Mapping[str, Resource]) -> Resource:
    """Return the route of one operation with its own filter configurations."""
    return {
        "name": operation.id,
        "match": _match(operation),
        "route": GRPC_APP if operation.rpc is not None else _HELD if REFUSING_FILTER in filters else _APP,
        "typed_per_filter_config": dict(filters),
    }


def _unknown_routes(service: Service) -> list[Resource]:
    """Return the routes of what no operation is meant by; a service that has gRPC methods may be sent unknown ones."""
    filters = {RBAC_FILTER: unknown_operation(service.mode)}
    unknown = {"name": "", "match": {"prefix": "/"}, "route": _APP, "typed_per_filter_config": filters}
    if all(operation.rpc is None for operation in service.operations):
        return [unknown]
    return [{**unknown, "match": {"prefix": "/", **IS_GRPC}, "route": GRPC_APP}, unknown]


def _with_respelled(
    service: Service, operations: Sequence[Operation], routes: dict[str, Resource], unknown: Resource
) -> list[Operation]:
    """Return the operations with, behind each that has other spellings, one that stands for those; add their routes.

    Where the service only observes, what could be taken for an enforced operation is refused all the same.
    """
    found: list[Operation] = []
    for operation in operations:
        found.append(operation)
        enforced = service.mode is Mode.OBSERVE and operation.mode is Mode.ENFORCE
        template = operation.template.resembling if enforced else operation.template.respelled
        if template is not None and template.variables:
            other = dataclasses.replace(operation, name=f"{operation.name} in another spelling", template=template)
            routes[other.id] = {**unknown, "match": _match(other)}
            if enforced:
                routes[other.id]["typed_per_filter_config"] = {RBAC_FILTER: unknown_operation(Mode.ENFORCE)}
            found.append(other)
    return found


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


def _entry(node: Node, routes: Mapping[str, Resource], unknown: Sequence[Resource]) -> Resource:
    """Return a node of the tree as Envoy's matcher: an action that tries a list of routes, or another matcher."""
    if isinstance(node, Leaf):
        listed = [*(routes[operation.id] for operation in node.operations), *unknown]
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
    unknown = _unknown_routes(service)
    entries, listed = {}, dict(routes)
    for prefix, group in prefix_groups(_with_respelled(service, ordered, listed, unknown[-1])).items():
        entries[prefix] = _entry(route_tree(group), listed, unknown)
    *others, last = unknown
    otherwise = typed(ROUTE_LIST, routes=unknown) if others else typed(ROUTE, **last)
    fallback = {"action": {"name": "unknown", "typed_config": otherwise}}
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
        host["routes"] = unknown
    return typed(ROUTE_CONFIGURATION, name=INGRESS_ROUTES, virtual_hosts=[host])
