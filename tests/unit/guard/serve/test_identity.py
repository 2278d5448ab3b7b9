"""The identity of a server, from files that are replaced while it runs."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tests import forge

from inward.guard.serve.identity import LOOK_SECONDS, FollowedIdentity, IdentityFiles, ServedIdentityError
from inward.identity.private_files import private_folder, write_private
from inward.identity.spiffe_id import SpiffeID
from inward.identity.svid import X509SVID

if TYPE_CHECKING:
    from pathlib import Path

OWN = SpiffeID.parse("spiffe://a.test/orders")


class Files:
    """The three files, and a clock."""

    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        self.issuer = forge.own_ca("a.test")
        private_folder(folder)
        self.paths = IdentityFiles(folder / "svid.pem", folder / "svid.key", folder / "bundle.pem")
        self.issue(self.issuer)
        write_private(self.paths.bundle, self.issuer.pem)

    def issue(self, issuer: forge.Issuer, spiffe_id: str = str(OWN)) -> None:
        chain, key = forge.good(issuer, spiffe_id)
        write_private(self.paths.svid, chain)
        write_private(self.paths.key, key)

    def follow(self) -> FollowedIdentity:
        return FollowedIdentity(self.paths, OWN, lambda: self.now)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "tls")


def test_what_is_replaced_is_taken_over_when_it_is_time_to_look(files: Files) -> None:
    followed = files.follow()
    before = followed.current()
    files.issue(files.issuer)
    assert followed.current() is before
    files.now += LOOK_SECONDS
    after = followed.current()
    assert after.svid.serial != before.svid.serial
    assert after.context is not before.context
    assert followed.current() is after


def test_half_of_a_change_waits_for_the_other(files: Files) -> None:
    followed = files.follow()
    before = followed.current()
    chain, key = forge.good(files.issuer, str(OWN))
    write_private(files.paths.svid, chain)
    files.now += LOOK_SECONDS
    assert followed.current() is before
    write_private(files.paths.key, key)
    files.now += LOOK_SECONDS
    assert followed.current().svid.chain_pem == chain


def test_files_that_change_while_they_are_read_are_read_again(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """The context reads the files by itself: what it has must be what was looked at."""
    followed = files.follow()
    before = followed.current()
    parse = X509SVID.parse

    def parse_and_replace(chain: bytes, key: bytes) -> X509SVID:
        monkeypatch.undo()
        parsed = parse(chain, key)
        files.issue(files.issuer)
        return parsed

    files.issue(files.issuer)
    monkeypatch.setattr(X509SVID, "parse", parse_and_replace)
    files.now += LOOK_SECONDS
    assert followed.current() is before
    files.now += LOOK_SECONDS
    assert followed.current().svid.chain_pem == files.paths.svid.read_bytes()


@pytest.mark.parametrize("name", ["svid", "key", "bundle"])
@pytest.mark.parametrize("content", [None, b"", b"no PEM"])
def test_what_is_damaged_leaves_what_was_before(files: Files, name: str, content: bytes | None) -> None:
    followed = files.follow()
    before = followed.current()
    path: Path = getattr(files.paths, name)
    if content is None:
        path.unlink()
    else:
        write_private(path, content)
    files.now += LOOK_SECONDS
    assert followed.current() is before
    with pytest.raises(ServedIdentityError, match=r"there is no identity for `spiffe://a\.test/orders`"):
        files.follow()


def test_the_identity_of_another_service_is_none(files: Files) -> None:
    files.issue(files.issuer, "spiffe://a.test/other")
    with pytest.raises(ServedIdentityError, match=r"the SVID is that of `spiffe://a\.test/other`"):
        files.follow()


def test_a_key_that_others_can_read_is_none(files: Files) -> None:
    files.paths.key.chmod(0o640)
    with pytest.raises(ServedIdentityError, match="open to other accounts"):
        files.follow()


def test_a_key_that_is_not_the_leafs_is_none(files: Files) -> None:
    write_private(files.paths.key, forge.key_pem(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(ServedIdentityError, match="not that of the leaf"):
        files.follow()


def test_the_context_asks_every_peer_for_a_certificate_and_speaks_tls_1_3_only(files: Files) -> None:
    context = files.follow().current().context
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert context.num_tickets == 0
    assert len(context.get_ca_certs()) == 1
    assert "PRIVATE KEY" not in repr(files.follow().current())
