"""A system with one gRPC service, and what reading it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.protobuf import descriptor_pb2

from inward.catalog.protobuf.compiler import INCLUDE
from inward.catalog.system import load_system

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from inward.catalog.kept import DocumentMemo
    from inward.catalog.model import Operation

PROTO = "apis/orders.proto"
HEAD = 'syntax = "proto3";\npackage shop.v1;\nimport "inward/data.proto";\n'
PLAIN = HEAD.replace('import "inward/data.proto";\n', "")
SERVICE = "service Orders { rpc Get(Order) returns (Order); }\n"
INWARD = """\
trust_domain: shop.test
services:
  orders: {{owner: team-orders, api: {api}, listen: '127.0.0.1:0'{more}}}
data:
  pii: {{owner: team-orders}}
  pii.email: {{owner: team-orders}}
"""


@dataclass(frozen=True)
class Read:
    """What loading gave: operations by name, mistakes as text, files."""

    operations: dict[str, Operation]
    mistakes: list[str]
    files: tuple[str, ...]

    @property
    def only(self) -> Operation:
        (operation,) = self.operations.values()
        return operation


def write(folder: Path, files: Mapping[str, str | bytes], api: str = PROTO, more: str = "") -> Path:
    for name, content in {"inward.yaml": INWARD.format(api=api, more=more), **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def load(folder: Path, memo: DocumentMemo | None = None) -> Read:
    loaded = load_system(folder, memo)
    operations = loaded.catalog.services["orders"].operations if loaded.catalog else ()
    return Read({each.name: each for each in operations}, [str(each) for each in loaded.mistakes], loaded.files)


def read(folder: Path, text: str, **files: str | bytes) -> Read:
    """Return what one `.proto` file gives; `files` are others beside it, by name without a suffix."""
    more = {f"apis/{name}.proto": content for name, content in files.items()}
    return load(write(folder, {PROTO: text, **more}))


def file_set(*texts: str | descriptor_pb2.FileDescriptorProto) -> bytes:
    """Return a serialised set of files: descriptors, in the order given."""
    files = [each for each in texts if isinstance(each, descriptor_pb2.FileDescriptorProto)]
    return bytes(descriptor_pb2.FileDescriptorSet(file=files).SerializeToString())


__all__ = ["HEAD", "INCLUDE", "PLAIN", "PROTO", "SERVICE", "Read", "file_set", "load", "read", "write"]
