"""Paths are JSONPath that a JSONPath library reads as it was meant."""

from __future__ import annotations

import jsonpath
from hypothesis import given
from hypothesis import strategies as st

from inward.catalog.json_path import Wild, json_path


def test_how_a_path_is_written() -> None:
    assert json_path(()) == "$"
    assert json_path(("orders", Wild.ITEM, "by-name", Wild.REST, "x")) == "$.orders[*]['by-name'].*.x"
    assert json_path(("paths", "/a/{b}", "get", 0)) == "$.paths['/a/{b}'].get[0]"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_any_name_selects_its_field(name: str) -> None:
    found = jsonpath.findall(json_path((name,)), {name: 1, name + "x": 2})
    assert found == [1]
