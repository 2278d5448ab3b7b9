"""Where the sealed segments of a record are: in its own folder, and in a bucket if one was named.

Which bucket stands in `bucket.json` of the record's folder, so that every command finds it; credentials never do.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import msgspec

from inward.record.disk import RecordError
from inward.record.sealed.files import list_local, sealed_of

if TYPE_CHECKING:
    from pathlib import Path

    from inward.record.disk import Disk
    from inward.record.sealed.files import Sealed

_FILE = "bucket.json"
_MARK = "inward-record"  # the object that says whose the bucket is
_MAX_BYTES = 1 << 16


class _Named(msgspec.Struct):
    url: str
    record: str  # a random name of this record, which the bucket bears too


def bucket_of(folder: Path) -> str | None:
    """Return the URL of the bucket that has sealed segments of the record in `folder`. Raises `RecordError`."""
    named = _load(folder)
    return named.url if named is not None else None


def _load(folder: Path) -> _Named | None:
    path = folder / _FILE
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(_MAX_BYTES), type=_Named)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise RecordError(f"`{path}` cannot be used: {error}") from error


def name_bucket(folder: Path, url: str, disk: Disk) -> None:
    """Say that sealed segments are in that bucket from now on, here and there.

    A bucket and prefix is of one record, as files of two would have the same names. Raises `RecordError` where it is
    another's, or where this record is in another bucket already, and `OSError`.
    """
    from inward.record.sealed import bucket  # noqa: PLC0415 - its libraries are needed for buckets only

    named = _load(folder)
    if named is not None and named.url != url:
        raise RecordError(
            f"the record is in the bucket `{named.url}`, and not in `{url}`",
            hint=f"name that one, or move its objects and change `{folder / _FILE}`",
        )
    mark = bucket.read(url, _MARK)
    if named is None:
        if mark is not None:
            raise RecordError(f"the bucket `{url}` has another record", hint="give each record a prefix of its own")
        named = _Named(url, secrets.token_hex(16))
        disk.store(folder / _FILE, msgspec.json.encode(named) + b"\n")
    if mark is None:
        bucket.write(url, _MARK, named.record.encode())
    elif mark != named.record.encode():
        raise RecordError(f"the bucket `{url}` has another record", hint="give each record a prefix of its own")


def list_sealed(folder: Path) -> list[Sealed]:
    """Return the sealed segments of the record in `folder`, in order; of one that is in both, that of the folder.

    Raises `RecordError`.
    """
    found = {sealed.number: sealed for sealed in list_all(folder)}
    return [found[number] for number in sorted(found)]


def list_all(folder: Path) -> list[Sealed]:
    """Return every file that is named as a sealed segment, those of the bucket first. Raises `RecordError`."""
    found: list[Sealed] = []
    url = bucket_of(folder)
    if url is not None:
        from inward.record.sealed import bucket  # noqa: PLC0415 - its libraries are needed for buckets only

        try:
            found = sealed_of(url, bucket.list_names(url))
        except OSError as error:
            raise RecordError(f"the bucket `{url}` cannot be read: {error.strerror}") from error
    return found + list_local(folder)
