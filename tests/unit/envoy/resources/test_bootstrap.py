"""What an Envoy is started with: its listeners, a private admin socket, and no secret."""

from __future__ import annotations

import pytest
from tests.unit.envoy import shop

from inward.catalog.model import Address
from inward.envoy.resources.bootstrap import bootstrap
from inward.envoy.resources.proto import MOST_NESTED, Resource, nesting

ORDERS = shop.service(shop.operation("/orders/{id}"))


def started(ingress: Address | None) -> Resource:
    return bootstrap(
        ORDERS,
        ingress=ingress,
        egress=Address("127.0.0.1", 9001),
        folder="/run/s/orders",
        log="/log/orders/access.log",
        max_connection_seconds=60.0,
    )


@pytest.mark.parametrize("ingress", [None, Address("0.0.0.0", 7001)])
def test_a_service_that_only_calls_has_no_way_in(ingress: Address | None) -> None:
    listeners = {each["name"]: each for each in started(ingress)["static_resources"]["listeners"]}
    assert set(listeners) == {"egress", "tunnel", *(() if ingress is None else ("ingress",))}
    assert listeners["egress"]["address"]["socket_address"]["address"] == "127.0.0.1"


def test_admin_is_a_private_socket() -> None:
    pipe = started(None)["admin"]["address"]["pipe"]
    assert pipe == {"path": "/run/s/orders/admin.sock", "mode": 0o600}


def test_what_changes_is_in_files_that_are_watched() -> None:
    config = started(Address("127.0.0.1", 7001))
    watched = {
        value
        for path, value in shop.walk(config)
        if path[-2:] == ("path_config_source", "path") and isinstance(value, str)
    }
    assert {path.rpartition("/")[2] for path in watched} == {
        "clusters.json",
        "routes.json",
        "egress.json",
        "quarantine.json",
        "svid.json",
        "bundle.json",
    }
    assert all(path.startswith("/run/s/orders/") for path in watched)
    assert "clusters" not in config["static_resources"]
    assert nesting(config) <= MOST_NESTED


def test_expressions_of_paths_with_several_variables_are_taken() -> None:
    (layer,) = started(None)["layered_runtime"]["layers"]
    assert layer["static_layer"]["re2.max_program_size.error_level"] > 100_000


def test_who_it_is_stands_in_the_node() -> None:
    assert started(None)["node"] == {"id": "orders", "cluster": "orders"}
