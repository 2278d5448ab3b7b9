from __future__ import annotations

import re

import pytest

from inward.errors import BadInputError
from inward.policy.authoring.templates import HOLES, OPTIONAL, TEMPLATES, template_named


def test_every_hole_is_explained_and_every_explanation_is_of_a_hole() -> None:
    used = {hole for template in TEMPLATES.values() for hole in template.all_holes}
    assert used == HOLES.keys()
    assert used >= OPTIONAL


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_value_stands_nowhere_but_where_cedar_wants_a_string(name: str) -> None:
    for before, hole in re.findall(r"(.{0,9})\$([a-z_]+)", TEMPLATES[name].text):
        assert before.endswith(("::", "duration(")) or hole == "joint", (before, hole)


def test_a_guardrail_forbids_and_never_ends() -> None:
    for template in TEMPLATES.values():
        assert template.guardrail == template.name.startswith("guardrail-")
        assert ("until" in template.all_holes) == (not template.guardrail and template.name != "incident")


def test_a_template_that_does_not_exist() -> None:
    with pytest.raises(BadInputError) as caught:
        template_named("incidnt")
    assert caught.value.hint == "did you mean `incident`?"
    with pytest.raises(BadInputError) as caught:
        template_named("\x1b[2J")
    assert "\x1b" not in str(caught.value)
    assert caught.value.hint == "`inward policy template` lists them"
