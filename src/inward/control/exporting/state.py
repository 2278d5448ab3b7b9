"""How far the sending to one destination has come: its place in the record, and what was counted. It outlives runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from inward.errors import InwardError
from inward.identity.private_files import private_folder, read_private, write_private
from inward.record.follow import START, Place

if TYPE_CHECKING:
    from pathlib import Path

VERSION = 1
_ENDING = ".json"


class DamagedStateError(InwardError):
    """What was kept of a destination cannot be read."""

    code = "export_state"


class ExportState(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is kept of a destination. Counts are of entries, since it was first sent to."""

    version: int = VERSION
    place: Place = START  # what is before it is done
    sent: int = 0
    skipped: int = 0  # more than the limit behind, or deleted before they were sent
    refused: int = 0  # by the receiver, or by what they hold, which no form has a place for
    untold: int = 0  # of the skipped: what the next item will tell
    trouble: str | None = None  # why nothing goes through now
    waiting: int = 0  # bytes of the record, about, when this was stored
    run: int = 0  # the process that stored it


def load_state(folder: Path, name: str) -> ExportState | None:
    """Return what was kept of a destination, None where nothing was. Raises `DamagedStateError`."""
    try:
        content = read_private(folder / f"{name}{_ENDING}") if folder.exists() else None
        if content is None:
            return None
        state = msgspec.json.decode(content, type=ExportState)
    except (InwardError, msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise DamagedStateError(f"what was kept of {name} cannot be read: {error}") from error
    if state.version != VERSION or min(state.place) < 0:
        raise DamagedStateError(f"what was kept of {name} cannot be used: it is of another version")
    return state


def store_state(folder: Path, name: str, state: ExportState) -> None:
    """Keep it, durably. Raises `PrivateFileError`."""
    write_private(private_folder(folder) / f"{name}{_ENDING}", msgspec.json.encode(state))


def stored_states(folder: Path, run: int) -> dict[str, ExportState]:
    """Return the states that a run stored, by name."""
    found: dict[str, ExportState] = {}
    if folder.is_dir():
        for path in sorted(folder.glob(f"*{_ENDING}")):
            try:
                state = load_state(folder, path.stem)
            except DamagedStateError:
                continue  # the run that sends says so
            if state is not None and state.run == run:
                found[path.stem] = state
    return found
