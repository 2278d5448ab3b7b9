"""What was discovered becomes part of a system folder: planned, checked as a whole, and only then written.

Rules: nothing that is there is overwritten. New operations of a service that has documents already go into one more
document; a description that was fetched is put in as it is, unless the system has operations of it already. The changed
system is loaded from a copy first, with its policies: what would be a mistake is not written.
"""

from __future__ import annotations

import difflib
import tempfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from inward.catalog.model import Mode
from inward.catalog.system import FILE, load_system
from inward.control.bundle import load_policy
from inward.discovery.found import Sure
from inward.discovery.writing.document import render
from inward.discovery.writing.entry import new_system, with_apis, with_service
from inward.errors import BadInputError
from inward.policy.authoring.replace import read_file, replace_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from inward.catalog.model import Catalog
    from inward.catalog.syntax import Data
    from inward.control.bundle import Policy
    from inward.discovery.found import Operation

MAX_DIFF = 40  # lines that are shown


class AlreadyThereError(BadInputError):
    """A file that would be written is there already, and holds something else."""

    code = "already_there"


@dataclass(frozen=True)
class Adoption:
    """What is to be written: each file's name with its bytes before (none: it is new) and after."""

    files: dict[str, tuple[bytes, bytes]]
    operations: list[Operation]
    left: list[Operation] = field(default_factory=list)  # what is not written, since it is doubtful

    def diff(self) -> Iterator[str]:
        """Yield the lines of a unified diff of the files that are there already."""
        for name, (before, after) in self.files.items():
            if before:
                yield from _diff(name, before, after)


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a service that is not in the system yet should be entered."""

    owner: str
    listen: str
    run: str
    trust_domain: str


def plan(
    folder: Path,
    catalog: Catalog | None,
    service: str,
    operations: Sequence[Operation],
    documents: Mapping[str, bytes],
    apis: Sequence[str],
    wanted: Wanted,
    *,
    doubtful: bool = False,
) -> Adoption:
    """Return what to write for the operations that the catalog does not have.

    `documents` are files that were fetched, or copied, `apis` those of them that describe operations. Raises
    `AlreadyThereError`, and `UneditableError` for an `inward.yaml` that no line can be put into.
    """
    there = catalog.services.get(service) if catalog else None
    known = {(each.method, each.template.specificity) for each in there.operations} if there else set()
    new = [each for each in operations if each.best.key not in known]
    left = [each for each in new if each.best.sure is Sure.DOUBTFUL and not doubtful]
    new = [each for each in new if each not in left]
    clashing = {found.document for each in operations if each.best.key in known for found in each.all} - {None}
    own = [api for api in apis if api not in clashing]
    files = dict(documents) if own and not clashing else {}
    own = own if files else []
    rest = [each for each in new if not any(found.document in own for found in each.all)]
    if lost := [each for each in rest if all(found.source == "proto" for found in each.all)]:
        raise AlreadyThereError(
            f"`{service}` has some methods of these `.proto` files, and not `{lost[0].best.template.text}`",
            hint="renew the `.proto` files that it has",
        )
    if rest:
        name = _free(folder, service)
        taken = {each.name for each in there.operations} if there else set()
        taken |= {found.name for each in new for found in each.all if found.document in own and found.name}
        files[name] = render(rest, service, taken)
        own.append(name)
    changes = {name: (read_file(folder, name), content) for name, content in files.items()}
    for name, (before, after) in changes.items():
        if before not in {b"", after}:
            shown = "\n".join(_diff(name, before, after))
            raise AlreadyThereError(
                f"`{name}` is there already, and holds something else:\n{shown}", hint="nothing was written"
            )
    if own:
        before = read_file(folder, FILE)
        text = before.decode() or new_system(wanted.trust_domain)
        after_text = (
            with_apis(text, service, own, wanted.listen) if there else with_service(text, service, _entry(own, wanted))
        )
        changes[FILE] = (before, after_text.encode())
    return Adoption({name: pair for name, pair in changes.items() if pair[0] != pair[1]}, new, left)


def _entry(apis: list[str], wanted: Wanted) -> dict[str, Data]:
    entry: dict[str, Data] = {"owner": wanted.owner, "api": list(apis) if len(apis) > 1 else apis[0]}
    entry |= {"listen": wanted.listen, "mode": Mode.OBSERVE.value}
    return entry | ({"run": wanted.run} if wanted.run else {})


def _free(folder: Path, service: str) -> str:
    """Return a name for a document that no file has."""
    names = (f"apis/{service}.discovered{number or ''}.yaml" for number in (0, *range(2, 1000)))
    return next(name for name in names if not (folder / name).exists())


def _diff(name: str, before: bytes, after: bytes) -> list[str]:
    old, new = (content.decode("utf-8", "replace").splitlines() for content in (before, after))
    lines = list(difflib.unified_diff(old, new, name, name, lineterm=""))
    return [*lines[:MAX_DIFF], *([f"… and {len(lines) - MAX_DIFF} more lines"] if len(lines) > MAX_DIFF else [])]


def checked(folder: Path, adoption: Adoption) -> Policy:
    """Return the system as it would be, loaded from a copy; `InvalidSystemError` where it would have a mistake."""
    with tempfile.TemporaryDirectory(prefix="inward-adopt-") as copied:
        copy = Path(copied)
        files = {name: (folder / name).read_bytes() for name in load_system(folder).files if (folder / name).is_file()}
        for name, content in (files | {name: after for name, (_, after) in adoption.files.items()}).items():
            target = copy.joinpath(*PurePosixPath(name).parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        return load_policy(copy)


def write(folder: Path, adoption: Adoption) -> None:
    """Write what was planned, `inward.yaml` last: until then nothing names the other files."""
    for name, (before, after) in sorted(adoption.files.items(), key=lambda item: item[0] == FILE):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        replace_file(folder, name, before, after)
