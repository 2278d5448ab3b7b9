"""A small shop, built by hand, and a way to load policies for it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest

from inward.catalog.model import Catalog, DataClass, Mode, Operation, Parameter, Service
from inward.catalog.template import PathTemplate
from inward.errors import Place
from inward.identity.spiffe_id import SpiffeID
from inward.policy.loading.load import load_policies

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inward.errors import Mistake
    from inward.policy.model import Policies

    Load = Callable[[dict[str, str]], tuple[Policies, list[Mistake]]]

TRUST_DOMAIN = "shop.internal"
INWARD_YAML = Place("inward.yaml", 1)


def _operation(service: str, name: str, method: str, path: str, *query: Parameter, integers: str = "") -> Operation:
    template = PathTemplate(path)
    in_path = (
        Parameter(variable, "path", "integer" if variable == integers else "string", required=True)
        for variable in template.variables
    )
    return Operation(
        service=service,
        name=name,
        method=method,
        template=template,
        parameters=(*in_path, *query),
        mode=Mode.ENFORCE,
        deprecated=False,
        place=Place(f"apis/{service}.yaml", 1),
    )


def _service(name: str, owner: str, zone: str | None, groups: tuple[str, ...], *operations: Operation) -> Service:
    return Service(
        name=name,
        spiffe_id=SpiffeID.of_service(TRUST_DOMAIN, name),
        owner=owner,
        zone=zone,
        groups=groups,
        mode=Mode.ENFORCE,
        listen=None,
        run=None,
        operations=operations,
        place=INWARD_YAML,
    )


@pytest.fixture(scope="session")
def shop() -> Catalog:
    """Four services: `orders` and `payments` are called, `checkout` is called and calls, `reporting` only calls."""
    services = (
        _service(
            "orders",
            "team-orders",
            "core",
            ("sellers",),
            _operation(
                "orders",
                "getOrder",
                "GET",
                "/orders/{id}",
                Parameter("limit", "query", "integer", required=False),
                Parameter("dry_run", "query", "boolean", required=False),
            ),
            _operation("orders", "createOrder", "POST", "/orders"),
            _operation(
                "orders",
                "countOrders",
                "GET",
                "/counts/{n}",
                Parameter("q", "query", "string", required=True),
                integers="n",
            ),
        ),
        _service("payments", "team-payments", "core", (), _operation("payments", "charge", "POST", "/charges/{id}")),
        _service(
            "checkout", "team-checkout", "edge", ("sellers", "web"), _operation("checkout", "pay", "POST", "/pay")
        ),
        _service("reporting", "team-orders", None, ()),
    )
    data_classes = (
        DataClass("pii", "team-orders", None, INWARD_YAML),
        DataClass("pii.email", "team-payments", "pii", INWARD_YAML),
        DataClass("card", "team-payments", None, INWARD_YAML),
        DataClass("card.number", "team-payments", "card", INWARD_YAML),
    )
    return Catalog(
        TRUST_DOMAIN,
        MappingProxyType({service.name: service for service in services}),
        MappingProxyType({data_class.name: data_class for data_class in data_classes}),
    )


@pytest.fixture
def load(shop: Catalog, tmp_path: Path) -> Load:
    """Load policies of the shop, given as file names and texts."""

    def from_files(files: dict[str, str]) -> tuple[Policies, list[Mistake]]:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return load_policies(tmp_path, shop)

    return from_files
