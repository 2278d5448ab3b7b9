"""The program of an operation: what its Envoy withholds from whom, as the Lua filter reads it.

A program is JSON. Numbers count from 1, and 0 is nothing:

- `classes`: the data classes at stake, sorted.
- `sets`: each a set of classes that are withheld together: `withheld` (numbers of classes), the verdicts `refused` and
  `told` on an answer without a view, and the compiled `places` with the numbers of the first ones, `whole` and `part`.
  A set without places has no view.
- `callers`: by name the number of a set, or `[moment, number]` pairs in the order of time; `otherwise` is for others.
- `taken`: what the service itself may not receive: `phases` as a caller has them, of the numbers of `sets`. Each has
  the classes that parameters in the path `held`, those of `query` parameters by name, those of the `body`, and places;
  or `nothing`.
- `prefix` of SPIFFE IDs; `head`, whether the method is HEAD; `observed`, whether nothing is cut.

A place is `[what, classes, fields, rest, items]`, as in `viewing.places`.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import msgspec

from inward.catalog.model import Mode
from inward.policy.decision import Reason
from inward.record.verdict import Verdict, encode_verdict
from inward.viewing.places import Place, UnviewableError, compile_places

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inward.catalog.model import Catalog, Undisclosed
    from inward.catalog.shape import Shape
    from inward.viewing.withholding import Phase, Viewed

MAX_PLACES = 20_000  # of one operation; each worker of an Envoy reads them when it is first asked
WHAT: Final[dict[Undisclosed | None, int]] = {None: 0, "drop": 1, "null": 2, "tokenise": 3, "mask": 4}
Program = dict[str, Any]


def compiled_set(shape: Shape, withheld: Mapping[str, Undisclosed], numbers: Mapping[str, int]) -> Program:
    """Return the places of a shape for the classes that are withheld; without `places` where there is no view."""
    try:
        whole, part = compile_places(shape, withheld)
        places = _Places(numbers)
        first = places.number(whole), places.number(part)
        return {"whole": first[0], "part": first[1], "places": places.rows()}
    except UnviewableError:
        return {}


def program_of(viewed: Viewed, catalog: Catalog) -> tuple[str, str]:
    """Return the program of an operation as text, and its digest."""
    operation = viewed.operation
    observed = operation.mode is Mode.OBSERVE
    classes = sorted(viewed.classes | viewed.taken)
    numbers = {name: number for number, name in enumerate(classes, 1)}
    sets: dict[frozenset[str], int] = {viewed.classes: 1}
    callers: dict[str, Any] = {}
    for caller, phases in viewed.phases.items():
        callers[caller] = _numbered(phases, sets)
    if observed:
        sets.setdefault(frozenset(), len(sets) + 1)
    program: Program = {
        "prefix": f"spiffe://{catalog.trust_domain}/",
        "head": operation.method == "HEAD",
        "observed": observed,
        "classes": classes,
        "callers": callers,
        # Who is in no catalog gets here in mode observe only, where nothing is said to be withheld from nobody.
        "otherwise": sets[frozenset()] if observed else sets[viewed.classes],
        "sets": [_set(withheld, viewed, catalog, numbers) for withheld in sets],
        "taken": _taken(viewed, numbers),
    }
    text = msgspec.json.encode(program)
    return text.decode(), hashlib.sha256(text).hexdigest()[:16]


def _set(withheld: frozenset[str], viewed: Viewed, catalog: Catalog, numbers: dict[str, int]) -> Program:
    names = tuple(sorted(withheld))
    found: Program = {"withheld": [numbers[name] for name in names]}
    if not names:
        return found
    if viewed.operation.mode is Mode.OBSERVE:
        return found
    undisclosed = {name: catalog.data_classes[name].undisclosed for name in names}
    found["refused"] = _said(Verdict(reason=Reason.UNVIEWABLE, withheld=names))
    found["told"] = _said(Verdict(withheld=names))
    return found | compiled_set(viewed.operation.answers.otherwise, undisclosed, numbers)


def _numbered(phases: Sequence[Phase], sets: dict[frozenset[str], int]) -> Any:  # noqa: ANN401 - a number or pairs
    found = [[phase.since, sets.setdefault(phase.withheld, len(sets) + 1)] for phase in phases]
    return found if len(found) > 1 else found[0][1]


def _taken(viewed: Viewed, numbers: dict[str, int]) -> Program:
    sets: dict[frozenset[str], int] = {}
    phases = _numbered(viewed.received, sets)
    operation = viewed.operation
    found: list[Program] = []
    for undisclosed in sets:
        if not undisclosed:
            found.append({"nothing": True})
            continue
        held: set[int] = set()
        query: dict[str, list[int]] = {}
        for each in operation.parameters:
            classes = [numbers[name] for name in each.classes if name in undisclosed]
            if each.where == "path":
                held.update(classes)
            elif classes:
                query[each.name] = classes
        in_body = sorted(undisclosed & operation.body.classes)
        row: Program = {"held": sorted(held), "query": query, "body": [numbers[name] for name in in_body]}
        places = compiled_set(operation.body, dict.fromkeys(in_body, "drop"), numbers) if in_body else {}
        found.append(row | places)
    return {"phases": phases, "sets": found}


def _said(verdict: Verdict) -> str:
    return encode_verdict(verdict).decode("ascii")


class _Places:
    """Places with a number each, from 1 on."""

    def __init__(self, classes: Mapping[str, int]) -> None:
        self._classes = classes
        self._numbers: dict[int, int] = {}
        self._found: list[Place] = []

    def number(self, place: Place | None) -> int:
        if place is None:
            return 0
        number = self._numbers.get(id(place))
        if number is None:
            if len(self._found) >= MAX_PLACES:
                raise UnviewableError("what the operation answers has too many places for Envoy")
            self._found.append(place)
            number = self._numbers[id(place)] = len(self._found)
        return number

    def rows(self) -> list[list[Any]]:
        """Return all places as the filter reads them; those that they lead to are found on the way."""
        rows: list[list[Any]] = []
        for place in self._found:  # which grows meanwhile
            fields = {name: self.number(below) for name, below in place.fields.items()}
            classes = [self._classes[name] for name in place.classes]
            rows.append([WHAT[place.undisclosed], classes, fields, self.number(place.rest), self.number(place.items)])
        return rows
