"""Asks all sources what operations a service has: descriptions first, then code, then what was seen.

What is stated comes first, so that a call which was seen counts for the operation that it is of, and teaches nothing
new.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inward.catalog.document import shown
from inward.discovery.described import read_openapi, read_proto
from inward.discovery.fetch import fetch
from inward.discovery.found import Discovery, Found, merged
from inward.discovery.logs.read import read_log
from inward.discovery.paths.observed import LEAST_CALLS, Observed
from inward.discovery.recorded import read_record
from inward.discovery.source.read import read_source
from inward.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inward.catalog.model import Catalog
    from inward.discovery.found import Operation
    from inward.discovery.logs.formats import Format

CATALOG = "catalog"


@dataclass(frozen=True, slots=True)
class Sources:
    """Where to look; false: nowhere. `record` is a folder, `seconds` the time that a fetch may take."""

    urls: tuple[str, ...] = ()
    protos: tuple[Path, ...] = ()
    code: tuple[Path, ...] = ()
    logs: tuple[Path, ...] = ()
    form: Format | None = None
    record: Path | None = None
    least: int = LEAST_CALLS
    seconds: float = 30.0

    def __bool__(self) -> bool:
        return bool(self.urls or self.protos or self.code or self.logs or self.record)


@dataclass
class Discovered:
    """What all sources told; `known` is how many operations the system had before, `read` says what was looked at."""

    discovery: Discovery
    operations: list[Operation]
    known: int
    documents: dict[str, bytes] = field(default_factory=dict)
    apis: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)


def discovered(
    sources: Sources, service: str, catalog: Catalog | None, watch: Callable[[str, int, int], None] | None = None
) -> Discovered:
    """Ask all sources. Raises what they raise: a source that cannot be read at all ends it."""
    discovery = Discovery()
    made = Discovered(discovery, [], 0)
    for number, url in enumerate(sources.urls):
        fetched = fetch(url, sources.seconds)
        name = service if number == 0 else f"{service}-{number + 1}"
        document = read_openapi(name, fetched.content, fetched.url, discovery)
        made.documents |= document
        made.apis += document
        made.read.append(f"fetched {shown(fetched.url)} from {fetched.address}: {len(fetched.content):,} bytes")
    for number, path in enumerate(sources.protos):
        files, serving = read_proto(path, service if number == 0 else f"{service}-{number + 1}", discovery)
        made.documents |= files
        made.apis += serving
        made.read.append(f"read {len(files)} `.proto` file{'' if len(files) == 1 else 's'} of {shown(str(path))}")
    for path in sources.code:
        read_source(path, discovery)
        made.read.append(f"read the source in {shown(str(path))}")
    existing = _existing(catalog, service)
    known = {each.key for each in existing}
    _see(sources, service, [*existing, *discovery.found], made, watch)
    found = [each for each in discovery.found if each.key not in known or each.document]
    made.operations = merged(found, existing)
    made.known = len(known)
    return made


def _see(
    sources: Sources, service: str, known: list[Found], made: Discovered, watch: Callable[[str, int, int], None] | None
) -> None:
    """Add what logs and the record tell, each held against what is known without them."""
    discovery = made.discovery
    if sources.logs:
        observed = Observed(known, discovery.left_out)
        for path in sources.logs:
            lines = read_log(path, observed, discovery, sources.form, watch)
            made.read.append(f"read {lines:,} lines of {shown(str(path))}")
        place = shown(sources.logs[0].name) + (f" and {len(sources.logs) - 1} more" if len(sources.logs) > 1 else "")
        discovery.found += observed.operations("log", place, sources.least)
    if sources.record is not None:
        observed = Observed(known, discovery.left_out)
        if not sources.record.is_dir():
            raise BadInputError(
                f"there is no record in `{shown(str(sources.record.parent.parent))}`", hint="`inward up` keeps one"
            )
        number = read_record(sources.record, service, observed)
        made.read.append(f"read {number:,} calls of the record that fit no operation")
        discovery.found += observed.operations("record", "the record", sources.least)


def _existing(catalog: Catalog | None, service: str) -> list[Found]:
    there = catalog.services.get(service) if catalog else None
    return [Found(each.method, each.template, CATALOG, str(each.place)) for each in there.operations] if there else []
