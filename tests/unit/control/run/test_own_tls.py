"""What a service that serves TLS itself is given, and that its server can be started with it."""

from __future__ import annotations

import dataclasses
import stat
from typing import TYPE_CHECKING

import pytest
from tests import forge

from inward.catalog.model import Address
from inward.control.run import services as parts
from inward.control.run.own_tls import PEMFiles, given, identity_folder
from inward.control.settings import Settings
from inward.guard.serve.environment import Given
from inward.guard.serve.identity import FollowedIdentity, IdentityFiles
from inward.identity.bundle import TrustBundle
from inward.identity.svid import X509SVID

if TYPE_CHECKING:
    from inward.catalog.model import Service
    from inward.control.bundle import Policy
    from inward.control.layout import Layout
    from inward.control.run.ports import Ports


@pytest.fixture
def own(policy: Policy) -> Service:
    run = "python -m inward.guard.serve orders:app"
    return dataclasses.replace(policy.catalog.services["orders"], run=run, guarded=True, serves_tls=True)


def test_its_server_finds_its_identity_where_it_is_told(layout: Layout, own: Service) -> None:
    told = Given.parse(given(own, Address("127.0.0.1", 7001), layout).variables())
    issuer = forge.own_ca(own.spiffe_id.trust_domain)
    files = PEMFiles(identity_folder(layout, own.name))
    files.write_bundle(TrustBundle(own.spiffe_id.trust_domain, (issuer.certificate,)))
    svid = X509SVID.parse(*forge.good(issuer, str(own.spiffe_id)))
    files.write_svid(svid)
    followed = FollowedIdentity(IdentityFiles(told.svid, told.key, told.bundle), told.spiffe_id)
    assert followed.current().svid == svid
    assert followed.current().bundle.authorities == (issuer.certificate,)
    for path in (told.svid, told.key, told.bundle):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_only_what_has_changed_is_written(layout: Layout, own: Service) -> None:
    told = given(own, Address("127.0.0.1", 7001), layout)
    issuer = forge.own_ca(own.spiffe_id.trust_domain)
    bundle = TrustBundle(own.spiffe_id.trust_domain, (issuer.certificate,))
    files = PEMFiles(identity_folder(layout, own.name))
    svid = X509SVID.parse(*forge.good(issuer, str(own.spiffe_id)))
    files.write_bundle(bundle)
    files.write_svid(svid)
    before = [path.stat().st_ino for path in (told.svid, told.key, told.bundle)]
    files.write_bundle(bundle)
    files.write_svid(svid)
    assert [path.stat().st_ino for path in (told.svid, told.key, told.bundle)] == before
    files.write_svid(X509SVID.parse(*forge.good(issuer, str(own.spiffe_id))))
    assert told.svid.read_bytes() != svid.chain_pem


def test_it_listens_where_its_callers_look_for_it_and_has_no_envoy_in_front(
    layout: Layout, own: Service, ports: Ports
) -> None:
    allocation = parts.allocate(own, layout, None, ports)
    assert allocation.own_tls is not None
    assert allocation.own_tls == allocation.ingress == allocation.app
    assert allocation.running().serves_tls
    spec = parts.app_process(own, allocation, layout, {})
    assert spec.environment["INWARD_LISTEN"] == str(allocation.ingress)
    parts.prepare_folders(own.name, layout)
    parts.envoy_process(own, allocation, layout, Settings(), {})
    bootstrap = layout.service(own.name).bootstrap.read_text()
    assert '"name":"egress"' in bootstrap
    assert '"name":"ingress"' not in bootstrap


def test_a_port_that_an_envoy_held_is_not_its_own(layout: Layout, own: Service, ports: Ports) -> None:
    any_port = Address("127.0.0.1", 0)
    behind = dataclasses.replace(own, run="serve {socket}", serves_tls=False, listen=any_port)
    before = parts.allocate(behind, layout, None, ports)
    assert not before.running().serves_tls
    after = parts.allocate(dataclasses.replace(own, listen=any_port), layout, before.running(), ports)
    assert after.ingress != before.ingress
    again = parts.allocate(dataclasses.replace(own, listen=any_port), layout, after.running(), ports)
    assert again == after


def test_others_are_told_nothing_of_it(layout: Layout, policy: Policy, ports: Ports) -> None:
    orders = policy.catalog.services["orders"]
    allocation = parts.allocate(orders, layout, None, ports)
    assert allocation.own_tls is None
    assert not {"INWARD_LISTEN", "INWARD_SVID_KEY", "INWARD_LOG"} & set(
        parts.app_process(orders, allocation, layout, {}).environment
    )
