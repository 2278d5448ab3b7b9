"""What a receiver is given: items, one an entry at most, and the body of a request that holds some of them.

An encoding is given entries one by one, so that one that cannot be encoded is known from the others, and a request can
be cut to size. It sends nothing, and knows no receiver.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from inward.record.call import encode_entry
from inward.tlog.merkle import leaf_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inward.record.call import Entry

Item = TypeVar("Item")


class Encoding(Protocol[Item]):
    """One form in which the record is sent on."""

    content_type: str

    def item(self, entry: Entry, skipped: int) -> Item | None:
        """Return what is sent of `entry`; None: nothing is.

        `skipped` is how many entries before this one were not sent, which the item says where it is not 0. Raises
        `ValueError` for an entry that cannot be sent, such as one whose time is none.
        """

    def size(self, item: Item) -> int:
        """Return how many bytes an item takes in a body."""

    def body(self, items: Sequence[Item]) -> bytes:
        """Return the body of a request."""

    def rejected(self, answer: bytes) -> tuple[int, str]:
        """Return how many items a receiver that took the request says it did not take, and why; 0 where it says none.

        `answer` is the body of its answer, which may be anything.
        """


def entry_uid(entry: Entry) -> bytes:
    """Return what tells an entry from every other: the hash of its line, as in the Merkle log (RFC 9162 section 2.1.1).

    The id of a call does not: whoever makes a call may choose it, and could have a receiver that drops doubles drop
    another call.
    """
    return leaf_hash(encode_entry(entry).removesuffix(b"\n"))
