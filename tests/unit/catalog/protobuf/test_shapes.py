"""Shapes of messages: every marked field is found by the names of the fields, however a document gets there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.catalog.protobuf import shop

from inward.catalog.protobuf import shapes

if TYPE_CHECKING:
    from pathlib import Path

    from inward.catalog.shape import Shape

DEEP = """\
message Order {
  string id = 1;
  Line first = 2;
  repeated Line lines = 3;
  map<int32, Line> by_number = 4;
  map<string, string> labels = 5 [(inward.data) = "pii"];
  repeated string names = 6 [(inward.data) = "pii"];
  Line secret = 7 [(inward.data) = "pii.email"];
  Order parent = 8;
  repeated Order children = 9;
  Unmarked plain = 10;
}
message Line { string note = 1 [(inward.data) = "pii"]; int32 amount = 2; }
message Unmarked { string text = 1; Unmarked more = 2; }
"""


def at(shape: Shape, *steps: str) -> tuple[str, ...] | None:
    """Return the classes on the way to a place, `*` for any item or entry; None where nothing is declared."""
    number: int | None = 0
    met: set[str] = set()
    for step in (None, *steps):
        node = shape.nodes[number] if number is not None and shape.nodes else None
        if node is None:
            return None
        if step is not None:
            number = (node.items if node.items is not None else node.rest) if step == "*" else node.fields.get(step)
            if number is None:
                return tuple(sorted(met)) or None
            node = shape.nodes[number]
        met.update(node.classes)
    return tuple(sorted(met))


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (("id",), None),
        (("first", "note"), ("pii",)),
        (("first", "amount"), None),
        (("lines", "*", "note"), ("pii",)),
        (("by_number", "*", "note"), ("pii",)),
        (("by_number", "*", "amount"), None),
        (("labels",), ("pii",)),
        (("names",), ("pii",)),
        (("secret",), ("pii.email",)),
        (("secret", "note"), ("pii", "pii.email")),
        (("parent", "parent", "children", "*", "first", "note"), ("pii",)),
        (("plain", "text"), None),
    ],
)
def test_each_place_has_its_classes(tmp_path: Path, steps: tuple[str, ...], expected: tuple[str, ...] | None) -> None:
    shape = shop.read(tmp_path, shop.HEAD + DEEP + shop.SERVICE).only.answers.otherwise
    assert at(shape, *steps) == expected


def test_what_leads_to_no_mark_is_left_out(tmp_path: Path) -> None:
    shape = shop.read(tmp_path, shop.HEAD + DEEP + shop.SERVICE).only.answers.otherwise
    assert set(shape.nodes[0].fields) == {
        "first", "lines", "by_number", "labels", "names", "secret", "parent", "children",
    }  # fmt: skip
    plain = shop.read(tmp_path, shop.PLAIN + "message Order { string a = 1; Order b = 2; }\n" + shop.SERVICE).only
    assert plain.answers.otherwise.nodes == ()
    assert plain.body.nodes == ()


def test_an_extension_is_a_field_with_its_full_name(tmp_path: Path) -> None:
    text = (
        'syntax = "proto2";\npackage p;\nimport "inward/data.proto";\n'
        "message Order { extensions 100 to 200; repeated group Part = 1 { optional string t = 1; } }\n"
        'extend Order { optional string e = 100 [(inward.data) = "pii"]; }\n'
        "extend Order.Part { optional string no = 1; }\n"
        "service S { rpc G(Order) returns (Order); }\n"
    ).replace("extend Order.Part { optional string no = 1; }\n", "")
    shape = shop.read(tmp_path, text).only.answers.otherwise
    assert at(shape, "[p.e]") == ("pii",)


@pytest.mark.parametrize("kind", ["Any", "Struct", "Value", "ListValue"])
def test_what_can_hold_anything_is_told(tmp_path: Path, kind: str) -> None:
    file = "any" if kind == "Any" else "struct"
    head = shop.PLAIN + f'import "google/protobuf/{file}.proto";\n'
    inside = f"message Order {{ repeated Part parts = 1; }}\nmessage Part {{ google.protobuf.{kind} v = 1; }}\n"
    assert shop.read(tmp_path, head + inside + shop.SERVICE).only.answers.undescribed == ("200",)
    beside = f"message Order {{ string a = 1; }}\nmessage Part {{ google.protobuf.{kind} v = 1; }}\n"
    assert shop.read(tmp_path, head + beside + shop.SERVICE).only.answers.undescribed == ()


def test_a_message_that_holds_anything_can_be_marked_as_a_whole(tmp_path: Path) -> None:
    text = (
        shop.HEAD
        + 'import "google/protobuf/any.proto";\n'
        + 'message Order { google.protobuf.Any v = 1 [(inward.data) = "pii"]; }\n'
    )
    assert at(shop.read(tmp_path, text + shop.SERVICE).only.answers.otherwise, "v") == ("pii",)


def test_a_shape_that_is_too_large_is_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "MAX_NODES", 5)
    (mistake,) = shop.read(tmp_path, shop.HEAD + DEEP + shop.SERVICE).mistakes
    expected = "`shop.v1.Orders/Get`: it has more than 5 parts with data of their own"
    assert mistake == f"apis/orders.proto:{(shop.HEAD + DEEP).count(chr(10)) + 1}: {expected}"


def test_a_long_chain_of_messages_is_no_deep_recursion(tmp_path: Path) -> None:
    count = 3000
    chain = "".join(f"message M{number} {{ M{number + 1} m = 1; }}\n" for number in range(count))
    last = f'message M{count} {{ string s = 1 [(inward.data) = "pii"]; }}\nmessage Order {{ M0 m = 1; }}\n'
    shape = shop.read(tmp_path, shop.HEAD + chain + last + shop.SERVICE).only.answers.otherwise
    assert len(shape.nodes) == count + 3
    steps: Any = ["m"] * (count + 1)
    assert at(shape, *steps, "s") == ("pii",)
