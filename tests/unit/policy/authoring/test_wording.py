from __future__ import annotations

from typing import Literal

import cedarpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inward.errors import Place
from inward.policy.authoring.wording import clauses_of, cut, quoted, with_constraint, with_id, without_action
from inward.policy.model import Policy


def policy(clauses: str) -> Policy:
    text = f'@id("when {{ a && b }}") @reason("r") permit (principal, action, resource) {clauses};'
    (tree,) = cedarpy.policies_to_pst(text).static_policies.values()
    return Policy("p", "permit", "why", None, "orders", Place("x", 1), text, tree)


@pytest.mark.parametrize(
    ("clauses", "expected"),
    [
        ("", []),
        ("when { true }", [("when", ["true"])]),
        (
            'when { context.a == 1 && context has b.c && (context.d || true) && "&&" == context.e }',
            [("when", ["context.a == 1", "context has b.c", "(context.d || true)", '"&&" == context.e'])],
        ),
        ("when { context.a && context.b || context.c }", [("when", ["context.a && context.b || context.c"])]),
        (
            "when { if context.a then true && false else true && true }",
            [("when", ["if context.a then true && false else true && true"])],
        ),
        (
            "unless { context.a || context.b && context.c }",
            [("unless", ["context.a", "context.b && context.c"])],
        ),
        ("unless { context.a && context.b }", [("unless", ["context.a && context.b"])]),
        (
            'when { // if { && \n context.a\n // and\n && context.b\n } unless {"} when {" == context.x }when { true }',
            [("when", ["context.a", "context.b"]), ("unless", ['"} when {" == context.x']), ("when", ["true"])],
        ),
        ("when { (true && false) && {a: true && true}.a }", [("when", ["(true && false)", "{a: true && true}.a"])]),
        ("when { !(true && false) && ![true, false].contains(true) }",
         [("when", ["!(true && false)", "![true, false].contains(true)"])]),
        (r'when { "\"&&" == context.a && context.a like "\*{" }',
         [("when", [r'"\"&&" == context.a', r'context.a like "\*{"'])]),
    ],
)  # fmt: skip
def test_clauses_are_taken_apart(clauses: str, expected: list[tuple[str, list[str]]]) -> None:
    assert [(clause.kind, list(clause.terms)) for clause in clauses_of(policy(clauses))] == expected


HEAD = 'permit (principal == Service::"a", '


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ('action in [Action::"x", Action::"y"], resource)', 'action in [Action::"y"], resource)'),
        ('action in [Action::"y", Action::"x"], resource)', 'action in [Action::"y"], resource)'),
        ('action in [Action::"y", Action::"x", Action::"z"], resource)',
         'action in [Action::"y", Action::"z"], resource)'),
        ('action in [Action::"x",Action::"y",Action::"x"], resource)', 'action in [Action::"y"], resource)'),
        (
            'action in [\n  Action::"y", // why y\n  Action::"x", // why x\n  Action::"z"\n], resource)',
            'action in [\n  Action::"y", // why y\n  // why x\n  Action::"z"\n], resource)',
        ),
        (
            'action in [\n  Action::"y", // why y\n  Action::"x"\n], resource)',
            'action in [\n  Action::"y" // why y\n], resource)',
        ),
        ('action in [\r\n  Action::"x",\r\n  Action::"y"\r\n], resource)',
         'action in [\r\n  Action::"y"\r\n], resource)'),
        (r'action in [Action::"\u{78}", Action::"y]"], resource)', 'action in [Action::"y]"], resource)'),
        ('action // in [\n in // [\n [Action::"x", Action::"y"], resource)',
         'action // in [\n in // [\n [Action::"y"], resource)'),
    ],
)  # fmt: skip
def test_an_action_is_taken_out_of_a_list(scope: str, expected: str) -> None:
    before = f'@reason("action in [Action::\\"x\\"]") {HEAD}{scope};'
    after = without_action(before, "x")
    assert after == before.replace(scope, expected)
    (tree,) = cedarpy.policies_to_pst(after).static_policies.values()
    assert "x" not in {uid.id for uid in cedarpy.pst.entity_uids(tree.action)}


@pytest.mark.parametrize(
    ("text", "part", "expected"),
    [
        ("a b c", "b", "a c"),
        ("a\n  b\nc", "b", "a\nc"),
        ("a\n  b", "b", "a\n"),
        ("b\nc", "b", "c"),
        ("a b\nc", "b", "a\nc"),
        ("a\r\nb\r\nc", "b", "a\r\nc"),
        ("b", "b", ""),
    ],
)
def test_a_part_is_cut_out_with_the_blanks_around_it(text: str, part: str, expected: str) -> None:
    start = text.index(part)
    assert cut(text, start, start + len(part)) == expected


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_quoted_text_is_what_cedar_reads(text: str) -> None:
    source = f"permit (principal, action, resource) when {{ context.a == {quoted(text)} }};"
    assert quoted(text).isprintable()
    (tree,) = cedarpy.policies_to_pst(source).static_policies.values()
    (clause,) = tree.clauses
    assert isinstance(clause.expr, cedarpy.pst.BinaryOp)
    assert clause.expr.right == cedarpy.pst.StringLit(text)


@pytest.mark.parametrize(
    ("part", "constraint", "scope"),
    [
        ("principal", 'principal == Service::"b"', 'principal == Service::"b", action in [A, B]'),
        ("action", 'action == Action::"x"', 'principal in Group::"g", action == Action::"x"'),
    ],
)
def test_a_part_of_a_scope_is_replaced(part: Literal["principal", "action"], constraint: str, scope: str) -> None:
    text = '@id("x, (") permit ({}, resource);'
    before = text.format('principal in Group::"g", action in [A, B]')
    assert with_constraint(before, part, constraint) == text.format(scope)


def test_a_comment_beside_a_part_of_a_scope_stays_and_one_within_keeps_it_from_being_replaced() -> None:
    text = "permit ( // who\n principal in // the\n Group::x, action, resource);"
    assert with_constraint(text, "principal", "principal") is None
    assert with_constraint(text, "action", "action == x") == text.replace("action", "action == x")


def test_an_id_is_replaced() -> None:
    text = '@reason("@id(no)") @id // this\n ( "a" ) permit (principal, action, resource);'
    assert with_id(text, 'b"') == text.replace('"a"', r'"b\""')
