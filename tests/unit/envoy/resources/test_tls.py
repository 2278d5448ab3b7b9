"""TLS contexts and secrets: keys in one place only, no fallback, no resumption."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.envoy import shop

from inward.envoy.resources.tls import bundle_secret, downstream, svid_secret, upstream

if TYPE_CHECKING:
    from inward.envoy.resources.proto import Resource

CALLEE = f"{shop.ID}/orders"
BOTH = [downstream("/run/s/orders"), upstream("/run/s/checkout", CALLEE)]


def test_the_key_is_in_the_secret_and_nowhere_else() -> None:
    secret = svid_secret("CHAIN", "KEY")
    paths = [path[-2:] for path, value in shop.walk(secret) if value == "KEY"]
    assert paths == [("private_key", "inline_string")]
    assert "KEY" not in shop.texts(bundle_secret(shop.TRUST_DOMAIN, "CAS"))


def test_a_bundle_is_for_its_own_trust_domain_alone() -> None:
    validator = bundle_secret(shop.TRUST_DOMAIN, "CAS")["validation_context"]["custom_validator_config"]
    assert validator["name"] == "envoy.tls.cert_validator.spiffe"
    assert validator["typed_config"]["trust_domains"] == [
        {"name": shop.TRUST_DOMAIN, "trust_bundle": {"inline_string": "CAS"}}
    ]


@pytest.mark.parametrize("socket", BOTH)
def test_both_ends_speak_tls_1_3_with_what_the_files_hold(socket: Resource) -> None:
    common = socket["typed_config"]["common_tls_context"]
    assert set(common["tls_params"].values()) == {"TLSv1_3"}
    files = {
        value.rpartition("/")[2]
        for path, value in shop.walk(common)
        if path[-1:] == ("path",) and isinstance(value, str)
    }
    assert files == {"svid.json", "bundle.json"}


def test_a_session_is_never_resumed() -> None:
    down, up = (socket["typed_config"] for socket in BOTH)
    assert down["disable_stateless_session_resumption"] is True
    assert down["disable_stateful_session_resumption"] is True
    assert up["max_session_keys"] == 0


def test_an_ingress_demands_a_certificate_and_an_egress_one_name() -> None:
    down, up = (socket["typed_config"] for socket in BOTH)
    assert down["require_client_certificate"] is True
    combined = up["common_tls_context"]["combined_validation_context"]
    assert combined["default_validation_context"] == {
        "match_typed_subject_alt_names": [{"san_type": "URI", "matcher": {"exact": CALLEE}}]
    }
    assert combined["validation_context_sds_secret_config"]["name"] == "bundle"
    # INVARIANT: whatever else is there, nothing says that an unverified peer is good enough
    assert not any("trust_chain_verification" in text or "ACCEPT_UNTRUSTED" in text for text in shop.texts(BOTH))
