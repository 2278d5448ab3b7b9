"""Retention: what is old enough is left out of sealed segments, by age and kind, and what remains still verifies.

1. Entries of a kind are dropped from a segment once the newest of them in it is too old: at once, so that a file is
   written anew a few times in all its life.
2. Of a dropped entry its hash stays, unless all of its block of 256 are dropped: then the hash of the block is kept in
   any case (`record.audit.hashes`). A segment of which nothing is left is deleted.
3. A file that is not the one that the record tells of is left alone: what was done to it must stay to be found.
4. An act `retention` tells of it, and is signed before the file is replaced. A crash between the two leaves a file that
   is not the one of the act; the next round writes it again.

Acts that tell of sealed segments are never dropped, since files are verified by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from inward.record.audit.hashes import BLOCK
from inward.record.audit.told import REMOVED, RETENTION, SEAL, digest_detail, read_told
from inward.record.call import Act, timestamp
from inward.record.disk import Disk
from inward.record.sealed.columns import COLUMNS, FILE_ONLY, LEAF, quoted
from inward.record.sealed.files import is_bucket
from inward.record.sealed.reading import SealError, connected, digest_at, digest_of, extent_of
from inward.record.sealed.seal import new_file, write_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inward.catalog.retention import Keep
    from inward.record.audit.told import Told
    from inward.record.call import Entry
    from inward.record.sealed.files import Sealed

_HINT = "see `inward audit verify`"
# Which rows are of a kind. What is no entry that is known is kept as long as refused calls are.
_KINDS: Final = {
    "allowed": "kind = 'call' AND decision IS NOT DISTINCT FROM 'allow'",
    "refused": "kind = 'call' AND decision IS DISTINCT FROM 'allow'",
    "acts": f"kind IN ('act', 'gap') AND json_extract_string(raw, '$.what') IS DISTINCT FROM '{SEAL}' "
    f"AND json_extract_string(raw, '$.what') IS DISTINCT FROM '{RETENTION}'",
}


@dataclass(frozen=True, slots=True)
class Dropped:
    """What retention did to a segment: how many entries it dropped, and how many are left."""

    sealed: Sealed
    count: int
    left: int


def retire(
    sealed: Sealed,
    folder: Path,
    keep: Keep,
    now: datetime,
    tell: Callable[[Sequence[Entry]], object],
    disk: Disk | None = None,
    told: Callable[[], Told] | None = None,
) -> Dropped | None:
    """Drop from a sealed segment what is older than `keep` says; return what was done, None: there was nothing to do.

    `folder` is that of the record. `tell` records an act, and returns when it is signed. `told` gives what the acts of
    the record tell; by default, as it is now. Raises `SealError`, and then the segment is as it was.
    """
    kinds = [name for name in _KINDS if (age := getattr(keep, name)) is not None and _may_be_old(sealed, age, now)]
    if not kinds:
        return None
    count, left, old = _count(sealed, {name: now - getattr(keep, name) for name in kinds})
    if not count:
        return None
    if not (told or partial(read_told, folder))().was(sealed.name, digest_of(sealed)):
        raise SealError(f"`{sealed.name}` is not what was sealed: nothing is dropped from it", hint=_HINT)
    disk = disk or Disk()
    condition = " OR ".join(f"({_KINDS[name]})" for name in old)
    if left:
        with new_file(sealed, folder, disk) as building:
            write_rows(_rows_without(sealed, condition), extent_of(sealed), building, sealed.place)
            tell([_act(sealed, digest_detail(digest_at(building)), now)])
    else:
        tell([_act(sealed, REMOVED, now)])
        _remove(sealed, disk)
    return Dropped(sealed, count, left)


def _may_be_old(sealed: Sealed, age: timedelta, now: datetime) -> bool:
    """Whether entries of a segment can be so old; without reading it."""
    return sealed.day < (now - age).astimezone(UTC).date() + timedelta(days=1)


def _act(sealed: Sealed, detail: str, now: datetime) -> Act:
    return Act(time=timestamp(now), what=RETENTION, about=sealed.name, detail=detail)


def _count(sealed: Sealed, before: dict[str, datetime]) -> tuple[int, int, list[str]]:
    """Return how many entries are to be dropped, how many are left then, and the kinds that are dropped."""
    number = ", ".join(
        f"count(*) FILTER (WHERE {_KINDS[name]}), max(coalesce(time, $day)) FILTER (WHERE {_KINDS[name]}) < ${name}"
        for name in before
    )
    values = {"url": sealed.url, "day": datetime(sealed.day.year, sealed.day.month, sealed.day.day, tzinfo=UTC)}
    with connected(sealed.url, sealed.place) as connection:
        file = f"read_parquet($url, {FILE_ONLY})"
        query = f"SELECT count(*) FILTER (WHERE kind <> 'dropped'), {number} FROM {file}"  # noqa: S608 - ours
        all_there, *rest = connection.execute(query, {**values, **before}).fetchall()[0]
    counts = dict(zip(before, zip(rest[::2], rest[1::2], strict=True), strict=True))
    old = [name for name, (count, too_old) in counts.items() if count and too_old]
    dropped = sum(counts[name][0] for name in old)
    return dropped, all_there - dropped, old


def _rows_without(sealed: Sealed, condition: str) -> str:
    """Return the SQL for the rows of a segment, those without their content for which `condition` is true."""
    extent = extent_of(sealed)
    first, end = extent.first, extent.first + extent.count
    # Blocks that hold entries of other segments too: their hashes are not kept elsewhere.
    shared = [block for at in (first, end) if at % BLOCK for block in [at // BLOCK]]
    names = ", ".join(
        f"if(gone, NULL, {name}) AS {name}"
        for name in (*(f'"{each}"' for column in COLUMNS for each in column.names), "raw")
    )
    wanted = [f"SELECT entry // {BLOCK} FROM marked WHERE NOT gone", *(f"SELECT {block}" for block in shared)]  # noqa: S608 - numbers
    return f"""
        WITH marked AS (
            SELECT *, kind = 'dropped' OR coalesce({condition}, false) AS gone
            FROM read_parquet('{quoted(sealed.url)}', {FILE_ONLY})
        )
        SELECT * EXCLUDE (gone) REPLACE (
            if(gone, 'dropped', kind) AS kind, {names},
            if(gone, {LEAF}, NULL) AS leaf
        ) FROM marked WHERE entry // {BLOCK} IN ({" UNION ".join(wanted)})"""  # noqa: S608 - columns and numbers


def _remove(sealed: Sealed, disk: Disk) -> None:
    if is_bucket(sealed.place):
        from inward.record.sealed import bucket  # noqa: PLC0415 - its libraries are needed for buckets only

        bucket.remove(sealed.place, sealed.name)
    else:
        disk.unlink(Path(sealed.url))
