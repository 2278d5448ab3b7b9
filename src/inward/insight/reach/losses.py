"""What taking grants out refuses: calls and disclosures that are left without any. No I/O, no clock.

What is allowed by another grant too, and in mode observe, is not lost. A call that only one of several conditional
grants let through is not seen here: recorded calls that are decided again (`insight.replay`) show it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inward.insight.reach.access import Access


@dataclass(frozen=True, slots=True)
class Losses:
    """By service: the operations that it may no longer call, and the classes that are no longer disclosed to it."""

    calls: Mapping[str, int]
    disclosures: Mapping[str, tuple[str, ...]]


def losses(before: Access, after: Access) -> Losses:
    """Return what is lost when `after` takes the place of `before`."""
    calls, disclosures = {}, {}
    for name in before.catalog.services:
        lost = before.calls(name) & ~after.calls(name)
        if lost:
            calls[name] = lost
        hidden = tuple(
            each
            for each in before.catalog.data_classes
            if before.shown(name, each) is not None and after.shown(name, each) is None
        )
        if hidden:
            disclosures[name] = hidden
    return Losses(calls, disclosures)
