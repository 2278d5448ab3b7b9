"""Views of messages: what is withheld is gone at every level, and everything else is as it was."""

from __future__ import annotations

import json
import math
import struct
from random import Random
from typing import TYPE_CHECKING, Any, get_args

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given, settings
from hypothesis import strategies as st

from inward.catalog.model import Undisclosed
from inward.catalog.system import load_system
from inward.guard.bodies.view import View
from inward.guard.grpc.messages import MessageView, message_type
from inward.viewing.places import UnviewableError, compile_places

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inward.catalog.model import Operation

NEW = """\
syntax = "proto3";
package rich.v1;

import "google/protobuf/any.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "inward/data.proto";
import "old.proto";

enum Colour { NONE = 0; RED = 1; BLUE = 7; }

message Rich {
  double a_double = 1;
  float a_float = 2 [(inward.data) = "c.number"];
  int32 a_int32 = 3;
  uint64 a_uint64 = 4 [(inward.data) = "c.number"];
  sint64 a_sint64 = 5;
  fixed32 a_fixed32 = 6;
  bool a_bool = 7;
  string a_text = 8;
  bytes a_bytes = 9;
  Colour colour = 10 [(inward.data) = "c.colour"];
  string mail = 11 [(inward.data) = "c.mail"];
  bytes token = 12 [(inward.data) = "c.mail"];
  optional string maybe = 13 [(inward.data) = "c.mail"];
  optional int32 maybe_number = 14;
  repeated int32 packed = 15;
  repeated int32 unpacked = 16 [packed = false];
  repeated string mails = 17 [(inward.data) = "c.mail"];
  repeated bytes tokens = 18 [(inward.data) = "c.mail"];
  repeated Rich children = 19;
  Rich child = 20;
  map<string, string> labels = 21;
  map<string, Rich> by_name = 22;
  map<int64, Rich> secret_map = 23 [(inward.data) = "c.map"];
  map<string, string> secret_labels = 24 [(inward.data) = "c.map"];
  oneof choice {
    string chosen_text = 25;
    string chosen_mail = 26 [(inward.data) = "c.mail"];
    Rich chosen_child = 27;
    Whole chosen_whole = 28 [(inward.data) = "c.whole"];
  }
  Whole whole = 29 [(inward.data) = "c.whole"];
  repeated Whole wholes = 30 [(inward.data) = "c.whole"];
  google.protobuf.Timestamp at = 31;
  google.protobuf.Struct structure = 32 [(inward.data) = "c.whole"];
  google.protobuf.StringValue wrapped = 33 [(inward.data) = "c.mail"];
  rich.v1.Old old = 34;
  string both = 35 [(inward.data) = "c.mail", (inward.data) = "c.number"];
  google.protobuf.Any any = 36;
  string ClearField = 37 [(inward.data) = "c.mail"];
  string SerializeToString = 38;
  message HasField { string Extensions = 1 [(inward.data) = "c.mail"]; }
  HasField hidden = 39;
  string DESCRIPTOR = 40;
}

message Whole {
  string inner = 1;
}

service Rich1 {
  rpc Get(Rich) returns (Rich);
}
"""
OLD = """\
syntax = "proto2";
package rich.v1;

import "inward/data.proto";

message Old {
  required string id = 1;
  required string need_mail = 2 [(inward.data) = "c.mail"];
  required int32 need_number = 3 [(inward.data) = "c.number"];
  optional string preset = 4 [default = "x", (inward.data) = "c.mail"];
  repeated int32 packed = 5 [packed = true];
  optional group Inner = 6 {
    optional string mail = 1 [(inward.data) = "c.mail"];
    optional string kept = 2;
  }
  repeated group Part = 7 {
    optional string mail = 1 [(inward.data) = "c.mail"];
    optional bytes kept = 2;
  }
  optional Closed closed = 8;
  extensions 100 to 199;
}

enum Closed { FIRST = 1; SECOND = 2; }

extend Old {
  optional string ext_kept = 100;
  optional string ext_mail = 101 [(inward.data) = "c.mail"];
  repeated string ext_mails = 102 [(inward.data) = "c.mail"];
  optional Old ext_old = 103;
}
"""
CLASSES = ("c.number", "c.colour", "c.mail", "c.map", "c.whole")
ADDED = 5000  # the number of a field that another version of the messages has, which the catalog does not know
KEY = b"k" * 32


