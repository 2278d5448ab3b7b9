"""Events."""

from __future__ import annotations

import msgspec
import pytest

from inward.control.run.events import mistakes_event
from inward.errors import InvalidSystemError, Mistake, Place


@pytest.mark.parametrize(("count", "words"), [(1, "1 mistake;"), (2, "2 mistakes;")])
def test_every_mistake_is_told_with_its_place(count: int, words: str) -> None:
    mistakes = [Mistake(Place("inward.yaml", number + 1), f"wrong {number}", "mend it") for number in range(count)]
    event = mistakes_event(InvalidSystemError(mistakes))
    assert words in event.text
    assert "the policy before stays in force" in event.text
    assert all(str(mistake) in event.text for mistake in mistakes)
    told = msgspec.json.decode(msgspec.json.encode(event.data))["mistakes"]
    assert told[0] == {"file": "inward.yaml", "line": 1, "what": "wrong 0", "hint": "mend it"}
    assert len(told) == count
