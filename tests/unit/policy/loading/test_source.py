from __future__ import annotations

import subprocess
import sys
import time

import cedarpy
import pytest

from inward.policy.loading.source import (
    MAX_BRACKETS,
    MAX_DEPTH,
    MAX_FILE_BYTES,
    MAX_MISTAKES,
    MAX_POLICIES,
    MAX_POLICY_CHARACTERS,
    Statement,
    parse_statements,
)

HEAD = "permit (principal, action, resource) when { "


def split(text: str) -> tuple[list[Statement], list[str]]:
    statements, mistakes = parse_statements(text.encode(), "policies/orders.cedar")
    return statements, [str(mistake) for mistake in mistakes]


def test_one_policy_per_statement_with_the_line_of_its_first_token() -> None:
    text = (
        '\n// one\n@id("a")\npermit (principal, action, resource);\n\n  forbid (principal,\n action, resource);// end'
    )
    statements, mistakes = split(text)
    assert mistakes == []
    assert [(statement.line, statement.text) for statement in statements] == [
        (3, '@id("a")\npermit (principal, action, resource);'),
        (6, "forbid (principal,\n action, resource);"),
    ]
    assert all(text[statement.start : statement.end] == statement.text for statement in statements)


def test_two_policies_on_one_line_and_windows_line_ends() -> None:
    statements, mistakes = split(
        "// x\r\npermit (principal, action, resource); forbid (principal, action, resource);\r\n"
    )
    assert mistakes == []
    assert [statement.line for statement in statements] == [2, 2]


@pytest.mark.parametrize(
    "inside",
    [
        '"; // no comment"',
        r'"a \" ; b"',
        r'"\\"',
        '"line\nbreak;"',
        "/* no comment in Cedar */",
        "// a comment; with a semicolon\n",
        '// a comment with a " quote\n',
        '"//"',
    ],
)
def test_semicolons_end_a_policy_only_outside_strings_and_comments(inside: str) -> None:
    text = f"permit (principal, action, resource) when {{ {inside} }};\nforbid (principal, action, resource);"
    statements, mistakes = split(text)
    assert mistakes == []
    assert [statement.text[:6] for statement in statements] == ["permit", "forbid"]
    assert inside in statements[0].text


def test_splitting_agrees_with_cedar_on_where_policies_end() -> None:
    text = "\n".join(
        f'@id("p{n}") // it; is "fine"\npermit (principal, action, resource) when {{ "a;//{n}" == "\\"" }};'
        for n in range(50)
    )
    statements, _ = split(text)
    assert len(statements) == len(cedarpy.PolicySet.from_str(text)) == 50
    assert all(len(cedarpy.PolicySet.from_str(statement.text)) == 1 for statement in statements)


@pytest.mark.parametrize("text", ["", "\n\n", "// nothing but a comment", "// a\n// b\n"])
def test_a_file_without_policies_is_fine(text: str) -> None:
    assert split(text) == ([], [])


@pytest.mark.parametrize(
    ("data", "mistake"),
    [
        (b"permit\n(\x00);", "policies/orders.cedar:2: the character U+0000, which cannot be seen in a review"),
        ("// \u202e;".encode(), "policies/orders.cedar:1: the character U+202E"),
        (b"// one\rpermit (principal, action, resource);", "policies/orders.cedar:1: the character U+000D"),
        ("\ufeff// bom".encode(), "policies/orders.cedar:1: the character U+FEFF"),
        (b"// a\n// \xff\n", "policies/orders.cedar:2: the byte 0xff is no UTF-8"),
        ("// \ud800".encode("utf-8", "surrogatepass"), "policies/orders.cedar:1: the byte 0xed is no UTF-8"),
        (b'\npermit when {\n "a };', "policies/orders.cedar:3: a string that does not end"),
        (b"\n\npermit (principal, action, resource)", "policies/orders.cedar:3: a policy that does not end"),
        (b"\n ; ", "policies/orders.cedar:2: a `;` without a policy"),
    ],
)
def test_what_is_refused(data: bytes, mistake: str) -> None:
    statements, mistakes = parse_statements(data, "policies/orders.cedar")
    assert statements == []
    assert len(mistakes) == 1
    assert str(mistakes[0]).startswith(mistake)


def test_what_is_refused_does_not_hide_the_other_policies() -> None:
    deep = HEAD + "(" * 10_000 + "true" + ")" * 10_000 + " };"
    long = HEAD + '"' + "a" * MAX_POLICY_CHARACTERS + '" == "" };'
    statements, mistakes = split(f"forbid (principal, action, resource);\n{deep}\n{long}\npermit (a);")
    assert [statement.line for statement in statements] == [1, 4]
    assert mistakes == [
        f"policies/orders.cedar:2: brackets nested more than {MAX_BRACKETS} deep (split it into several)",
        f"policies/orders.cedar:3: a policy of more than {MAX_POLICY_CHARACTERS:,} characters (split it into several)",
    ]


def test_a_file_that_is_too_large() -> None:
    statements, mistakes = parse_statements(b" " * (MAX_FILE_BYTES + 1), "guardrails.cedar")
    assert statements == []
    assert [str(mistake) for mistake in mistakes] == ["guardrails.cedar: a file of more than 16,777,216 bytes"]


def _nested(count: int, start: str, step: str) -> str:
    for _ in range(count):
        start = step.replace("_", start, 1)
    return HEAD + start + " };"


