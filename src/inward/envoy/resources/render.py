"""A service's part of the catalog and the policy, as the resources that its Envoy enforces."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from inward.catalog.resolve import most_specific_first
from inward.envoy.resources import rbac, routes
from inward.envoy.resources.clusters import (
    app_cluster,
    grpc_app_cluster,
    service_cluster,
    slow_path_cluster,
    tunnel_cluster,
)
from inward.envoy.resources.egress import egress_routes
from inward.envoy.resources.proto import nesting
from inward.envoy.resources.slow_filter import filter_of, slow_route
from inward.envoy.views.filters import view_route
from inward.policy.cel import UntranslatableError, reads_of_scope, translate
from inward.policy.decision import Reason
from inward.viewing.withholding import Withholding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inward.catalog.model import Address, Catalog, Operation, Service
    from inward.envoy.resources.proto import Resource
    from inward.policy.decide import Engine
    from inward.policy.model import Cell, Policy


@dataclass(frozen=True, slots=True)
class SlowCell:
    """A cell that Envoy cannot decide by itself, and the construct that it cannot express."""

    caller: str
    operation: str
    construct: str


def leaf_of(cell: Cell, catalog: Catalog) -> Resource:
    """Return what Envoy does for one cell; raise `UntranslatableError` where only the slow path can tell."""
    permits = [permit.id for permit in cell.permits]
    constant = cell.constant
    if constant is True:
        # Those that hold for good: one that expires must not be named when it has.
        return rbac.allow(Reason.GRANTED, [permit.id for permit in cell.permits if permit.expires is None])
    refused_by = [forbid.id for forbid in cell.forbids if not forbid.conditional and forbid.expires is None]
    if constant is False:
        return rbac.refuse(Reason.FORBIDDEN if refused_by else Reason.NO_GRANT, refused_by)
    candidates = [*permits, *(forbid.id for forbid in cell.forbids)]
    otherwise = rbac.refuse(Reason.CONDITION, candidates)
    allowed = rbac.allow(Reason.GRANTED, permits)
    if len(permits) > 1:
        # The cell's whole condition has held, so some permit has: name the first one that does.
        single = [(permit.id, dataclasses.replace(cell, permits=(permit,), forbids=())) for permit in cell.permits]
        named = [(translate(each, catalog), rbac.allow(Reason.GRANTED, [name])) for name, each in single]
        allowed = rbac.when(named, otherwise)
    leaf = rbac.when([(translate(cell, catalog), allowed)], otherwise)
    if (nested := nesting(leaf)) > routes.MOST_NESTED_LEAF:
        raise UntranslatableError(f"a condition nested {nested} deep")
    return leaf


class Leaves:
    """The leaves of the cells of one catalog. Cells that cannot differ share one, which is compiled once.

    A grant to a zone is a cell for each service in it and each of its operations, and mostly they are all the same.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._reads: dict[Policy, frozenset[str]] = {}
        self._known: dict[tuple[object, ...], Resource | UntranslatableError] = {}

    def of(self, cell: Cell) -> Resource:
        """Return what `leaf_of` does, or raise what it raises."""
        key = self.key(cell)
        found = self._known.get(key)
        if found is None:
            try:
                found = leaf_of(cell, self._catalog)
            except UntranslatableError as error:
                found = error
            self._known[key] = found
        if isinstance(found, UntranslatableError):
            raise UntranslatableError(found.construct)
        return found

    def key(self, cell: Cell) -> tuple[object, ...]:
        """Return all that a leaf depends on: permits, forbids, the operation and the caller, None where not seen."""
        reads: set[str] = set()
        conditional = False
        for policy in (*cell.permits, *cell.forbids):
            if policy.conditional:
                conditional = True
                found = self._reads.get(policy)
                if found is None:
                    found = self._reads[policy] = reads_of_scope(policy)
                reads |= found
        operation = cell.operation.id if conditional else None
        return cell.permits, cell.forbids, operation, cell.caller if "principal" in reads else None


def operation_filters(
    operation: Operation, catalog: Catalog, engine: Engine, leaves: Leaves | None = None
) -> tuple[Resource, list[SlowCell]]:
    """Return the filter configurations of an operation's route, and the cells that make it pay for the slow path."""
    leaves = leaves or Leaves(catalog)
    callers: dict[str, Resource] = {}
    slow: list[SlowCell] = []
    for cell in engine.index.cells_of(operation.id):
        spiffe_id = str(catalog.services[cell.caller].spiffe_id)
        try:
            callers[spiffe_id] = leaves.of(cell)
        except UntranslatableError as error:
            slow.append(SlowCell(cell.caller, operation.id, error.construct))
            callers[spiffe_id] = rbac.allow(rbac.SLOW)
    filters = {rbac.RBAC_FILTER: rbac.per_route(callers, operation.mode)}
    if slow:
        filters[filter_of(operation.mode)] = slow_route(operation.id, operation.mode)
    return filters, slow


@dataclass(frozen=True, slots=True)
class ServiceRoutes:
    """An ingress's routes without a version: `content` is the hash of all that they enforce."""

    service: Service
    routes: Mapping[str, Resource]
    ordered: Sequence[Operation]
    content: str
    slow: tuple[SlowCell, ...]

    def resource(self, version: str) -> Resource:
        """Return the routes as one resource that says `version` in each log line."""
        return routes.route_configuration(self.service, self.routes, self.ordered, version)


def service_routes(service: Service, catalog: Catalog, engine: Engine) -> ServiceRoutes:
    """Compile the ingress of one service."""
    ordered = most_specific_first(service.operations)
    compiled: dict[str, Resource] = {}
    slow: list[SlowCell] = []
    leaves = Leaves(catalog)
    withholding = Withholding(catalog, engine)
    for operation in ordered:
        filters, cells = operation_filters(operation, catalog, engine, leaves)
        viewed = None if service.guarded else withholding.viewed(operation)
        if viewed is not None:
            filters |= view_route(viewed, catalog)
        compiled[operation.id] = routes.operation_route(operation, filters)
        slow += cells
    digest = hashlib.sha256(msgspec.json.encode([service.mode, list(compiled.values())]))
    return ServiceRoutes(service, compiled, ordered, digest.hexdigest()[:12], tuple(slow))


def clusters(
    catalog: Catalog,
    addresses: Mapping[str, Address],
    folder: str,
    app: str | Address | None,
    slow_socket: str,
) -> list[Resource]:
    """Return the clusters of one Envoy: callees that have an address, its own app, the slow path, the tunnel."""
    found = [
        service_cluster(name, addresses[name], str(service.spiffe_id), folder, http1=service.serves_tls)
        for name, service in catalog.services.items()
        if name in addresses
    ]
    if app is not None:
        found += [app_cluster(app), grpc_app_cluster(app)]
    return [*found, slow_path_cluster(slow_socket), tunnel_cluster()]


def egress(addresses: Mapping[str, Address], credential: str) -> list[Resource]:
    """Return the egress routes of one Envoy."""
    return [egress_routes(sorted(addresses), credential)]
