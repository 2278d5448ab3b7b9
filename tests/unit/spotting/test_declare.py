"""What a finding suggests, applied as an overlay, declares the field: told by the shape, and by spotting again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from inward.catalog.json_path import Wild
from inward.catalog.system import load_system
from inward.spotting.declare import UndeclarableError, class_for, declaration, overlay_text
from inward.spotting.kinds import Kind
from inward.spotting.spot import spot
from inward.spotting.tally import Finding, Tally

if TYPE_CHECKING:
    from pathlib import Path

    from inward.catalog.model import Operation
    from inward.catalog.syntax import Data

ADA = "ada@example.com"
SYSTEM = {
    "trust_domain": "shop.test",
    "services": {"orders": {"owner": "team", "api": "api.yaml", "listen": "127.0.0.1:0"}},
    "data": {"pii.email": {"owner": "team"}},
}
TEXT = {"type": "string"}
ORDER = {
    "type": "object",
    "properties": {"contact": TEXT, "parts": {"type": "array", "items": {"properties": {"a": TEXT}}}},
}


def described(schema: Any, components: Any = None, **changes: Any) -> dict[str, Any]:
    answer = {"description": "it", "content": {"application/json": {"schema": schema}}}
    operation = {"operationId": "getOrder", "responses": {"200": answer}} | changes
    paths = {"/orders/{it's}": {"get": operation}, "/orders": {"get": {"responses": {}}}}
    return {"openapi": "3.1.0", "paths": paths, "components": {"schemas": components or {}}}


def operation_of(folder: Path, name: str, description: Any, overlay: str = "") -> Operation:
    system = json.loads(json.dumps(SYSTEM))
    if overlay:
        system["services"]["orders"]["overlay"] = "overlay.yaml"
        (folder / "overlay.yaml").write_text(overlay)
    (folder / "inward.yaml").write_text(yaml.safe_dump(system))
    (folder / "api.yaml").write_text(yaml.safe_dump(description))
    loaded = load_system(folder)
    assert loaded.mistakes == ()
    assert loaded.catalog is not None
    return loaded.catalog.operations[name]


def declared(
    folder: Path, description: Any, answer: Any, status: int = 200, name: str = "orders:getOrder"
) -> list[str]:
    """Spot in an answer, declare all that is found, load again, spot again; return the targets of the actions."""
    before = operation_of(folder, name, description)
    document = json.dumps(answer).encode()
    tally = Tally()
    tally.add(name, status, spot(document, before.answers.of(status)))
    findings = tally.findings()
    assert findings
    found = [declaration(description, before, finding, "pii.email") for finding in findings]
    after = operation_of(folder, name, description, overlay_text("what was found", "api.yaml", found))
    assert spot(document, after.answers.of(status)) == []
    return [action["target"] for each in found for action in each.actions]


ANSWERS = "$.paths['/orders/{it\\'s}'].get.responses"
SCHEMA = ANSWERS + "['200'].content['application/json'].schema"


@pytest.mark.parametrize(
    ("schema", "answer", "target"),
    [
        (ORDER, {"contact": ADA}, SCHEMA + ".properties.contact"),
        (ORDER, {"parts": [{"a": ADA}]}, SCHEMA + ".properties.parts.items.properties.a"),
        (ORDER, {"new": ADA}, SCHEMA),
        (ORDER, {"parts": [{"new": [{"x": ADA}]}]}, SCHEMA + ".properties.parts.items"),
        ({"$ref": "#/components/schemas/Order"}, {"contact": ADA}, "$.components.schemas.Order.properties.contact"),
        ({"items": {"$ref": "#/components/schemas/Order"}}, [{"new": ADA}], "$.components.schemas.Order"),
        (
            {"$ref": "#/components/schemas/Page"},
            {"of": [{"contact": ADA}]},
            "$.components.schemas.Order.properties.contact",
        ),
        ({"$ref": "#/components/schemas/Page"}, {"mail": ADA}, "$.components.schemas.Page.properties.mail"),
        ({"$ref": "#/components/schemas/a~1b~0%20c"}, {"x": ADA}, "$.components.schemas['a/b~ c']"),
        ({"oneOf": [TEXT, ORDER]}, {"contact": ADA}, SCHEMA + ".oneOf[1].properties.contact"),
        (
            {"allOf": [{"$ref": "#/components/schemas/Order"}]},
            {"contact": ADA},
            "$.components.schemas.Order.properties.contact",
        ),
        ({"additionalProperties": {"type": "object"}}, {ADA: {"x": ADA}}, SCHEMA + ".additionalProperties"),
        ({"$ref": "#/components/schemas/Loop"}, {"contact": ADA}, "$.components.schemas.Loop"),
        (TEXT, ADA, SCHEMA),
    ],
)
def test_where_it_is_declared(tmp_path: Path, schema: Any, answer: Any, target: str) -> None:
    components = {
        "Order": ORDER,
        "Page": {
            "properties": {
                "of": {"items": {"$ref": "#/components/schemas/Order"}},
                "mail": {"$ref": "#/components/schemas/Mail"},
            }
        },
        "Mail": TEXT,
        "a/b~ c": {"type": "object"},
        "Loop": {"allOf": [{"$ref": "#/components/schemas/Loop"}]},
    }
    assert target in declared(tmp_path, described(schema, components), answer)


def test_what_must_make_way_for_a_schema_is_taken_out(tmp_path: Path) -> None:
    description = described({"type": "object", "additionalProperties": True})
    assert declared(tmp_path, description, {ADA: 1}) == [SCHEMA + ".additionalProperties", SCHEMA]


def test_an_answer_that_is_not_described(tmp_path: Path) -> None:
    assert declared(tmp_path, described(ORDER), {"error": ADA}, status=404) == [ANSWERS]
    assert declared(tmp_path, described(ORDER, responses={"200": {"description": "it"}}), {"x": ADA}) == [
        ANSWERS + "['200']"
    ]
    by_default = {"default": {"description": "it", "content": {"application/json": {}}}}
    target = ANSWERS + ".default.content['application/json']"
    assert declared(tmp_path, described(ORDER, responses=by_default), {"x": ADA}) == [target]
    assert declared(tmp_path, described(ORDER), {"x": ADA}, name="orders:GET /orders") == [
        "$.paths['/orders'].get.responses"
    ]


def test_an_answer_that_is_added_is_valid_openapi(tmp_path: Path) -> None:
    operation = operation_of(tmp_path, "orders:getOrder", described(ORDER))
    finding = Finding("orders:getOrder", 404, (Wild.ITEM, "x"), Kind.EMAIL, 1, 1)
    (action,) = declaration(described(ORDER), operation, finding, "pii.email").actions
    schema = {"items": {"properties": {"x": {"x-inward-data": "pii.email"}}}}
    content = {"application/json": {"schema": schema}}
    assert action["update"] == {"404": {"content": content, "description": "not described before"}}


def test_an_answer_that_others_share(tmp_path: Path) -> None:
    description = described(ORDER, responses={"2XX": {"$ref": "#/components/responses/It"}})
    description["components"]["responses"] = {"It": {"description": "it", "content": {"text/json": {"schema": ORDER}}}}
    target = "$.components.responses.It.content['text/json'].schema.properties.contact"
    assert declared(tmp_path, description, {"contact": ADA}) == [target]


def test_swagger(tmp_path: Path) -> None:
    answer = {"description": "it", "schema": {"$ref": "#/definitions/Order"}}
    description = {
        "swagger": "2.0",
        "basePath": "/v1",
        "paths": {"/orders": {"get": {"responses": {"200": answer}}}},
        "definitions": {"Order": ORDER},
    }
    targets = declared(tmp_path, description, {"contact": ADA}, name="orders:GET /v1/orders")
    assert targets == ["$.definitions.Order.properties.contact"]


def test_what_stands_in_another_file_is_declared_beside_the_reference(tmp_path: Path) -> None:
    (tmp_path / "shared.yaml").write_text(yaml.safe_dump({"Order": ORDER}))
    assert declared(tmp_path, described({"$ref": "shared.yaml#/Order"}), {"contact": ADA}) == [SCHEMA]


def test_the_text_is_one_line_an_action(tmp_path: Path) -> None:
    description = described(ORDER)
    operation = operation_of(tmp_path, "orders:getOrder", description)
    finding = Finding("orders:getOrder", 200, ("contact",), Kind.EMAIL, 1, 1)
    text = declaration(description, operation, finding, "pii.email").text
    assert text.count("\n") == 1
    assert yaml.safe_load(text) == [
        {"target": SCHEMA + ".properties.contact", "update": {"x-inward-data": "pii.email"}}
    ]  # fmt: skip


def test_a_document_of_something_else_is_refused(tmp_path: Path) -> None:
    operation = operation_of(tmp_path, "orders:getOrder", described(ORDER))
    finding = Finding("orders:getOrder", 200, (Wild.ITEM,), Kind.EMAIL, 1, 1)
    others: list[Data] = [{}, None, [], {"paths": []}, {"paths": {"/x": {"get": {}}, "/y": None}}]
    for description in others:
        with pytest.raises(UndeclarableError, match="the document does not describe `orders:getOrder`"):
            declaration(description, operation, finding, "pii.email")


def test_a_class_is_one_that_there_is_or_a_new_one() -> None:
    assert class_for(Kind.EMAIL, ["pii", "customer.email", "a.b.email"]) == "customer.email"
    assert class_for(Kind.EMAIL, ["customer.email", "pii.email"]) == "pii.email"
    assert class_for(Kind.CARD, ["pii"]) == "payment.card"
    assert class_for(Kind.EMAIL, ["pii", "payment"]) == "pii"
    assert {class_for(kind, ()) for kind in Kind} == {
        "pii.email",
        "pii.phone",
        "payment.card",
        "payment.iban",
        "pii.national-id",
        "secret",
    }
