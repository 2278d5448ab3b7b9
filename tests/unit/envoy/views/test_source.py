"""The source of the filter: whole, and with the constants of the guard."""

from __future__ import annotations

import pytest

from inward.envoy.views.source import library, quoted, source
from inward.viewing.head import LINES, NOT_ASKED_FOR, OF_THE_WHOLE


@pytest.mark.parametrize("name", [*NOT_ASKED_FOR, *OF_THE_WHOLE, *LINES])
def test_a_guard_and_an_envoy_cannot_differ_in_what_they_know(name: str) -> None:
    assert quoted(name) in source("/key")


def test_a_text_cannot_end_a_string_of_the_source() -> None:
    assert quoted('"]] .. os.exit() --\né') == quoted('"]] .. os.exit() --\n')[:-1] + '\\195\\169"'
    assert set(quoted('a"b\\')) <= set('"\\0123456789')


def test_the_source_has_the_library_and_the_path_of_the_key() -> None:
    assert library() in source('/run/it\'s "here"')
    assert quoted('/run/it\'s "here"') in source('/run/it\'s "here"')
