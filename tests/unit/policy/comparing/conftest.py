"""Compares policies of the shop, given as texts, and catalogs that differ from the shop's."""

from __future__ import annotations

import dataclasses
import itertools
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from inward.policy.comparing.compare import System, compare
from inward.policy.loading.load import load_policies

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inward.catalog.model import Catalog, Operation, Service
    from inward.policy.comparing.change import Comparison

NOW = datetime(2026, 6, 1, tzinfo=UTC)


class Diff(Protocol):
    def __call__(
        self,
        old: str,
        new: str | None = None,
        *,
        was: Catalog | None = None,
        becomes: Catalog | None = None,
        budget_seconds: float = 60.0,
    ) -> Comparison: ...


@pytest.fixture
def diff(shop: Catalog, tmp_path: Path) -> Diff:
    """Compare the policies `old` of the catalog `was` with `new` of `becomes`; guardrails stand after a line `---`."""

    number = itertools.count()

    def compared(
        old: str,
        new: str | None = None,
        *,
        was: Catalog | None = None,
        becomes: Catalog | None = None,
        budget_seconds: float = 60.0,
    ) -> Comparison:
        systems = []
        sides = ((old, was or shop, "old"), (old if new is None else new, becomes or was or shop, "new"))
        for text, catalog, name in sides:
            folder = tmp_path / f"{name}-{next(number)}"
            (folder / "policies").mkdir(parents=True)
            own, _, guardrails = text.partition("\n---\n")
            (folder / "policies" / "orders.cedar").write_text(own)
            (folder / "guardrails.cedar").write_text(guardrails)
            policies, mistakes = load_policies(folder, catalog)
            assert mistakes == []
            systems.append(System(catalog, policies))
        return compare(systems[0], systems[1], NOW, budget_seconds)

    return compared


def with_service(catalog: Catalog, name: str, **changes: Any) -> Catalog:
    """Return the catalog with a service that is otherwise."""
    services = {**catalog.services, name: dataclasses.replace(catalog.services[name], **changes)}
    return dataclasses.replace(catalog, services=MappingProxyType(services))


def without_service(catalog: Catalog, name: str) -> Catalog:
    """Return the catalog without a service."""
    services = {each: service for each, service in catalog.services.items() if each != name}
    return dataclasses.replace(catalog, services=MappingProxyType(services))


def with_operations(catalog: Catalog, service: str, change: Callable[[Operation], Operation | None]) -> Catalog:
    """Return the catalog with each operation of a service as `change` makes it, or without it."""
    found: Service = catalog.services[service]
    changed = [after for each in found.operations if (after := change(each)) is not None]
    return with_service(catalog, service, operations=tuple(changed))
