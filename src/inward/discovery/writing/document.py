"""Discovered operations as an OpenAPI 3.1 document: paths, methods and parameters, and where each comes from.

Left out: bodies and answers, which nobody has told. The same operations give the same bytes, whenever they are written.
"""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from inward.discovery.found import Operation

_HEAD = """\
# Written by `inward discover`: what was found of {service}, and not what it should be. It is yours to change.
openapi: 3.1.0
info: {{title: {title}, version: "0"}}
paths:
"""


def render(operations: Sequence[Operation], service: str, taken: Collection[str] = ()) -> bytes:
    """Return a document with the operations, one at least; `taken` are names that others of the service have."""
    names = set(taken)
    lines = [_HEAD.format(service=service, title=_quoted(service))]
    for path, listed in groupby(operations, key=lambda each: each.best.template.text):
        same = list(listed)
        lines.append(f"  {_quoted(path)}:\n")
        variables = same[0].best.template.variables
        types = {name: type_ for each in same for name, type_ in each.best.types}
        lines += ["    parameters:\n"] if variables else []
        lines += [
            f"      - {{name: {_quoted(name)}, in: path, required: true, "
            f"schema: {{type: {types.get(name, 'string')}}}}}\n"
            for name in variables
        ]
        for each in same:
            lines += _operation(each, names)
    return "".join(lines).encode()


def _operation(operation: Operation, names: set[str]) -> Iterator[str]:
    best = operation.best
    yield f"    {best.method.lower()}:\n"
    if best.name and best.name not in names:
        names.add(best.name)
        yield f"      operationId: {_quoted(best.name)}\n"
    places = dict.fromkeys(f"{each.source}: {each.place}" for each in operation.all)
    said = "; ".join([best.sure.value, *([best.why] if best.why else []), *list(places)[:5]])
    yield f"      x-discovered: {_quoted(said[:500])}\n"
    yield '      responses: {default: {description: "not described yet"}}\n'


def _quoted(text: str) -> str:
    """Return a text as YAML writes it in double quotes; JSON's escapes are all known to YAML (1.2, section 5.7)."""
    return json.dumps(
        "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    )
