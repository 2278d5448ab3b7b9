"""Verifying the whole record: nothing changed, dropped, reordered or inserted since each signed checkpoint.

1. Read the checkpoints. Each is signed by the log's key, and is what its name says.
2. Read every entry, in blocks of 256, from open and from sealed segments. The hash of a block is compared with the one
   that is kept (`record.audit.hashes`).
3. At the size of each checkpoint, compare the root. Where it is the signed one with the kept hashes in the place of
   blocks that differ, those entries were changed; where it is with the hashes of the entries, the kept ones were.
4. What is behind the last checkpoint is not signed yet, and is counted.
5. Each sealed segment is the file that the newest act about it tells of, by its digest; only where that act is of
   retention may entries be missing in it, or the file itself.

A block that differs is looked into (`record.audit.locate`). Of a segment that is not there any more the kept hashes of
its entries are taken: all others still verify, and it is told. Memory is of a fixed size, whatever the record's. A
record that grows meanwhile is verified as far as the notary had come.

It cannot tell that the whole state of a system was put back to what it once was: for that, a checkpoint that somebody
else has kept is to be compared (`inward audit consistency`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from inward.record.audit.hashes import BLOCK, HashesError, joined_pairs, level_file, read_hashes
from inward.record.audit.locate import STRANGER, Damage, locate
from inward.record.audit.notary import CHECKPOINTS
from inward.record.audit.parts import list_parts, list_strangers
from inward.record.audit.told import Told, damaged_files
from inward.record.disk import RecordError
from inward.record.sealed.shelf import list_all
from inward.record.segment import list_segments
from inward.tlog.checkpoint import Checkpoint, verify_checkpoint
from inward.tlog.merkle import HASH_BYTES, GrowingTree, joined, leaf_hash, perfect_subtrees
from inward.tlog.note import NoteError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from inward.record.audit.parts import Part
    from inward.record.sealed.files import Sealed
    from inward.tlog.note import Verifier

_MAX_NOTE_BYTES = 1 << 16
_MOST_TIMES = 3  # that a record is read in which files are replaced meanwhile


@dataclass
class Verified:
    """What verifying a record found: `size` entries, of which the last `unsigned` have no checkpoint yet.

    `damages` are in the order of the entries; none: everything is as it was signed. `gone` are segments that are
    not there any more, of whose entries only hashes are left; `retired` those that an act of retention tells of.
    `dropped` entries were left out of others by retention.
    """

    size: int = 0
    unsigned: int = 0
    checkpoints: int = 0
    last: Checkpoint | None = None
    damages: list[Damage] = field(default_factory=list)
    gone: list[Part] = field(default_factory=list)
    retired: list[Part] = field(default_factory=list)
    dropped: int = 0


def load_checkpoints(folder: Path, verifier: Verifier) -> tuple[list[Checkpoint], list[Damage]]:
    """Return the checkpoints of the record in `folder`, by size, and what is wrong with others."""
    found: list[Checkpoint] = []
    damages: list[Damage] = []
    try:
        paths = sorted(path for path in (folder / CHECKPOINTS).iterdir() if not path.name.startswith("."))
    except FileNotFoundError:
        paths = []
    except OSError as error:
        raise RecordError(f"the checkpoints in `{folder}` cannot be read: {error.strerror}") from error
    for path in paths:
        checkpoint = _load_one(path, verifier, damages)
        if checkpoint is not None:
            found.append(checkpoint)
    return found, damages


def _load_one(path: Path, verifier: Verifier, damages: list[Damage]) -> Checkpoint | None:
    try:
        with path.open(encoding="utf-8") as file:
            checkpoint = verify_checkpoint(file.read(_MAX_NOTE_BYTES), verifier.name, [verifier])
        if path.name.isdecimal() and path.name != f"{checkpoint.size:020d}":
            raise NoteError("it is the checkpoint of another size")  # noqa: TRY301 - one end for all
    except (NoteError, OSError, ValueError) as error:
        why = error.message if isinstance(error, NoteError) else "it cannot be read"
        damages.append(Damage(None, None, path.name, f"the checkpoint is no true one: {why}"))
        return None
    return checkpoint


def verify_record(
    folder: Path, verifier: Verifier, head: Path | None = None, watch: Callable[[int, int], None] | None = None
) -> Verified:
    """Verify the record in `folder`, whose log `verifier` signs.

    `watch` is told how many entries are read, of how many. `head` is the copy of the last checkpoint, which lies
    elsewhere. Raises `RecordError` where nothing can be read.
    """
    for _ in range(_MOST_TIMES - 1):
        before = _files(folder)
        found = _verify_once(folder, verifier, head, watch)
        if not (found.damages or found.gone) or _files(folder) == before:
            return found
        # Segments were sealed, moved or retired meanwhile, and may be missing only where they were.
    return _verify_once(folder, verifier, head, watch)


def _files(folder: Path) -> set[object]:
    """Return what tells whether files of the record were replaced."""
    found: set[object] = {segment.path.name for segment in list_segments(folder)}
    for sealed in list_all(folder):
        try:
            found.add((sealed.url, Path(sealed.url).stat().st_mtime_ns))
        except OSError:  # in a bucket, or moved there just now
            found.add(sealed.url)
    return found


def _verify_once(
    folder: Path, verifier: Verifier, head: Path | None, watch: Callable[[int, int], None] | None
) -> Verified:
    damages: list[Damage] = []
    # Before the others: it is written after them.
    newest = _load_one(head, verifier, damages) if head is not None and head.exists() else None
    checkpoints, more = load_checkpoints(folder, verifier)
    damages += more
    if newest is not None and newest not in checkpoints:
        why = f"the record was signed up to entry {newest.size}, and that checkpoint is not there: it was put back"
        damages.append(Damage(None, None, None, why))
        checkpoints = sorted([*checkpoints, newest], key=lambda each: each.size)
    elif newest is None and head is not None and checkpoints and not damages:
        damages.append(Damage(None, None, head.name, "the copy of the last checkpoint is missing"))
    parts = list_parts(folder)
    walk = _Walk(folder, checkpoints, parts)
    result = Verified(checkpoints=len(checkpoints), damages=damages, last=checkpoints[-1] if checkpoints else None)
    result.size = max(walk.end, result.last.size if result.last else 0)
    for read in walk.blocks():
        if watch is not None:
            watch(read, result.size)
    told = walk.told
    result.damages += [*walk.damages, *damaged_files(parts, told, walk.thinned)]
    result.damages += [Damage(None, None, name, STRANGER) for name in list_strangers(folder, parts)]
    result.damages.sort(key=lambda damage: damage.begin if damage.begin is not None else -1)
    result.retired = [part for part in walk.gone if told.explains(part)]
    result.gone = [part for part in walk.gone if not told.explains(part)]
    result.dropped = walk.thinned.total()
    result.unsigned = result.size - (result.last.size if result.last else 0)
    return result


class _Walk:
    """One way through the log, block by block; see the module's steps."""

    def __init__(self, folder: Path, checkpoints: list[Checkpoint], parts: list[Part]) -> None:
        self.damages: list[Damage] = []
        self.gone: list[Part] = []
        self.told = Told()
        self.thinned: Counter[str] = Counter()  # entries that are not in a sealed segment any more, by its name
        self.end = max((part.end for part in parts), default=0)
        self._folder = folder
        self._parts = parts
        self._pending = checkpoints[::-1]
        self._signed = checkpoints[-1].size if checkpoints else 0  # acts after it may be anybody's
        self._of_entries = GrowingTree()  # over blocks, by what the entries say
        self._of_kept = GrowingTree()  # over blocks, by the hashes that are kept
        self._differing: list[int] = []  # blocks since the last checkpoint that was right
        self._good = 0  # the size of that checkpoint
        self._lost = False  # whether nothing behind here can be verified

    def blocks(self) -> Iterator[int]:
        """Read all blocks; yield how many entries are read, after each."""
        block: list[bytes | None] = []
        read = 0
        for leaf in self._leaves():
            block.append(leaf)
            if len(block) == BLOCK:
                self._compare(block)
                self._take(block)
                read += BLOCK
                yield read
                block = []
        self._compare(block)
        for checkpoint in reversed(self._pending):
            begin = read + len(block)
            why = f"the record ends before entry {checkpoint.size}, up to which it is signed"
            self.damages.append(Damage(begin, checkpoint.size, None, why))
        for number in () if self._lost else self._differing:  # under no checkpoint
            self.damages += locate(self._parts, number * BLOCK, (number + 1) * BLOCK)

    def _leaves(self) -> Iterator[bytes | None]:
        """Yield the hash of each entry in its place, None for one of which nothing is left."""
        reached = 0
        for part in self._parts:
            if part.first != reached:
                self.damages.append(Damage(part.first, part.end, part.file, "its place in the log was changed"))
                continue
            if part.gone:
                self.gone.append(part)
                yield from self._of_kept_leaves(part, part.first)
            else:
                yield from self._of_segment(part) if part.sealed is None else self._of_sealed(part, part.sealed)
            reached = part.end

    @staticmethod
    def _of_kept_leaves(part: Part, begin: int) -> Iterator[bytes | None]:
        """Yield what is kept of the entries of a part from index `begin` on."""
        for at in range(begin, part.end, BLOCK):
            yield from part.kept(at, min(at + BLOCK, part.end))

    def _of_segment(self, part: Part) -> Iterator[bytes | None]:
        count, end = 0, 0
        try:
            for line, after in part.lines():
                if count < part.count:
                    if part.first + count < self._signed:
                        self.told.hear(line)
                    yield leaf_hash(line)
                count, end = count + 1, after
        except OSError as error:
            self._damaged(part, f"it cannot be read: {error.strerror}")
        else:
            if count != part.count:
                more = "more" if count > part.count else "fewer"
                self._damaged(part, f"it has {abs(count - part.count)} entries {more} than it had")
            elif end != part.size:
                self._damaged(part, "its last entry has no end")
        yield from self._of_kept_leaves(part, part.first + min(count, part.count))

    def _of_sealed(self, part: Part, sealed: Sealed) -> Iterator[bytes | None]:
        from inward.record.sealed.reading import hashes_in  # noqa: PLC0415 - DuckDB is needed for sealed segments only

        reached, missing = part.first, 0
        try:
            for rows in hashes_in(sealed):
                for entry, leaf, act, dropped in rows:
                    if not reached <= entry < part.end:
                        self._damaged(part, "its entries are not in their order")
                        yield from [None] * (part.end - reached)
                        return
                    if entry != reached:
                        yield from [None] * (entry - reached)
                        missing += entry - reached
                    missing += dropped
                    if act is not None and entry < self._signed:
                        self.told.hear(act)
                    yield leaf
                    reached = entry + 1
            missing += part.end - reached
        except (OSError, RecordError) as error:
            self._damaged(part, error.message if isinstance(error, RecordError) else f"it cannot be read: {error}")
        if missing:
            self.thinned[part.file] = missing
        yield from [None] * (part.end - reached)

    def _damaged(self, part: Part, why: str) -> None:
        self.damages.append(Damage(part.first, part.end, part.file, why))

    def _take(self, block: list[bytes | None]) -> None:
        """Put a full block into both trees."""
        number = self._of_kept.size
        try:
            kept: bytes | None = read_hashes(level_file(self._folder, 8), number, number + 1)
        except HashesError:
            kept = None
        there = [leaf for leaf in block if leaf is not None]
        found = joined_pairs(b"".join(there)) if len(there) == BLOCK else None
        if found is not None and kept is not None and found != kept:
            self._differing.append(number)
        either = found or kept or bytes(HASH_BYTES)
        self._of_entries.append(either)
        self._of_kept.append(kept or either)

    def _compare(self, block: list[bytes | None]) -> None:
        """Compare the checkpoints whose last entry is in the block before this one, or in this one."""
        read = self._of_kept.size * BLOCK
        while self._pending and self._pending[-1].size <= read + len(block):
            checkpoint = self._pending.pop()
            rest = block[: checkpoint.size - read]
            leaves = [leaf for leaf in rest if leaf is not None]
            # Where entries are gone that are in no full block, one of the checkpoints after it says the same.
            if not self._lost and len(leaves) == checkpoint.size - read:
                self._judge(checkpoint, leaves)

    def _judge(self, checkpoint: Checkpoint, rest: list[bytes]) -> None:
        if _root(self._of_entries, rest) == checkpoint.root:
            for number in self._differing:
                name = level_file(self._folder, 8).relative_to(self._folder).as_posix()
                why = "a hash that is kept of the entries was changed; the entries are as they were signed"
                self.damages.append(Damage(number * BLOCK, (number + 1) * BLOCK, name, why))
        elif _root(self._of_kept, rest) == checkpoint.root:
            for number in self._differing:
                self.damages += locate(self._parts, number * BLOCK, (number + 1) * BLOCK)
            self._of_entries = GrowingTree(self._of_kept.size, self._of_kept.edge)
        else:
            self.damages += locate(self._parts, self._good, checkpoint.size)
            self._lost = True  # what comes later hangs on what is false here
        self._differing.clear()
        self._good = checkpoint.size


def _root(tree: GrowingTree, rest: list[bytes]) -> bytes:
    """Return the root over full blocks and what is there of the next."""
    subtrees = perfect_subtrees(0, len(rest))
    hashes = [joined_pairs(b"".join(rest[at << level : (at + 1) << level])) for level, at in subtrees]
    return joined([*tree.edge, *hashes])
