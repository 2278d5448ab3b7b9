"""Administrative acts on their way to the record: a log of their own, which `inward up` reads as it reads Envoy's.

So an act is recorded exactly once, in the order in which acts were noted, whichever process does it and whether or not
the system runs: what a command does while nothing runs is in the record with the next `inward up`. Nothing is kept from
being done because it cannot be noted, which is told then: a compromised service must be cut off on a full disk too.
"""

from __future__ import annotations

import os
import pwd
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from inward.envoy.log_folder import LogFolder
from inward.errors import InwardError
from inward.identity.private_files import one_at_a_time, private_folder
from inward.record.call import Act, DamagedLineError, parse_entry, timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inward.control.bundle import Policy
    from inward.control.layout import Layout

SERVICE, KIND = "inward", "acts"  # how the log is named; a service of that name has other kinds
_NAMED = 20  # policies that one act names
BEFORE = "in the place of "  # how an act names the policies' version before
_CHANGED = re.compile(r"(?:added|changed): (?P<names>.*?)(?P<more> and [0-9]+ more)?")


class ActError(InwardError):
    """An act cannot be noted."""

    code = "act"


def note_act(
    layout: Layout, what: str, about: str | None = None, *, detail: str | None = None, by: str | None = None
) -> None:
    """Note an act, durably. Raises `ActError`."""
    act = Act(time=timestamp(datetime.now(UTC)), what=what, about=about, detail=detail, by=by)
    line = msgspec.json.encode(act) + b"\n"
    try:
        folder = LogFolder(private_folder(layout.log(SERVICE)), KIND)
        with one_at_a_time(folder.path / "acts.lock"):
            number = folder.current()
            if number is None or not folder.file(number).exists():
                number = folder.switch()
            _append(folder, number, line)
    except (OSError, InwardError) as error:
        why = error.message if isinstance(error, InwardError) else error.strerror or str(error)
        raise ActError(f"`{what}` cannot be noted for the record: {why}") from error


def parse_act(line: bytes, src: str) -> Act | None:
    """Return the act in a line of the log, with its `src`; None where it is none."""
    try:
        entry = parse_entry(line)
    except DamagedLineError:
        return None
    return msgspec.structs.replace(entry, src=src) if isinstance(entry, Act) else None


def account() -> str:
    """Return the name of the account that runs this process, its number where it has none."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def changes_of(old: Policy, new: Policy) -> list[tuple[str, str, str]]:
    """Return what a change of the system folder does, as acts: what, about, and detail."""
    found = [("policy", new.version, f"{BEFORE}{old.version}{_policies(old, new)}")]
    for name, service in new.catalog.services.items():
        before = old.catalog.services.get(name)
        if before is not None and before.mode is not service.mode:
            found.append(("mode", name, f"{before.mode} to {service.mode}"))
    for name, operation in new.catalog.operations.items():
        earlier = old.catalog.operations.get(name)
        if earlier is None or earlier.mode is operation.mode:
            continue
        if operation.mode is not new.catalog.services[operation.service].mode:  # else the service's own act says it
            found.append(("mode", name, f"{earlier.mode} to {operation.mode}"))
    return found


def _policies(old: Policy, new: Policy) -> str:
    told = told_changes(texts_of(old), texts_of(new))
    return told + ("; what the record keeps was changed" if old.catalog.privacy != new.catalog.privacy else "")


def texts_of(system: Policy) -> dict[str, str]:
    """Return the policies' sources, by the service whose file holds each (nothing: the guardrails) and its id."""
    return {f"{each.file_owner or ''}/{each.id}": each.text for each in system.policies}


def told_changes(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Return which policies an act names, as `policies_in` reads them; both are as `texts_of`, or hashes of that."""
    told = ""
    for what, keys in (
        ("added", [key for key in after if key not in before]),
        ("removed", [key for key in before if key not in after]),
        ("changed", [key for key, text in after.items() if before.get(key, text) != text]),
    ):
        names = [key.partition("/")[2] for key in keys]
        if names:
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            told += f"; {what}: {', '.join(names[:_NAMED])}{more}"
    return told


def policies_in(act: Act) -> tuple[set[str], bool]:
    """Return the policies that an act `policy` or `start` says were added or changed, and whether there were more."""
    names: set[str] = set()
    more = False
    for part in (act.detail or "").split("; "):
        if found := _CHANGED.fullmatch(part):
            names.update(found["names"].split(", "))
            more |= found["more"] is not None
    return names, more


def _append(folder: LogFolder, number: int, line: bytes) -> None:
    with folder.file(number).open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        if end:
            file.seek(end - 1)
            if file.read(1) != b"\n":  # somebody was killed in the middle of a line
                file.write(b"\n")
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
