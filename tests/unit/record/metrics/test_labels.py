"""Values of labels: bounded, and always a text that can be written."""

from __future__ import annotations

import pytest

from inward.policy.decision import Reason
from inward.record.metrics.labels import CHARACTERS, Label, reason_of


def test_what_the_catalog_knows_is_never_folded() -> None:
    label = Label(strangers=1)
    known = {f"service-{number}" for number in range(100)}
    assert [label.value(name, known) for name in sorted(known)] == sorted(known)
    assert label.folded == 0


def test_a_stranger_that_is_kept_stays_kept() -> None:
    label = Label(strangers=1)
    assert [label.value(name) for name in ("a", "b", "a", "b")] == ["a", "_other", "a", "_other"]
    assert label.folded == 2


@pytest.mark.parametrize("name", ["_other", "_unknown", "_"])
def test_nobody_passes_for_what_is_folded(name: str) -> None:
    label = Label()
    assert label.value(name) == "_other"
    assert label.value(None) == "_unknown"
    assert label.folded == 1


@pytest.mark.parametrize("name", ["x" * 10_000, "\ud800", "a\udfffb", "\U0010ffff" * 300])
def test_a_value_is_short_and_can_be_written(name: str) -> None:
    value = Label().value(name)
    assert 0 < len(value) <= CHARACTERS
    assert value.encode()


def test_only_reasons_that_there_are_are_labels() -> None:
    assert [reason_of(reason.value) for reason in Reason] == [reason.value for reason in Reason]
    assert reason_of("made up") == "_other"
