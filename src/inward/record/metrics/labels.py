"""The values of labels: what the catalog knows stands as it is, and of all else only so many different ones.

A caller chooses some of what is recorded: the SPIFFE ID of a stranger, a host that does not exist, what a hostile
service writes into a log of its own. Each new value would be a series, here and in whatever stores them, for good. So
of values that the catalog does not know the first few of each label are kept, and all others are one: `_other`. What
is not there is `_unknown`. Neither can be the name of a service or an operation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from inward.policy.decision import Reason

if TYPE_CHECKING:
    from collections.abc import Collection

OTHER = "_other"
UNKNOWN = "_unknown"
STRANGERS = 64  # different values of one label that the catalog does not know
CHARACTERS = 256  # of one value
_REASONS = frozenset(reason.value for reason in Reason)


class Names(Protocol):
    """What a catalog knows."""

    @property
    def services(self) -> Collection[str]:
        """Names of services."""

    @property
    def operations(self) -> Collection[str]:
        """Ids of operations."""

    @property
    def data_classes(self) -> Collection[str]:
        """Names of data classes."""


class Label:
    """The values of one label. `folded` says how often a value was not kept."""

    def __init__(self, strangers: int = STRANGERS) -> None:
        self._strangers: set[str] = set()
        self._most = strangers
        self.folded = 0

    def value(self, value: str | None, known: Collection[str] = frozenset()) -> str:
        """Return what stands for `value`: itself, `_other` or `_unknown`."""
        if value is None:
            return UNKNOWN
        if value in known:
            return value
        # A text with half of a surrogate pair cannot be written at all; Python's decoders let it through.
        value = value[:CHARACTERS].encode("utf-8", "replace").decode()
        if value not in self._strangers:
            if len(self._strangers) >= self._most or value.startswith("_"):
                self.folded += 1
                return OTHER
            self._strangers.add(value)
        return value


def reason_of(value: str) -> str:
    """Return a reason code as a label: any that Inward does not have is `_other`."""
    return value if value in _REASONS else OTHER
