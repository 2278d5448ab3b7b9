"""`inward audit check`: evidence of a call, checked by the public key alone; nothing else of the system is needed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inward.authority.signing import load_verifier
from inward.catalog.document import shown
from inward.cli.options import JSONOption  # noqa: TC001 - Typer reads the annotations
from inward.cli.output import print_json, print_line, printable, styled
from inward.errors import BadInputError, ExitCode
from inward.record.call import Call, DamagedLineError, parse_entry
from inward.tlog.evidence import MAX_BYTES, verify_evidence
from inward.tlog.note import NoteError
from inward.tlog.proof import ProofError

if TYPE_CHECKING:
    from inward.tlog.evidence import Evidence


def check(
    proof: Annotated[str, typer.Argument(metavar="PROOF", help="What `inward audit prove` has written; - for stdin.")],
    key: Annotated[Path, typer.Option(metavar="FILE", help="The public key of the record: record.pub.")],
    json: JSONOption = False,
) -> int:
    """Check evidence of a call. Exit 0: the signed record holds it. 2: the evidence shows nothing."""
    verifier = load_verifier(key)
    text = _read(proof)
    try:
        evidence = verify_evidence(text, verifier.name, [verifier])
    except (NoteError, ProofError) as error:
        if json:
            print_json({"proven": False, "why": error.message})
        else:
            print_line(styled(f"not proven: {error.message}", "red"))
        return ExitCode.REFUSED
    if json:
        checkpoint = {"origin": evidence.checkpoint.origin, "size": evidence.checkpoint.size}
        entry = evidence.entry.decode("utf-8", "replace")
        print_json({"proven": True, "index": evidence.index, "checkpoint": checkpoint, "entry": entry})
    else:
        _print(evidence)
    return ExitCode.SUCCESS


def _print(evidence: Evidence) -> None:
    checkpoint = evidence.checkpoint
    print_line(
        f"proven: entry {evidence.index} of {checkpoint.size} of the record {printable(checkpoint.origin)}, "
        f"signed at {printable(' '.join(checkpoint.more).removeprefix('time ')) or 'an unknown time'}"
    )
    try:
        call = parse_entry(evidence.entry)
    except DamagedLineError:
        print_line(printable(evidence.entry.decode("utf-8", "replace")))
        return
    if isinstance(call, Call):
        request = f"{call.method or '?'} {call.full_path or '?'}"
        print_line(
            printable(
                f"{call.time} {call.caller or '?'} → {call.callee or '?'}: {request}, "
                f"{call.decision} ({call.reason}), carried out: {call.carried_out}, status {call.status or 'none'}"
            )
        )


def _read(proof: str) -> str:
    try:
        if proof == "-":
            content = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(proof).open("rb") as file:
                content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no name of a file"
        raise BadInputError(f"`{shown(proof)}` cannot be read: {why.lower()}") from None
    try:
        return content[:MAX_BYTES].decode()
    except UnicodeDecodeError:
        raise BadInputError(f"`{shown(proof)}` is no proof: it is no text") from None
