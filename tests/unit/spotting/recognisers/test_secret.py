"""Secrets by their form and by the names of their fields; each is put together here: none stands in the file."""

from __future__ import annotations

import base64
import json

import pytest

from inward.spotting.recognisers.secret import SECRET

LETTERS = "aB3dE6gH9jK2mN5pQ8rS1tU4vW7xY0zA" * 4


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def told(text: str, *, hinted: bool = False) -> bool:
    return any(SECRET.candidates(text, hinted=hinted))


SECRETS = [
    "-----BEGIN " + "PRIVATE KEY-----\nMC4CAQ",
    "-----BEGIN " + "OPENSSH PRIVATE KEY-----",
    "-----BEGIN PGP " + "PRIVATE KEY BLOCK-----",
    encoded({"alg": "ES256"}) + "." + encoded({"sub": "ada"}) + "." + LETTERS[:86],
    encoded({"alg": "dir", "enc": "A256GCM"}) + ".." + LETTERS[:16] + "." + LETTERS[:20] + "." + LETTERS[:22],
    "AKIA" + "ABCDEFGHIJKLMNOP",
    "AIza" + LETTERS[:35],
    "ghp_" + LETTERS[:36],
    "github_pat_" + LETTERS[:22] + "_" + LETTERS[:59],
    "glpat-" + LETTERS[:20],
    "xoxb-" + "123456789012-" + LETTERS[:24],
    "https://hooks.slack.com/services/" + "T12345678/B12345678/" + LETTERS[:24],
    "sk_live_" + LETTERS[:24],
    "rk_test_" + LETTERS[:24],
    "whsec_" + LETTERS[:32],
    "sk-ant-" + LETTERS[:40],
    "npm_" + LETTERS[:36],
    "pypi-AgE" + LETTERS[:60],
    "SG." + LETTERS[:22] + "." + LETTERS[:43],
    "hvs." + LETTERS[:24],
    "dop_v1_" + "0123456789abcdef" * 4,
    "AGE-SECRET-KEY-1" + LETTERS[:58].upper(),
    "AccountName=a;AccountKey=" + LETTERS[:86] + "==",
    "$2b$12$" + LETTERS[:53],
    "$argon2id$v=19$m=65536,t=3,p=4$" + LETTERS[:22],
    "Authorization: Bearer " + LETTERS[:32],
    "Basic " + base64.b64encode(b"ada:lovelace").decode(),
    "postgres://app:" + "s3cr3tw0rd@db.internal:5432/app",
    "amqps://:" + "s3cr3tw0rd@queue.internal",
]


@pytest.mark.parametrize("text", SECRETS, ids=range(len(SECRETS)))
def test_a_secret_by_its_form(text: str) -> None:
    assert told(text)
    assert told(f"it is {text}\nkeep it")


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----",
        "eyJ" + "hello" * 5 + ".eyJ.x",  # no header
        encoded({"typ": "note", "text": "long enough"}) + "." + encoded({"a": 1}) + ".x",
        "AKIA" + "short",
        "ghp_short",
        "sk_live_",
        "bearer of good news",
        "the Bearer token",
        "Basic understanding",
        "Basic " + base64.b64encode(b"no colon here").decode(),
        "https://example.com:8443/a@b",
        "http://user:****@host.example.com",
        "http://user:${PASSWORD}@host.example.com",
        "c0ffee00-1234-4abc-8def-001122334455",
        "d41d8cd98f00b204e9800998ecf8427e",
        "$2b$ is two b",
        LETTERS,
    ],
)
def test_no_secret(text: str) -> None:
    assert not told(text)


def test_a_random_text_is_a_secret_by_the_name_of_its_field() -> None:
    assert told(LETTERS[:24], hinted=True)
    assert told("Tr0ub4dor&3-horse", hinted=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "********",
        "string",
        "Bearer",
        "change-me",
        "${TOKEN}",
        "<redacted>",
        "${VAULT_TOKEN_OF_ORDERS}",
        "<your-client-secret-here>",
        "please-change-this-secret-now",
        "https://vault.internal/v1/9f8A",
        "see the Vault of Orders, 2nd shelf",
        "aaaaaaaaaaaa",
    ],
)
def test_a_placeholder_is_none_whatever_the_name(text: str) -> None:
    assert not told(text, hinted=True)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("password", True),
        ("client_secret", True),
        ("api_key", True),
        ("token", True),
        ("access_token", True),
        ("next_page_token", False),
        ("password_changed_at", False),
        ("token_type", False),
        ("secretary", False),
        ("paid_token", False),
        ("key", False),
        ("secrets", True),
        ("password_hash", True),
    ],
)
def test_names_that_say_it(name: str, hint: bool) -> None:  # noqa: FBT001 - pytest gives it
    assert SECRET.hints is not None
    assert bool(SECRET.hints.search(name)) is hint
