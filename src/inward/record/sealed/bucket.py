"""Object storage for sealed segments: an S3-compatible bucket, named `s3://bucket/prefix`.

Credentials, region and endpoint come from the environment (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`,
`AWS_ENDPOINT_URL`, …), or from the machine's role, as `obstore` finds them. An object is there whole or not at all, so
nothing is renamed. Errors are `OSError`, whatever the library raises.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from fsspec.spec import AbstractBufferedFile, AbstractFileSystem
from obstore.exceptions import BaseError
from obstore.store import from_url

from inward.errors import BadInputError
from inward.record.sealed.files import BUCKET, is_bucket

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from obstore.store import ClientConfig, RetryConfig, S3Store

_BLOCK_BYTES = 1 << 20
_RETRY: RetryConfig = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}


@cache
def store_of(url: str) -> S3Store:
    """Return the bucket and prefix that `url` names. Raises `BadInputError`."""
    if not is_bucket(url):
        raise BadInputError(f"`{url}` is no bucket", hint="give s3://BUCKET/PREFIX")
    try:
        options: ClientConfig = {"timeout": "60s", "connect_timeout": "5s", "allow_http": _endpoint_is_plain()}
        return cast("S3Store", from_url(url, client_options=options, retry_config=_RETRY))
    except (BaseError, ValueError, TypeError) as error:
        raise BadInputError(f"`{url}` cannot be used: {_said(error)}", hint="give s3://BUCKET/PREFIX") from error


def _endpoint_is_plain() -> bool:
    """Whether an endpoint without TLS was named; nobody comes to one unless it was."""
    return any(os.environ.get(name, "").startswith("http://") for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"))


@contextmanager
def failing_as_os_error() -> Iterator[None]:
    """Make the library's errors `OSError`, which is what files raise."""
    try:
        yield
    except BaseError as error:
        raise OSError(None, _said(error)) from error


def list_names(url: str) -> list[str]:
    """Return the names of all objects under `url`. Raises `OSError`."""
    with failing_as_os_error():
        return [item["path"] for batch in store_of(url).list() for item in batch]


def put(url: str, name: str, source: Path) -> None:
    """Upload a file. Raises `OSError`."""
    with failing_as_os_error(), source.open("rb") as file:
        store_of(url).put(name, file)


def read(url: str, name: str) -> bytes | None:
    """Return the content of a small object, None where there is none. Raises `OSError`."""
    with failing_as_os_error():
        try:
            return bytes(store_of(url).get(name).bytes())
        except FileNotFoundError:
            return None


def write(url: str, name: str, content: bytes) -> None:
    """Make `content` the content of an object. Raises `OSError`."""
    with failing_as_os_error():
        store_of(url).put(name, content)


def remove(url: str, name: str) -> None:
    """Delete an object. Raises `OSError`."""
    with failing_as_os_error():
        store_of(url).delete(name)


def open_object(url: str, name: str) -> BinaryIO:
    """Return an object, to be read from its beginning. Raises `OSError`."""
    system = file_system(url)
    return cast("BinaryIO", system.open(f"{url}/{name}", "rb"))


def file_system(url: str) -> AbstractFileSystem:
    """Return the bucket as DuckDB reads from it: whatever path it is given is taken to be under `url`."""
    return _Bucket(url)


class _Bucket(AbstractFileSystem):  # type: ignore[misc]  # the library has no types
    protocol = "s3"
    cachable = False

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def _name(self, path: str) -> str:
        return path.removeprefix(BUCKET).removeprefix(self._url.removeprefix(BUCKET)).lstrip("/")

    def _head(self, path: str) -> dict[str, Any]:
        with failing_as_os_error():
            return cast("dict[str, Any]", store_of(self._url).head(self._name(path)))

    def info(self, path: str, **_: object) -> dict[str, Any]:
        """Return size and type of an object."""
        return {"name": path, "size": self._head(path)["size"], "type": "file"}

    def modified(self, path: str) -> object:
        """Return when an object was written."""
        return self._head(path)["last_modified"]

    def read_range(self, path: str, start: int, end: int) -> bytes:
        """Return some bytes of an object."""
        with failing_as_os_error():
            return bytes(store_of(self._url).get_range(self._name(path), start=start, end=end))

    def _open(self, path: str, mode: str = "rb", **_: object) -> AbstractBufferedFile:
        if mode != "rb":
            raise OSError(None, "sealed segments are only read")
        return _Object(self, path, mode, block_size=_BLOCK_BYTES, cache_type="readahead")


class _Object(AbstractBufferedFile):  # type: ignore[misc]  # the library has no types
    def _fetch_range(self, start: int, end: int) -> bytes:
        return cast("_Bucket", self.fs).read_range(self.path, start, end)


def _said(error: Exception) -> str:
    return str(error).partition("\n")[0][:300]