class Described:
    """The operation, which is too large to be told by a failing test."""

    def __init__(self, operation: Operation) -> None:
        assert operation.rpc is not None
        self.answers = operation.answers
        self.descriptors = operation.rpc.descriptors

    def __repr__(self) -> str:
        return "Described()"


@pytest.fixture(scope="module")
def operation(tmp_path_factory: pytest.TempPathFactory) -> Described:
    folder: Path = tmp_path_factory.mktemp("rich")
    data = "".join(f"  {name}: {{owner: t}}\n" for name in CLASSES)
    service = "  rich: {owner: t, api: rich.proto, listen: '127.0.0.1:0', run: 'x {socket}'}\n"
    (folder / "inward.yaml").write_text(f"trust_domain: a.test\nservices:\n{service}data:\n  c: {{owner: t}}\n{data}")
    (folder / "rich.proto").write_text(NEW)
    (folder / "old.proto").write_text(OLD)
    loaded = load_system(folder)
    assert loaded.mistakes == ()
    assert loaded.catalog is not None
    return Described(loaded.catalog.operations["rich:rich.v1.Rich1/Get"])


def compiled(operation: Described, withheld: dict[str, Undisclosed]) -> MessageView:
    view = View(operation.answers.otherwise, withheld, caller="till", key=KEY)
    return MessageView(message_type(operation.descriptors, "rich.v1.Rich"), view.place, view.said)


@pytest.fixture(scope="module")
def newer(operation: Described) -> Any:
    """The messages of a later version: each has one more field, of which the catalog knows nothing."""
    pool = DescriptorPool()
    files = FileDescriptorSet.FromString(operation.descriptors)
    for file in files.file:
        pending: list[DescriptorProto] = list(file.message_type) if file.package == "rich.v1" else []
        for message in pending:
            pending.extend(message.nested_type)
            if not message.options.map_entry:
                label, kind = FieldDescriptorProto.LABEL_OPTIONAL, FieldDescriptorProto.TYPE_STRING
                message.field.add(name="added", json_name="added", number=ADDED, label=label, type=kind)
        pool.AddSerializedFile(file.SerializeToString())
    return pool


def wire(message: Any) -> bytes:
    """Return a message as bytes, whatever its fields are called."""
    return bytes(type(message).SerializePartialToString(message))


# --- messages of any kind


