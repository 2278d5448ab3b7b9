"""Sealed segments by name: `day=2026-11-26/calls-00000007.parquet`, as Hive, Trino, Athena and Spark have partitions.

The number is that of the segment, and alone says the order; the day is that of the segment's name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from inward.record.disk import RecordError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from inward.record.segment import Segment

BUCKET = "s3://"
_NAME = re.compile(r"day=(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})/calls-(?P<number>[0-9]{8,18})\.parquet")


@dataclass(frozen=True, slots=True, order=True)
class Sealed:
    """A sealed segment. `place` is the folder, or the URL of the bucket and prefix, that its name is in."""

    number: int
    day: date  # UTC
    place: str

    @classmethod
    def make(cls, place: str, segment: Segment) -> Sealed:
        """Name the sealed form of a segment; nothing is created."""
        return cls(segment.number, segment.day, place)

    @classmethod
    def of(cls, place: str, name: str) -> Sealed | None:
        """Return the sealed segment with that name, or None where it is some other file's."""
        found = _NAME.fullmatch(name)
        try:
            return cls(int(found["number"]), date.fromisoformat(found["day"]), place) if found else None
        except ValueError:  # such as the 31st of February
            return None

    @property
    def name(self) -> str:
        """Its name within its place."""
        return f"day={self.day.isoformat()}/calls-{self.number:08d}.parquet"

    @property
    def segment(self) -> str:
        """The name of the segment that it was."""
        return f"calls-{self.day.isoformat()}-{self.number:08d}.ndjson"

    @property
    def url(self) -> str:
        """Its path, or its URL."""
        return f"{self.place}/{self.name}"


def is_bucket(place: str) -> bool:
    """Return whether a place is a bucket, and not a folder."""
    return place.startswith(BUCKET)


def list_local(folder: Path) -> list[Sealed]:
    """Return the sealed segments in the record's folder, in order. Raises `RecordError`."""
    try:
        days = [day for day in folder.iterdir() if day.name.startswith("day=") and day.is_dir()]
        names = [f"{day.name}/{path.name}" for day in days for path in day.iterdir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RecordError(f"the record in `{folder}` cannot be read: {error.strerror}") from error
    return sealed_of(str(folder), names)


def sealed_of(place: str, names: Iterable[str]) -> list[Sealed]:
    """Return the sealed segments among some names within a place, in order."""
    return sorted(sealed for name in names if (sealed := Sealed.of(place, name)) is not None)
