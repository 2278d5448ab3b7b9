"""Marks: by the option and by an overlay, with every mistake in either where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.catalog.protobuf import shop

if TYPE_CHECKING:
    from pathlib import Path

ORDER = """\
message Order {
  string id = 1;
  string contact = 2 [(inward.data) = "pii.email"];
  oneof who { string name = 3 [(inward.data) = "pii"]; int64 number = 4; }
}
"""
OVERLAID = "message Order { string id = 1; string contact = 2; Line line = 3; }\nmessage Line { string note = 1; }\n"


def overlaid(folder: Path, overlay: str, text: str = OVERLAID) -> shop.Read:
    files = {shop.PROTO: shop.PLAIN + text + shop.SERVICE, "apis/orders.overlay.yaml": overlay}
    return shop.load(shop.write(folder, files, more=", overlay: apis/orders.overlay.yaml"))


def classes(found: shop.Read) -> dict[str, tuple[str, ...]]:
    nodes = found.only.answers.otherwise.nodes
    return {name: nodes[number].classes for name, number in nodes[0].fields.items()} if nodes else {}


def test_a_field_is_marked_by_an_option(tmp_path: Path) -> None:
    found = shop.read(tmp_path, shop.HEAD + ORDER + shop.SERVICE)
    assert found.mistakes == []
    assert classes(found) == {"contact": ("pii.email",), "name": ("pii",)}
    assert found.only.body == found.only.answers.otherwise


def test_a_class_that_is_not_declared_is_a_mistake_at_its_field(tmp_path: Path) -> None:
    text = shop.HEAD + ORDER.replace('"pii.email"', '"pii.emial"') + shop.SERVICE
    (mistake,) = shop.read(tmp_path, text).mistakes
    expected = "`pii.emial` is no declared data class (did you mean `pii.email`?)"
    assert mistake == f"apis/orders.proto:6: `shop.v1.Order.contact`: {expected}"


def test_a_mark_in_an_imported_file_is_told_there(tmp_path: Path) -> None:
    other = shop.HEAD.replace("shop.v1", "o") + 'message L { string n = 1 [(inward.data) = "x"]; }\n'
    text = shop.PLAIN + 'import "other.proto";\nmessage Order { o.L line = 1; }\n' + shop.SERVICE
    (mistake,) = shop.read(tmp_path, text, other=other).mistakes
    assert mistake.startswith("apis/other.proto:4: `o.L.n`: `x` is no declared data class")


def test_an_overlay_adds_marks(tmp_path: Path) -> None:
    overlay = "data:\n  shop.v1.Order.contact: pii.email\n  shop.v1.Line.note: [pii, pii.email]\n"
    found = overlaid(tmp_path, overlay)
    assert found.mistakes == []
    assert classes(found) == {"contact": ("pii.email",), "line": ()}
    assert found.only.answers.classes == {"pii", "pii.email"}
    assert "apis/orders.overlay.yaml" in found.files


def test_an_overlay_takes_nothing_away(tmp_path: Path) -> None:
    text = shop.HEAD + ORDER
    files = {shop.PROTO: text + shop.SERVICE, "apis/o.yaml": "data: {shop.v1.Order.contact: pii}\n"}
    found = shop.load(shop.write(tmp_path, files, more=", overlay: apis/o.yaml"))
    assert classes(found)["contact"] == ("pii", "pii.email")


def test_what_is_said_to_be_no_data_marks_nothing_and_takes_nothing_away(tmp_path: Path) -> None:
    text = ORDER.replace("string id = 1", 'string id = 1 [(inward.data) = "none"]')
    files = {
        shop.PROTO: shop.HEAD + text + shop.SERVICE,
        "apis/o.yaml": "data: {shop.v1.Order.number: none, shop.v1.Order.contact: [none]}\n",
    }
    found = shop.load(shop.write(tmp_path, files, more=", overlay: apis/o.yaml"))
    assert found.mistakes == []
    assert classes(found) == {"contact": ("pii.email",), "name": ("pii",)}


def test_no_data_and_a_class_cannot_both_be_meant(tmp_path: Path) -> None:
    option = '[(inward.data) = "none", (inward.data) = "pii.email"]'
    text = shop.HEAD + ORDER.replace('[(inward.data) = "pii.email"]', option) + shop.SERVICE
    (mistake,) = shop.read(tmp_path / "option", text).mistakes
    expected = "`none` stands beside a class (write one or the other)"
    assert mistake == f"apis/orders.proto:6: `shop.v1.Order.contact`: {expected}"
    (mistake,) = overlaid(tmp_path / "overlay", "data:\n  shop.v1.Order.id: [pii, none]\n").mistakes
    assert mistake == f"apis/orders.overlay.yaml:2: {expected}"


@pytest.mark.parametrize(
    ("overlay", "expected"),
    [
        (
            "data:\n  shop.v1.Order.kontakt: pii\n",
            "apis/orders.overlay.yaml:2: there is no field `shop.v1.Order.kontakt`",
        ),
        ("data:\n  shop.v1.Order: pii\n", "apis/orders.overlay.yaml:2: there is no field `shop.v1.Order`"),
        ("data:\n  shop.v1.Order.id: [pii, x]\n", "apis/orders.overlay.yaml:2: `x` is no declared data class"),
        ("data:\n  shop.v1.Order.id: {a: b}\n", "apis/orders.overlay.yaml:2: `shop.v1.Order.id` must be text"),
        ("data:\n  shop.v1.Order.id: pii\nmore: 1\n", "apis/orders.overlay.yaml:3: unknown key `more`"),
        ("extends: other.proto\ndata: {}\n", "apis/orders.overlay.yaml:1: `other.proto` is no `api` of the service"),
        ("fields: {}\n", "apis/orders.overlay.yaml:1: the document has no `data`"),
        ("[]\n", "apis/orders.overlay.yaml:1: the document must be a mapping"),
    ],
)
def test_a_mistake_in_an_overlay_is_told_where_it_is(tmp_path: Path, overlay: str, expected: str) -> None:
    mistakes = overlaid(tmp_path, overlay).mistakes
    assert any(mistake.startswith(expected) for mistake in mistakes), mistakes


def test_many_wrong_marks_are_not_endless(tmp_path: Path) -> None:
    fields = "".join(f'string f{number} = {number} [(inward.data) = "x{number}"];\n' for number in range(1, 200))
    found = shop.read(tmp_path, shop.HEAD + "message Order {" + fields + "}\n" + shop.SERVICE)
    assert len(found.mistakes) == 50
