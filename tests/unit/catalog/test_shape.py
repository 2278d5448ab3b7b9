"""Shapes and answers as values: what they hold, and which counts for a status."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from inward.catalog.shape import NO_ANSWERS, NOTHING, Answers, Node, Shape

EMAIL = Shape((Node((), MappingProxyType({"a": 1}), rest=2, items=0), Node(("pii.email",)), Node(("card", "pii"))))


def test_a_shape_knows_its_classes_and_a_node_where_it_leads() -> None:
    assert EMAIL.classes == {"pii.email", "card", "pii"}
    assert list(EMAIL.nodes[0].edges) == [1, 2, 0]
    assert NOTHING.classes == NO_ANSWERS.classes == frozenset()


@pytest.mark.parametrize(
    ("status", "key"),
    [(200, "200"), (201, "2XX"), (299, "2XX"), (404, "default"), (500, "default")],
)
def test_the_most_specific_status_counts(status: int, key: str) -> None:
    by_status = {each: Shape((Node((each,)),)) for each in ("200", "2XX", "default")}
    assert Answers(by_status, EMAIL).of(status).classes == {key}


def test_a_status_of_which_nothing_is_said_may_hold_anything() -> None:
    answers = Answers({"200": NOTHING}, EMAIL)
    assert answers.of(500) == EMAIL
    assert answers.of(200) == NOTHING
    assert answers.classes == EMAIL.classes
