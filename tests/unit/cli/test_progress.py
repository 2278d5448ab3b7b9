from __future__ import annotations

import io
import sys

import pytest

from inward.cli.progress import shown_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_person_at_a_terminal_sees_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with shown_progress() as watch:
        assert watch is not None
        watch("[b]policies[/b]", 3, 200)
    assert "[b]policies[/b]" in terminal.getvalue()  # a name is no markup
    assert "3/200" in terminal.getvalue()


@pytest.mark.parametrize("wanted", [True, False])
def test_nothing_is_shown_where_nobody_waits(monkeypatch: pytest.MonkeyPatch, *, wanted: bool) -> None:
    stream = io.StringIO() if wanted else Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with shown_progress(wanted=wanted) as watch:
        assert watch is None
    assert stream.getvalue() == ""
