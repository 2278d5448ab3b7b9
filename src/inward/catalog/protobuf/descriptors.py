"""Descriptor sets: serialised `google.protobuf.FileDescriptorSet`s, read with their marks, completed and checked.

A set that is taken has every file that it needs, each after those that it imports, and every name in it leads to what
it names: whoever builds messages of it needs to check nothing. The protobuf library is imported when it is needed, as
most systems have no gRPC services.
"""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from inward.catalog.document import shown
from inward.catalog.protobuf.sources import MARKS, WELL_KNOWN
from inward.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

SUFFIXES = (".binpb", ".pb", ".desc")
MAX_BYTES = 32 * 1024 * 1024
MAX_FILES = 2_000
_DESCRIPTOR = WELL_KNOWN + "descriptor.proto"
_NUMBER = 58291  # of the field option `(inward.data)`
_KNOWN = (
    "any",
    "api",
    "descriptor",
    "duration",
    "empty",
    "field_mask",
    "source_context",
    "struct",
    "timestamp",
    "type",
)

FileSet = Any  # google.protobuf.FileDescriptorSet
File = Any  # google.protobuf.FileDescriptorProto


class InvalidDescriptorsError(BadInputError):
    """Bytes are no descriptor set that can be used."""

    code = "invalid_descriptors"


def has_protobuf() -> bool:
    """Tell whether the protobuf library is there."""
    try:
        return importlib.util.find_spec("google.protobuf") is not None
    except ModuleNotFoundError:  # there is no `google` either
        return False


@cache
def _reader() -> tuple[Any, Any]:
    """Return the class of descriptor sets, and the field option that marks data.

    Both are of a pool of their own: the option must not meet the same one in a program that compiled it for itself.
    """
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # noqa: PLC0415 - see above

    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(descriptor_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(marks_file().SerializeToString())
    found = pool.FindMessageTypeByName("google.protobuf.FileDescriptorSet")
    return message_factory.GetMessageClass(found), pool.FindExtensionByName("inward.data")


def marks_file() -> File:
    """Return `inward/data.proto` as a descriptor."""
    from google.protobuf import descriptor_pb2  # noqa: PLC0415 - see above

    kind = descriptor_pb2.FieldDescriptorProto
    made = descriptor_pb2.FileDescriptorProto(name=MARKS, package="inward", dependency=[_DESCRIPTOR], syntax="proto3")
    made.extension.add(
        name="data",
        json_name="data",
        number=_NUMBER,
        label=kind.LABEL_REPEATED,
        type=kind.TYPE_STRING,
        extendee=".google.protobuf.FieldOptions",
    )
    return made


def parse_descriptors(content: bytes) -> FileSet:
    """Return the descriptor set in `content`, complete and in order; raise `InvalidDescriptorsError`."""
    from google.protobuf.message import DecodeError  # noqa: PLC0415 - see above

    message, _ = _reader()
    try:
        read = message.FromString(content)
    except DecodeError:
        raise InvalidDescriptorsError(
            "is no descriptor set", hint="make one with `protoc --descriptor_set_out`"
        ) from None
    if not read.file:
        raise InvalidDescriptorsError("is an empty descriptor set")
    # The library gives bytes for what ought to be text and is no UTF-8.
    if not all(isinstance(name, str) for file in read.file for name in (file.name, *file.dependency)):
        raise InvalidDescriptorsError("has names of files that are not UTF-8")
    if len(read.file) > MAX_FILES:
        raise InvalidDescriptorsError(f"has more than {MAX_FILES:,} files")
    complete = message(file=_in_order(read.file))
    _check(complete.file)
    return complete


def classes_of(field: Any) -> tuple[str, ...]:  # noqa: ANN401 - google.protobuf.FieldDescriptorProto
    """Return the data classes that a field of a parsed set is marked with."""
    _, mark = _reader()
    return tuple(field.options.Extensions[mark])


def serialise(files: FileSet) -> bytes:
    """Return a set as bytes, without the places in its sources."""
    bare = type(files)(file=files.file)
    for file in bare.file:
        file.ClearField("source_code_info")
    content: bytes = bare.SerializeToString(deterministic=True)
    return content


@lru_cache(maxsize=16)
def pool_of(descriptors: bytes) -> Any:  # noqa: ANN401 - google.protobuf.descriptor_pool.DescriptorPool
    """Return a pool with the files of a set that is complete and in order, such as `Rpc.descriptors`."""
    from google.protobuf import descriptor_pool  # noqa: PLC0415 - see above

    message, _ = _reader()
    pool = descriptor_pool.DescriptorPool()
    for file in message.FromString(descriptors).file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


def _in_order(files: Sequence[File]) -> list[File]:
    """Return the files and those that are missing and known, each after those that it imports."""
    given: dict[str, File] = {}
    for file in files:
        same = given.setdefault(file.name, file)
        if same is not file and same != file:
            raise InvalidDescriptorsError(f"has two files `{shown(file.name)}` that are not the same")
    ordered: dict[str, File] = {}
    entered: set[str] = set()
    for name in given:
        waiting = [(name, False)]
        while waiting:
            current, done = waiting.pop()
            if current in ordered:
                continue
            file = given.get(current) or _known(current)
            if file is None:
                raise InvalidDescriptorsError(
                    f"lacks `{shown(current)}`, which it imports", hint="make it with `protoc --include_imports`"
                )
            if done:
                ordered[current] = file
                continue
            if current in entered:
                raise InvalidDescriptorsError(f"has files that import each other, `{shown(current)}` among them")
            entered.add(current)
            waiting.append((current, True))
            waiting += ((imported, False) for imported in file.dependency if imported not in ordered)
    return list(ordered.values())


def _known(name: str) -> File | None:
    """Return a file that everybody has, if it is one."""
    message, _ = _reader()
    stem = name.removeprefix(WELL_KNOWN).removesuffix(".proto")
    if name == MARKS:
        content = marks_file().SerializeToString()
    elif name == f"{WELL_KNOWN}{stem}.proto" and stem in (*_KNOWN, "wrappers"):
        content = importlib.import_module(f"google.protobuf.{stem}_pb2").DESCRIPTOR.serialized_pb
    else:
        return None
    read = message()
    read.file.add().ParseFromString(content)
    return read.file[0]


def _check(files: Sequence[File]) -> None:
    """Refuse a set of which no messages could be made."""
    from google.protobuf import descriptor_pool  # noqa: PLC0415 - see above

    pool = descriptor_pool.DescriptorPool()
    for file in files:
        try:
            pool.AddSerializedFile(file.SerializeToString())
        except (TypeError, ValueError) as error:
            said = " ".join(str(error).split())
            raise InvalidDescriptorsError(f"`{shown(file.name)}` in it is not valid: {shown(said, 200)}") from None
