"""Shapes say where in a document which class stands: compared with an interpreter that reads schema and document."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inward.catalog.folder import SystemFolder
from inward.catalog.model import Mode
from inward.catalog.openapi import shapes
from inward.catalog.openapi.marks import Piece
from inward.catalog.openapi.operations import Modes, read_operations
from inward.catalog.openapi.shapes import ShapeCompiler, TooLargeShapeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.catalog.shape import Shape

CLASSES = ("pii", "pii.email", "card")
NAMES = ("a", "b", "c", "x-1", "x-2")
Found = set[tuple[str, str]]  # where, and which class


def shape_of(schema: Any, components: dict[str, Any]) -> Shape:
    content = {"application/json": {"schema": schema}}
    document = {
        "openapi": "3.1.0",
        "paths": {"/x": {"get": {"responses": {"200": {"content": content}}}}},
        "components": {"schemas": components},
    }
    with TemporaryDirectory() as root:
        (Path(root) / "api.json").write_bytes(msgspec.json.encode(document))
        folder = SystemFolder(Path(root))
        opened = folder.open("api.json")
        assert opened is not None
        (operation,) = read_operations(folder, opened, "x", Modes(Mode.ENFORCE, {}), CLASSES) or []
        assert folder.mistakes == []
    return operation.answers.of(200)


def walk(shape: Shape, value: Any) -> Found:
    """Return where a shape says that classes stand in a document."""
    found: Found = set()

    def at(number: int | None, part: Any, path: str) -> None:
        if number is None:
            return
        node = shape.nodes[number]
        found.update((path, name) for name in node.classes)
        if isinstance(part, dict):
            for key, below in part.items():
                at(node.fields.get(key, node.rest), below, f"{path}/{key}")
        elif isinstance(part, list):
            for index, below in enumerate(part):
                at(node.items, below, f"{path}/{index}")

    at(0 if shape.nodes else None, value, "")
    return found


def interpreted(schema: Any, components: dict[str, Any], value: Any) -> Found:
    """Return where classes stand, by reading the schema along the document, alternative by alternative."""
    found: Found = set()

    def at(schema: Any, part: Any, path: str, above: tuple[int, ...] = ()) -> None:
        if not isinstance(schema, dict) or id(schema) in above:
            return
        if "x-inward-data" in schema:
            found.add((path, schema["x-inward-data"]))
        for each in alternatives(schema, components):
            at(each, part, path, (*above, id(schema)))
        children = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
        for key, below in children:
            for each in list(parts(schema, key)):
                at(each, below, f"{path}/{key}")

    at(schema, value, "")
    return found


def alternatives(schema: Any, components: dict[str, Any]) -> Iterator[Any]:
    """Yield what else may describe the value that a schema describes."""
    if "$ref" in schema:
        yield components[schema["$ref"].rpartition("/")[2]]
    yield from (each for key in ("allOf", "oneOf", "anyOf") for each in schema.get(key, []))
    yield from (schema[key] for key in ("if", "then", "else") if key in schema)
    yield from schema.get("dependentSchemas", {}).values()


def parts(schema: Any, key: str | int) -> Iterator[Any]:
    """Yield what a schema says of a field, or of an item."""
    if isinstance(key, int):
        yield schema.get("items")
        yield from schema.get("prefixItems", [])
        return
    yield schema.get("properties", {}).get(key, schema.get("additionalProperties"))
    patterns = schema.get("patternProperties", {})
    yield from (each for pattern, each in patterns.items() if key.startswith(pattern.removeprefix("^")))


def schemas() -> st.SearchStrategy[Any]:
    references = st.sampled_from(["A", "B", "C"]).map(lambda name: {"$ref": f"#/components/schemas/{name}"})
    marks = st.sampled_from(CLASSES).map(lambda name: {"x-inward-data": name})
    plain = st.just({"type": "string"})

    def wider(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        named = st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
        return st.fixed_dictionaries(
            {},
            optional={
                "x-inward-data": st.sampled_from(CLASSES),
                "$ref": st.sampled_from(["#/components/schemas/A", "#/components/schemas/B"]),
                "properties": named,
                "additionalProperties": inner,
                "patternProperties": st.dictionaries(st.sampled_from(["^x-", "^a"]), inner, max_size=2),
                "items": inner,
                "prefixItems": st.lists(inner, max_size=2),
                "allOf": st.lists(inner, max_size=2),
                "oneOf": st.lists(inner, max_size=2),
                "if": inner,
                "then": inner,
                "dependentSchemas": named,
                "not": inner,
                "example": named,
            },
        )

    return st.recursive(references | marks | plain, wider, max_leaves=12)


documents = st.recursive(
    st.none() | st.integers(0, 3) | st.just("text"),
    lambda inner: st.dictionaries(st.sampled_from(NAMES), inner, max_size=4) | st.lists(inner, max_size=3),
    max_leaves=15,
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schema=schemas(), a=schemas(), b=schemas(), c=schemas(), found=st.lists(documents, min_size=1, max_size=5))
def test_a_shape_finds_what_the_schema_says(schema: Any, a: Any, b: Any, c: Any, found: list[Any]) -> None:
    components = {"A": a, "B": b, "C": c}
    shape = shape_of(schema, components)
    for document in found:
        said = interpreted(schema, components, document)
        # a field that nobody names is taken for one that any pattern means
        exact = "patternProperties" not in str((schema, components))
        assert walk(shape, document) == said if exact else walk(shape, document) >= said
    for node in shape.nodes:
        assert all(0 <= number < len(shape.nodes) for number in node.edges)


def test_the_comparison_finds_a_planted_fault() -> None:
    schema = {"properties": {"a": {"x-inward-data": "pii"}}}
    assert walk(shape_of(schema, {}), {"a": 1}) == {("/a", "pii")} == interpreted(schema, {}, {"a": 1})
    assert interpreted({"properties": {"b": {"x-inward-data": "pii"}}}, {}, {"a": 1}) == set()


def test_a_schema_that_refers_to_itself_has_a_finite_shape() -> None:
    node = {
        "properties": {
            "mail": {"x-inward-data": "pii.email"},
            "next": {"$ref": "#/components/schemas/Node"},
            "all": {"items": {"$ref": "#/components/schemas/Node"}},
        }
    }
    shape = shape_of({"$ref": "#/components/schemas/Node"}, {"Node": node})
    assert len(shape.nodes) == 3
    deep = {"next": {"all": [{"next": {"mail": "x"}}]}}
    assert walk(shape, deep) == {("/next/all/0/next/mail", "pii.email")}


def test_a_field_without_a_mark_is_told_apart_from_the_rest() -> None:
    schema = {"properties": {"id": {}}, "additionalProperties": {"x-inward-data": "pii"}}
    assert walk(shape_of(schema, {}), {"id": 1, "other": 2}) == {("/other", "pii")}
    schema = {"properties": {"id": {}, "x-1": {}}, "patternProperties": {"^x-": {"x-inward-data": "pii"}}}
    assert walk(shape_of(schema, {}), {"id": 1, "x-1": 2, "x-2": 3}) == {("/x-1", "pii"), ("/x-2", "pii")}


def test_names_and_contents_that_cannot_be_taken_out_alone_mark_the_whole() -> None:
    keys = shape_of({"properties": {"by": {"propertyNames": {"x-inward-data": "pii.email"}}}}, {})
    assert walk(keys, {"by": {"ada@x": 1}}) == {("/by", "pii.email")}
    inside = {"properties": {"number": {"x-inward-data": "card"}}}
    assert walk(shape_of({"properties": {"raw": {"contentSchema": inside}}}, {}), {"raw": "{}"}) == {("/raw", "card")}


def test_what_leads_to_no_mark_has_no_shape() -> None:
    assert shape_of({"properties": {"a": {"$ref": "#/components/schemas/A"}}}, {"A": {"type": "string"}}).nodes == ()


def test_a_shape_of_too_many_parts_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # which of the last fields was `a`? An automaton needs a node for each answer: 2 ** 12
    depth = 12
    pieces = [Piece() for _ in range(depth + 2)]
    first, either = 0, depth + 1
    pieces[either].same = [first, 1]
    pieces[first].fields = {"a": either, "b": first}
    for number in range(1, depth):
        pieces[number].fields = {"a": number + 1, "b": number + 1}
    pieces[depth].classes.add("pii")
    monkeypatch.setattr(shapes, "MAX_NODES", 100)
    with pytest.raises(TooLargeShapeError, match="more than 100 parts"):
        ShapeCompiler(pieces).shape([0])
    monkeypatch.setattr(shapes, "MAX_NODES", 1_000_000)
    monkeypatch.setattr(shapes, "MAX_STEPS", 10)
    with pytest.raises(TooLargeShapeError, match="too many alternatives"):
        ShapeCompiler(pieces).shape([0])
