"""A comparison as Markdown: names that want to be more than names, and more than a comment holds."""

from __future__ import annotations

import pytest

from inward.cli.policy.comment import MOST_CHARACTERS, render
from inward.cli.policy.effects import Line, Name

GITHUB = 65_536  # characters of a comment


def rendered(name: str) -> str:
    return render(["title"], ["summary"], {"allowed": [Line([Name(name), " → ", Name("orders:get")])]})


def test_it_has_a_heading_a_summary_and_lists() -> None:
    line = Line([Name("checkout"), " → ", Name("orders:get"), "  by ", Name("g")], (["e.g. ", Name("GET /")],))
    assert render(["A ", Name("b")], ["one"], {"allowed": [line]}) == (
        "### A `b`\n\none\n\n**newly allowed**\n\n- `checkout` → `orders:get` by `g`\n  - e.g. `GET /`\n"
    )


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("@everybody", "`@everybody`"),
        ("<script>alert(1)</script>", "`<script>alert(1)</script>`"),
        ("a`b", "`` a`b ``"),
        ("``", "``` `` ```"),
        ("`", "`` ` ``"),
        (" a", "`  a `"),
        ("", "`  `"),
        ("a|b\\", "`a|b\\`"),
        ("![x](http://x)", "`![x](http://x)`"),
        ("a\nb\r\u2028\x1b[2J\u202e", r"`a\nb\r\u2028\x1b[2J\u202e`"),
        ("a  b", "`a  b`"),
    ],
)
def test_a_name_stays_a_name(name: str, code: str) -> None:
    [item] = [line for line in rendered(name).split("\n") if line.startswith("- ")]
    assert item == f"- {code} → `orders:get`"


def test_a_name_without_an_end_has_one() -> None:
    assert len(rendered("x" * 100_000)) < 500


def test_it_never_outgrows_a_comment() -> None:
    lines = [Line([Name(f"caller-{number} " + "é" * 150)], (["e.g. ", Name("GET /" * 30)],)) for number in range(2_000)]
    text = render(["t"], ["s"], {"allowed": lines, "refused": lines})
    assert MOST_CHARACTERS - 1_000 < len(text) < GITHUB
    shown = text.count("\n- ")
    assert f"and {4_000 - shown:,} more lines" in text
    assert text.index("caller-0 ") < text.index("caller-1 ")
