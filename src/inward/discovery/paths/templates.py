"""Templates from a tree of observed paths: which segments are literals of the API, and which values of a variable.

The tree is settled from its root down. At each node:

1. Values that are told by their look become one variable; what was seen below them is put together.
2. A number that is the only one at its place, stands behind a word such as `api`, and has several words below it, is a
   version and stays.
3. *Coded* words (`ord-8812`) become the variable's values where there are `FEW_CODES` of them.
4. Of the other words, those that behave alike are taken for values when there are `_limit` of them: most places need
   `MANY`. The number is lower where the word before is a plural (`/users/…`), where the words keep being new ones (the
   share of calls to words that were seen once estimates, after Good and Turing, how probable it is that the next word
   is a new one), and where the same words follow them (`/ada/repos`, `/bob/repos`). It is higher where all of them
   were seen often, as the words of a closed set are.
5. A word that behaves otherwise than most (`/users/search`: other methods, other words below) stays a literal, and so
   does one with `HEAVY` times the calls of the median that is followed by nothing that follows most. Words that seldom
   are values (`me`, `search`) always stay.

What is not known: whether two words that are always followed by the same are two resources or two values. Few of them
stay literals, many become a variable, and what rests on nothing but that is doubtful.
"""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inward.discovery.found import Sure
from inward.discovery.paths.segment import is_version, look_of
from inward.discovery.paths.tree import MAX_VALUES, TEXT, Node

if TYPE_CHECKING:
    from collections.abc import Iterator

