from __future__ import annotations

import itertools
import re
import time

import cedarpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.policy.authoring.files import files

from inward.errors import InvalidSystemError
from inward.policy.authoring.layout import MAX_CHARACTERS, LayoutRefusedError, lay_out, lay_out_policy
from inward.policy.loading.source import parse_statements

FILE = "policies/orders.cedar"
COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"|(//[^\n]*)')


def laid_out(text: str) -> str:
    return lay_out(text.encode(), FILE).decode()


def said(text: str) -> tuple[object, list[str]]:
    """What a file says: the tree of each policy, the order of its annotations, the comments."""
    statements, mistakes = parse_statements(text.encode(), FILE)
    assert mistakes == []
    trees = [
        (tree, re.findall(r"(?<![\"(])@([a-z]+) *\(", statement.text))
        for statement in statements
        for tree in cedarpy.policies_to_pst(statement.text).static_policies.values()
    ]
    return trees, [found[1].rstrip() for found in COMMENT.finditer(text) if found[1]]


def test_a_policy_is_laid_out_as_cedar_does() -> None:
    before = '@id("a")@reason("b")permit(principal==Service::"x",action,resource)when{1<2&&context.path.id=="y"};'
    assert (
        laid_out(before)
        == """\
@id("a")
@reason("b")
permit (
  principal == Service::"x",
  action,
  resource
)
when { 1 < 2 && context.path.id == "y" };
"""
    )


def test_a_grant_on_objects_is_laid_out_like_any_other() -> None:
    before = '@id("a")@reason("b")permit(principal,action,resource is Order in Zone::"core")when{resource has tags};'
    expected = """\
@id("a")
@reason("b")
permit (
  principal,
  action,
  resource is Order in Zone::"core"
)
when { resource has tags };
"""
    assert laid_out(before) == laid_out(expected) == expected


def test_what_stands_between_policies_keeps_its_lines_and_stands_apart_where_it_did() -> None:
    policy = "permit (principal, action, resource);"
    before = f"\n\n// head\n\n\n\n// of the next\n{policy}//end\n   // of this one  \n\n// alone\n\n{policy}{policy}\n"
    before += f"// close to both\n{policy}\n\n\n// last\n\n"
    assert laid_out(before) == "\n".join(
        [
            "// head",
            "",
            "// of the next",
            f"{policy} //end",
            "// of this one",
            "",
            "// alone",
            "",
            policy,
            "",
            policy,
            "",
            "// close to both",
            policy,
            "",
            "// last",
            "",
        ]
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [("", ""), (" \n\n", ""), ("// a", "// a\n"), ("\n// a \n\n\n// b\n", "// a\n\n// b\n"), ("// a\r\n", "// a\r\n")],
)
def test_a_file_without_policies(before: str, after: str) -> None:
    assert laid_out(before) == after


def test_line_ends_are_the_files_but_a_string_keeps_its_own() -> None:
    head = "permit (principal, action, resource)"
    assert laid_out(f"// a\r\n{head}; // b\r\n") == f"// a\r\n{head}; // b\r\n"
    assert laid_out(f'// a\r\n{head} when {{ "x  \ny" == "" }};') == f'// a\r\n{head}\r\nwhen {{ "x  \ny" == "" }};\r\n'


def test_no_comment_is_lost_behind_a_comma_that_may_go() -> None:
    before = (
        'permit (principal, action in [Action::"a", // one\nAction::"b", // two\n], // three\nresource,) // four\n;'
    )
    assert [word for word in ("// one", "// two", "// three", "// four") if word not in laid_out(before)] == []


@given(files(["checkout", "reporting"], ["orders:getOrder", "orders:createOrder"]))
@settings(deadline=None, max_examples=80)
def test_only_the_look_changes_and_only_once(text: str) -> None:
    once = laid_out(text)
    assert said(once) == said(text)
    assert laid_out(once) == once
    assert ("\r\n" in once) <= ("\r\n" in text)
    assert re.search(r"[ \t]\r?\n|\n(\r?\n){2}|\A\s|\n\r?\n\Z|[^\n]\Z", once) is None


@given(st.text(alphabet=' \n\t\r/"\\;(){}[]@,.=&|!ab01permitprincipalactionresourcewhen', max_size=200))
@settings(deadline=None, max_examples=300)
def test_any_text_is_laid_out_or_refused(text: str) -> None:
    try:
        once = laid_out(text)
    except (InvalidSystemError, LayoutRefusedError):
        return
    assert laid_out(once) == once


def test_what_cannot_be_read_comes_with_every_mistake() -> None:
    with pytest.raises(InvalidSystemError) as caught:
        laid_out("permit (principal, action, resource);\n\npermit (nonsense);\n ;\npermit (")
    assert [str(mistake.place) for mistake in caught.value.mistakes] == [f"{FILE}:{line}" for line in (3, 4, 5)]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("// comment", ""),
        ("// comment", "// commend"),
        ("checkout", "reporting"),
        ("permit", "forbid"),
        ('@id("a")\n@reason("b")', '@reason("b")\n@id("a")'),
        (";", ""),
        ("Service", "Service\0"),
    ],
)
def test_a_formatter_that_changes_more_than_the_look_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, right: str, wrong: str
) -> None:
    text = '@id("a") @reason("b") // comment\npermit (principal == Service::"checkout", action, resource);'
    honest = laid_out(text).rstrip("\n")
    assert right in honest
    monkeypatch.setattr(cedarpy, "format_policies", lambda *_: honest.replace(right, wrong))
    with pytest.raises(LayoutRefusedError, match=FILE):
        laid_out(text)
    assert lay_out_policy(text) == text


def test_a_formatter_that_never_settles_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    honest, more = cedarpy.format_policies, itertools.count(1)
    monkeypatch.setattr(
        cedarpy, "format_policies", lambda text, *_: honest(text).replace("permit", "permit" + " " * next(more))
    )
    with pytest.raises(LayoutRefusedError, match=f"{FILE}:2: "):
        laid_out("\npermit (principal, action, resource) // x\n;")


def test_a_policy_on_which_the_formatter_would_sit_is_named() -> None:
    many = ", ".join(f'Action::"orders:operation{number}"' for number in range(MAX_CHARACTERS // 20))
    started = time.process_time()
    with pytest.raises(LayoutRefusedError, match=f"{FILE}:2: a policy of more than"):
        laid_out(f"// a\npermit (principal, action in [{many}], resource);")
    assert time.process_time() - started < 5


def test_the_time_grows_with_the_file_and_no_faster() -> None:
    policy = '// c\n@id("a") @reason("b") permit (principal, action, resource) when { context.path.id == "x" };\n'
    started = time.process_time()
    assert laid_out(policy * 3_000).count("// c\n") == 3_000  # given to Cedar as one text: 18 seconds
    assert time.process_time() - started < 12
