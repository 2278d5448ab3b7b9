"""Mutual TLS: the secrets that Envoy reads from files, and the contexts of both directions.

A callee accepts every SVID that its trust domain's bundle verifies (who may call what is for the policy); a caller
accepts only the one SPIFFE ID of the callee that it means. TLS 1.3 only: both ends are Envoys of ours.
"""

from __future__ import annotations

from inward.envoy.resources.proto import (
    DOWNSTREAM_TLS,
    SECRET,
    SPIFFE_VALIDATOR,
    UPSTREAM_TLS,
    Resource,
    extension,
    typed,
    watched,
)

SVID_SECRET = "svid"  # noqa: S105 - the name of a secret, not one
BUNDLE_SECRET = "bundle"  # noqa: S105 - the name of a secret, not one

_PARAMETERS = {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"}


def svid_secret(chain_pem: str, key_pem: str) -> Resource:
    """Return the secret that holds a service's own SVID and key."""
    return typed(
        SECRET,
        name=SVID_SECRET,
        tls_certificate={
            "certificate_chain": {"inline_string": chain_pem},
            "private_key": {"inline_string": key_pem},
        },
    )


def bundle_secret(trust_domain: str, authorities_pem: str) -> Resource:
    """Return the secret that holds the certificates of a trust domain, verified by the rules of X509-SVID."""
    domain = {"name": trust_domain, "trust_bundle": {"inline_string": authorities_pem}}
    validator = extension("envoy.tls.cert_validator.spiffe", SPIFFE_VALIDATOR, trust_domains=[domain])
    return typed(SECRET, name=BUNDLE_SECRET, validation_context={"custom_validator_config": validator})


def _certificate(folder: str) -> list[Resource]:
    return [{"name": SVID_SECRET, "sds_config": watched(f"{folder}/svid.json")}]


def _bundle(folder: str) -> Resource:
    return {"name": BUNDLE_SECRET, "sds_config": watched(f"{folder}/bundle.json")}


def downstream(folder: str) -> Resource:
    """Return the transport socket of an ingress: no call without a verified SVID."""
    common = {
        "tls_params": _PARAMETERS,
        "alpn_protocols": ["h2", "http/1.1"],
        "tls_certificate_sds_secret_configs": _certificate(folder),
        "validation_context_sds_secret_config": _bundle(folder),
    }
    return extension(
        "envoy.transport_sockets.tls",
        DOWNSTREAM_TLS,
        common_tls_context=common,
        require_client_certificate=True,
        # INVARIANT: no resumption. A resumed session would skip the check of a certificate that has expired since,
        # or whose CA has left the bundle.
        disable_stateless_session_resumption=True,
        disable_stateful_session_resumption=True,
    )


def upstream(folder: str, callee: str, protocol: str = "h2") -> Resource:
    """Return the transport socket towards one callee, whose SPIFFE ID is `callee` and nothing else.

    `protocol` is what is spoken then, by its name in ALPN (RFC 7301).
    """
    exactly = {"san_type": "URI", "matcher": {"exact": callee}}
    common = {
        "tls_params": _PARAMETERS,
        "alpn_protocols": [protocol],
        "tls_certificate_sds_secret_configs": _certificate(folder),
        "combined_validation_context": {
            "default_validation_context": {"match_typed_subject_alt_names": [exactly]},
            "validation_context_sds_secret_config": _bundle(folder),
        },
    }
    return extension("envoy.transport_sockets.tls", UPSTREAM_TLS, common_tls_context=common, max_session_keys=0)
