"""`inward audit consistency`: that the record only grew since a checkpoint that somebody has kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inward.authority.signing import load_verifier
from inward.catalog.document import shown
from inward.cli.options import JSONOption, SystemOption, system_layout
from inward.cli.output import print_json, print_line, styled
from inward.errors import BadInputError, ExitCode
from inward.record.audit.prove import prove_growth
from inward.tlog.checkpoint import Checkpoint, verify_checkpoint
from inward.tlog.note import MAX_NOTE_BYTES, NoteError, Verifier
from inward.tlog.proof import ProofError


def consistency(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="A checkpoint: a copy of .inward/record.signed.")],
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The public key, as somebody else has kept it.")
    ] = None,
    system: SystemOption = Path(),
    json: JSONOption = False,
) -> int:
    """Show that the record begins with all that it had at an older checkpoint. Exit 0: it does. 2: it was changed.

    Keep a copy of `.inward/record.signed` where the system cannot write: only that can show that all of its state was
    put back to what it once was.
    """
    layout = system_layout(system)
    verifier = load_verifier(key or layout.public_key)
    before = _load(old, verifier)
    try:
        now, path = prove_growth(layout.record, before, verifier)
    except ProofError as error:
        if json:
            print_json({"consistent": False, "why": error.message, "old": before.size})
        else:
            print_line(styled(f"the record is not what it was at entry {before.size}: {error.message}", "red"))
        return ExitCode.REFUSED
    if json:
        proof = [each.hex() for each in path]
        print_json({"consistent": True, "old": before.size, "new": now.size, "proof": proof})
    else:
        print_line(f"the record has grown from {before.size:,} to {now.size:,} entries, and begins as it did")
    return ExitCode.SUCCESS


def _load(path: Path, verifier: Verifier) -> Checkpoint:
    try:
        with path.open(encoding="utf-8") as file:
            return verify_checkpoint(file.read(MAX_NOTE_BYTES), verifier.name, [verifier])
    except NoteError as error:
        raise BadInputError(f"`{shown(str(path))}` is no checkpoint of this record: {error.message}") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise BadInputError(f"`{shown(str(path))}` cannot be read: {why.lower()}") from None
