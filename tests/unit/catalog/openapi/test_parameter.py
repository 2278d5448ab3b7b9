"""Parameters: types, places, references, and how levels merge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inward.catalog.folder import SystemFolder
from inward.catalog.model import Parameter
from inward.catalog.openapi.parameter import ParameterReader, parameters_of
from inward.catalog.template import PathTemplate

if TYPE_CHECKING:
    from pathlib import Path

    from inward.catalog.openapi.parameter import Listed


def read(tmp_path: Path, listed: str, *, swagger: bool = False, components: str = "{}") -> tuple[Listed, list[str]]:
    (tmp_path / "a.yaml").write_text(f"components: {components}\nparameters:\n{listed}\n")
    folder = SystemFolder(tmp_path)
    root = folder.open("a.yaml")
    assert root is not None
    found = ParameterReader(folder, swagger=swagger).read(root.get("parameters"))
    return found, [str(mistake) for mistake in folder.mistakes]


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ("{type: string}", "string"),
        ("{type: integer, format: int64}", "integer"),
        ("{type: boolean}", "boolean"),
        ("{type: number}", "string"),
        ("{type: array, items: {type: integer}}", "string"),
        ("{type: [integer, 'null']}", "integer"),
        ("{type: ['null', boolean]}", "boolean"),
        ("{type: [integer, string]}", "string"),
        ("{type: []}", "string"),
        ("{allOf: [{type: integer}]}", "string"),
        ("{enum: [1, 2]}", "string"),
        ("{}", "string"),
        ("true", "string"),
        ("{$ref: '#/components/count'}", "integer"),
        ("{$ref: '#/components/again'}", "integer"),
    ],
)
def test_types(tmp_path: Path, schema: str, kind: str) -> None:
    components = "{count: {type: integer}, again: {$ref: '#/components/count'}}"
    found, mistakes = read(tmp_path, f"- {{name: q, in: query, schema: {schema}}}", components=components)
    assert ([parameter.type for parameter, _ in found.values()], mistakes) == ([kind], [])


def test_a_parameter_without_a_schema_is_a_string(tmp_path: Path) -> None:
    found, mistakes = read(tmp_path, "- {name: q, in: query, content: {application/json: {}}}")
    assert ([parameter for parameter, _ in found.values()], mistakes) == (
        [Parameter("q", "query", "string", required=False)],
        [],
    )


def test_swagger_types_stand_in_the_parameter(tmp_path: Path) -> None:
    found, mistakes = read(tmp_path, "- {name: q, in: query, type: integer, schema: {type: boolean}}", swagger=True)
    assert ([parameter.type for parameter, _ in found.values()], mistakes) == (["integer"], [])


def test_only_path_and_query_are_kept(tmp_path: Path) -> None:
    places = ["path", "query", "header", "cookie", "querystring", "body", "formData"]
    found, mistakes = read(tmp_path, "\n".join(f"- {{name: x, in: {place}}}" for place in places))
    assert (list(found), mistakes) == ([("x", "path"), ("x", "query")], [])


def test_what_is_required(tmp_path: Path) -> None:
    found, mistakes = read(
        tmp_path,
        "- {name: a, in: path, required: false}\n- {name: b, in: query, required: true}\n- {name: c, in: query}",
    )
    assert ({name: parameter.required for (name, _), (parameter, _) in found.items()}, mistakes) == (
        {"a": True, "b": True, "c": False},
        [],
    )


@pytest.mark.parametrize(
    ("item", "why"),
    [
        ("text", "a.yaml:3: item 1 of `parameters` must be a mapping and is text"),
        ("{in: query}", "a.yaml:3: item 1 of `parameters` has no `name`"),
        ("{name: x}", "a.yaml:3: item 1 of `parameters` has no `in`"),
        ("{name: 1, in: query}", "a.yaml:3: `name` must be text and is a number (put it in quotes)"),
        ("{name: x, in: qury}", "a.yaml:3: `qury` is no place of a parameter (did you mean `query`?)"),
        ('{name: "a\\nb", in: query}', "cannot be the name of a parameter"),
        (f"{{name: {'x' * 201}, in: query}}", "cannot be the name of a parameter"),
        ("{name: x, in: query, required: 1}", "`required` must be true or false and is a number"),
        ("{name: x, in: query, schema: {type: 7}}", "`type` must be the name of a type, or a list of them"),
        ("{name: x, in: query, schema: {type: [[integer]]}}", "`type` must be the name of a type, or a list of them"),
        ("{name: x, in: query, schema: {$ref: '#/gone'}}", "`#/gone` leads to nothing"),
        ("{$ref: '#/gone'}", "a.yaml:3: `#/gone` leads to nothing"),
        ("{$ref: '#/parameters/0'}", "leads back to itself"),
        ("{name: x, in: query}\n- {name: x, in: query}", "a.yaml:4: the query parameter `x` stands here a second time"),
    ],
)
def test_what_is_wrong_is_one_mistake(tmp_path: Path, item: str, why: str) -> None:
    _, mistakes = read(tmp_path, f"- {item}")
    assert len(mistakes) == 1
    assert why in mistakes[0]


def test_the_operations_parameters_replace_the_paths(tmp_path: Path) -> None:
    path_level, _ = read(tmp_path, "- {name: b, in: path}\n- {name: q, in: query}\n- {name: r, in: query}")
    own, _ = read(tmp_path, "- {name: q, in: query, required: true, schema: {type: integer}}\n- {name: s, in: query}")
    assert parameters_of(PathTemplate("/{a}/{b}"), path_level, own) == (
        Parameter("a", "path", "string", required=True),
        Parameter("b", "path", "string", required=True),
        Parameter("q", "query", "integer", required=True),
        Parameter("r", "query", "string", required=False),
        Parameter("s", "query", "string", required=False),
    )


def test_a_declared_variable_that_the_path_does_not_have_is_a_mistake(tmp_path: Path) -> None:
    listed, mistakes = read(tmp_path, "- {name: id, in: path}")
    assert mistakes == []
    ((_, item),) = listed.values()
    assert parameters_of(PathTemplate("/{ID}"), listed, {}) == (Parameter("ID", "path", "string", required=True),)
    assert [str(mistake) for mistake in item.mistakes] == ["a.yaml:3: the path `/{ID}` has no variable `id`"]
