"""What `users` in inward.yaml says, and which of it cannot be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.tokens import ISSUER, Signer, key_set

from inward.catalog.system import load_system

if TYPE_CHECKING:
    from pathlib import Path

    from inward.catalog.system import LoadedSystem

SYSTEM = "trust_domain: shop.internal\nservices:\n  orders: {owner: team-orders}\n"
JWKS = key_set(Signer())


def load(folder: Path, users: str, jwks: bytes | None = JWKS) -> LoadedSystem:
    (folder / "inward.yaml").write_text(SYSTEM + users)
    (folder / "keys").mkdir()
    if jwks is not None:
        (folder / "keys" / "users.json").write_bytes(jwks)
    return load_system(folder)


def test_a_system_without_it_believes_no_token(tmp_path: Path) -> None:
    loaded = load(tmp_path, "")
    assert loaded.catalog is not None
    assert loaded.catalog.users is None
    assert "keys/users.json" not in loaded.files


@pytest.mark.parametrize(("more", "audience"), [("", "shop.internal"), (", audience: shop", "shop")])
def test_it_says_whose_tokens_are_believed(tmp_path: Path, more: str, audience: str) -> None:
    loaded = load(tmp_path, f"users: {{issuer: '{ISSUER}', keys: keys/users.json{more}}}\n")
    assert loaded.mistakes == ()
    assert loaded.catalog is not None
    users = loaded.catalog.users
    assert users is not None
    assert (users.issuer, users.audience, users.jwks) == (ISSUER, audience, JWKS)
    assert "keys/users.json" in loaded.files


@pytest.mark.parametrize(
    ("users", "jwks", "what"),
    [
        ("users: []\n", JWKS, "users"),
        ("users: {keys: keys/users.json}\n", JWKS, "issuer"),
        ("users: {issuer: a}\n", JWKS, "keys"),
        ("users: {issuer: a, keys: keys/users.json, more: b}\n", JWKS, "more"),
        ("users: {issuer: a, keys: [1]}\n", JWKS, "keys"),
        ("users: {issuer: a, keys: keys/users.json}\n", None, "does not exist"),
        ("users: {issuer: a, keys: ../users.json}\n", JWKS, "outside the system folder"),
        ("users: {issuer: a, keys: keys/users.pem}\n", JWKS, "not named like"),
        ("users: {issuer: a, keys: keys/users.json}\n", b"{", "no strict JSON object"),
        ("users: {issuer: a, keys: keys/users.json}\n", b'{"keys":[]}', "without a key that can verify a token"),
    ],
)
def test_what_cannot_be_used_is_a_mistake_with_its_line(
    tmp_path: Path, users: str, jwks: bytes | None, what: str
) -> None:
    loaded = load(tmp_path, users, jwks)
    assert [each for each in loaded.mistakes if what in each.what and each.place.line >= 4], loaded.mistakes
