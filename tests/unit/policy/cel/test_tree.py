from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from inward.policy.cel import tree

if TYPE_CHECKING:
    from inward.policy.cel.tree import Truth

YES, NO = tree.boolean(value=True), tree.boolean(value=False)
A, B, C = (tree.matches(tree.PATH, name) for name in "abc")


def _ids(node: tree.Tree) -> list[str]:
    (body,) = (body for kind, body in node.items() if kind != "id")
    children = [body[key] for key in ("operand", "target") if key in body]
    children += [*body.get("args", ()), *body.get("elements", ())]
    return [node["id"], *(each for child in children for each in _ids(child))]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (tree.both(left=True, right=A), A),
        (tree.both(left=False, right=A), False),
        (tree.both(A, right=True), A),
        (tree.either(left=True, right=A), True),
        (tree.either(left=False, right=A), A),
        (tree.either(A, right=False), A),
        (tree.all_of([]), True),
        (tree.any_of([]), False),
        (tree.any_strict([]), False),
        (tree.any_strict([False, True]), True),
        (tree.any_strict([A]), A),
        (tree.negation(value=True), False),
        (tree.choose(A, then=True, otherwise=False), A),
    ],
)
def test_what_is_known_is_not_asked(value: Truth, expected: Truth) -> None:
    assert value == expected


def test_a_left_side_that_may_fail_is_kept_whatever_the_right_is() -> None:
    assert tree.both(A, right=False) == tree.call("_?_:_", A, NO, NO)
    assert tree.either(A, right=True) == tree.call("_?_:_", A, YES, YES)
    assert tree.any_strict([A, True]) is not True


def test_long_chains_stay_shallow() -> None:
    for join in (tree.all_of, tree.any_of, tree.any_strict):
        _, few = tree.size_of(tree.boolean(join([A] * 2)))
        nodes, many = tree.size_of(tree.boolean(join([A] * 256)))
        assert nodes > 256 * 3
        assert many <= few + 7 * 3


def test_nesting_is_that_of_the_json() -> None:
    def depth(value: object) -> int:
        if isinstance(value, dict):
            return 1 + max(map(depth, value.values()), default=0)
        return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0

    for value in (A, YES, tree.call("!_", tree.method("getHours", tree.TIME)), tree.array([A, YES])):
        assert 0 <= tree.size_of(value)[1] - depth(json.loads(json.dumps(value))) <= 1


def test_ids_are_unique_and_the_tree_is_copied() -> None:
    shared = tree.call("@in", A, tree.array([A, B, C]))
    before = repr(shared)
    numbered = tree.numbered(shared)
    ids = _ids(numbered)
    assert len(ids) == len(set(ids)) == tree.size_of(shared)[0]
    assert "0" not in ids
    assert repr(shared) == before
