"""Trees: the hashes of RFC 9162, whatever the size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.tlog.naive import naive_root

from inward.tlog.merkle import EMPTY_ROOT, GrowingTree, leaf_hash, perfect_subtrees

# The test vectors that implementations of certificate transparency share.
ENTRIES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def test_the_roots_are_those_that_everybody_has() -> None:
    tree = GrowingTree()
    assert tree.root() == EMPTY_ROOT
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    for entry, root in zip(ENTRIES, ROOTS, strict=True):
        tree.append(leaf_hash(bytes.fromhex(entry)))
        assert tree.root().hex() == root


def test_a_tree_goes_on_from_its_edge_at_every_size() -> None:
    leaves = [leaf_hash(str(number).encode()) for number in range(150)]
    tree = GrowingTree()
    for size, leaf in enumerate(leaves, 1):
        tree = GrowingTree(tree.size, tree.edge)
        tree.append(leaf)
        assert tree.root() == naive_root(leaves[:size])


def test_what_is_full_is_said_once_with_its_hash() -> None:
    leaves = [leaf_hash(str(number).encode()) for number in range(64)]
    tree = GrowingTree()
    full = {(level, index): found for leaf in leaves for level, index, found in tree.append(leaf)}
    assert len(full) == 127
    for (level, index), found in full.items():
        assert found == naive_root(leaves[index << level : (index + 1) << level])


@pytest.mark.parametrize(("size", "edge"), [(-1, ()), (1, ()), (3, (b"a" * 32,)), (1, (b"short",))])
def test_an_edge_that_does_not_fit_is_refused(size: int, edge: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="another edge"):
        GrowingTree(size, edge)


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_subtrees_cover_a_range_without_a_gap(begin: int, length: int) -> None:
    found = list(perfect_subtrees(begin, begin + length))
    covered = [number for level, index in found for number in range(index << level, (index + 1) << level)]
    assert covered == list(range(begin, begin + length))
