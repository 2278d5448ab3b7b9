"""Descriptor sets: what is missing and known is added, what is not right is refused, whatever the bytes are."""

from __future__ import annotations

from contextlib import suppress

import pytest
from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.catalog.protobuf import shop

from inward.catalog.protobuf import descriptors
from inward.catalog.protobuf.descriptors import (
    InvalidDescriptorsError,
    classes_of,
    marks_file,
    parse_descriptors,
    pool_of,
    serialise,
)
from inward.catalog.protobuf.messages import Messages

EMPTY = "google/protobuf/empty.proto"
KIND = descriptor_pb2.FieldDescriptorProto


def file(name: str, *imports: str, messages: tuple[str, ...] = ()) -> FileDescriptorProto:
    made = FileDescriptorProto(name=name, package=name.removesuffix(".proto"), dependency=imports, syntax="proto3")
    for message in messages:
        made.message_type.add(name=message)
    return made


def names(content: bytes) -> list[str]:
    return [each.name for each in parse_descriptors(content).file]


def test_each_file_comes_after_those_that_it_imports() -> None:
    content = shop.file_set(file("a.proto", "b.proto", "c.proto"), file("b.proto", "c.proto"), file("c.proto"))
    assert names(content) == ["c.proto", "b.proto", "a.proto"]


def test_what_everybody_has_is_added() -> None:
    content = shop.file_set(file("a.proto", EMPTY, "inward/data.proto"))
    found = names(content)
    assert set(found) == {"a.proto", EMPTY, "inward/data.proto", "google/protobuf/descriptor.proto"}
    assert found[-1] == "a.proto"


def test_the_same_file_twice_counts_once() -> None:
    assert names(shop.file_set(file("a.proto"), file("a.proto"))) == ["a.proto"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is an empty descriptor set"),
        (b"{}", "is no descriptor set"),
        (b"\x0a\x05abc", "is no descriptor set"),
        (b"\x0a" * 100_000, "is no descriptor set"),
        (shop.file_set(file("a.proto", "b.proto")), "lacks `b.proto`, which it imports"),
        (shop.file_set(file("a.proto", "google/protobuf/os.proto")), "lacks `google/protobuf/os.proto`"),
        (shop.file_set(file("a.proto", "google/protobuf/../x.proto")), "lacks `google/protobuf/../x.proto`"),
        (shop.file_set(file("a.proto", "a.proto")), "has files that import each other, `a.proto` among them"),
        (
            shop.file_set(file("a.proto", "b.proto"), file("b.proto", "a.proto")),
            "has files that import each other",
        ),
        (shop.file_set(file("a.proto"), file("a.proto", EMPTY)), "has two files `a.proto` that are not the same"),
        (shop.file_set(file("a.proto", messages=("M", "M"))), "`a.proto` in it is not valid"),
    ],
)
def test_what_is_no_usable_set_is_refused(content: bytes, expected: str) -> None:
    with pytest.raises(InvalidDescriptorsError) as caught:
        parse_descriptors(content)
    assert caught.value.message.startswith(expected)


def test_a_reference_that_leads_nowhere_is_refused() -> None:
    made = file("a.proto", messages=("M",))
    made.service.add(name="S").method.add(name="G", input_type=".a.M", output_type=".a.Missing")
    with pytest.raises(InvalidDescriptorsError, match=r"`a\.proto` in it is not valid"):
        parse_descriptors(shop.file_set(made))


def test_too_many_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptors, "MAX_FILES", 2)
    content = shop.file_set(*(file(f"{number}.proto") for number in range(3)))
    with pytest.raises(InvalidDescriptorsError, match="more than 2 files"):
        parse_descriptors(content)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_set_or_are_refused(content: bytes) -> None:
    with suppress(InvalidDescriptorsError):  # any other error is a failure
        assert pool_of(serialise(parse_descriptors(content)))


@given(st.data())
def test_a_set_that_was_tampered_with_is_a_set_or_is_refused(data: st.DataObject) -> None:
    whole = bytearray(serialise(parse_descriptors(shop.file_set(file("a.proto", EMPTY, messages=("M", "N"))))))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with suppress(InvalidDescriptorsError):
        assert Messages(parse_descriptors(bytes(whole))).by_name is not None
        assert pool_of(serialise(parse_descriptors(bytes(whole))))


def test_a_mark_is_read_whoever_else_has_compiled_the_option() -> None:
    marked = file("a.proto", "inward/data.proto", messages=("M",))
    field = marked.message_type[0].field.add(name="f", number=1, type=KIND.TYPE_STRING, label=KIND.LABEL_OPTIONAL)
    # as a tool writes it that does not know the option: field 58291, of length 3
    field.options.MergeFromString(bytes([0x9A, 0xBB, 0x1C, 3]) + b"pii")
    (_, found) = [
        each for each in parse_descriptors(shop.file_set(marked)).file if each.name in {"a.proto", marks_file().name}
    ]
    assert classes_of(found.message_type[0].field[0]) == ("pii",)


def test_the_file_that_ships_says_what_is_read() -> None:
    text = (shop.INCLUDE / "inward/data.proto").read_text()
    (extension,) = marks_file().extension
    assert f"repeated string {extension.name} = {extension.number};" in text
    assert "package inward;" in text


def test_messages_can_be_made_of_what_was_serialised() -> None:
    content = serialise(parse_descriptors(shop.file_set(file("a.proto", EMPTY, messages=("M",)))))
    message = message_factory.GetMessageClass(pool_of(content).FindMessageTypeByName("a.M"))()
    assert message.SerializeToString() == b""
    assert content == serialise(parse_descriptors(content))


def test_places_in_sources_are_not_kept() -> None:
    made = file("a.proto", messages=("M",))
    made.source_code_info.location.add(path=[4, 0], span=[3, 0, 4], leading_comments="a comment")
    assert b"a comment" not in serialise(parse_descriptors(shop.file_set(made)))
