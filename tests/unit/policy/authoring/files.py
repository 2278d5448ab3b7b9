"""Policy files of the shop as people leave them: comments everywhere, odd spaces, either line end, hostile strings."""

from __future__ import annotations

from hypothesis import strategies as st

_WORDS = st.sampled_from(["why", "; not the end", 'a " quote', "{ ( [", "é 中", "//", '@id("x")', "permit", "\\", ""])
_SPACE = st.sampled_from([" ", "  ", "\t", "\n", "\n\n", " \n  "])
_STRINGS = ["//", ";", "}; permit (", 'a \\" b', "\\\\", "é", "*", "{[("]


@st.composite
def _comment(draw: st.DrawFn) -> str:
    return f"// {draw(_WORDS)}{draw(st.sampled_from(['', ' ', '  ']))}\n"


@st.composite
def _gap(draw: st.DrawFn) -> str:
    """What may stand between two tokens: spaces, now and then a comment."""
    if draw(st.integers(0, 9)):
        return draw(st.sampled_from([" ", " ", " ", "\n", "\n  ", "\t"]))
    return draw(_SPACE) + draw(_comment()) + draw(st.sampled_from(["", " ", "\n"]))


@st.composite
def statements(draw: st.DrawFn, identifier: str, callers: list[str], operations: list[str]) -> str:
    """One policy of the file of `orders`, with anything between its tokens."""
    caller = draw(st.sampled_from(callers))
    names = draw(st.lists(st.sampled_from(operations), min_size=1, max_size=3, unique=True))
    listed = [token for name in names for token in (f'Action::"{name}"', ",")]
    if not draw(st.booleans()):
        listed.pop()  # the last comma may stand
    text = draw(st.sampled_from(_STRINGS))
    tokens = [f'@id("{identifier}")', f'@reason("{text}")']
    if draw(st.booleans()):
        tokens.insert(draw(st.integers(0, 2)), '@expires("2090-01-01")')
    tokens += [draw(st.sampled_from(["permit", "permit", "forbid"])), "("]
    tokens += ["principal", "==", f'Service::"{caller}"', ",", "action", "in", "[", *listed, "]", ","]
    tokens += ["resource", "==", 'Service::"orders"', ")"]
    for kind in draw(st.lists(st.sampled_from(["when", "unless"]), max_size=2)):
        first, second = draw(st.sampled_from(['"a"', f'"{text}"'])), f'"{draw(st.sampled_from(_STRINGS))}"'
        tokens += [kind, "{", first, "==", second, "&&", "!", "(", "[", "1", ",", "2", "]", ".", "contains", "("]
        tokens += ["1", ")", ")", "}"]
    tokens.append(";")
    parts = [tokens[0]]
    for token in tokens[1:]:
        parts += [draw(_gap()), token]
    return "".join(parts)


@st.composite
def files(draw: st.DrawFn, callers: list[str], operations: list[str]) -> str:
    """A policy file of `orders`; its policies are called `p0`, `p1` and so on."""
    outside = st.lists(st.one_of(_SPACE, _comment()), max_size=4).map("".join)
    parts = [draw(outside)]
    for number in range(draw(st.integers(0, 4))):
        parts += [draw(statements(f"p{number}", callers, operations)), draw(outside)]
    if draw(st.booleans()):
        parts.append(draw(st.sampled_from(["// no line end", ""])))
    text = "".join(parts)
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text
