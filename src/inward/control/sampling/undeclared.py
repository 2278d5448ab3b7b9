"""What sampled answers hold that nobody declared: the tallies, held against the system as it is now.

Left out is what the API description has declared since, or said to be no data (`x-inward-data: none`), and what is of
operations that are no more. No values: a tally has none.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inward.catalog.document import parse_document
from inward.catalog.json_path import Wild
from inward.control.findings import Finding as Found
from inward.control.layout import STATE, UNDECLARED
from inward.errors import InwardError
from inward.identity.private_files import PrivateFileError
from inward.spotting.declare import class_for, declaration
from inward.spotting.history import DamagedHistoryError, History, load_history

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date
    from pathlib import Path as FilePath

    from inward.catalog.json_path import Path
    from inward.catalog.model import Catalog, Operation
    from inward.catalog.shape import Shape
    from inward.catalog.syntax import Data
    from inward.control.bundle import Policy as System
    from inward.spotting.tally import Finding


@dataclass(frozen=True, slots=True)
class Undeclared:
    """One place with undeclared data: the finding, the last day on which it was seen, and how it would be declared.

    `actions` are those of an overlay, one a line; empty where the description cannot say it.
    """

    finding: Finding
    operation: Operation
    last: date | None
    data_class: str
    class_is_new: bool
    actions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Looked:
    """How many answers of an operation were looked at, and how many were not, by the reason."""

    operation: str
    answers: int
    not_looked: Mapping[str, int]


def kept_history(folder: FilePath) -> History:
    """Return what was sampled of the system in a folder: nothing where it never ran here, or what is kept is damaged.

    What has to be said of damage says the sampler, which begins anew.
    """
    state = folder / STATE
    if not state.is_dir():
        return History()
    try:
        return load_history(state / UNDECLARED)
    except (DamagedHistoryError, PrivateFileError):
        return History()


def undeclared(system: System, history: History) -> list[Undeclared]:
    """Return what is not declared: by operation, the largest share first."""
    catalog = system.catalog
    documents: dict[str, Data] = {}
    found = []
    for finding in history.whole().findings():
        operation = catalog.operations.get(finding.operation)
        if operation is None or _is_settled(operation, finding):
            continue
        data_class = class_for(finding.kind, catalog.data_classes)
        file = operation.place.file
        if file not in documents:
            documents[file] = parse_document(file, system.files[file]).parsed.data
        found.append(
            Undeclared(
                finding,
                operation,
                history.last(finding),
                data_class,
                data_class not in catalog.data_classes,
                _actions(documents[file], operation, finding, data_class),
            )
        )
    return found


def looked_at(catalog: Catalog, history: History) -> list[Looked]:
    """Return for each operation how many answers were looked at."""
    answers: dict[str, int] = defaultdict(int)
    not_looked: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for (operation, _), count in history.whole().counts.items():
        answers[operation] += count.answers
        for why, number in count.not_looked.items():
            not_looked[operation][why.value] += number
    return [
        Looked(name, answers[name], dict(not_looked[name])) for name in sorted(answers) if name in catalog.operations
    ]


def of_undeclared(system: System, history: History) -> Iterator[Found]:
    """Yield a finding for each place with undeclared data of which there is no doubt."""
    since = history.since
    for each in undeclared(system, history):
        finding = each.finding
        if not finding.is_sure:
            continue
        new = f", with `{each.data_class}` in `data` of inward.yaml" if each.class_is_new else ""
        declare = f"declare it in an overlay{new}: {' '.join(each.actions)}" if each.actions else "declare it"
        yield Found(
            "finding",
            "undeclared_data",
            each.operation.place,
            f"{finding}, since {since}",
            f"{declare}; or mark it `x-inward-data: none`",
            f"{finding.operation} {finding.status} {finding.place} {finding.kind}",
        )


def _actions(document: Data, operation: Operation, finding: Finding, data_class: str) -> tuple[str, ...]:
    try:
        return tuple(declaration(document, operation, finding, data_class).text.splitlines())
    except InwardError:
        return ()


def _is_settled(operation: Operation, finding: Finding) -> bool:
    """Tell whether the description says by now what stands there, or that it is no data."""
    answers = operation.answers
    return is_marked(answers.of(finding.status), finding.path) or is_marked(answers.no_data, finding.path)


def is_marked(shape: Shape, path: Path) -> bool:
    """Tell whether a shape marks what stands at a path, or something around it."""
    if not shape.nodes:
        return False
    node = shape.nodes[0]
    for step in path:
        if node.classes:
            return True
        if step is Wild.ITEM:
            number = node.items
        else:
            number = node.rest if step is Wild.REST else node.fields.get(str(step), node.rest)
        if number is None:
            return False
        node = shape.nodes[number]
    return bool(node.classes)