MANY = 40
FEW_CODES = 3
HEAVY = 20
_USUAL_SHARE = 5  # one of so many words does it, so it is usual
_SELDOM_VALUES = frozenset(
    [
        "all",
        "batch",
        "bulk",
        "config",
        "count",
        "current",
        "default",
        "export",
        "health",
        "import",
        "latest",
        "login",
        "logout",
        "me",
        "metadata",
        "new",
        "recent",
        "search",
        "self",
        "settings",
        "stats",
        "status",
        "summary",
        "upload",
        "validate",
    ]
)
BESIDE = 8  # words beside a variable that are alike, until they are values of it
_AFTER_PLURAL = 12
_OPEN_SHARE = 0.03  # of calls to words that were seen once
_ALIKE_SHARE = 0.6  # of words that are followed by what most are followed by
_CLOSED_CALLS = 10  # of the rarest tenth of the words, where the set of them is closed
_VERSIONED = frozenset({"api", "rest", "version", "versions", "v", "services", "apis"})
_NO_PLURAL = frozenset({
    "apis", "status", "news", "access", "address", "process", "settings", "analytics", "metrics", "stats", "ops", "sms",
    "dns", "tls", "us",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Inferred:
    """A template and a method, and what was seen of it. `types` are the variables' JSON Schema types."""

    method: str
    template: str
    calls: int
    redirects: int
    sure: Sure
    why: str
    types: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Way:
    """How a node was reached."""

    segments: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    types: tuple[tuple[str, str], ...] = ()
    doubt: str = ""
    values: str = ""  # what the last variable rests on

    @property
    def last(self) -> str:
        return self.segments[-1] if self.segments else ""

    def literal(self, text: str) -> _Way:
        return _Way((*self.segments, text), self.names, self.types, self.doubt, self.values)

    def variable(self, kinds: set[str], affix: str, values: str, doubt: str) -> _Way:
        name = _unique(_name(self.last, kinds), self.names)
        type_ = "integer" if kinds == {"integer"} else "string"
        segments = (*self.segments, f"{{{name}}}{affix}")
        types_ = (*self.types, (name, type_))
        return _Way(segments, (*self.names, name), types_, self.doubt or doubt, f"{{{name}}}: {values}")


def infer(root: Node) -> Iterator[Inferred]:
    """Yield what the tree of observed paths says; the tree is used up."""
    pending = [(root, _Way())]
    while pending:
        node, way = pending.pop()
        for method, calls in node.ends.items():
            template = "/" + "/".join(way.segments)
            sure = Sure.DOUBTFUL if way.doubt else Sure.LIKELY
            yield Inferred(method, template, calls, node.redirects[method], sure, way.doubt or way.values, way.types)
        pending.extend(_settled(node, way))


def _settled(node: Node, way: _Way) -> Iterator[tuple[Node, _Way]]:
    """Yield the children of a node as literals and variables, each with its way."""
    _keep_version(node, way)
    taken, doubt = _values_among(node, way)
    variables: dict[str, tuple[set[str], Node]] = {}
    for (kind, affix), child in node.kinds.items():
        kinds, into = variables.setdefault(affix, (set(), Node()))
        kinds.add(kind)
        into.absorb(child)
    if taken:
        kinds, into = variables.setdefault("", (set(), Node()))
        kinds.add(TEXT)
        for word in taken:
            into.take_value(word)
            into.absorb(node.words.pop(word))
    for affix, (kinds, into) in variables.items():
        number = len(into.values)
        seen = f"{number}{' or more' if number >= MAX_VALUES else ''} value{'' if number == 1 else 's'}"
        unsure = doubt if not affix and kinds == {TEXT} else ""
        yield into, way.variable(kinds, affix, f"{seen}, {' or '.join(sorted(kinds))}", unsure)
    for word, child in node.words.items():
        yield child, way.literal(word)


def _keep_version(node: Node, way: _Way) -> None:
    child = node.kinds.get(("integer", ""))
    if child is None or len(child.values) > 1 or way.last not in _VERSIONED or len(child.words) < 2:  # noqa: PLR2004 - several
        return
    del node.kinds["integer", ""]
    node.words.setdefault(next(iter(child.values)), Node()).absorb(child)


def _values_among(node: Node, way: _Way) -> tuple[list[str], str]:
    """Return which words are values of a variable, and what is doubtful about that."""
    words = [word for word in node.words if not is_version(word) and word]
    coded = [word for word in words if look_of(word).coded]
    if len(coded) < FEW_CODES and not (coded and node.kinds):
        coded = []
    plain = [word for word in words if not look_of(word).coded]
    alike = _behaving_alike(node, plain)
    if node.open and not alike:  # more words than any API has, of which each leads elsewhere
        alike = [word for word in plain if word.lower() not in _SELDOM_VALUES]
    limit, reasons = _limit(node, way, alike)
    if len(alike) < limit and not node.open:
        return coded, ""
    doubt = ""
    if not way.segments:
        doubt = f"{len(alike)} words stand first in the path"
    elif not reasons and len(alike) < 2 * MANY:
        doubt = f"{len(alike)} words stand here, and may be as many resources"
    return coded + alike, "" if coded else doubt


def _features(node: Node) -> frozenset[str]:
    """Return what a word behaves like: its methods, the words and the kinds below it."""
    below = {f"/{word}" for word in node.words} | {f"/{{{kind}}}" for kind, _ in node.kinds}
    return frozenset(below | set(node.ends))


def _behaving_alike(node: Node, words: list[str]) -> list[str]:
    """Return the words that behave as most do: no unusual method, and something usual below where most have that."""
    words = [word for word in words if word.lower() not in _SELDOM_VALUES]
    if len(words) < BESIDE:
        return []
    features = {word: _features(node.words[word]) for word in words}
    common = Counter(each for found in features.values() for each in found)
    usual = {each for each, number in common.items() if number >= len(words) / _USUAL_SHARE}
    shared = {each for each, number in common.items() if number > 2}  # noqa: PLR2004 - more than a word and its namesake
    below = {each for each in usual if each.startswith("/")}
    median = max(1, statistics.median(node.words[word].calls for word in words))

    def is_usual(word: str) -> bool:
        mine = features[word]
        methods = {each for each in mine if not each.startswith("/")}
        if not mine & usual or not methods <= shared:
            return False
        return not below or bool(mine & below) or node.words[word].calls <= HEAVY * median

    return [word for word in words if is_usual(word)]


def _limit(node: Node, way: _Way, alike: list[str]) -> tuple[float, list[str]]:
    """Return how many alike words are values, and what speaks for it."""
    if not alike:
        return MANY, []
    limit, reasons = float(MANY), []
    if way.last in _VERSIONED or is_version(way.last) or way.last.startswith("{") or not way.last:
        limit *= 2  # where resources stand
    calls = [node.words[word].calls for word in alike]
    if _is_plural(way.last):
        limit, reasons = _AFTER_PLURAL, ["a plural before them"]
    if sum(1 for each in calls if each == 1) / sum(calls) >= _OPEN_SHARE:
        limit, reasons = limit / 2, [*reasons, "new ones keep coming"]
    elif sorted(calls)[len(calls) // 10] >= _CLOSED_CALLS:
        limit *= 2
    below = Counter(word for each in alike for word in node.words[each].words)
    most = below.most_common(1)[0][1] if below else 0
    parents = sum(1 for each in alike if node.words[each].words)
    if parents >= len(alike) / 3 and most >= _ALIKE_SHARE * parents and len(below) <= len(alike):
        limit, reasons = limit / 2, [*reasons, "the same words follow them"]
    return max(limit, BESIDE), reasons


def _is_plural(word: str) -> bool:
    word = word.rpartition("-")[2].rpartition("_")[2].lower()
    return word.endswith("s") and not word.endswith("ss") and len(word) > 3 and word not in _NO_PLURAL  # noqa: PLR2004 - `us` is none


def _name(before: str, kinds: set[str]) -> str:
    word = (
        "".join(character if character.isalnum() and character.isascii() else "_" for character in before)
        .strip("_")
        .lower()
    )
    if before.startswith("{") or not word:
        return "value" if kinds == {TEXT} else "id"
    if word.endswith("ies") and len(word) > 4:  # noqa: PLR2004 - `ties` is no plural of `ty`
        word = word[:-3] + "y"
    elif _is_plural(word):
        word = word[:-1]
    if kinds <= {"date", "email"}:
        return f"{word}_{min(kinds)}"
    return word[:40] if kinds == {TEXT} else f"{word[:40]}_id"


def _unique(name: str, taken: tuple[str, ...]) -> str:
    number = 2
    while name in taken:
        name, number = f"{name.rstrip('0123456789')}{number}", number + 1
    return name
