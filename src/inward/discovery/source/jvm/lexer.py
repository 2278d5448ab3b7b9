"""Java and Kotlin as tokens: enough to find annotations, classes and constants, and no more.

Comments are dropped. A text with a template in it (`"$base/x"`, Kotlin) is no constant, and `Token.plain` is false. The
lexer is one pass over one regular expression: linear, and without recursion. What it does not know is a sign by itself.

Sources: Java Language Specification chapter 3; Kotlin's grammar, lexical part.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*|/\*(?:[^*]|\*(?!/))*(?:\*/|\Z))
    |(?P<block>\"\"\"(?:[^"\\]|\\.|"(?!""))*(?:\"\"\"|\Z))
    |(?P<text>"(?:[^"\\\n]|\\.)*(?:"|(?=\n)|\Z))
    |(?P<char>'(?:[^'\\\n]|\\.){1,10}')
    |(?P<name>[A-Za-z_$][\w$]*|`[^`\n]*`)
    |(?P<number>[0-9][\w.]*)
    |(?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u+[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "s": " ", "0": "\0"}
_TEMPLATE = re.compile(r"(?<!\\)\$(?:[A-Za-z_]|\{)")


class Token(NamedTuple):
    """One token: `kind` is `name`, `text`, `number`, `char` or `sign`; of a text, `value` is what it stands for."""

    kind: str
    value: str
    line: int
    plain: bool = True


def tokens(source: str, *, kotlin: bool = False) -> Iterator[Token]:
    """Yield the tokens of a source file."""
    line = 1
    for found in _TOKEN.finditer(source):
        kind, text = found.lastgroup or "sign", found[0]
        if kind == "block":
            yield Token("text", text[3:].removesuffix('"""'), line, not (kotlin and _TEMPLATE.search(text)))
        elif kind == "text":
            yield Token(
                "text",
                _ESCAPE.sub(_unescaped, text[1:].removesuffix('"')),
                line,
                not (kotlin and _TEMPLATE.search(text)),
            )
        elif kind == "name":
            yield Token("name", text.strip("`"), line)
        elif kind != "space":
            yield Token(kind, text, line)
        line += text.count("\n")


def _unescaped(found: re.Match[str]) -> str:
    escaped = found[1]
    if len(escaped) > 1:
        return chr(int(escaped.lstrip("u"), 16))
    return _ESCAPED.get(escaped, escaped)
