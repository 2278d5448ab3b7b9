"""Kept hashes: any full subtree's, whether it is kept or worked out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.record.audit.log import Log

from inward.record.audit.hashes import HashesError, KeptNodes, level_file, read_hashes
from inward.record.audit.parts import leaves_of, list_parts
from inward.tlog.merkle import GrowingTree, leaf_hash

if TYPE_CHECKING:
    from pathlib import Path


def test_every_full_subtree_has_its_hash(tmp_path: Path) -> None:
    log = Log.make(tmp_path, 1500)
    parts = list_parts(log.folder)
    asked: list[int] = []

    def leaves(begin: int, end: int) -> bytes:
        asked.append(end - begin)
        return leaves_of(parts, begin, end)

    nodes = KeptNodes(log.folder, leaves)
    tree = GrowingTree()
    lines = [line for segment in log.segments() for line in segment.read_bytes().splitlines()]
    full = {(level, index): found for line in lines for level, index, found in tree.append(leaf_hash(line))}
    assert all(nodes(level, index) == found for (level, index), found in full.items())
    assert set(asked) == {256}  # a block at a time, and none twice in a row
    with pytest.raises(HashesError):
        nodes(8, 1500 >> 8)


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(HashesError, match="cannot be read"):
        read_hashes(level_file(tmp_path, 8), 0, 1)
