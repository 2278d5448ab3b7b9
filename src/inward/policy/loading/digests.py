"""Digests of what decides about the calls of one service, so that what was found out of it can be told again.

Nothing of another service's file, and none of its operations, decides about them; unless a guardrail names one.

# INVARIANT: of two systems in which a service has the same digest, all calls of its operations are decided alike.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from inward.policy.loading.rules import Parsed
from inward.policy.resources.model import RecordOf

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inward.catalog.model import Catalog
    from inward.policy.model import Policies, Policy


class Digests:
    """The digests of the services of one system. Data classes are in each; who is shown them is not."""

    def __init__(self, catalog: Catalog, policies: Policies) -> None:
        self._catalog = catalog
        self._resources = policies.resources
        of_file: dict[str | None, list[Policy]] = defaultdict(list)
        for policy in policies:
            of_file[policy.file_owner].append(policy)
        self._of_file = of_file
        guardrails = of_file[None]
        # a condition may ask in which groups an operation is, a guardrail's of any
        named = {name for policy in guardrails for name in Parsed.of(policy.pst).actions}
        self._common = digest_of(
            catalog.trust_domain,
            [(each.name, each.owner, each.zone, each.groups) for each in catalog.services.values()],
            [(each.name, each.owner, each.parent) for each in catalog.data_classes.values()],
            [(name, found.read_only) for name in sorted(named) if (found := catalog.operations.get(name))],
            _texts(guardrails),
        )

    def of(self, service: str) -> str:
        """Return the digest of a service: of all entities, its operations and objects, its policies, the guardrails."""
        operations = self._catalog.services[service].operations
        return digest_of(
            self._common,
            [(each.id, each.method, each.template.text, each.parameters) for each in operations],
            [(each.name, str(RecordOf(each.attributes))) for each in self._resources.of(service)],
            _texts(self._of_file[service]),
        )


def _texts(policies: Iterable[Policy]) -> list[tuple[str, str]]:
    return [(policy.id, policy.text) for policy in policies]


def digest_of(*parts: object) -> str:
    """Return a digest of values that JSON can hold, as 64 hexadecimal digits."""
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()
