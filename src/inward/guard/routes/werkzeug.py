"""Routes of Flask and Quart: the rules of their map, those of blueprints included. Hosts are not told apart."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from inward.guard.routes.route import WEBSOCKET, Route, own

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.guard.routes.route import Below

_VARIABLE = re.compile(r"<(?:[^<>:]*:)?([^<>:]*)>")  # `<name>`, `<int:name>`, `<any(a, b):name>`


def routes(app: Any, prefix: str, below: Below) -> Iterator[Route] | None:  # noqa: ANN401 - any framework's application
    """Return the routes of an application under a prefix; None where it is of another framework."""
    del below  # nothing is mounted in a map of rules
    rules = getattr(getattr(app, "url_map", None), "iter_rules", None)
    return None if rules is None else _each(rules(), prefix)


def _each(rules: Any, prefix: str) -> Iterator[Route]:  # noqa: ANN401 - as above
    for rule in rules:
        path = prefix + _VARIABLE.sub(r"{\1}", rule.rule)
        if getattr(rule, "websocket", False):
            yield Route(path, WEBSOCKET)
        else:
            yield from (Route(path, method) for method in own(rule.methods))
