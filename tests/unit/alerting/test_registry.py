from __future__ import annotations

import re

import msgspec
import pytest

from inward.alerting.registry import REGISTRY, DetectorSettingsError, parse_settings


@pytest.mark.parametrize("slug", REGISTRY)
def test_a_detector_has_defaults_that_are_valid_and_says_what_it_is_about(slug: str) -> None:
    kind = REGISTRY[slug]
    defaults = kind.settings()
    assert parse_settings(slug, msgspec.to_builtins(defaults)) == defaults
    assert re.fullmatch(r"T[0-9]{4}", kind.technique.id)
    assert re.fullmatch(r"TA[0-9]{4}", kind.technique.tactic_id)
    assert re.fullmatch(r"API([1-9]|10):2023 [A-Z].*", kind.owasp)


@pytest.mark.parametrize("slug", REGISTRY)
def test_no_setting_takes_what_makes_no_sense(slug: str) -> None:
    for name in REGISTRY[slug].settings.__struct_fields__:
        for wrong in (-1, 10**12, "many", None):
            with pytest.raises(DetectorSettingsError, match=f"the settings of `{slug}` cannot be used"):
                parse_settings(slug, {name: wrong})


def test_what_does_not_exist_is_named() -> None:
    with pytest.raises(DetectorSettingsError, match="there is no detector `nonsense`"):
        parse_settings("nonsense", {})
    with pytest.raises(DetectorSettingsError) as caught:
        parse_settings("probing", {"distincts": 3})
    assert "it has minutes, distinct" in (caught.value.hint or "")
    with pytest.raises(DetectorSettingsError, match="must divide an hour"):
        parse_settings("volume", {"minutes": 7})
