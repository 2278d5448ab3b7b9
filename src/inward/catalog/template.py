r"""Path templates: `/orders/{id}` as one regular expression that Envoy (RE2) and Python read alike.

There is one home for the question "which path is that operation?", so that the enforcer, the decision point
and the explanations cannot differ. A variable takes one or more characters of one path segment, and none that
an application might take for a separator: no `/`, `\`, `;`, no encoded form of them or of `.`, no control
character, no malformed UTF-8.

Where several templates match one path, the most specific one is meant: `PathTemplate.specificity` is the
order in which they are tried, here and in Envoy's list of routes. It is total but for templates that match
exactly the same paths.

A literal such as `:batch` is matched as it is written, and nothing takes its other spellings (`%3Abatch`): an
application that decodes before it routes would take `/orders/7%3Acancel` for `/orders/{id}:cancel`, another one for
`/orders/{id}`. What could be meant by two templates in that way is no operation: see `PathTemplate.respelled`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from inward.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

# One character of a path segment: RFC 3986 pchar without `;`, percent-encoded ASCII without controls, `.`, `/`,
# `;` and `\`, and percent-encoded characters of well-formed UTF-8 (Unicode, table 3-7), which has no overlong ones.
_NEXT = r"%[89ABab][0-9A-Fa-f]"
_ASCII = r"%(?:2[0-9A-Da-d]|3[0-9ACDEFacdef]|[46][0-9A-Fa-f]|5[0-9ABDEFabdef]|7[0-9A-Ea-e])"
_UTF8 = (
    rf"%(?:[Cc][2-9A-Fa-f]|[Dd][0-9A-Fa-f]){_NEXT}"
    rf"|%(?:[Ee]0%[ABab]|[Ee][1-9A-Ca-c]%[89ABab]|[Ee][Dd]%[89]|[Ee][EFef]%[89ABab])[0-9A-Fa-f]{_NEXT}"
    rf"|%(?:[Ff]0%[9ABab]|[Ff][1-3]%[89ABab]|[Ff]4%8)[0-9A-Fa-f]{_NEXT}{_NEXT}"
)
SEGMENT = rf"(?:[A-Za-z0-9._~!$&'()*+,=:@-]|{_ASCII}|{_UTF8})+"
MAX_LENGTH = 2048  # characters of a template
_VARIABLE = re.compile(r"\{([^{}/]+)\}")
_NAME = re.compile(r"[ !#-z|~]+")  # of a variable: printable ASCII without `"`
_SEGMENT = re.compile(SEGMENT, re.ASCII)
_CONTINUES = re.compile(r"%[89ABab]")  # a byte of UTF-8 that is not the first of its character
_LONE_VARIABLE = ("", "")  # the literals around a variable that fills its segment
_DOT_SEGMENTS = frozenset({".", ".."})

# What Envoy leaves as it is written, encoded or not (RFC 3986 section 2.2); unreserved characters it decodes itself.
_RESPELLED = re.compile(r"%[0-9A-Fa-f]{2}|[!$&'()*+,=:@]")
_OFTEN_PLAIN = frozenset("!$&'()*+,=:@")

SegmentKey = tuple[int, int, int, str]


class InvalidTemplateError(BadInputError):
    """A path template cannot be used."""

    code = "invalid_template"


def _within_character(text: str, at: int) -> bool:
    """Return whether a place in a segment is inside of a percent-encoded byte, or of a character of several."""
    return "%" in text[max(0, at - 2) : at] or _CONTINUES.match(text, at) is not None


def plain_spelling(path: str) -> str:
    """Return a path, or a part of one, in one spelling for all that an application may decode alike."""
    return _RESPELLED.sub(lambda found: _plain(found[0]), path)


def _plain(character: str) -> str:
    decoded = chr(int(character[1:], 16)) if character.startswith("%") else character
    return decoded if decoded in _OFTEN_PLAIN else character.upper()


def _spellings(character: str) -> str:
    """Return a regular expression for one character of a literal, in every spelling."""
    plain = _plain(character)
    encoded = plain[1:] if plain.startswith("%") else f"{ord(plain):02X}"
    digits = "".join(digit if digit.isdigit() else f"[{digit}{digit.lower()}]" for digit in encoded)
    return f"%{digits}" if plain.startswith("%") else f"(?:{re.escape(plain)}|%{digits})"


@dataclass(frozen=True, slots=True)
class Segment:
    """What stands between two slashes of a template: the literals around its variables, one more of them."""

    literals: tuple[str, ...]

    @property
    def key(self) -> SegmentKey:
        """The order in which segments are tried; two segments that match the same texts have the same key.

        A literal comes first and a lone variable last. Between them, the more literal characters and then the
        more variables (each takes a character at least) the earlier: a segment whose texts another one
        matches too comes first.
        """
        literals = self.plain.literals
        if len(literals) == 1:
            return (0, 0, 0, literals[0])
        if literals == _LONE_VARIABLE:
            return (2, 0, 0, "")
        return (1, -sum(map(len, literals)), -len(literals), "{}".join(literals))

    @property
    def plain(self) -> Segment:
        """The segment with its literals in plain spelling."""
        return Segment(tuple(map(plain_spelling, self.literals)))

    def resembles(self, text: str) -> bool:
        """Return whether `text` is such a segment, whatever stands in the places of the variables; in linear time."""
        if len(self.literals) == 1:
            return text == self.literals[0]
        first, *middle, last = self.literals
        if not text.startswith(first):
            return False
        at = len(first)
        for literal in middle:
            at = text.find(literal, at + 1)
            if at < 0:
                return False
            at += len(literal)
        return at < len(text) - len(last) and text.endswith(last)

    def match(self, text: str) -> tuple[str, ...] | None:
        """Return the text of each variable, or None where `text` is another segment; in linear time.

        The variables take the same texts as the groups of the template's regular expression: earlier ones
        take all they can.
        """
        if self.literals == _LONE_VARIABLE:
            return (text,) if _SEGMENT.fullmatch(text) else None
        if len(self.literals) == 1:
            return () if text == self.literals[0] else None
        first, *middle, last = self.literals
        if not (text.startswith(first) and text.endswith(last)):
            return None
        rest = text[len(first) : max(len(first), len(text) - len(last))]
        if not _SEGMENT.fullmatch(rest):
            return None
        values: list[str] = []
        for literal in reversed(middle):
            at = rest.rfind(literal, 1, len(rest) - 1)
            while at > 0 and _within_character(rest, at):
                at = rest.rfind(literal, 1, at + len(literal) - 1)
            if at < 1:
                return None
            values.append(rest[at + len(literal) :])
            rest = rest[:at]
        return (rest, *reversed(values))


@dataclass(frozen=True)
class PathTemplate:
    """A path with variables, such as `/orders/{id}/lines:batch`; it starts with a slash and has no query."""

    text: str

    def __post_init__(self) -> None:
        if len(self.text) > MAX_LENGTH:
            raise InvalidTemplateError(f"a path of {len(self.text)} characters", hint=f"{MAX_LENGTH} at most")
        if not self.text.startswith("/"):
            raise InvalidTemplateError(f"the path `{self.text}` does not start with a slash")
        if any(character in self.text for character in "?#;\\"):
            raise InvalidTemplateError(f"the path `{self.text}` holds one of `?`, `#`, `;` and `\\`")
        rest = _VARIABLE.sub("", self.text)
        if "{" in rest or "}" in rest:
            raise InvalidTemplateError(f"the path `{self.text}` has braces that do not pair")
        names = self.variables
        if not all(_NAME.fullmatch(name) for name in names):
            raise InvalidTemplateError(
                f"the path `{self.text}` has a variable with an awkward name",
                hint="use printable ASCII characters without double quotes",
            )
        if len(set(names)) != len(names):
            raise InvalidTemplateError(f"the path `{self.text}` names a variable twice")
        self._check_literals()

    def _check_literals(self) -> None:
        """Refuse what no normalised path can hold: such an operation could never be reached."""
        *before, last = self.segments
        if Segment(("",)) in before:
            raise InvalidTemplateError(f"the path `{self.text}` has an empty segment", hint="write single slashes")
        for segment in (*before, last):
            if len(segment.literals) == 1 and segment.literals[0] in _DOT_SEGMENTS:
                raise InvalidTemplateError(f"the path `{self.text}` has the segment `{segment.literals[0]}`")
            for literal in segment.literals:
                if literal and not _SEGMENT.fullmatch(literal):
                    raise InvalidTemplateError(
                        f"the path `{self.text}` holds a character that a path cannot hold",
                        hint="percent-encode it, unless it is `/`, `\\`, `.` or a control character",
                    )

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """The variables' names, in the order of the path."""
        return tuple(_VARIABLE.findall(self.text))

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """What stands between the slashes; the last one is empty where the path ends with a slash."""
        return tuple(Segment(tuple(_VARIABLE.split(text)[::2])) for text in self.text[1:].split("/"))

    @cached_property
    def specificity(self) -> tuple[SegmentKey, ...]:
        """A sort key, most specific first: from left to right, a literal before a variable.

        `/users/me` comes before `/users/{id}`, and `/a/b/{y}` before `/a/{x}/c`. Equal keys match exactly the
        same paths.
        """
        return tuple(segment.key for segment in self.segments)

    @cached_property
    def static_prefix(self) -> str:
        """What every path of this template starts with."""
        return self.text.partition("{")[0]

    @cached_property
    def regex(self) -> str:
        """A regular expression for the whole path, one group a variable, in the syntax of RE2 and `re`."""
        parts = _VARIABLE.split(self.text)  # literal, name, literal, name, …, literal
        return "".join(f"({SEGMENT})" if index % 2 else _literal(part) for index, part in enumerate(parts))

    @cached_property
    def respelled(self) -> PathTemplate | None:
        """What matches the paths of this template and all their other spellings; None where there are none.

        Its variables are those characters that can be spelled in several ways, and its own: it has no other use than
        to be tried after this one, so that what only it matches is refused.
        """
        literals = _VARIABLE.split(self.text)[::2]
        return self._in_any_spelling(SEGMENT) if any(map(_RESPELLED.search, literals)) else None

    @cached_property
    def resembling(self) -> PathTemplate:
        """What matches all that `respelled` does, and whatever else can stand in the places of the variables.

        Some application may take `/orders/7;a` or `/orders/7%0A` for `/orders/{id}`. The expression matches a little
        more than that: it takes the last digit of an encoded character for the first of a literal.
        """
        return self._in_any_spelling("[^/]+")

    def _in_any_spelling(self, variable: str) -> PathTemplate:
        pieces, expressions = [], []
        for index, part in enumerate(_VARIABLE.split(self.text)):
            if index % 2:
                pieces.append("{" + part + "}")
                expressions.append(variable)
                continue
            pieces.append(_RESPELLED.sub(lambda found, index=index: f"{{*{index}.{found.start()}}}", part))
            at = 0
            for found in _RESPELLED.finditer(part):
                expressions += [_literal(part[at : found.start()]), _spellings(found[0])]
                at = found.end()
            expressions.append(_literal(part[at:]))
        return _Respelled("".join(pieces), "".join(expressions))

    def resembles(self, texts: Sequence[str]) -> bool:
        """Return whether `resembling` matches a path in plain spelling, given by its segments; in linear time."""
        return len(texts) == len(self.segments) and all(
            segment.resembles(text) for segment, text in zip(self._plain_segments, texts, strict=True)
        )

    @cached_property
    def _plain_segments(self) -> tuple[Segment, ...]:
        return tuple(segment.plain for segment in self.segments)

    @cached_property
    def _quick(self) -> re.Pattern[str] | None:
        lone = all(len(each.literals) == 1 or each.literals == _LONE_VARIABLE for each in self.segments)
        return re.compile(self.regex, re.ASCII) if lone else None

    def match(self, path: str) -> dict[str, str] | None:
        """Return the raw text of each variable (still percent-encoded), or None where `path` is another one.

        It answers as `re.fullmatch(regex, path)` does, but in linear time: `re` backtracks, and callers
        choose paths. Where each variable fills a segment there is nothing to go back to, and `re` is faster.
        """
        if self._quick is not None:
            groups = self._quick.fullmatch(path)
            return None if groups is None else dict(zip(self.variables, groups.groups(), strict=True))
        texts = path.split("/")
        if len(texts) != len(self.segments) + 1 or texts[0]:
            return None
        values: list[str] = []
        for segment, text in zip(self.segments, texts[1:], strict=True):
            found = segment.match(text)
            if found is None:
                return None
            values.extend(found)
        return dict(zip(self.variables, values, strict=True))


@dataclass(frozen=True)
class _Respelled(PathTemplate):
    """A template with an expression of its own. It need not be checked: it is made of one that is right, and longer."""

    expression: str = ""

    def __post_init__(self) -> None:
        """Accept it."""

    @property
    def regex(self) -> str:
        """The expression."""
        return self.expression


def _literal(text: str) -> str:
    return re.escape(text).replace(r"\-", "-")
