"""Reads the types of objects of a system folder: `policies/<service>.cedarschema`.

Whose file it is, is in its name, as with policies. A name is one type in the whole system, so that a policy, a record
and a person mean the same by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inward.errors import Mistake, Place
from inward.policy.loading.rules import nearest, shown
from inward.policy.loading.source import read_regular
from inward.policy.resources.declarations import MAX_FILE_BYTES, parse_declarations
from inward.policy.resources.model import NO_RESOURCES, Resources

if TYPE_CHECKING:
    from pathlib import Path

    from inward.catalog.model import Catalog
    from inward.policy.resources.model import ResourceType

FOLDER = "policies"
SUFFIX = ".cedarschema"


def load_resources(folder: Path, catalog: Catalog) -> tuple[Resources, list[Mistake]]:
    """Load the types of the system in `folder`; with a mistake, those that could be read, to check policies with."""
    mistakes: list[Mistake] = []
    try:
        names = sorted(path.name for path in (folder / FOLDER).iterdir())
    except OSError:
        return NO_RESOURCES, []  # said, where it matters, of the policies
    types: dict[str, ResourceType] = {}
    for file in names:
        if file.startswith(".") or not file.lower().endswith(SUFFIX):
            continue
        name, service = f"{FOLDER}/{file}", file.removesuffix(SUFFIX)
        if service not in catalog.services:
            hint = nearest(service, catalog.services) or "name it after the service whose objects it declares"
            mistakes.append(Mistake(Place(shown(name)), f"there is no service `{shown(service)}`", hint))
            continue
        try:
            data = read_regular(folder / name, MAX_FILE_BYTES)
        except OSError as error:
            mistakes.append(Mistake(Place(name), f"the file cannot be read: {error.strerror or error}"))
            continue
        found, more = parse_declarations(data, service, name)
        mistakes += more
        for each in found:
            other = types.setdefault(each.name, each)
            if other is not each:
                what = f"`{each.name}` is declared at {other.place} already"
                mistakes.append(Mistake(each.place, what, "choose another name"))
    return Resources(types.values()), mistakes
