"""Proofs: the right ones are those of the RFC and are accepted, all others are refused."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.tlog.naive import naive_consistency, naive_path, naive_root

from inward.tlog.merkle import GrowingTree, leaf_hash
from inward.tlog.proof import (
    ProofError,
    prove_consistency,
    prove_inclusion,
    root_of,
    verify_consistency,
    verify_inclusion,
)

MOST = 300
LEAVES = [leaf_hash(str(number).encode()) for number in range(MOST)]
FULL = {
    (level, index): found for tree in [GrowingTree()] for leaf in LEAVES for level, index, found in tree.append(leaf)
}
ROOTS = [naive_root(LEAVES[:size]) for size in range(MOST + 1)]


def node(level: int, index: int) -> bytes:
    return FULL[level, index]


@pytest.mark.parametrize("size", range(1, MOST + 1))
def test_a_tree_of_every_size_proves_what_the_rfc_says(size: int) -> None:
    leaves = LEAVES[:size]
    assert root_of(size, node) == ROOTS[size]
    chosen = random.Random(size)  # noqa: S311 - no secret
    for index in {0, size - 1, *(chosen.randrange(size) for _ in range(8))}:
        path = prove_inclusion(index, size, node)
        assert path == naive_path(index, leaves)
        verify_inclusion(LEAVES[index], index, size, path, ROOTS[size])
    for old in {1, size, *(chosen.randrange(1, size + 1) for _ in range(8))}:
        path = prove_consistency(old, size, node)
        assert path == naive_consistency(old, leaves)
        verify_consistency(old, size, path, ROOTS[old], ROOTS[size])


def test_a_log_begins_with_the_empty_one() -> None:
    assert prove_consistency(0, 7, node) == []
    verify_consistency(0, 7, [], ROOTS[0], ROOTS[7])


@given(st.data())
@settings(max_examples=400)
def test_no_other_inclusion_is_proven(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, MOST))
    index = data.draw(st.integers(0, size - 1))
    path = prove_inclusion(index, size, node)
    other_index = data.draw(st.integers(-1, MOST))
    other_size = data.draw(st.integers(0, MOST))
    other_leaf = data.draw(st.sampled_from(LEAVES))
    other_path = _damaged(path, data)
    if (other_index, other_size, other_leaf) != (index, size, LEAVES[index]) or other_path != path:
        right = (
            0 <= other_index < size == other_size and LEAVES[other_index] == other_leaf
            and other_path == prove_inclusion(other_index, size, node)
        )  # fmt: skip
        assert not right or other_path != path or other_index != index
        if not right:
            with pytest.raises(ProofError):
                verify_inclusion(other_leaf, other_index, other_size, other_path, ROOTS[size])


@given(st.data())
@settings(max_examples=400)
def test_a_log_that_was_changed_is_not_consistent(data: st.DataObject) -> None:
    new = data.draw(st.integers(2, MOST))
    old = data.draw(st.integers(1, new - 1))
    path = prove_consistency(old, new, node)
    changed = data.draw(st.integers(0, old - 1))
    leaves = [*LEAVES[:changed], leaf_hash(b"another"), *LEAVES[changed + 1 : new]]
    with pytest.raises(ProofError):
        verify_consistency(old, new, path, ROOTS[old], naive_root(leaves))
    with pytest.raises(ProofError):
        verify_consistency(old, new, naive_consistency(old, leaves), ROOTS[old], naive_root(leaves))
    damaged = _damaged(path, data)
    if damaged != path:
        with pytest.raises(ProofError):
            verify_consistency(old, new, damaged, ROOTS[old], ROOTS[new])


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [(-1, 3, []), (4, 3, []), (3, 3, [b"a" * 32]), (0, 3, [b"a" * 32]), (3, 7, []), (3, 1 << 63, [])],
)
def test_sizes_that_cannot_be_are_refused(old: int, new: int, path: list[bytes]) -> None:
    with pytest.raises(ProofError):
        verify_consistency(old, new, path, ROOTS[3], ROOTS[7])


def test_two_logs_of_one_size_are_one_log() -> None:
    verify_consistency(7, 7, [], ROOTS[7], ROOTS[7])
    with pytest.raises(ProofError, match="not what it was"):
        verify_consistency(7, 7, [], ROOTS[7], ROOTS[8])


def test_what_is_no_hash_is_no_proof() -> None:
    with pytest.raises(ProofError, match="no hash"):
        verify_inclusion(LEAVES[0], 0, 2, [b"short"], ROOTS[2])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3)])
def test_there_is_no_proof_of_what_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no such leaf"):
        prove_inclusion(index, size, node)
    with pytest.raises(ValueError, match="more leaves"):
        prove_consistency(size + 1, size, node)


def _damaged(path: list[bytes], data: st.DataObject) -> list[bytes]:
    """Return the path as it is, or with a hash less, a hash more, one changed, or two swapped."""
    position = data.draw(st.integers(0, len(path)))
    how = data.draw(st.sampled_from(["as it is", "less", "more", "changed", "swapped"]))
    found = list(path)
    if how == "more":
        found.insert(position, data.draw(st.sampled_from(LEAVES)))
    elif position < len(path) and how == "less":
        del found[position]
    elif position < len(path) and how == "changed":
        found[position] = data.draw(st.sampled_from(LEAVES))
    elif position < len(path) and how == "swapped":
        found[0], found[position] = found[position], found[0]
    return found
