"""What a service of a run is given: addresses that nobody else has, an environment without our secrets."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from inward.catalog.model import Address, Service
from inward.control.run import services as parts
from inward.control.run.services import Allocation, SocketPathError
from inward.control.running import RunningService
from inward.control.settings import Settings
from inward.envoy.resources.egress import proxy_authorization
from inward.identity.private_files import read_private

if TYPE_CHECKING:
    from inward.control.bundle import Policy
    from inward.control.layout import Layout
    from inward.control.run.ports import Ports

BEFORE = RunningService(listen="127.0.0.1:41001", egress="127.0.0.1:41002", credential="kept", app="127.0.0.1:41003")


@pytest.fixture
def orders(policy: Policy) -> Service:
    return policy.catalog.services["orders"]


@pytest.fixture
def audit(policy: Policy) -> Service:
    return policy.catalog.services["audit"]


def test_ports_are_free_and_nobody_elses(layout: Layout, policy: Policy, ports: Ports) -> None:
    found = [parts.allocate(service, layout, None, ports) for service in policy.catalog.services.values()]
    numbers = [at.port for each in found for at in (each.egress, each.ingress, each.app) if isinstance(at, Address)]
    numbers.remove(7443)  # `foreign` says itself where it listens
    assert len(set(numbers)) == len(numbers)
    assert all(port > 1023 for port in numbers)
    assert len({each.credential for each in found}) == len(found)
    assert all(len(each.credential) >= 32 for each in found)


def test_what_a_service_uses_decides_where_it_listens(layout: Layout, policy: Policy, ports: Ports) -> None:
    found = {name: parts.allocate(each, layout, None, ports) for name, each in policy.catalog.services.items()}
    assert found["orders"].app == str(layout.service("orders").app_socket)
    audit = found["audit"].app
    assert isinstance(audit, Address)
    assert audit.host == "127.0.0.1"  # never where another machine could reach it
    assert (found["checkout"].app, found["checkout"].ingress) == (None, None)
    assert found["foreign"].ingress == Address("192.0.2.7", 7443)


def test_a_run_after_another_keeps_its_addresses_and_credential(layout: Layout, audit: Service, ports: Ports) -> None:
    kept = parts.allocate(audit, layout, BEFORE, ports)
    assert kept.running() == BEFORE
    again = parts.allocate(audit, layout, kept.running(), ports)
    assert again == kept


def test_an_address_that_was_changed_is_not_kept(layout: Layout, audit: Service, orders: Service, ports: Ports) -> None:
    fixed = dataclasses.replace(audit, listen=Address("127.0.0.1", 7001))
    assert parts.allocate(fixed, layout, BEFORE, ports).ingress == Address("127.0.0.1", 7001)
    elsewhere = dataclasses.replace(audit, listen=Address("::1", 0))
    moved = parts.allocate(elsewhere, layout, BEFORE, ports).ingress
    assert moved is not None
    assert (moved.host, moved.port != 41001) == ("::1", True)
    assert parts.allocate(orders, layout, BEFORE, ports).app == str(layout.service("orders").app_socket)
    from_socket = msgspec.structs.replace(BEFORE, app="/run/app.sock")
    assert isinstance(parts.allocate(audit, layout, from_socket, ports).app, Address)


def test_a_socket_with_too_long_a_path_is_one_clear_error(
    layout: Layout, orders: Service, tmp_path: Path, ports: Ports
) -> None:
    far = dataclasses.replace(layout, run=tmp_path / ("x" * 100))
    with pytest.raises(SocketPathError, match="more than 107 bytes") as raised:
        parts.allocate(orders, far, None, ports)
    assert "XDG_RUNTIME_DIR" in raised.value.hint


def at(layout: Layout, service: Service, ports: Ports) -> Allocation:
    return parts.allocate(service, layout, None, ports)


HOSTILE = {
    "PATH": "/usr/bin",
    "HOME": "/somewhere/x",
    "DATABASE_URL": "postgres://",
    "INWARD_CA_PASSPHRASE": "s3cret",
    "HTTP_PROXY": "http://corporate:3128",
    "http_proxy": "http://corporate:3128",
    "ALL_PROXY": "socks5://corporate",
    "all_proxy": "socks5://corporate",
    "NO_PROXY": "*",
    "no_proxy": "orders",
    "no_grpc_proxy": "orders",
    "https_proxy": "http://corporate:3128",
    "INWARD_SPIFFE_ID": "spiffe://evil/x",
    "INWARD_SERVICE": "evil",
}


def test_a_service_gets_its_own_proxy_and_no_secret_of_ours(layout: Layout, orders: Service, ports: Ports) -> None:
    allocation = at(layout, orders, ports)
    given = parts.app_process(orders, allocation, layout, HOSTILE).environment
    proxy = f"http://inward:{allocation.credential}@{allocation.egress}"
    # clients of gRPC look at `grpc_proxy` and `https_proxy` before `http_proxy`
    assert given["HTTP_PROXY"] == given["http_proxy"] == given["grpc_proxy"] == proxy
    assert given["INWARD_EGRESS"] == str(allocation.egress)
    assert given["INWARD_EGRESS_AUTHORIZATION"] == proxy_authorization(allocation.credential)
    # another proxy, or an exception from this one, would lead around the egress
    assert not {"ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "no_grpc_proxy"} & set(given)
    assert "s3cret" not in given.values()
    assert given["INWARD_SPIFFE_ID"] == "spiffe://shop.internal/orders"
    assert given["INWARD_SERVICE"] == "orders"
    assert (given["INWARD_BUNDLE"], given["INWARD_TOKEN_KEY"]) == (str(layout.bundle), str(layout.token_key))
    assert (given["DATABASE_URL"], given["https_proxy"]) == ("postgres://", "http://corporate:3128")
    assert given["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    assert given["PATH"].endswith("/usr/bin")


def test_the_key_of_tokens_is_made_once(layout: Layout) -> None:
    parts.prepare_token_key(layout)
    key = read_private(layout.token_key)
    assert key is not None
    assert len(key) == 32
    parts.prepare_token_key(layout)
    assert read_private(layout.token_key) == key


def test_a_run_line_is_split_into_words_before_anything_is_filled_in(
    layout: Layout, orders: Service, audit: Service, ports: Ports
) -> None:
    odd = dataclasses.replace(layout, run=Path("/run/with space;`$(x)"))
    allocation = dataclasses.replace(at(layout, orders, ports), app="/run/with space;`$(x)/app.sock")
    spec = parts.app_process(orders, allocation, odd, {})
    assert spec.argv == ["orders-app", "--uds", "/run/with space;`$(x)/app.sock"]
    assert spec.cwd == layout.system
    allocation = at(layout, audit, ports)
    assert isinstance(allocation.app, Address)
    assert parts.app_process(audit, allocation, layout, {}).argv == ["audit-app", str(allocation.app.port)]


def test_a_guarded_program_listens_where_its_envoy_does_not_look(layout: Layout, orders: Service, ports: Ports) -> None:
    allocation = at(layout, orders, ports)
    folder = layout.service("orders")
    guarded = dataclasses.replace(orders, guarded=True)
    assert parts.app_process(guarded, allocation, layout, {}).argv[-1] == str(folder.own_socket)
    assert parts.app_process(orders, allocation, layout, {}).argv[-1] == str(folder.app_socket) == allocation.app
    assert len(str(folder.own_socket)) == len(str(folder.app_socket))  # whose length was looked at


def test_an_envoy_is_given_its_files_and_no_secret(layout: Layout, orders: Service, ports: Ports) -> None:
    parts.prepare_folders("orders", layout)
    allocation = at(layout, orders, ports)
    spec = parts.envoy_process(orders, allocation, layout, Settings(), HOSTILE)
    assert set(spec.environment) == {"PATH", "INWARD_BOOTSTRAP"}
    assert {"--disable-hot-restart", "--reject-unknown-dynamic-fields"} <= set(spec.argv)
    assert spec.argv[spec.argv.index("--file-flush-min-size-kb") + 1] == "0"
    content = layout.service("orders").bootstrap.read_text()
    assert allocation.credential not in content
    assert allocation.credential not in " ".join(spec.argv)
    assert spec.name == "orders.envoy"


def test_an_envoy_is_another_one_when_its_bootstrap_is(layout: Layout, orders: Service, ports: Ports) -> None:
    parts.prepare_folders("orders", layout)
    allocation = at(layout, orders, ports)

    def fingerprint(allocation: Allocation, settings: Settings) -> str:
        spec = parts.envoy_process(orders, allocation, layout, settings, {})
        return spec.fingerprint(parts.ENVOY_VARIABLES)

    first = fingerprint(allocation, Settings())
    assert fingerprint(allocation, Settings()) == first
    # a credential is in a file that is watched: no reason to start anew
    assert fingerprint(dataclasses.replace(allocation, credential="other"), Settings()) == first
    assert fingerprint(dataclasses.replace(allocation, egress=Address("127.0.0.1", 1)), Settings()) != first
    assert fingerprint(allocation, Settings(buffered_log=True)) != first


def test_an_app_is_another_one_when_its_credential_is(layout: Layout, orders: Service, ports: Ports) -> None:
    allocation = at(layout, orders, ports)

    def fingerprint(allocation: Allocation) -> str:
        return parts.app_process(orders, allocation, layout, {}).fingerprint(parts.APP_VARIABLES)

    assert fingerprint(allocation) != fingerprint(dataclasses.replace(allocation, credential="other"))


def test_a_connection_never_outlives_half_an_svid(layout: Layout, orders: Service, ports: Ports) -> None:
    parts.prepare_folders("orders", layout)
    settings = Settings.from_environment({"INWARD_SVID_TTL": "10", "INWARD_CA_TTL": "60"})
    for given, longest in ((settings, "5.000s"), (Settings(), "900.000s")):
        parts.envoy_process(orders, at(layout, orders, ports), layout, given, {})
        assert f'"max_connection_duration":"{longest}"' in layout.service("orders").bootstrap.read_text()


def test_callees_are_reached_where_they_listen(policy: Policy, layout: Layout, ports: Ports) -> None:
    listening = {
        name: parts.allocate(each, layout, None, ports) for name, each in policy.catalog.services.items() if each.run
    }
    everywhere = dataclasses.replace(listening["orders"], ingress=Address("0.0.0.0", 7001))
    found = parts.callee_addresses(policy.catalog, {**listening, "orders": everywhere})
    assert found["orders"] == Address("127.0.0.1", 7001)
    assert found["foreign"] == Address("192.0.2.7", 7443)  # started by somebody else
    assert set(found) == {"orders", "audit", "foreign"}
    assert parts.reachable(Address("::", 1)) == Address("::1", 1)
    # one that nobody started here, with a port that only its own run knows, cannot be reached
    assert set(parts.callee_addresses(policy.catalog, {})) == {"foreign"}


def test_folders_are_private(layout: Layout) -> None:
    parts.prepare_folders("orders", layout)
    parts.prepare_folders("orders", layout)
    for folder in (layout.service("orders").path, layout.log("orders"), layout.output("orders").parent):
        assert folder.stat().st_mode & 0o777 == 0o700