def real(bits: int, form: str, chance: Random) -> float:
    """Return any floating-point number, infinities, NaN and both zeroes too, and zeroes often."""
    content = chance.choice([0, 1 << bits - 1, chance.getrandbits(bits)]).to_bytes(bits // 8, "little")
    return float(struct.unpack(form, content)[0])


def whole(low: int, high: int) -> Callable[[Random], int]:
    return lambda chance: chance.choice([low, high, 0, 1, chance.randint(low, high)])


def text(chance: Random) -> str:
    return "".join(chance.choices("aZ0 @.\0\u00e9\u20ac\U0001f600", k=chance.randint(0, 12)))


ANY_OF: dict[int, Callable[[Random], Any]] = {
    FieldDescriptor.TYPE_DOUBLE: lambda chance: real(64, "<d", chance),
    FieldDescriptor.TYPE_FLOAT: lambda chance: real(32, "<f", chance),
    FieldDescriptor.TYPE_INT32: whole(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: whole(-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SINT64: whole(-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT64: whole(0, 2**64 - 1),
    FieldDescriptor.TYPE_FIXED32: whole(0, 2**32 - 1),
    FieldDescriptor.TYPE_BOOL: lambda chance: chance.random() < 0.5,
    FieldDescriptor.TYPE_STRING: text,
    FieldDescriptor.TYPE_BYTES: lambda chance: chance.randbytes(chance.randint(0, 12)),
}


def is_map(field: Any) -> bool:
    return bool(field.message_type is not None and field.message_type.GetOptions().map_entry)


def scalar(chance: Random, field: Any) -> Any:
    if field.enum_type is not None:
        numbers = [each.number for each in field.enum_type.values]
        return chance.choice(numbers if field.enum_type.is_closed else [*numbers, 99])  # an open one takes any number
    return ANY_OF[field.type](chance)


def fill(chance: Random, message: Any, pool: Any, depth: int) -> None:
    """Set any of a message's fields to anything; required ones always."""
    described = type(message).DESCRIPTOR
    fields = list(described.fields)
    if described.is_extendable:
        fields += pool.FindAllExtensions(described)
    chosen = chance.sample(range(len(fields)), min(len(fields), chance.randint(0, 12)))
    for number, field in enumerate(fields):
        if number in chosen or field.is_required:
            put(chance, message, field, pool, depth)


def put(chance: Random, message: Any, field: Any, pool: Any, depth: int) -> None:
    if field.message_type is not None and depth <= 0:
        return
    holder = message.Extensions if field.is_extension else None
    value = holder[field] if holder is not None else getattr(message, field.name)
    if is_map(field):
        key, of = field.message_type.fields_by_name["key"], field.message_type.fields_by_name["value"]
        for _ in range(chance.randint(0, 2)):
            name = scalar(chance, key)
            if of.message_type is None:
                value[name] = scalar(chance, of)
            else:
                fill(chance, value[name], pool, depth - 1)
    elif field.is_repeated and field.message_type is not None:
        for _ in range(chance.randint(0, 2)):
            fill(chance, value.add(), pool, depth - 1)
    elif field.is_repeated:
        value.extend(scalar(chance, field) for _ in range(chance.randint(0, 3)))
    elif field.message_type is not None:
        type(value).SetInParent(value)
        fill(chance, value, pool, depth - 1)
    elif holder is not None:
        holder[field] = scalar(chance, field)
    else:
        setattr(message, field.name, scalar(chance, field))


def any_message(seed: int, pool: Any) -> Any:
    message = GetMessageClass(pool.FindMessageTypeByName("rich.v1.Rich"))()
    fill(Random(seed), message, pool, 3)  # noqa: S311 - a test
    return message


# --- what ought to be shown, said without the code that is tested


def marks(field: Any) -> set[str]:
    """Return the classes of a field, by its option: the catalog's descriptors keep it, as a field unknown to us."""
    content = field.GetOptions().SerializeToString()
    return {name for name in CLASSES if name.encode() in content}


def listed(message: Any) -> dict[int, Any]:
    """Return the fields that are set; a list of an extension that was touched and left empty is listed as well."""
    fields = type(message).ListFields(message)
    return {field.number: (field, value) for field, value in fields if not field.is_repeated or len(value)}


class Expected:
    """Compares a message with what is shown of it."""

    def __init__(self, withheld: dict[str, Undisclosed]) -> None:
        self.withheld = withheld
        self.cut: set[str] = set()

    def of(self, before: Any, after: Any) -> None:
        present, shown = listed(before), listed(after)
        assert shown.keys() <= present.keys()
        assert ADDED not in shown
        for number, (field, value) in present.items():
            if number == ADDED:
                continue
            classes = marks(field) & self.withheld.keys()
            there = number in shown
            if field.message_type is not None and field.message_type.full_name == "google.protobuf.Any":
                assert not there or wire(shown[number][1]) == b""
            elif classes:
                self.instead(field, value, shown[number][1] if there else None, classes)
            else:
                assert there, field.full_name
                self.kept(field, value, shown[number][1])

    def kept(self, field: Any, before: Any, after: Any) -> None:
        if is_map(field):
            assert set(before) == set(after)
            for key in before:
                of = field.message_type.fields_by_name["value"]
                self.kept_one(of, before[key], after[key])
        elif field.is_repeated:
            assert len(before) == len(after)
            for one, other in zip(before, after, strict=True):
                self.kept_one(field, one, other)
        else:
            self.kept_one(field, before, after)

    def kept_one(self, field: Any, before: Any, after: Any) -> None:
        if field.message_type is not None:
            self.of(before, after)
        elif isinstance(before, float):
            assert struct.pack("<d", before) == struct.pack("<d", after) or (math.isnan(before) and math.isnan(after))
        else:
            assert before == after

    def instead(self, field: Any, before: Any, after: Any, classes: set[str]) -> None:
        said = min((self.withheld[name] for name in classes), key=("drop", "null", "tokenise", "mask").index)
        wrapped = field.message_type is not None and field.message_type.full_name == "google.protobuf.StringValue"
        if wrapped and said in {"mask", "tokenise"} and not before.value:
            assert after is not None
            assert not after.value
            return
        self.cut |= classes
        is_text = field.type in {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES}
        if said in {"drop", "null"} or not (is_text or wrapped):
            if not field.is_required:
                assert after is None
            else:
                assert after in {0, ""}
            return
        if wrapped:
            assert after is not None
            before, after = before.value, after.value
        many = field.is_repeated
        for one, other in zip(before if many else [before], after if many else [after], strict=True):
            one, other = (each.decode("latin-1") if isinstance(each, bytes) else each for each in (one, other))  # noqa: PLW2901 - the same in one form
            if said == "mask":
                assert other == "****" + (one[-4:] if len(one) >= 8 else "")
            else:
                assert other.startswith("tok_")
                assert len(other) == 26


seeds = st.integers(0, 2**32)
ways = st.dictionaries(st.sampled_from(CLASSES), st.sampled_from(get_args(Undisclosed)), min_size=1)


@settings(max_examples=300, deadline=None)
@given(seed=seeds, withheld=ways)
def test_what_is_withheld_is_gone_and_the_rest_is_as_it_was(
    operation: Described, newer: Any, seed: int, withheld: dict[str, Undisclosed]
) -> None:
    message = any_message(seed, newer)
    kind = type(message)
    shown, cut = compiled(operation, withheld).of(wire(message))
    expected = Expected(withheld)
    received = kind()
    kind.MergeFromString(received, shown)
    expected.of(message, received)
    assert cut == expected.cut


@settings(max_examples=100, deadline=None)
@given(seed=seeds, withheld=st.sets(st.sampled_from(CLASSES), min_size=1))
def test_a_search_finds_what_a_view_would_cut(operation: Described, newer: Any, seed: int, withheld: set[str]) -> None:
    sent = wire(any_message(seed, newer))
    view = compiled(operation, dict.fromkeys(withheld, "drop"))
    assert view.found_in(sent) == view.of(sent)[1]


@settings(max_examples=200, deadline=None)
@given(withheld=ways, content=st.binary(max_size=200))
def test_no_bytes_make_it_raise_anything_else(
    operation: Described, withheld: dict[str, Undisclosed], content: bytes
) -> None:
    view = compiled(operation, withheld)
    try:
        shown, cut = view.of(content)
    except UnviewableError:
        with pytest.raises(UnviewableError):
            view.found_in(content)
        return
    assert view.found_in(content) == cut
    assert compiled(operation, withheld).of(shown)[0] is not None


# --- one thing at a time


@pytest.fixture(scope="module")
def rich(operation: Described) -> Any:
    return message_type(operation.descriptors, "rich.v1.Rich")


def test_a_name_of_a_method_is_a_name_like_any_other(operation: Described, rich: Any) -> None:
    sent = rich()
    setattr(sent, "SerializeToString", "kept")  # noqa: B010 - the attribute is a field
    content = wire(sent) + b"\xaa\x02\x06secret"
    shown, cut = compiled(operation, {"c.mail": "drop"}).of(content)
    assert shown == content[:-9]
    assert cut == {"c.mail"}


def test_a_field_that_is_cut_leaves_its_oneof_empty(operation: Described, rich: Any) -> None:
    view = compiled(operation, {"c.mail": "drop"})
    assert view.of(wire(rich(chosen_mail="a@b.example", a_int32=1)))[0] == b"\x18\x01"
    kept = wire(rich(chosen_text="x"))
    assert view.of(kept) == (kept, frozenset())


def test_a_message_is_merged_before_it_is_looked_at(operation: Described, rich: Any) -> None:
    """A part that stands twice is one for every reader, so it is one for the view."""
    twice = wire(rich(child=rich(a_int32=1))) + wire(rich(child=rich(mail="a@b.example")))
    shown, cut = compiled(operation, {"c.mail": "drop"}).of(twice)
    assert rich.FromString(shown) == rich(child=rich(a_int32=1))
    assert cut == {"c.mail"}


def test_unset_is_not_said_to_be_cut(operation: Described, rich: Any) -> None:
    view = compiled(operation, dict.fromkeys(CLASSES, "mask"))
    assert view.of(wire(rich(a_int32=1))) == (b"\x18\x01", frozenset())
    assert view.of(b"") == (b"", frozenset())
    assert view.of(wire(rich(maybe="")))[1] == {"c.mail"}


def test_tokens_are_those_of_json(operation: Described, rich: Any) -> None:
    shown, _ = compiled(operation, {"c.mail": "tokenise"}).of(wire(rich(mail="a@b.example")))
    by_json = View(operation.answers.otherwise, {"c.mail": "tokenise"}, caller="till", key=KEY)
    said, _ = by_json.of(b'{"mail": "a@b.example"}')
    assert rich.FromString(shown).mail == json.loads(said)["mail"]


def test_without_a_key_a_token_is_dropped(operation: Described, rich: Any) -> None:
    view = View(operation.answers.otherwise, {"c.mail": "tokenise"}, caller="till")
    without = MessageView(rich, view.place, view.said)
    sent = rich(mail="a", mails=["a", "b"], wrapped={"value": "a"}, token=b"a", a_int32=1)
    shown = rich.FromString(without.of(wire(sent))[0])
    assert (shown.mail, list(shown.mails), shown.wrapped.value, shown.token, shown.a_int32) == ("", [], "", b"", 1)


def test_what_is_deeper_than_a_reader_goes_has_no_view(operation: Described) -> None:
    view = compiled(operation, {"c.mail": "drop"})
    for levels, viewed in ((50, True), (5000, False)):
        content = b"\x18\x01"
        for _ in range(levels):
            length = len(content)
            size = (
                bytes([length & 0x7F | 0x80, length >> 7 & 0x7F | 0x80, length >> 14])
                if length > 127
                else bytes([length])
            )
            content = b"\xa2\x01" + size + content
        if viewed:
            assert view.of(content)[0]
        else:
            with pytest.raises(UnviewableError):
                view.of(content)


def test_a_class_on_the_whole_is_one_on_everything(operation: Described, rich: Any) -> None:
    place, _ = compile_places(operation.answers.otherwise, {"c.mail": "drop"})
    assert place is not None
    place.undisclosed = "drop"
    view = MessageView(rich, place, View(operation.answers.otherwise, {}).said)
    assert view.of(b"\x18\x01") == (b"", frozenset({"c.mail"}))
    assert view.found_in(b"\x18\x01") == {"c.mail"}
    assert view.found_in(b"") == frozenset()


def test_where_nothing_is_withheld_nothing_is_touched(rich: Any) -> None:
    view = MessageView(rich, None, lambda *_: None)
    assert view.of(b"\xff not a message") == (b"\xff not a message", frozenset())
    assert view.found_in(b"\xff") == frozenset()


@pytest.mark.parametrize("content", [b"\xff", b"", b"\x0a\x02\x0a\x00"])
def test_what_is_not_described_has_no_view(content: bytes) -> None:
    with pytest.raises(UnviewableError):
        message_type(content, "rich.v1.Rich")
