"""Observed calls, turned into operations. Bounded in memory, whatever was called.

A call counts where it was answered by 2xx or 3xx: what a scanner tries is refused or not found, and makes no operation.
An operation counts from `least` calls on. What an enforcer would not take for a path (`//`, `..`, `;`, an encoded
slash) is left out, and so are methods that are none of an operation. Whoever can make a service answer 200 can still
plant paths in its log: that is why nothing is granted by what is found here.

What a description or the source code says is known first: a call of a known operation counts for it, and teaches
nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inward.catalog.model import Mode, Operation, Service
from inward.catalog.resolve import Resolver
from inward.catalog.template import SEGMENT, InvalidTemplateError, PathTemplate
from inward.discovery.found import Found, Sure
from inward.discovery.paths.templates import infer
from inward.discovery.paths.tree import MAX_SEGMENTS, PathTree
from inward.errors import Place
from inward.identity.spiffe_id import SpiffeID

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inward.discovery.found import LeftOut

LEAST_CALLS = 3
MAX_PATH = 2048  # characters
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_PLAIN = re.compile(
    r"(?:/[A-Za-z0-9._~!$&'()*+,=:@-]+)*/?", re.ASCII
)  # what `_PATH` takes, without `%`: ten times as fast
_PATH = re.compile(rf"(?:/{SEGMENT})*/?", re.ASCII)
_DOTS = re.compile(r"/\.{1,2}(?:/|$)")  # an encoded dot is in no segment that a variable takes
_MAX_KNOWN = 50_000  # paths whose operation is remembered,
_SHORT = 256  # if they are no longer than this

REFUSED = "refused or failed (4xx, 5xx)"
NO_STATUS = "without an answer"
MALFORMED = "no path that an enforcer takes"
NO_METHOD = "a method that is none of an operation"
RARE = "seen too rarely"
TOO_MANY = "more different paths than are kept"


class Observed:
    """Takes calls of one service one by one. `known` are operations that are known without them."""

    def __init__(self, known: Iterable[Found], left_out: LeftOut) -> None:
        self._left_out = left_out
        self._tree = PathTree()
        self._known = list(known)
        self._resolver = Resolver(_service(self._known)) if self._known else None
        self._hits: dict[tuple[str, str], list[int]] = {}  # by method and template of a known one
        self._remembered: dict[tuple[str, str], list[int] | None] = {}

    def take(self, method: str, path: str, status: int | None) -> None:
        """Count a call; `path` may have a query, which is dropped. `status` is that of the answer."""
        path = path.partition("?")[0].partition("#")[0]
        if status is None or not 200 <= status < 400:  # noqa: PLR2004 - 2xx and 3xx
            # no example: what was refused may be anything, and is nobody's path
            self._left_out.add(NO_STATUS if status is None else REFUSED)
            return
        if method not in METHODS:
            self._left_out.add(NO_METHOD, method)
            return
        key = (method, path)
        hit = self._remembered.get(key)
        if hit is None and key not in self._remembered:
            if not is_path(path):
                self._left_out.add(MALFORMED, path)
                return
            hit = self._hit(method, path)
            if len(self._remembered) >= _MAX_KNOWN:
                self._remembered.clear()
            if len(path) <= _SHORT:
                self._remembered[key] = hit
        if hit is not None:
            hit[0] += 1
        elif not self._tree.put(method, path[1:].split("/"), redirect=status >= 300 and status != 304):  # noqa: PLR2004 - Not Modified is an answer
            self._left_out.add(TOO_MANY, path)

    def _hit(self, method: str, path: str) -> list[int] | None:
        found = self._resolver.resolve(method, path) if self._resolver else None
        return self._hits.setdefault((method, found[0].template.text), [0]) if found else None

    def operations(self, source: str, place: str, least: int = LEAST_CALLS) -> Iterator[Found]:
        """Yield what the calls say; it is used up then. Operations with fewer than `least` calls are left out."""
        known = {(each.method, each.template.text): each for each in self._known}
        for (method, text), (calls,) in self._hits.items():
            same = known[method, text]
            yield Found(method, same.template, source, place, Sure.LIKELY, "seen", calls=calls)
        for each in infer(self._tree.root):
            label = f"{each.method} {each.template}"
            if each.calls < least:
                self._left_out.add(RARE, label, each.calls)
                continue
            try:
                template = PathTemplate(each.template)
            except InvalidTemplateError:
                self._left_out.add(MALFORMED, label, each.calls)
                continue
            sure, why = each.sure, each.why or "seen as it stands"
            if each.redirects == each.calls:
                sure, why = Sure.DOUBTFUL, "answered by redirects only"
            yield Found(each.method, template, source, place, sure, why, types=each.types, calls=each.calls)


def is_path(path: str) -> bool:
    """Tell whether an enforcer takes a path as it is: segments without anything that is ambiguous."""
    return (
        0 < len(path) <= MAX_PATH
        and path.count("/") <= MAX_SEGMENTS
        and path.startswith("/")
        and (_PATH if "%" in path else _PLAIN).fullmatch(path) is not None
        and ("/." not in path or _DOTS.search(path) is None)
    )


def _service(known: Iterable[Found]) -> Service:
    """Return known operations as a service, so that paths lead to them as an enforcer has it."""
    operations = tuple(
        Operation(
            "known",
            f"{each.method} {each.template.text}",
            each.method,
            each.template,
            (),
            Mode.OBSERVE,
            deprecated=False,
            place=Place(""),
        )
        for each in {each.key: each for each in known}.values()
    )
    spiffe_id = SpiffeID.of_service("known.internal", "known")
    return Service("known", spiffe_id, "known", None, (), Mode.OBSERVE, None, None, operations, Place(""))
