"""Posture by parts: what was found of one is told again until something that decides about it changes.

A part is the policies of a file: no other file's are ever asked about its cells, but for the guardrails. The files of
a team that disclose data are one part, since each may disclose what any of them owns. The guardrails are a part that
everything decides about.

# INVARIANT: a part's digest covers all that its findings depend on. Those that depend on the moment are not kept: where
# a condition reads the time, where a request at some time is told, and where the solver ran out of it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inward.control.proofs import of_posture
from inward.policy.loading.digests import Digests, digest_of
from inward.policy.proving.reading import reads_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from inward.control.bundle import Policy as System
    from inward.control.findings import Finding
    from inward.policy.model import Policy

_OF_THE_MOMENT = frozenset({"can_fail", "not_known"})  # findings that are found out anew each time


@dataclass
class Findings:
    """What was found of parts, by their digests: `kept` is from before, `used` is what was asked for since."""

    kept: dict[str, tuple[Finding, ...]] = field(default_factory=dict)
    used: dict[str, tuple[Finding, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """Some policies, and the digest of what decides about them; None where the moment does."""

    policies: tuple[Policy, ...]
    digest: str | None


def of_posture_by_parts(system: System, now: datetime, findings: Findings) -> Iterator[Finding]:
    """Yield what `of_posture` does, asking only about the parts of which it is not known; `findings` is added to."""
    asked: list[Part] = []
    for part in parts_of(system, now):
        known = findings.kept.get(part.digest) if part.digest else None
        if part.digest is None or known is None:
            asked.append(part)
        else:
            findings.used[part.digest] = known
            yield from known
    if not asked:
        return
    by_file: dict[str, list[Finding]] = defaultdict(list)
    for finding in of_posture(system, now, {policy.id for part in asked for policy in part.policies}):
        by_file[finding.place.file].append(finding)
        yield finding
    for part in asked:
        files = dict.fromkeys(policy.place.file for policy in part.policies)
        found = tuple(finding for file in files for finding in by_file[file])
        if part.digest is not None and not any(finding.kind in _OF_THE_MOMENT for finding in found):
            findings.used[part.digest] = found


def parts_of(system: System, now: datetime) -> list[Part]:
    """Return the parts of a system at a moment: each of its policies is in one. That of the guardrails is the last."""
    of_file: dict[str, list[Policy]] = defaultdict(list)
    guardrails: list[Policy] = []
    for policy in system.policies:
        (guardrails if policy.file_owner is None else of_file[policy.file_owner]).append(policy)
    digests = Digests(system.catalog, system.policies)
    timeless = not any(map(reads_time, guardrails))

    def digest(services: Iterable[str], policies: Iterable[Policy]) -> str | None:
        if not timeless or any(map(reads_time, policies)):
            return None
        live = [(str(each.place), _holds(each, now)) for some in (policies, guardrails) for each in some]
        return digest_of([digests.of(name) for name in services], live)

    together: dict[tuple[str, str], list[str]] = defaultdict(list)
    disclosing = _disclosing(system)
    for name in of_file:
        together[("team", system.catalog.services[name].owner) if name in disclosing else ("file", name)].append(name)
    parts = []
    for names in together.values():
        policies = tuple(policy for name in names for policy in of_file[name])
        parts.append(Part(policies, digest(names, policies)))
    if guardrails:
        parts.append(Part(tuple(guardrails), digest(system.catalog.services, tuple(system.policies))))
    return parts


def _holds(policy: Policy, now: datetime) -> bool:
    return policy.expires is None or policy.expires > now


def _disclosing(system: System) -> set[str]:
    """Return the services in whose files something is said of data classes."""
    index = system.engine.index
    mask = 0
    for data_class in system.catalog.data_classes.values():
        mask |= index.data_mask(data_class)
    return {each.file_owner for effect in index.chosen(mask) for each in effect if each.file_owner is not None}
