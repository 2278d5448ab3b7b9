"""What discovery finds: operations, each with where it comes from and how sure that is, and what could not be read.

A *finding place* is text for people: `shop/orders.py:12`, `access.log`, a URL. Nothing here knows of a source's form.

Two operations are the same where they have the same method and their templates match the same paths, however their
variables are named (`PathTemplate.specificity`).
"""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from inward.catalog.template import InvalidTemplateError, PathTemplate

if TYPE_CHECKING:
    from collections.abc import Iterable

EXAMPLES = 5  # that are kept of what was left out for one reason
MAX_NOTES = 1_000


class Sure(enum.StrEnum):
    """How sure it is that there is such an operation."""

    SURE = "sure"  # a description, or source code that is read without a guess, says so
    LIKELY = "likely"  # seen, or read with an assumption that is named
    DOUBTFUL = "doubtful"  # may be something else: it is written only where that is asked for


_RANK = {Sure.SURE: 0, Sure.LIKELY: 1, Sure.DOUBTFUL: 2}


@dataclass(frozen=True, slots=True)
class Found:
    """An operation, as one source tells of it.

    `types` are JSON Schema types of its variables, where they are known; `calls` is how often it was seen; `why` says
    what it rests on where it is not sure. `document` is the source's own description that holds it, by file name.
    """

    method: str  # upper case
    template: PathTemplate
    source: str  # `openapi`, `proto`, `fastapi`, `flask`, `django`, `spring`, `log` or `record`
    place: str
    sure: Sure = Sure.SURE
    why: str = ""
    name: str | None = None  # its `operationId`, where it has one
    types: tuple[tuple[str, str], ...] = ()
    calls: int = 0
    document: str | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """What two of the same operation have in common."""
        return (self.method, self.template.specificity)


@dataclass(frozen=True, slots=True)
class Note:
    """Something that was not read, or is not to be relied upon: where, what (lower case), and what to do about it."""

    place: str
    what: str
    hint: str = ""


@dataclass
class LeftOut:
    """What was seen and is no operation: how many calls, by reason, and a few examples of each."""

    calls: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, why: str, example: str = "", calls: int = 1) -> None:
        """Count calls; `example` is kept if it is one of the first, at most 120 characters of it."""
        self.calls[why] += calls
        kept = self.examples.setdefault(why, [])
        if example and len(kept) < EXAMPLES and (cut := example[:120]) not in kept:
            kept.append(cut)


@dataclass
class Discovery:
    """What all sources told: `found` in their order, `notes`, `left_out`. Bounded: of the notes, by `MAX_NOTES`."""

    found: list[Found] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    left_out: LeftOut = field(default_factory=LeftOut)
    unsaid: int = 0  # notes that did not fit

    def add(self, found: Found) -> None:
        """Take an operation."""
        self.found.append(found)

    def note(self, place: str, what: str, hint: str = "") -> None:
        """Take a note, once."""
        note = Note(place, what, hint)
        if len(self.notes) >= MAX_NOTES:
            self.unsaid += 1
        elif note not in self.notes[-50:]:
            self.notes.append(note)

    def operation(self, method: str, path: str, source: str, place: str, **more: object) -> Found | None:
        """Take an operation by the text of its path; what is no template becomes a note, and None is returned."""
        try:
            found = Found(method, PathTemplate(path), source, place, **more)  # type: ignore[arg-type]  # as the fields are
        except InvalidTemplateError as error:
            self.note(place, f"{method} is left out: {error.message}", error.hint)
            return None
        self.add(found)
        return found


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation and all that was found of it; `best` is what is surest."""

    best: Found
    all: tuple[Found, ...]

    @property
    def calls(self) -> int:
        """How often it was seen."""
        return sum(each.calls for each in self.all)

    @property
    def label(self) -> str:
        """Its method and path."""
        return f"{self.best.method} {self.best.template.text}"


def merged(found: Iterable[Found], known: Iterable[Found] = ()) -> list[Operation]:
    """Return each operation once, in the order of paths and methods.

    Operations whose templates match the same paths get one template, so that a path has one set of names: that of a
    `known` operation, which is not returned, else that of the surest.
    """
    by_key: dict[tuple[object, ...], list[Found]] = {}
    templates: dict[object, Found] = {}
    given: dict[object, PathTemplate] = {each.template.specificity: each.template for each in known}
    for each in found:
        by_key.setdefault(each.key, []).append(each)
        shape = each.template.specificity
        templates[shape] = min(templates.get(shape, each), each, key=_rank)
    named = {shape: each.template for shape, each in templates.items()} | given
    operations = [_one(same, named[same[0].template.specificity]) for same in by_key.values()]
    return sorted(operations, key=lambda one: (one.best.template.text, one.best.method))


def _one(same: list[Found], template: PathTemplate) -> Operation:
    best = min(same, key=_rank)
    if best.template != template:
        names = dict(zip(best.template.variables, template.variables, strict=True))
        best = replace(best, template=template, types=tuple((names[name], type_) for name, type_ in best.types))
    return Operation(best, tuple(same))


def _rank(found: Found) -> tuple[int, bool]:
    return (_RANK[found.sure], found.document is None)
