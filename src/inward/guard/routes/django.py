"""Routes of Django, by ASGI and by WSGI: the patterns of the URL configuration, with all that they include.

A pattern says no method. A view of a class has those that its class has; of a function none is known, so that its
route is one for all methods. Patterns that are regular expressions become paths where they are simple enough, and are
told as they are where they are not.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from inward.guard.routes.route import Route, made_by, own

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.guard.routes.route import Below

_VARIABLE = re.compile(r"<(?:[^<>:]*:)?([^<>:]*)>")
_NAME = re.compile(r"\(\?P<(\w+)>")
_ANCHORS = re.compile(r"\\[AZzbB]|[\^$]")


def routes(app: Any, prefix: str, below: Below) -> Iterator[Route] | None:  # noqa: ANN401 - any framework's application
    """Return the routes of the URL configuration under a prefix; None where the application is of another framework."""
    del below  # a pattern leads to a view, never to an application
    if not made_by(app, "django") or not hasattr(app, "resolve_request"):
        return None
    return _each(sys.modules["django.urls"].get_resolver(), prefix, first=True)


def _each(resolver: Any, prefix: str, *, first: bool = False) -> Iterator[Route]:  # noqa: ANN401 - as above
    for pattern in resolver.url_patterns:
        path = prefix + ("/" if first else "") + _path(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from _each(pattern, path)
        else:
            yield from (Route(path, method) for method in _methods(pattern.callback))


def _path(pattern: Any) -> str:  # noqa: ANN401 - as above
    text = str(pattern)
    return simplified(text) if hasattr(pattern, "_regex") and not hasattr(pattern, "_route") else _braced(text)


def _braced(route: str) -> str:
    return _VARIABLE.sub(r"{\1}", route)


def simplified(regex: str) -> str:
    """Return the path that a regular expression means: its groups as variables, without anchors.

    One with alternatives, or with repetitions outside of groups, is returned as it is: it means more than one path.
    """
    path, at, group = [], 0, 0
    while at < len(regex):
        anchor = _ANCHORS.match(regex, at)
        if anchor:
            at = anchor.end()
        elif regex[at] == "(":
            end = _closing(regex, at)
            if end is None or regex[end : end + 1] in {"?", "*", "+", "{"}:
                return regex
            name = _NAME.match(regex, at)
            if name is None and regex.startswith("(?", at):
                return regex
            group += 1
            path.append(f"{{{name[1] if name else group}}}")
            at = end
        elif regex[at] == "\\" and at + 1 < len(regex) and not regex[at + 1].isalnum():
            path.append(regex[at + 1])
            at += 2
        elif regex[at] in "\\.*+?[]{}|)" or regex[at + 1 : at + 2] in {"?", "*", "+", "{"}:
            return regex
        else:
            path.append(regex[at])
            at += 1
    return "".join(path)


def _closing(regex: str, at: int) -> int | None:
    """Return the place after the parenthesis that closes the one at a place; None where there is none."""
    depth, within = 0, False
    while at < len(regex):
        character = regex[at]
        if character == "\\":
            at += 1
        elif within:
            within = character != "]"
        elif character == "[":
            within = True
            if regex[at + 1 : at + 2] in {"]", "^"}:  # a bracket that stands first in a class is one of its members
                at += 2 if regex[at + 1 : at + 3] == "^]" else 1
        elif character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    return None


def _methods(view: Any) -> list[str | None]:  # noqa: ANN401 - as above
    kind = getattr(view, "view_class", None)
    if kind is None:
        return [None]
    names = [name for name in getattr(kind, "http_method_names", ()) if hasattr(kind, name)]
    return own(name.upper() for name in names)
