"""The few shapes that recur."""

from __future__ import annotations

import pytest

from inward.envoy.resources.proto import extension, nesting, typed, watched


@pytest.mark.parametrize(
    ("value", "depth"),
    [(1, 0), ("{[", 0), ({}, 1), ([], 1), ([[]], 2), ({"a": [{"b": 1}], "c": {}}, 3), ([1, [2, {}]], 3)],
)
def test_nesting_counts_objects_and_arrays(value: object, depth: int) -> None:
    assert nesting(value) == depth


def test_a_type_name_is_a_type_url() -> None:
    assert typed("a.B", x=1) == {"@type": "type.googleapis.com/a.B", "x": 1}
    assert extension("n", "a.B") == {"name": "n", "typed_config": {"@type": "type.googleapis.com/a.B"}}
    assert watched("/f") == {"path_config_source": {"path": "/f"}, "resource_api_version": "V3"}
