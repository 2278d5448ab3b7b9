"""Marks in schemas, wherever they stand: through references, files, alternatives, and what is wrong with one."""

from __future__ import annotations

from textwrap import indent
from typing import TYPE_CHECKING

import pytest

from inward.catalog.folder import SystemFolder
from inward.catalog.model import Mode
from inward.catalog.openapi.marks import holds_marks
from inward.catalog.openapi.operations import Modes, read_operations
from inward.insight.exposure import places_of

if TYPE_CHECKING:
    from pathlib import Path

    from inward.catalog.model import Operation

CLASSES = ("pii", "pii.email", "pii.name", "card.number")


def read(tmp_path: Path, text: str, **others: str) -> tuple[list[Operation], list[str]]:
    for name, content in {"api": text, **others}.items():
        (tmp_path / f"{name}.yaml").write_text(content)
    folder = SystemFolder(tmp_path)
    document = folder.open("api.yaml")
    assert document is not None
    operations = read_operations(folder, document, "x", Modes(Mode.ENFORCE, {}), CLASSES)
    return operations or [], [str(mistake) for mistake in folder.mistakes]


def api(schema: str, components: str = "", version: str = "3.1.0") -> str:
    return f"""\
openapi: {version}
paths:
  /x:
    get:
      responses:
        '200':
          content:
            application/json:
              schema:
{indent(schema, " " * 16)}
components:
  schemas:
    None: {{}}
{indent(components, " " * 4)}
"""


def marked(tmp_path: Path, schema: str, components: str = "", version: str = "3.1.0", **others: str) -> set[str]:
    """Return where the answer is marked, as `class path`."""
    (operation,), mistakes = read(tmp_path, api(schema, components, version), **others)
    assert mistakes == []
    return {f"{name} {path}" for name, path in places_of(operation.answers.of(200))}


@pytest.mark.parametrize(
    ("schema", "where"),
    [
        ("x-inward-data: pii", {"pii $"}),
        ("x-inward-data: [pii, card.number]", {"pii $", "card.number $"}),
        ("properties: {a: {x-inward-data: pii}}", {"pii $.a"}),
        ("properties: {$ref: {x-inward-data: pii}, 'a b': {x-inward-data: pii}}", {"pii $['$ref']", "pii $['a b']"}),
        ("items: {properties: {a: {x-inward-data: pii}}}", {"pii $[*].a"}),
        ("prefixItems: [{type: string}, {x-inward-data: pii}]", {"pii $[*]"}),
        ("items: [{type: string}, {x-inward-data: pii}]", {"pii $[*]"}),
        ("contains: {x-inward-data: pii}", {"pii $[*]"}),
        ("additionalProperties: {x-inward-data: pii}", {"pii $.*"}),
        ("unevaluatedProperties: {x-inward-data: pii}", {"pii $.*"}),
        ("patternProperties: {^x-: {x-inward-data: pii}}", {"pii $.*"}),
        # the pattern may find `a`, as far as can be told
        ("{properties: {a: {}}, patternProperties: {'^x-|a': {x-inward-data: pii}}}", {"pii $.*"}),
        ("allOf: [{}, {oneOf: [{anyOf: [{x-inward-data: pii}]}]}]", {"pii $"}),
        ("{if: {type: string}, then: {x-inward-data: pii}, else: {x-inward-data: pii.name}}", {"pii $", "pii.name $"}),
        ("dependentSchemas: {a: {properties: {b: {x-inward-data: pii}}}}", {"pii $.b"}),
        ("dependencies: {a: [b], c: {properties: {b: {x-inward-data: pii}}}}", {"pii $.b"}),
        ("not: {x-inward-data: pii}", set()),
        ("{example: {x-inward-data: pii}, enum: [{x-inward-data: pii}], default: {x-inward-data: pii}}", set()),
        ("$ref: '#/components/schemas/None'\nx-inward-data: pii", {"pii $"}),
    ],
)
def test_a_mark_is_found_wherever_it_stands(tmp_path: Path, schema: str, where: set[str]) -> None:
    assert marked(tmp_path, schema) == where


