"""Who withholds a class where it is served, or why nobody does."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
from tests.unit.insight.test_exposure import POLICIES, YAML, load

from inward.catalog.model import Catalog, Rpc
from inward.control.bundle import load_policy
from inward.insight.withheld import NOT_NEEDED, NOT_RUN, OBSERVED, Withholder, Withholders

if TYPE_CHECKING:
    from pathlib import Path

EMAIL = "pii.email"


@pytest.mark.parametrize(
    ("was", "written", "expected"),
    [
        ("", "", Withholder("envoy")),
        ("x {socket}", "x {port}", Withholder("envoy", "every process of the machine can call the service past it")),
        (", run: 'x {socket}'", "", NOT_RUN),
        ("run:", "guard: true, run:", Withholder("guard")),
        ("'127.0.0.1:0', run: 'x {socket}'", "'127.0.0.1:1', guard: tls, run: inward.guard.serve", Withholder("guard")),
        ("run:", "mode: observe, run:", OBSERVED),
        ("run:", "guard: true, mode: observe, run:", OBSERVED),  # a guard cuts nothing then either
        ("run:", "operations: {getOrder: {mode: observe}}, run:", OBSERVED),
    ],
)
def test_the_description_of_the_service_says_who(tmp_path: Path, was: str, written: str, expected: Withholder) -> None:
    load(tmp_path)
    (tmp_path / "inward.yaml").write_text(YAML.replace(was, written, 1))
    policy = load_policy(tmp_path)
    operation = policy.catalog.operations["orders:getOrder"]
    assert Withholders(policy.catalog, policy.engine).of(operation, EMAIL) == expected


def test_an_envoy_looks_only_where_somebody_may_not_see_all(tmp_path: Path) -> None:
    policy = load(tmp_path, {**POLICIES, "orders": POLICIES["orders"].replace('@expires("2026-07-01")', "")})
    withholders = Withholders(policy.catalog, policy.engine)
    # checkout is the only one that may call it, and is shown it now
    assert withholders.of(policy.catalog.operations["front:show"], EMAIL) == NOT_NEEDED
    # here another caller is shown it at some hours only
    assert withholders.of(policy.catalog.operations["orders:getOrder"], EMAIL) == Withholder("envoy")
    # one that ends is withheld one day
    policy = load(tmp_path, {**POLICIES, "orders": POLICIES["orders"].replace("2026-07-01", "2099-07-01")})
    show = policy.catalog.operations["front:show"]
    assert Withholders(policy.catalog, policy.engine).of(show, EMAIL) == Withholder("envoy")


def test_of_grpc_an_envoy_refuses_what_it_cannot_look_into(tmp_path: Path) -> None:
    policy = load(tmp_path)
    services = dict(policy.catalog.services)
    (get, *others) = services["orders"].operations
    method = dataclasses.replace(get, rpc=Rpc(client_streaming=False, server_streaming=False))
    services["orders"] = dataclasses.replace(services["orders"], operations=(method, *others))
    catalog = Catalog(policy.catalog.trust_domain, services, policy.catalog.data_classes)
    found = Withholders(catalog, policy.engine).of(method, EMAIL)
    assert (found.by, found.needed) == ("envoy", True)
    assert "gRPC" in found.why
