"""What a condition may know of a request: the parameters that it reads, in plain form, and the time.

Two enforcers read the same request: this package, and Envoy by regular expressions (`policy.cel`). So that
they differ neither from one another nor from the application behind them, a parameter that a condition reads
must be in *plain form*: written in the one way that every HTTP library reads alike. Whatever is not is
refused, never interpreted. The expressions stand here once, in the syntax that `re` and RE2 share.

Plain form:

1. A path parameter is one segment's raw text, without percent-encoding and without `+` and `;`.
2. If any query parameter is read, the whole query consists of `NAME` and `NAME=VALUE` joined by `&`, in
   ASCII, with nothing encoded in a name, so that no library finds a parameter that is not seen here.
3. A query parameter that is read appears at most once, as `NAME=VALUE`. Names that some library takes for the
   same one count as appearances: another case, `.` or `[` for `_` (PHP), and `NAME[]` and `NAME[key]`.
4. An integer has at most 18 digits, no leading zero and no plus sign; a Boolean is `true` or `false`.

Parameters that no condition reads are not looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, get_args

from cedarpy import pst

from inward.catalog.model import ParameterType
from inward.errors import InwardError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from inward.catalog.model import Operation, Parameter
    from inward.policy.model import Policy

# Values in plain form, each to be matched in full.
PATH_STRING = r"[A-Za-z0-9._~:@!$'()*,=&-]+"
QUERY_STRING = r"[A-Za-z0-9._~:@!$'()*,/-]*"
INTEGER = r"0|-?[1-9][0-9]{0,17}"
BOOLEAN = r"true|false"

_NAME = r"[A-Za-z0-9._~\[\]:-]+"
_VALUE = r"""[!"$%'-:<-~]*"""  # printable ASCII without `#`, `&` and `;`
_ITEM = rf"{_NAME}(?:={_VALUE})?"
PLAIN_QUERY = rf"(?:{_ITEM}(?:&{_ITEM})*)?"  # a whole query, to be matched in full

Where = Literal["path", "query"]
Read = tuple[Where, str]  # a parameter that a condition reads: where it stands and its name


class BadParameterError(InwardError):
    """A parameter that a condition reads is not in plain form, or is missing though required."""

    code = "bad_parameter"


@dataclass(frozen=True, slots=True)
class Request:
    """One request as an enforcer sees it: verified caller's name, operation's id, raw path and query.

    `path` is normalised (no `//`, `.` and `..`) and still percent-encoded; `query` has no `?`, and is empty
    where there is none.
    """

    caller: str
    operation: str
    path: str
    query: str = ""


def reads_of(policies: Iterable[Policy], operation: Operation) -> frozenset[Read]:
    """Return the parameters of `operation` that the conditions of `policies` read.

    A condition that uses `context`, `context.path` or `context.query` as a whole reads all of it. A name that
    the operation does not have is no read: its `has` is always false.
    """
    known = {(parameter.where, parameter.name) for parameter in operation.parameters}
    wanted = {read for policy in policies for clause in policy.pst.clauses for read in _reads(clause.expr)}
    return frozenset((where, name) for where, name in known if {(where, name), (where, None)} & wanted)


def build_context(
    operation: Operation, path: str, query: str, now: datetime, reads: Collection[Read]
) -> dict[str, Any]:
    """Return the Cedar context (JSON form) of a request: the parameters in `reads`, and the time.

    `now` must have a time zone, and is truncated to milliseconds. What is there has the schema's types; what
    is not read is left out. Raises `BadParameterError` if a parameter in `reads` is not in plain form.
    """
    context: dict[str, Any] = {"path": {}, "query": {}, "time": cedar_datetime(now)}
    if not reads:
        return context
    segments: dict[str, str] | None = None
    query_is_plain = False
    for parameter in operation.parameters:
        if (parameter.where, parameter.name) not in reads:
            continue
        if parameter.where == "path":
            segments = segments if segments is not None else operation.template.match(path) or {}
            text = segments.get(parameter.name)
        else:
            query_is_plain = query_is_plain or _require_plain(query)
            text = _query_text(parameter.name, query)
        if text is not None:
            context[parameter.where][parameter.name] = _value(parameter, text)
        elif parameter.required or parameter.where == "path":
            raise BadParameterError(f"the {parameter.where} parameter `{parameter.name}` is missing")
    return context


def parts_of(expr: pst.Expr) -> tuple[pst.Expr, ...]:
    """Return the direct sub-expressions of an expression."""
    parts: tuple[pst.Expr, ...] = ()
    match expr:
        case pst.BinaryOp(_, left, right):
            parts = (left, right)
        case pst.UnaryOp(_, part) | pst.GetAttr(part, _) | pst.HasAttr(part, _) | pst.Like(part, _):
            parts = (part,)
        case pst.Is(base, _, in_expr):
            parts = (base,) if in_expr is None else (base, in_expr)
        case pst.IfThenElse(cond, then_expr, else_expr):
            parts = (cond, then_expr, else_expr)
        case pst.Set(elements):
            parts = elements
        case pst.Record(fields):
            parts = tuple(fields.values())
    return parts


def cedar_datetime(moment: datetime) -> dict[str, dict[str, str]]:
    """Return a moment in Cedar's JSON form, truncated to milliseconds; `ValueError` without a time zone."""
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone")
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
    return {"__extn": {"fn": "datetime", "arg": text + "Z"}}


def value_pattern(where: Where, kind: ParameterType) -> str:
    """Return the regular expression that a parameter's text in plain form matches in full."""
    if kind == "string":
        return PATH_STRING if where == "path" else QUERY_STRING
    return INTEGER if kind == "integer" else BOOLEAN


def occurs_pattern(name: str) -> str:
    """Return the expression that finds the parameter `name` in a plain query, in any spelling."""
    return rf"(?:^|&){_spellings(name)}(?:[=&\[]|$)"


def twice_pattern(name: str) -> str:
    """Return the expression that finds the parameter `name` twice in a plain query, in any spelling."""
    spellings = _spellings(name)
    return rf"(?:^|&){spellings}(?:[=&\[].*)?&{spellings}(?:[=&\[]|$)"


def assigned_pattern(name: str) -> str:
    """Return the expression that finds `name=VALUE` in a plain query; group 1 is the value."""
    return rf"(?:^|&){literal_pattern(name)}=([^&]*)"


def literal_pattern(text: str) -> str:
    """Return the expression for a literal text (`re` and RE2 both escape ASCII punctuation)."""
    return re.sub(r"[!-/;-@\[-^`{-}]", r"\\\g<0>", text)


def _spellings(name: str) -> str:
    return "(?i:" + literal_pattern(name).replace("_", r"[_.\[]") + ")"


_PLAIN_QUERY = re.compile(PLAIN_QUERY, re.ASCII)
_PLAIN_VALUES: dict[tuple[Where, ParameterType], re.Pattern[str]] = {
    (where, kind): re.compile(value_pattern(where, kind), re.ASCII)
    for where in get_args(Where)
    for kind in get_args(ParameterType)
}


@lru_cache(maxsize=4096)
def _finders(name: str) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """Return what finds a query parameter, its assignment, and a second appearance."""
    patterns = (occurs_pattern(name), assigned_pattern(name), twice_pattern(name))
    first, second, third = (re.compile(pattern, re.ASCII) for pattern in patterns)
    return first, second, third


def _require_plain(query: str) -> Literal[True]:
    if not _PLAIN_QUERY.fullmatch(query):
        raise BadParameterError(
            "the query is not in plain form",
            hint="a condition reads it: write it as NAME=VALUE joined by `&`, and encode nothing in a name",
        )
    return True


def _query_text(name: str, query: str) -> str | None:
    """Return the raw value of a parameter in a plain query; None where it does not appear."""
    occurs, assigned, twice = _finders(name)
    if not occurs.search(query):
        return None
    found = assigned.search(query)
    if found is None or twice.search(query):
        raise BadParameterError(
            f"the query parameter `{name}` is not in plain form",
            hint=f"a condition reads it: write it at most once, as `{name}=VALUE`, spelled exactly so",
        )
    return found[1]


def _value(parameter: Parameter, text: str) -> str | int | bool:
    if not _PLAIN_VALUES[parameter.where, parameter.type].fullmatch(text):
        raise BadParameterError(
            f"the {parameter.where} parameter `{parameter.name}` is no {parameter.type} in plain form",
            hint="a condition reads it: write it without percent-encoding",
        )
    if parameter.type == "integer":
        return int(text)
    return text == "true" if parameter.type == "boolean" else text


def _reads(expr: pst.Expr) -> Iterator[tuple[Where, str | None]]:
    """Yield what an expression reads: (where, name), or (where, None) for all of that part."""
    context = pst.Var("context")
    stack = [expr]
    while stack:
        match stack.pop():
            case pst.GetAttr(pst.GetAttr(base, "path" | "query" as where), name) if base == context:
                yield where, name
            case pst.HasAttr(pst.GetAttr(base, "path" | "query" as where), (name, *_)) if base == context:
                yield where, name
            case pst.HasAttr(base, ("path" | "query" as where, name, *_)) if base == context:
                yield where, name
            case pst.GetAttr(base, "path" | "query" as where) if base == context:
                yield where, None
            case pst.GetAttr(base, _) | pst.HasAttr(base, _) if base == context:
                pass  # the time, and whether a part is there at all, which it always is
            case pst.Var("context"):
                yield "path", None
                yield "query", None
            case node:
                stack.extend(parts_of(node))
