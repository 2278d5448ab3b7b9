"""`inward audit prove`: evidence of a call, for somebody who has only the public key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inward.authority.signing import load_verifier
from inward.catalog.document import shown
from inward.cli.options import JSONOption, SystemOption, system_layout
from inward.cli.output import print_json, print_line
from inward.errors import BadInputError, InwardError
from inward.record.audit.prove import prove_call
from inward.tlog.evidence import SUFFIX

if TYPE_CHECKING:
    from inward.record.call import Call


class UnwritableProofError(InwardError):
    """A proof cannot be written where it should be."""

    code = "unwritable_proof"


def prove(
    reference: Annotated[str, typer.Argument(metavar="REF", help="The reference of a call, as `inward calls` has it.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to, such as evidence.tlog-proof.")
    ] = None,
    system: SystemOption = Path(),
    json: JSONOption = False,
) -> None:
    """Write evidence that the record holds a call: a file that another machine checks with only the public key.

    A request passes two enforcers; each of its calls gets a file. It holds the whole entry.
    """
    layout = system_layout(system)
    proven = prove_call(layout.record, reference, load_verifier(layout.public_key))
    first = output or Path(f"{_plain(proven[0][0].id)}{SUFFIX}")
    written = []
    for number, (call, text) in enumerate(proven):
        path = first if number == 0 else first.with_name(f"{first.stem}-{number + 1}{first.suffix}")
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UnwritableProofError(f"`{shown(str(path))}` cannot be written: {error.strerror}") from error
        written.append((call, path))
    if json:
        print_json({"written": [{"file": str(path), "enforcer": call.enforcer} for call, path in written]})
        return
    for call, path in written:
        print_line(f"{path}: what the {call.enforcer} of {_side(call)} recorded")
    print_line(f"others check it by `inward audit check {first} --key FILE`, with your `{layout.public_key.name}`")


def _side(call: Call) -> str:
    return (call.caller if call.enforcer == "egress" else call.callee) or "a service"


def _plain(reference: str) -> str:
    """Return a reference as the name of a file; Envoy makes them, and an application may have made another."""
    name = "".join(each for each in reference if each.isascii() and (each.isalnum() or each in "-_"))[:100]
    if not name:
        raise BadInputError("that reference makes no name of a file", hint="name one with `--output`")
    return name
