from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from inward.cli.output import (
    Table,
    option_for,
    print_error,
    print_event,
    print_json,
    print_line,
    printable,
    printable_lines,
)
from inward.control.run.events import Event
from inward.errors import BadInputError, InvalidSystemError, Mistake, Place

if TYPE_CHECKING:
    from pathlib import Path


@given(st.text())
def test_printable_is_one_line_without_controls(text: str) -> None:
    assert printable(text).isprintable()


@given(st.text(alphabet=st.characters(whitelist_categories=["L", "N", "P", "Zs"], max_codepoint=0x2000)))
def test_what_can_be_seen_stays_as_it_is(text: str) -> None:
    assert (
        "".join(character for character in text if character.isprintable()) in printable(text) or not text.isprintable()
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\nb", r"a\nb"), ("\x1b[2J", r"\x1b[2J"), ("\u202eevil", r"\u202eevil"), ("\udcff", r"\udcff"), ("é→", "é→")],
)
def test_how_it_is_shown(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_lines_keep_their_ends() -> None:
    assert printable_lines("a\tb\nc\x1b\r") == "a\tb\nc\\x1b\\r"


def test_columns_line_up_and_grow(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(["name", "n"], right=(1,))
    table.add([["a", "1"], ["bcdefg", "20"]])
    table.add([["h", Text("3")]])
    assert capsys.readouterr().out.splitlines() == ["name     n", "a        1", "bcdefg  20", "h        3"]


def test_columns_can_begin_wide(capsys: pytest.CaptureFixture[str]) -> None:
    Table(["a", "b"], widths=(5,)).add([["x", "y"]])
    assert capsys.readouterr().out.splitlines() == ["a      b", "x      y"]


def test_wide_characters_count_twice(capsys: pytest.CaptureFixture[str]) -> None:
    Table(["a", "b"]).add([["茶", "x"], ["a", "y"]])
    assert capsys.readouterr().out.splitlines() == ["a   b", "茶  x", "a   y"]


def test_an_empty_table_has_no_headings(capsys: pytest.CaptureFixture[str]) -> None:
    Table(["a"]).add([])
    assert capsys.readouterr().out == ""


def test_long_lines_are_not_wrapped_and_markup_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    print_line("[bold]" + "x" * 500 + ":smile:")
    assert capsys.readouterr().out == "[bold]" + "x" * 500 + ":smile:\n"


def test_errors_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(BadInputError("a\x1bb", hint="do it"))
    place = Place("inward.yaml", 3)
    print_error(InvalidSystemError([Mistake(place, "second", "h"), Mistake(Place("inward.yaml", 1), "first")]))
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == ["inward: a\\x1bb (do it)", "inward.yaml:1: first", "inward.yaml:3: second (h)"]


def test_json_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": "b\nc"})
    assert capsys.readouterr().out == '{"a":"b\\nc"}\n'


def test_events(capsys: pytest.CaptureFixture[str]) -> None:
    print_event(Event("ready", "it is", {"n": 1}), as_json=True)
    print_event(Event("ready", "it is"), as_json=False)
    print_event(Event("mistakes", "two:\n  one\n  other\x1b"), as_json=False)
    printed = capsys.readouterr()
    assert printed.out == '{"event":"ready","text":"it is","n":1}\nit is\n'
    assert printed.err == "two:\n  one\n  other\\x1b\n"


def test_suggested_commands_name_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a b").mkdir()
    from pathlib import Path as P  # noqa: N817, PLC0415 - the type is only for annotations above

    assert option_for(P()) == ""
    assert option_for(tmp_path) == ""
    assert option_for(P("a b")) == " --system 'a b'"
