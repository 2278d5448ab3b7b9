"""Django's routes as templates: `orders/<int:id>/`, and those regular expressions that are a template.

A route is carried as text with `<converter:name>`, whatever it was written as, until it is whole. What takes more than
one segment (`<path:…>`, `.*`) is no template, nor is an expression with a choice or a repetition outside of a group.
"""

from __future__ import annotations

import re

from inward.errors import BadInputError

_VARIABLE = re.compile(r"<(?:(?P<converter>[^:<>]+):)?(?P<name>[A-Za-z_]\w*)>")
_GROUP = re.compile(r"\((?:\?P<(?P<name>[A-Za-z_]\w*)>)?(?P<what>[^()]*)\)(?P<times>[?*+{]?)")
_ONE_SEGMENT = re.compile(r"(?:\[\^[^\]]*/[^\]]*\]|\[[^\]^/]*\]|\\[dwS]|[A-Za-z0-9_|-])(?:[+*]\??|\{\d*,?\d*\})?")
_LITERAL = re.compile(r"[A-Za-z0-9_/~%!:@&=,'-]|\\[.\-/_~]")
MAX_LENGTH = 2048


class InvalidRouteError(BadInputError):
    """A route is no template."""

    code = "invalid_route"


def route_of(text: str, *, regular: bool) -> list[str]:
    """Return a route in the form of `path()`: two where its last slash is optional. Raises `InvalidRouteError`."""
    if len(text) > MAX_LENGTH:
        raise InvalidRouteError(f"a route of {len(text)} characters", hint="it is left out")
    if not regular:
        if any(found["converter"] == "path" for found in _VARIABLE.finditer(text)):
            raise InvalidRouteError(f"`{text}` takes more than one segment", hint="no template can; it is left out")
        return [text]
    rest, optional = text.removeprefix("^").removesuffix("$").removesuffix(r"\Z"), False
    if rest.endswith("/?"):
        rest, optional = rest[:-2], True
    made, at, unnamed = "", 0, 0
    while at < len(rest):
        group, literal = _GROUP.match(rest, at), _LITERAL.match(rest, at)
        if group and not group["times"] and not group["what"].startswith("?") and _is_one_segment(group["what"]):
            unnamed += not group["name"]
            integer = "int:" if group["what"] in {r"\d+", "[0-9]+"} else ""
            made, at = f"{made}<{integer}{group['name'] or f'value{unnamed}'}>", group.end()
        elif literal:
            made, at = made + literal[0][-1], literal.end()
        else:
            raise InvalidRouteError(f"the regular expression `{text[:80]}` is no template", hint="it is left out")
    return [made, made + "/"] if optional else [made]


def _is_one_segment(pattern: str) -> bool:
    at = 0
    while at < len(pattern):
        found = _ONE_SEGMENT.match(pattern, at)
        if found is None:
            return False
        at = found.end()
    return at > 0


def templates_of(route: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return a route as a template's text, and the types of its variables; a name that stands twice is numbered."""
    seen: dict[str, int] = {}
    types: list[tuple[str, str]] = []

    def variable(found: re.Match[str]) -> str:
        number = seen[found["name"]] = seen.get(found["name"], 0) + 1
        name = found["name"] if number == 1 else f"{found['name']}{number}"
        if found["converter"] == "int":
            types.append((name, "integer"))
        return f"{{{name}}}"

    return "/" + _VARIABLE.sub(variable, route).lstrip("/"), tuple(types)
