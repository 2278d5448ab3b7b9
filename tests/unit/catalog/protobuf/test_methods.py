"""Methods as operations: names, paths, kinds, and descriptions of every form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.catalog.protobuf import shop

from inward.catalog.model import Mode
from inward.catalog.protobuf import methods
from inward.catalog.resolve import Resolver
from inward.catalog.system import load_catalog

if TYPE_CHECKING:
    from pathlib import Path

ALL = """\
message Order { string id = 1; }
message Id { string id = 1; }
service Orders {
  rpc Get(Id) returns (Order) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc Put(Order) returns (Id) { option idempotency_level = IDEMPOTENT; }
  rpc List(Id) returns (stream Order);
  rpc Upload(stream Order) returns (Id) { option deprecated = true; }
  rpc Chat(stream Order) returns (stream Order);
}
"""


def test_every_method_is_an_operation(tmp_path: Path) -> None:
    found = shop.read(tmp_path, shop.PLAIN + ALL)
    assert found.mistakes == []
    assert list(found.operations) == [f"shop.v1.Orders/{name}" for name in ("Get", "Put", "List", "Upload", "Chat")]
    for number, (name, operation) in enumerate(found.operations.items()):
        assert operation.id == f"orders:{name}"
        assert (operation.method, operation.template.text, operation.parameters) == ("POST", f"/{name}", ())
        assert str(operation.place) == f"apis/orders.proto:{6 + number}"
    kinds = [(each.rpc.client_streaming, each.rpc.server_streaming) for each in found.operations.values() if each.rpc]
    assert kinds == [(False, False), (False, False), (False, True), (True, False), (True, True)]
    assert [each.read_only for each in found.operations.values()] == [True, False, False, False, False]
    assert [each.deprecated for each in found.operations.values()] == [False, False, False, True, False]
    put = found.operations["shop.v1.Orders/Put"].rpc
    assert put is not None
    assert (put.input, put.output) == ("shop.v1.Order", "shop.v1.Id")


def test_a_method_is_found_by_its_path_and_no_other(tmp_path: Path) -> None:
    catalog, _ = load_catalog(shop.write(tmp_path, {shop.PROTO: shop.PLAIN + ALL}))
    assert catalog is not None
    resolver = Resolver(catalog.services["orders"])
    found = resolver.resolve("POST", "/shop.v1.Orders/Get")
    assert found is not None
    assert found[0].name == "shop.v1.Orders/Get"
    for method, path in (
        ("GET", "/shop.v1.Orders/Get"),
        ("POST", "/shop.v1.orders/Get"),
        ("POST", "/shop-v1.Orders/Get"),
        ("POST", "/shop.v1.Orders/Get/"),
        ("POST", "/shop.v1.Orders/"),
        ("POST", "shop.v1.Orders/Get"),
    ):
        assert resolver.resolve(method, path) is None


def test_modes_can_differ_by_method(tmp_path: Path) -> None:
    more = ", mode: observe, operations: {shop.v1.Orders/Get: {mode: enforce}}"
    found = shop.load(shop.write(tmp_path, {shop.PROTO: shop.PLAIN + ALL}, more=more))
    assert [each.mode for each in found.operations.values()] == [Mode.ENFORCE, *[Mode.OBSERVE] * 4]


def test_without_a_package_the_service_alone_is_the_name(tmp_path: Path) -> None:
    found = shop.read(tmp_path, 'syntax = "proto3";\n' + ALL)
    assert next(iter(found.operations)) == "Orders/Get"


def test_services_of_imported_files_are_not_those_of_the_document(tmp_path: Path) -> None:
    other = 'syntax = "proto3";\npackage o;\nmessage M {}\nservice Other { rpc G(M) returns (M); }\n'
    found = shop.read(tmp_path, shop.PLAIN + 'import "other.proto";\n' + ALL, other=other)
    assert all(name.startswith("shop.v1.") for name in found.operations)


def test_a_descriptor_set_says_the_same_as_its_sources(tmp_path: Path) -> None:
    text = shop.HEAD + ALL.replace("string id = 1;", 'string id = 1 [(inward.data) = "pii"];')
    compiled = shop.read(tmp_path / "proto", text)
    rpc = next(iter(compiled.operations.values())).rpc
    assert rpc is not None
    for name in ("apis/orders.binpb", "apis/orders.pb", "apis/orders.desc"):
        found = shop.load(shop.write(tmp_path / name, {name: rpc.descriptors}, api=name))
        assert found.mistakes == []
        assert found.operations.keys() == compiled.operations.keys()
        for one, other in zip(found.operations.values(), compiled.operations.values(), strict=True):
            assert (one.rpc, one.answers, one.body) == (other.rpc, other.answers, other.body)
            assert str(one.place) == name
            assert one.rpc is not None
            assert one.rpc.descriptors == rpc.descriptors


def test_a_service_may_have_both_kinds_of_description(tmp_path: Path) -> None:
    rest = "openapi: 3.1.0\npaths: {/orders: {get: {operationId: listOrders}}}\n"
    files = {shop.PROTO: shop.PLAIN + ALL, "apis/rest.yaml": rest}
    found = shop.load(shop.write(tmp_path, files, api="[apis/rest.yaml, apis/orders.proto]"))
    assert found.mistakes == []
    assert [each.rpc is None for each in found.operations.values()] == [True, *[False] * 5]


def test_one_path_in_two_descriptions_is_a_mistake(tmp_path: Path) -> None:
    rest = "openapi: 3.1.0\npaths: {/shop.v1.Orders/Get: {post: {operationId: get}}}\n"
    files = {shop.PROTO: shop.PLAIN + ALL, "apis/rest.yaml": rest}
    found = shop.load(shop.write(tmp_path, files, api="[apis/rest.yaml, apis/orders.proto]"))
    (mistake,) = found.mistakes
    assert mistake.startswith("apis/orders.proto:6: `POST /shop.v1.Orders/Get` and")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("apis/a.binpb", b"", "apis/a.binpb: is an empty descriptor set"),
        ("apis/a.binpb", b"nonsense", "apis/a.binpb: is no descriptor set"),
        ("apis/a.proto", b'syntax = "proto3";', "apis/a.proto: describes no method of a gRPC service"),
        ("apis/b.binpb", None, "inward.yaml:3: `apis/b.binpb` does not exist"),
        ("/b.proto", None, "inward.yaml:3: `/b.proto` is outside the system folder"),
        ("//b.proto", None, "inward.yaml:3: `//b.proto` is outside the system folder"),
        ("../b.proto", None, "inward.yaml:3: `../b.proto` is outside the system folder"),
        ("../b.binpb", None, "inward.yaml:3: `../b.binpb` is outside the system folder"),
        ("apis/a.PROTO", b"", "inward.yaml:3: `apis/a.PROTO` is not named like YAML or JSON"),
    ],
)
def test_what_is_no_description_is_told(tmp_path: Path, name: str, content: bytes | None, expected: str) -> None:
    folder = shop.write(tmp_path / "s", {} if content is None else {name: content}, api=name)
    (mistake,) = shop.load(folder).mistakes
    assert mistake.startswith(expected)


def test_a_path_that_is_too_long_is_told(tmp_path: Path) -> None:
    text = shop.PLAIN + "message Order {}\nservice Orders { rpc " + "G" * 2050 + "(Order) returns (Order); }\n"
    (mistake,) = shop.read(tmp_path, text).mistakes
    assert mistake.startswith("apis/orders.proto:4: `shop.v1.Orders/GGG")


def test_too_many_methods_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods, "MAX_METHODS", 4)
    assert shop.read(tmp_path, shop.PLAIN + ALL).mistakes == ["apis/orders.proto: describes more than 4 methods"]


def test_without_the_library_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods, "has_protobuf", lambda: False)
    (mistake,) = shop.read(tmp_path, shop.PLAIN + ALL).mistakes
    assert mistake == (
        "inward.yaml:3: a description of gRPC services cannot be read without the protobuf library"
        " (install `inward[grpc]`)"
    )
