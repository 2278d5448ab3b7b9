from __future__ import annotations

import io
import sys

import pytest

from inward.cli import progress
from inward.cli.progress import shown_progress, shown_reading
from inward.record.call import Gap


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


def test_a_person_sees_how_far_the_reading_is(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "EVERY", 2)
    monkeypatch.setenv("TERM", "xterm")
    updates: list[str] = []
    monkeypatch.setattr("rich.status.Status.update", lambda _, text: updates.append(str(text)))
    entries = [Gap(time="[/b]\x1b", why="lost") for _ in range(5)]
    with shown_reading(entries) as watched:
        assert list(watched) == entries
    assert updates == [f"{number} entries, until [/b]\\x1b" for number in (2, 4)]  # and no markup


@pytest.mark.parametrize("wanted", [True, False])
def test_entries_are_read_as_they_are_where_nobody_waits(monkeypatch: pytest.MonkeyPatch, *, wanted: bool) -> None:
    stream = io.StringIO() if wanted else Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    entries = [Gap(time="", why="lost")]
    with shown_reading(entries, wanted=wanted) as watched:
        assert watched is entries
    assert stream.getvalue() == ""