@pytest.mark.parametrize("version", ["3.0.4", "3.1.1", "3.2.0"])
def test_references_are_followed_into_other_files(tmp_path: Path, version: str) -> None:
    parts = """\
schemas:
  Email: {type: string, x-inward-data: pii.email}
  Back: {$ref: 'api.yaml#/components/schemas/Name'}
"""
    schema = "properties: {a: {$ref: 'parts.yaml#/schemas/Email'}, b: {$ref: 'parts.yaml#/schemas/Back'}}"
    name = "Name: {x-inward-data: pii.name}"
    assert marked(tmp_path, schema, name, version, parts=parts) == {"pii.email $.a", "pii.name $.b"}


def test_what_a_discriminator_may_mean_counts(tmp_path: Path) -> None:
    pets = """\
Pet: {discriminator: {propertyName: kind, mapping: {dog: Dog, fish: '#/components/schemas/Fish'}}}
Cat: {allOf: [{$ref: '#/components/schemas/Pet'}, {properties: {cat: {x-inward-data: pii}}}]}
Dog: {properties: {dog: {x-inward-data: pii}}}
Fish: {properties: {fish: {x-inward-data: pii}}}
Stone: {properties: {stone: {x-inward-data: pii}}}
"""
    found = marked(tmp_path, "$ref: '#/components/schemas/Pet'", pets)
    assert found == {"pii $.cat", "pii $.dog", "pii $.fish"}


def test_a_class_that_is_not_declared_is_a_mistake_with_its_line(tmp_path: Path) -> None:
    _, mistakes = read(tmp_path, api("properties:\n  a: {x-inward-data: pii.emial}"))
    assert mistakes == ["api.yaml:11: there is no data class `pii.emial` (did you mean `pii.email`?)"]


@pytest.mark.parametrize(
    ("mark", "what"),
    [
        ("7", "`x-inward-data` must be text and is a number (put it in quotes)"),
        ("{pii: true}", "`x-inward-data` must be text and is a mapping"),
        ("", "`x-inward-data` must be text and is empty"),
        ("[]", "`x-inward-data` names no data class"),
        ("[pii, [pii]]", "item 2 of `x-inward-data` must be text and is a list"),
    ],
)
def test_a_mark_of_another_kind_is_a_mistake(tmp_path: Path, mark: str, what: str) -> None:
    _, mistakes = read(tmp_path, api(f"x-inward-data: {mark}"))
    assert mistakes == [f"api.yaml:10: {what}"]


@pytest.mark.parametrize(
    ("schema", "what"),
    [
        ("properties: {a: {$ref: '#/components/schemas/Gone'}}", "leads to nothing"),
        ("properties: {a: {$ref: 'gone.yaml'}}", "`gone.yaml` does not exist"),
        ("properties: {a: {$ref: 'https://a.test/x.yaml'}}", "is not in the system folder"),
        ("properties: {a: {$dynamicRef: '#node'}}", "names an anchor"),
        ("properties: [a]", "`properties` must be a mapping and is a list"),
        ("properties: {a: text}", "`a` must be a mapping and is text"),
    ],
)
def test_what_cannot_be_followed_is_a_mistake_since_a_mark_may_be_behind_it(
    tmp_path: Path, schema: str, what: str
) -> None:
    _, mistakes = read(tmp_path, api(schema))
    (mistake,) = mistakes
    assert mistake.startswith("api.yaml:10: ")
    assert what in mistake


def test_schemas_are_looked_at_only_where_there_are_classes_or_marks(tmp_path: Path) -> None:
    (tmp_path / "api.yaml").write_text(api("$ref: 'https://a.test/x.yaml'"))
    folder = SystemFolder(tmp_path)
    document = folder.open("api.yaml")
    assert document is not None
    assert read_operations(folder, document, "x", Modes(Mode.ENFORCE, {}))
    assert folder.mistakes == []
    (tmp_path / "api.yaml").write_text(api("x-inward-data: pii"))
    folder = SystemFolder(tmp_path)
    document = folder.open("api.yaml")
    assert document is not None
    read_operations(folder, document, "x", Modes(Mode.ENFORCE, {}))
    assert [mistake.hint for mistake in folder.mistakes] == ["declare it in `data` of inward.yaml"]


def test_a_mark_is_seen_in_any_document() -> None:
    assert holds_marks([{"a": [[{"x-inward-data": None}]]}])
    assert not holds_marks([{"a": [["x-inward-data"]], "b": "x-inward-data"}])
