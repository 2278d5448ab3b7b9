"""The clusters: each leads to one address, and a callee's only to its own SPIFFE ID."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.envoy import shop

from inward.catalog.model import Address
from inward.envoy.resources.clusters import app_cluster, service_cluster, slow_path_cluster

if TYPE_CHECKING:
    from inward.envoy.resources.proto import Resource


def address_of(cluster: Resource) -> Resource:
    ((endpoint,),) = (each["lb_endpoints"] for each in cluster["load_assignment"]["endpoints"])
    found: Resource = endpoint["endpoint"]["address"]
    return found


def test_a_callee_is_reached_by_mutual_tls_and_must_be_itself() -> None:
    cluster = service_cluster("orders", Address("127.0.0.1", 7001), f"{shop.ID}/orders", "/run/s/checkout")
    assert cluster["name"] == "service:orders"
    assert address_of(cluster) == {"socket_address": {"address": "127.0.0.1", "port_value": 7001}}
    (socket,) = [each for path, each in shop.walk(cluster) if path[-1:] == ("transport_socket",)]
    texts = shop.texts(socket)
    assert f"{shop.ID}/orders" in texts
    assert "/run/s/checkout/svid.json" in texts


def test_the_app_and_the_slow_path_are_local_and_nothing_else_is_without_tls() -> None:
    assert address_of(app_cluster("/run/app.sock")) == {"pipe": {"path": "/run/app.sock"}}
    loopback = {"socket_address": {"address": "127.0.0.1", "port_value": 9}}
    assert address_of(app_cluster(Address("127.0.0.1", 9))) == loopback
    assert address_of(slow_path_cluster("/run/slow.sock")) == {"pipe": {"path": "/run/slow.sock"}}
    for cluster in (app_cluster("/a"), slow_path_cluster("/b")):
        assert "transport_socket" not in cluster
        assert cluster["name"].startswith("local:")  # no service can be called so: it has a colon


def test_names_of_services_and_of_ours_cannot_meet() -> None:
    names = {app_cluster("/a")["name"], slow_path_cluster("/b")["name"]}
    for service in ("app", "slow-path", "local"):
        assert service_cluster(service, Address("::1", 1), f"{shop.ID}/{service}", "/f")["name"] not in names
