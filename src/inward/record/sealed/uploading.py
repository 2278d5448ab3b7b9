"""Moving sealed segments into a bucket: the copy there is read again before the one here is deleted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from inward.record.sealed import bucket
from inward.record.sealed.files import Sealed, list_local
from inward.record.sealed.reading import SealError, digest_of
from inward.record.sealed.shelf import name_bucket

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.record.disk import Disk


def upload_all(folder: Path, url: str, disk: Disk) -> Iterator[Sealed]:
    """Move the sealed segments of the record in `folder` into the bucket `url`; yield each as it is there now.

    Commands find the bucket by what is written in the folder first. Raises `SealError` and `OSError`, and then whatever
    is not moved yet is still here.
    """
    name_bucket(folder, url, disk)
    for sealed in list_local(folder):
        there = Sealed(sealed.number, sealed.day, url)
        bucket.put(url, sealed.name, Path(sealed.url))
        if digest_of(there) != digest_of(sealed):
            raise SealError(f"`{sealed.name}` is not in the bucket as it is here")
        disk.unlink(Path(sealed.url))
        yield there
