"""Which techniques of MITRE ATT&CK a detector or a rule is about, as other programs want to be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inward.alerting.registry import REGISTRY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from inward.alerting.sigma.rule import Rule


@dataclass(frozen=True, slots=True)
class Attack:
    """A technique, and the tactic that it serves where that is known; a rule only names the technique."""

    id: str
    name: str | None = None
    tactic_id: str | None = None
    tactic: str | None = None

    def as_ocsf(self) -> dict[str, Any]:
        """Return it as the `attack` object of OCSF; `T1078.004` is a sub-technique of `T1078`."""
        technique, dot, _ = self.id.partition(".")
        found: dict[str, Any] = {"technique": {"uid": technique}}
        if dot:
            found["sub_technique"] = {"uid": self.id}
        elif self.name:
            found["technique"]["name"] = self.name
        if self.tactic_id:
            found["tactic"] = {"uid": self.tactic_id, "name": self.tactic}
        return found


def attacks_of(rules: Callable[[], Iterable[Rule]]) -> Callable[[str], Sequence[Attack]]:
    """Return what looks up the techniques of a detector, of those that there are and of rules as they are then."""

    def look(detector: str) -> Sequence[Attack]:
        kind = REGISTRY.get(detector)
        if kind is not None:
            technique = kind.technique
            return (Attack(technique.id, technique.name, technique.tactic_id, technique.tactic),)
        return tuple(Attack(each) for rule in rules() if rule.detector == detector for each in rule.techniques)

    return look
