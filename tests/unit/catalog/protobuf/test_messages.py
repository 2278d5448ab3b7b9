"""Message types: fields and extensions by name, wherever they are declared, with their lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.catalog.protobuf import shop

from inward.catalog.protobuf.descriptors import parse_descriptors
from inward.catalog.protobuf.messages import Messages

if TYPE_CHECKING:
    from pathlib import Path

PROTO2 = """\
syntax = "proto2";
package p;
import "inward/data.proto";
message Outer {
  message Inner { optional string deep = 1 [(inward.data) = "pii", (inward.data) = "pii.email"]; }
  optional Inner inner = 1;
  repeated group Part = 2 { optional string text = 1; }
  map<string, Inner> by_name = 3;
  oneof choice { string a = 4; int32 b = 5; }
  extensions 100 to 200;
  extend Outer { optional Inner nested_extension = 100; }
}
extend Outer { repeated string plain_extension = 101 [(inward.data) = "pii"]; }
service S { rpc G(Outer) returns (stream Outer.Inner); }
"""


def messages(folder: Path, text: str) -> Messages:
    """Return what a text describes, by way of the operation that carries it."""
    operation = shop.read(folder, text).only
    assert operation.rpc is not None
    return Messages(parse_descriptors(operation.rpc.descriptors))


def test_fields_are_found_with_their_types_and_marks(tmp_path: Path) -> None:
    types = messages(tmp_path, PROTO2).types
    assert {"p.Outer", "p.Outer.Inner", "p.Outer.Part", "p.Outer.ByNameEntry"} <= types.keys()
    outer = types["p.Outer"].fields
    assert list(outer) == ["inner", "part", "by_name", "a", "b", "[p.plain_extension]", "[p.Outer.nested_extension]"]
    assert (outer["part"].message, outer["part"].repeated) == ("p.Outer.Part", True)
    assert (outer["inner"].message, outer["inner"].repeated) == ("p.Outer.Inner", False)
    assert types[outer["by_name"].message].is_entry
    assert outer["a"].message == ""
    assert outer["[p.plain_extension]"].full_name == "p.plain_extension"
    assert outer["[p.plain_extension]"].classes == ("pii",)
    assert types["p.Outer.Inner"].fields["deep"].classes == ("pii", "pii.email")


def test_every_field_has_one_full_name(tmp_path: Path) -> None:
    by_name = messages(tmp_path, PROTO2).by_name
    assert {"p.Outer.Inner.deep", "p.Outer.a", "p.plain_extension", "p.Outer.nested_extension"} <= by_name.keys()


def test_methods_are_those_of_all_files_or_of_one(tmp_path: Path) -> None:
    found = messages(tmp_path, PROTO2)
    assert [(each.service, each.descriptor.name) for each in found.methods(None)] == [("p.S", "G")]
    assert list(found.methods("inward/data.proto")) == []


def test_a_set_without_sources_has_no_lines(tmp_path: Path) -> None:
    found = messages(tmp_path, PROTO2)
    assert {found.line(field.spot) for field in found.by_name.values()} == {0}