# Each of these either kills the process (its stack overflows) or takes minutes when Cedar is given it.
DANGEROUS = {
    "brackets": _nested(10_000, "true", "(_)"),
    "sets": _nested(10_000, "", "[_]"),
    "records": _nested(3_000, "1", "{a: _}"),
    "and": HEAD + " && ".join(["true"] * 20_000) + " };",
    "plus": HEAD + "+".join(["1"] * 20_000) + " == 1 };",
    "attributes": HEAD + "context" + ".a" * 20_000 + " };",
    "indices": HEAD + "context" + '["a"]' * 20_000 + " };",
    "calls": HEAD + "[1]" + ".contains(1)" * 10_000 + " };",
    "else": HEAD + "if true then true else " * 10_000 + "true };",
    "has": HEAD + "context has " + ".".join(["a"] * 10_000) + " };",
    "nested has": _nested(12, "context", "(if _ has a.a.a then context else context)"),
    "nested is": _nested(25, "principal", '(if _ is Service in Group::"a" then principal else principal)'),
    "not": HEAD + "!(" * 5_000 + "true" + ")" * 5_000 + " };",
    "chains on chains": _nested(40, "true", "(_)" + " && true" * 200),
    "indices of indices": _nested(10, "context", "context[_]" + '["a"]' * 200),
    "mixed": _nested(5_000, "true", "{a: [if (_) then 1 else 2]}"),
}


@pytest.mark.parametrize("name", DANGEROUS)
def test_what_would_overflow_cedars_stack_is_refused_before_it_gets_there(name: str) -> None:
    statements, mistakes = split(DANGEROUS[name])
    assert statements == []
    assert len(mistakes) == 1


def test_such_text_really_kills_the_process_so_that_the_limit_is_needed() -> None:
    program = "import sys, cedarpy; cedarpy.PolicySet.from_str(sys.stdin.read())"
    run = subprocess.run(
        [sys.executable, "-c", program], input=DANGEROUS["brackets"], text=True, check=False, capture_output=True
    )
    assert run.returncode < 0


# As deep as is let through: it must not kill the process, nor take long.
LEVELS = MAX_DEPTH - 8
BARELY = {
    "brackets": _nested(MAX_BRACKETS - 2, "true", "(_)"),
    "records": _nested(MAX_BRACKETS - 2, "1", "{a: _}"),
    "ifs in brackets": _nested(MAX_BRACKETS - 2, "true", "(if true then _ else true)"),
    "and": HEAD + " && ".join(["true"] * LEVELS) + " };",
    "attributes": HEAD + "context" + ".a" * LEVELS + " };",
    "else": HEAD + "if true then true else " * LEVELS + "true };",
    "calls": HEAD + "[1]" + ".contains(1)" * LEVELS + " };",
    "indices": HEAD + "context" + '["a"]' * LEVELS + " };",
    "has": HEAD + "context has " + ".".join(["a"] * 90) + " };",
    "nested has": _nested(5, "context", "(if _ has a.a.a then context else context)"),
    "chains on chains": _nested(MAX_BRACKETS - 2, "true", "(_) && true && true && true"),
}


def test_what_is_let_through_is_safe_to_give_to_cedar() -> None:
    for name, text in BARELY.items():
        assert split(text)[1] == [], name
    program = """if True:
        import sys, cedarpy
        for text in sys.stdin.read().split("\\0"):
            try:
                cedarpy.PolicySet.from_str(text).to_pst()
            except ValueError:
                pass  # cedarpy's own limit, or no policy that makes sense
    """
    run = subprocess.run(
        [sys.executable, "-c", program],
        input="\0".join(BARELY.values()),
        text=True,
        check=False,
        capture_output=True,
        timeout=60,
    )
    assert (run.returncode, run.stderr) == (0, "")


def test_a_large_set_or_a_long_condition_is_no_nesting() -> None:
    many = ", ".join(f'Action::"orders:op{n}"' for n in range(2_000))
    long = " || ".join(f'context.path.id == "{n}"' for n in range(95))
    assert split(f"permit (principal, action in [{many}], resource) when {{ {long} }};")[1] == []


def test_mistakes_of_one_file_are_bounded() -> None:
    statements, mistakes = split(";" * 100_000)
    assert statements == []
    assert len(mistakes) == MAX_MISTAKES


@pytest.mark.parametrize(
    "text",
    ['"' * 100_001, "(" * 1_000_000, '"' + "a" * 1_000_000, "//" * 1_000_000, "\\" * 1_000_000, '"\\' * 1_000_000],
)
def test_garbage_takes_linear_time(text: str) -> None:
    started = time.process_time()
    split(text)
    assert time.process_time() - started < 5


def test_a_hundred_thousand_lines_take_seconds() -> None:
    policy = '@id("a")\n@reason("b")\npermit (\n  principal,\n  action,\n  resource\n)\nwhen {\n  true\n};\n'
    started = time.process_time()
    statements, mistakes = split(policy * 10_000)
    assert time.process_time() - started < 5
    assert (len(statements), mistakes, statements[-1].line) == (10_000, [], 99_991)


def test_a_deceptive_string_is_a_mistake_with_its_line_and_others_are_found_too() -> None:
    scope = "permit (principal, action, resource);"
    found = split(f'// \u0430b is only a comment\n@reason("x\n\u0430b") {scope}\n@reason("c\u00a0d") {scope}')[1]
    like = "the character U+0430, which looks like a Latin letter in a word of Latin ones"
    unseen = "the character U+00A0, which cannot be seen in a review"
    assert found == [
        rf"policies/orders.cedar:3: {like} (in a string, write \u{{430}})",
        rf"policies/orders.cedar:4: {unseen} (take it out; in a string, write \u{{a0}})",
    ]


def test_policies_of_one_file_are_bounded() -> None:
    statements, mistakes = split("a;\n" * (MAX_POLICIES + 2))
    assert len(statements) == MAX_POLICIES
    [mistake] = mistakes
    assert mistake.startswith(f"policies/orders.cedar:{MAX_POLICIES + 1}: more than {MAX_POLICIES:,} policies")
