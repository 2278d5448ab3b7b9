"""Wildcards, escapes and case, as the specification of Sigma rules has them."""

from __future__ import annotations

import fnmatch
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inward.alerting.sigma.pattern import Pattern


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("whole", "whole", True),
        ("whole", "WHOLE", True),
        ("whole", "the whole", False),
        ("prog?.exe", "progA.exe", True),
        ("prog?.exe", "prog.exe", False),
        ("antivirus_V*.exe", "antivirus_V21.2.1.exe", True),
        ("antivirus_V*.exe", "antivirus_V.exe", True),
        ("*", "", True),
        ("", "", True),
        ("", "x", False),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "a-c-b", False),
        ("ab*ba", "aba", False),
        ("a?c*", "abc", True),
        ("*?a?*", "xay", True),
        ("*?a?*", "ay", False),
        # backslashes
        (r"C:\dir", r"C:\dir", True),
        (r"C:\\dir", r"C:\dir", True),
        (r"a\*b", "a*b", True),
        (r"a\*b", "axb", False),
        (r"a\?b", "a?b", True),
        (r"a\\*b", r"a\xyb", True),
        (r"a\\\*b", r"a\*b", True),
        (r"a\\\*b", r"a\xb", False),
        (r"a\\\\b", r"a\\b", True),
        ("end\\", "end\\", True),
        ("straße", "STRASSE", True),
    ],
)
def test_of_the_specification(pattern: str, text: str, *, matches: bool) -> None:
    assert Pattern.parse(pattern).matcher()(text) is matches


def test_cased() -> None:
    assert not Pattern.parse("Whole*").matcher(cased=True)("whole")
    assert Pattern.parse("Whole*").matcher(cased=True)("Wholesome")


@given(st.text("ab*?", max_size=8), st.text("ab", max_size=10))
def test_it_is_what_a_shell_would_match(pattern: str, text: str) -> None:
    expected = re.fullmatch(fnmatch.translate(pattern), text) is not None
    assert Pattern.parse(pattern).matcher(cased=True)(text) is expected


def test_no_pattern_takes_long() -> None:
    matches = Pattern.parse("*a" * 200 + "b").matcher()
    started = time.process_time()
    assert not matches("a" * 100_000)
    assert time.process_time() - started < 2
