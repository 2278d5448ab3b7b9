from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from inward.catalog.model import Parameter
from inward.catalog.template import PathTemplate
from inward.policy.cel import UntranslatableError
from inward.policy.cel.parameters import ANYTHING, MAX_PROGRAM, Parameters, literal, one_of, sequence

if TYPE_CHECKING:
    from inward.catalog.model import Catalog, Operation

ID = Parameter("id", "path", "string", required=True)
Q = Parameter("q", "query", "string", required=False)


def at(shop: Catalog, template: str, *parameters: Parameter) -> Operation:
    return replace(shop.operations["orders:getOrder"], template=PathTemplate(template), parameters=parameters)


def finds(tree: Any, subject: str) -> bool:
    """Return whether the regular expression of a call of `matches` finds something."""
    pattern = tree["call_expr"]["args"][1]["const_expr"]["string_value"]
    return re.search(pattern, subject, re.ASCII) is not None


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/{id}", "/abc"),
        ("/a/b/{id}", "/a/b/abc"),
        ("/abc/{id}/abc", "/abc/abc/abc"),
        ("/x/pre-{id}.json", "/x/pre-abc.json"),
        ("/x/{id}:cancel/y/", "/x/abc:cancel/y/"),
    ],
)
def test_a_path_parameter_is_found_where_the_template_has_it(shop: Catalog, template: str, path: str) -> None:
    parameters = Parameters(at(shop, template, ID))
    assert finds(parameters.text_is(ID, literal("abc")), path)
    assert not finds(parameters.text_is(ID, literal("ab")), path)
    assert not finds(parameters.text_is(ID, literal("bc")), path)
    assert finds(parameters.text_is(ID, one_of([literal("x"), literal("abc")])), path)
    assert finds(parameters.text_is(ID, sequence([literal("a"), ANYTHING["path"]])), path)
    assert finds(parameters.is_plain(ID), path)
    assert not finds(parameters.is_plain(ID), template.replace("{id}", "a%62c"))
    extract = parameters.text(ID)["call_expr"]
    assert extract["function"] == "re.extract"
    found = re.search(extract["args"][1]["const_expr"]["string_value"], path)
    assert found is not None
    assert found[1] == "abc"


def test_two_parameters_in_one_segment_are_left_to_the_slow_path(shop: Catalog) -> None:
    other = Parameter("rest", "path", "string", required=True)
    with pytest.raises(UntranslatableError, match="segment"):
        Parameters(at(shop, "/x/{id}-{rest}", ID, other)).is_plain(ID)


def test_expressions_that_envoy_would_refuse_are_not_made(shop: Catalog) -> None:
    parameters = Parameters(at(shop, "/x/{id}", ID, Q))
    assert parameters.text_is(ID, literal("a" * (MAX_PROGRAM - 25))) is not None
    assert parameters.text_is(ID, literal("a" * MAX_PROGRAM)) is None
    with pytest.raises(UntranslatableError):
        parameters.text_matches(ID, literal("a" * MAX_PROGRAM))
    long = Parameter("a" * 60, "query", "string", required=False)
    for ask in (parameters.is_plain, parameters.text):
        with pytest.raises(UntranslatableError):
            ask(replace(long, name="a" * 100))
    with pytest.raises(UntranslatableError):
        parameters.is_plain(long)
    deep = Parameters(at(shop, "/x" * 40 + "/{id}", ID))
    with pytest.raises(UntranslatableError):
        deep.is_plain(ID)


def test_names_are_not_expressions(shop: Catalog) -> None:
    dotted = Parameter("a.b", "query", "string", required=True)
    found = Parameters(at(shop, "/x", dotted)).text_is(dotted, literal("1"))
    assert finds(found, "a.b=1")
    assert not finds(found, "aXb=1")


def test_only_parameters_of_the_operation_are_known(shop: Catalog) -> None:
    parameters = Parameters(at(shop, "/x/{id}", ID, Q))
    assert parameters.get("path", "id") is ID
    assert parameters.get("query", "id") is None
    assert parameters.get("query", "q") is Q
