"""Path templates: what they match, what they refuse, and the order in which they are tried."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from inward.catalog.template import MAX_LENGTH, InvalidTemplateError, PathTemplate, plain_spelling

# Few characters, so that literals and values meet often; `%2A` and `A` can be confused by a careless cut.
PIECES = st.sampled_from(["a", "b", "A", ".", "-", ":", "%2A", "%c3%A9", "2A"])
LITERALS = st.lists(PIECES, min_size=1, max_size=3).map("".join).filter(lambda text: text not in {".", ".."})


@st.composite
def templates(draw: st.DrawFn) -> PathTemplate:
    number = iter(range(100))
    variables = st.builds(lambda: f"{{v{next(number)}}}")
    segments = st.lists(LITERALS | variables, min_size=1, max_size=5).map("".join)
    text = "/" + "/".join(draw(st.lists(segments, min_size=1, max_size=4)))
    return PathTemplate(re.sub(r"/\.\.?(?=/|$)", "/x", text) + draw(st.sampled_from(["", "/"])))


@st.composite
def templates_and_paths(draw: st.DrawFn) -> tuple[PathTemplate, str]:
    template = draw(templates())
    values = st.lists(PIECES | st.sampled_from(["%2f", "%", ";", "/", ""]), min_size=1, max_size=4).map("".join)
    return template, re.sub(r"\{[^}]*\}", lambda _: draw(values), template.text) + draw(
        st.sampled_from(["", "", "/", "\n"])
    )


def by_regex(template: PathTemplate, path: str) -> dict[str, str] | None:
    found = re.fullmatch(template.regex, path, re.ASCII)
    return dict(zip(template.variables, found.groups(), strict=True)) if found else None


@settings(deadline=None)  # the machine may be busy
@given(templates_and_paths())
@example((PathTemplate("/{a}{b}"), "/%2A%2A"))
@example((PathTemplate("/{a}{b}"), "/a%c3%A9"))
@example((PathTemplate("/{a}2A{b}"), "/x%2A2Ay"))
@example((PathTemplate("/{a}...{b}"), "/......."))
@example((PathTemplate("/a{x}a"), "/a"))
def test_matching_is_what_the_regular_expression_says(case: tuple[PathTemplate, str]) -> None:
    template, path = case
    assert template.match(path) == by_regex(template, path)


@settings(deadline=None)  # the machine may be busy
@given(templates(), templates())
def test_a_template_that_matches_less_comes_first(one: PathTemplate, other: PathTemplate) -> None:
    # `other` matches `one` with a fresh character for its variables: then it matches all of `one`.
    fresh = re.sub(r"\{[^}]*\}", "~", one.text)
    if other.match(fresh) is not None:
        assert one.specificity <= other.specificity


@settings(deadline=None)  # the machine may be busy
@given(templates(), templates())
def test_equal_keys_are_equal_patterns(one: PathTemplate, other: PathTemplate) -> None:
    assert (one.specificity == other.specificity) == (one.regex == other.regex)


def test_the_order_is_literal_then_mixed_then_variable_from_left_to_right() -> None:
    texts = ["/a/b/{y}", "/a/{x}.json/c", "/a/{x}.js/c", "/a/{x}{y}/c", "/a/{x}/c", "/{z}/b/c"]
    assert sorted({*texts}, key=lambda text: PathTemplate(text).specificity) == texts


@pytest.mark.parametrize(
    ("template", "path", "values"),
    [
        ("/", "/", {}),
        ("/orders/{id}", "/orders/42", {"id": "42"}),
        ("/orders/{id}/lines:batch", "/orders/4%202/lines:batch", {"id": "4%202"}),
        ("/compare/{base}...{head}", "/compare/main...v1.2", {"base": "main", "head": "v1.2"}),
        ("/orders/", "/orders/", {}),
        ("/a.b", "/a.b", {}),
        ("/f(x='{v}')", "/f(x='1')", {"v": "1"}),
    ],
)
def test_what_matches(template: str, path: str, values: dict[str, str]) -> None:
    assert PathTemplate(template).match(path) == values
    assert by_regex(PathTemplate(template), path) == values


@pytest.mark.parametrize(
    "path",
    [
        *("", "?", "/orders", "/orders/", "/orders/1/", "/orders/1/2", "//orders/1", "orders/1", "/Orders/1"),
        *(
            "/orders/1;x=y",
            "/orders/1?x",
            "/orders/1#x",
            "/orders/1\n",
            "/orders/a b",
            "/orders/é",
            "/orders/a\\b",
        ),
        *("/orders/a%2fb", "/orders/a%2Fb", "/orders/a%5cb", "/orders/a%3bb", "/orders/%2e%2E"),
        *(
            "/orders/%00",
            "/orders/%0a",
            "/orders/%1F",
            "/orders/%7f",
            "/orders/%",
            "/orders/%4",
            "/orders/%zz",
        ),
        *("/orders/%c0%af", "/orders/%C1%81", "/orders/%f5", "/orders/%FF"),
    ],
)
def test_what_a_variable_does_not_take(path: str) -> None:
    assert PathTemplate("/orders/{id}").match(path) is None
    assert by_regex(PathTemplate("/orders/{id}"), path) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("orders", "does not start with a slash"),
        ("", "does not start with a slash"),
        ("/a?x={y}", "holds one of"),
        ("/a#b", "holds one of"),
        ("/a;b", "holds one of"),
        ("/a\\b", "holds one of"),
        ("/a/{id", "do not pair"),
        ("/a/id}", "do not pair"),
        ("/a/{}", "do not pair"),
        ("/a/{{id}}", "do not pair"),
        ("/a/{b/c}", "do not pair"),
        ("/{id}/{id}", "names a variable twice"),
        ("/a//b", "empty segment"),
        ("//", "empty segment"),
        ("/a/./b", "has the segment `.`"),
        ("/a/..", "has the segment `..`"),
        ("/a b", "cannot hold"),
        ("/a/é", "cannot hold"),
        ("/a\x00", "cannot hold"),
        ("/a\n", "cannot hold"),
        ("/a%2Fb", "cannot hold"),
        ("/a%2e", "cannot hold"),
        ("/100%", "cannot hold"),
        ('/{"}', "awkward name"),
        ("/{größe}", "awkward name"),
        ("/{a\x1b}", "awkward name"),
        ("/" + "a" * MAX_LENGTH, "characters"),
    ],
)
def test_what_is_no_template(text: str, why: str) -> None:
    with pytest.raises(InvalidTemplateError, match=re.escape(why)):
        PathTemplate(text)


def test_matching_takes_linear_time() -> None:
    template = PathTemplate("/" + "-".join(f"{{v{number}}}" for number in range(12)) + "x")
    path = "/" + "-" * 60_000
    begun = time.process_time()
    assert template.match(path) is None
    assert template.match(path + "x") is not None
    assert time.process_time() - begun < 1  # a backtracking matcher would take longer than the universe


def test_the_static_prefix_is_the_text_before_the_first_variable() -> None:
    assert PathTemplate("/orders/x{id}/y").static_prefix == "/orders/x"
    assert PathTemplate("/orders").static_prefix == "/orders"


@pytest.mark.parametrize("text", ["/" + ":" * 2000, "/" + "%C3%A9" * 300, "/{x}" + "@" * 500])
def test_every_template_has_its_other_spellings(text: str) -> None:
    respelled = PathTemplate(text).respelled
    assert respelled is not None
    for path in (text, text.lower(), text.replace(":", "%3A").replace("@", "%40")):
        assert re.fullmatch(respelled.regex, path.replace("{x}", "7"))


@given(
    # no hexadecimal digits: the expression finds those in encoded characters too, which refuses a little more
    st.lists(st.sampled_from(["x", ":", "%3A", "{}", "{}:", "/"]), min_size=1, max_size=6),
    st.lists(st.sampled_from(["x", "y", ":", "%3a", ";", "%0A", "%3Ax", "/", "{"]), max_size=8),
)
def test_resembling_is_what_the_regular_expression_says(pieces: list[str], texts: list[str]) -> None:
    text = "/" + "".join(piece.replace("{}", f"{{v{number}}}") for number, piece in enumerate(pieces))
    try:
        template = PathTemplate(text)
    except InvalidTemplateError:
        return
    path = "/" + "".join(texts)
    texts = plain_spelling(path)[1:].split("/")
    by_expression = re.fullmatch(template.resembling.regex, path) is not None
    if "}{" in text:  # it gives a part of an encoded character to each of two variables, and so refuses a little more
        assert by_expression or not template.resembles(texts)
    else:
        assert template.resembles(texts) is by_expression
