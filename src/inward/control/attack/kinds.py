"""The kinds of tries: what each would give an attacker, and which technique and API risk it stands for.

Sources: MITRE ATT&CK (Enterprise, v17), OWASP API Security Top 10 (2023). `docs/attack.md` has a line for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of tries. `gain` is what an attacker has where one of them gives way."""

    name: str
    title: str
    gain: str
    technique: str  # `T1078 Valid Accounts`
    owasp: str  # `API5:2023 Broken Function Level Authorization`


_FUNCTION = "API5:2023 Broken Function Level Authorization"
_AUTHENTICATION = "API2:2023 Broken Authentication"
_CONFIGURATION = "API8:2023 Security Misconfiguration"

_KINDS = (
    Kind(
        "ungranted",
        "operations that nobody granted it",
        "it can do what its owner never allowed",
        "T1078 Valid Accounts",
        _FUNCTION,
    ),
    Kind(
        "unknown",
        "paths and methods that no description has",
        "it finds pages of operators, debuggers and old versions",
        "T1046 Network Service Discovery",
        "API9:2023 Improper Inventory Management",
    ),
    Kind(
        "path",
        "other spellings of a path",
        "enforcer and application take a path for different operations",
        "T1210 Exploitation of Remote Services",
        _FUNCTION,
    ),
    Kind(
        "identity",
        "headers that claim another identity",
        "it is taken for a service that may do more",
        "T1656 Impersonation",
        _AUTHENTICATION,
    ),
    Kind(
        "user",
        "tokens of end users that nobody signed",
        "it is taken for any user",
        "T1606 Forge Web Credentials",
        _AUTHENTICATION,
    ),
    Kind(
        "connection",
        "connections past its own Envoy",
        "it calls without an identity, or with a forged one",
        "T1649 Steal or Forge Authentication Certificates",
        _AUTHENTICATION,
    ),
    Kind(
        "listener",
        "ports and sockets behind an Envoy",
        "it calls a program as any service, and nobody records it",
        "T1021 Remote Services",
        _CONFIGURATION,
    ),
    Kind(
        "egress",
        "proxies of others, and its own as an open one",
        "it calls as another service, or reaches what is no service",
        "T1090 Proxy",
        "API7:2023 Server Side Request Forgery",
    ),
    Kind(
        "data",
        "data that is not disclosed to it",
        "it reads what its owner withholds",
        "T1213 Data from Information Repositories",
        "API3:2023 Broken Object Property Level Authorization",
    ),
    Kind(
        "key",
        "the key of its own identity",
        "it takes the identity away with it",
        "T1552 Unsecured Credentials",
        _CONFIGURATION,
    ),
    Kind(
        "quarantine",
        "calls after it was cut off",
        "it goes on when it has been found",
        "T1078 Valid Accounts",
        _AUTHENTICATION,
    ),
)
KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in _KINDS})

# What is not tried, whatever is attacked, and why.
ASSUMED = (
    "other sockets, files and memory of the same account: all its processes reach them (docs/threats.md)",
    "the key of tokens: each service is told where it lies, and who reads it can guess what a token stands for",
    "what a service does with a call that it may make, such as one about somebody else's order",
    "what an application makes of headers that its Envoy has dropped: that cannot be seen from outside",
)
