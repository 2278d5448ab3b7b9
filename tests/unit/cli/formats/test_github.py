from __future__ import annotations

from tests.unit.cli.formats.reports import report

from inward.cli.formats.github import render


def test_each_entry_is_one_command_the_worst_first() -> None:
    lines = render(report(), "deploy/").splitlines()
    assert [line.split(" ")[0] for line in lines] == ["::error", "::warning", "::notice", "::notice"]
    assert lines[1] == (
        "::warning file=deploy/inward.yaml,line=6,title=Nothing is refused::"
        "`orders` observes: nothing is refused (set `mode`)"
    )
    assert lines[2].startswith("::notice file=deploy/inward.yaml,title=Operation that nobody may call::")


def test_nothing_in_a_text_ends_a_command_or_begins_one() -> None:
    [error, *_] = render(report(), "a,b:c%d/").splitlines()
    _, properties, text = error.split("::", 2)
    assert properties == ("error file=a%2Cb%3Ac%25d/policies/a b.cedar,line=3,title=Mistake in the system folder")
    assert text.startswith("the id `x` a%25b\\r\\n::error::c,d:e")
    assert "\x1b" not in error
    assert "\u202e" not in error
