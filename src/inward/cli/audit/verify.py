"""`inward audit verify`: that nothing in the record was changed since it was signed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inward.authority.signing import load_verifier
from inward.cli.audit.damages import damage_as_json, print_damages
from inward.cli.options import JSONOption, SystemOption, system_layout
from inward.cli.output import print_json, print_line, remark, styled
from inward.cli.progress import shown_progress
from inward.errors import ExitCode
from inward.record.audit.verify import verify_record

if TYPE_CHECKING:
    from inward.record.audit.verify import Verified


def verify(
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The public key, as somebody else has kept it.")
    ] = None,
    allow_gone: Annotated[
        bool, typer.Option("--allow-gone", help="Segments that are not there any more are no finding.")
    ] = False,
    system: SystemOption = Path(),
    json: JSONOption = False,
) -> int:
    """Verify the whole record: nothing changed, dropped, reordered or inserted since each signed checkpoint.

    Exit 0: it is as it was signed. 2: it is not, and where.
    """
    layout = system_layout(system)
    verifier = load_verifier(key or layout.public_key)
    with shown_progress(wanted=not json) as watch:
        found = verify_record(
            layout.record,
            verifier,
            layout.signed,
            None if watch is None else lambda done, of: watch("entries", done, of),
        )
    whole = not found.damages and (allow_gone or not found.gone)
    if json:
        print_json({"whole": whole, **_as_json(found)})
    else:
        _print(found, whole=whole)
    return ExitCode.SUCCESS if whole else ExitCode.REFUSED


def _as_json(found: Verified) -> dict[str, Any]:
    return {
        "entries": found.size,
        "checkpoints": found.checkpoints,
        "unsigned": found.unsigned,
        "damages": [damage_as_json(damage) for damage in found.damages],
        "gone": [{"file": part.path.name, "begin": part.first, "end": part.end} for part in found.gone],
        "dropped": found.dropped + sum(part.count for part in found.retired),
    }


def _print(found: Verified, *, whole: bool) -> None:
    print_damages(found.damages)
    for part in found.gone:
        print_line(
            styled(f"entries {part.first} to {part.end - 1}: `{part.path.name}` is not there any more", "yellow")
        )
    dropped = found.dropped + sum(part.count for part in found.retired)
    if dropped:
        print_line(f"{dropped:,} entries were dropped by retention, as the record tells; their hashes are as they were")
    if not found.checkpoints:
        remark("the record is not signed yet: that begins a few seconds after `inward up` has started")
        return
    checkpoints = f"{found.checkpoints:,} checkpoint{'s' if found.checkpoints > 1 else ''}"
    signed = f"{found.size - found.unsigned:,} entries under {checkpoints}"
    rest = f"; {found.unsigned:,} more are not signed yet" if found.unsigned else ""
    print_line(f"{signed}: {'all as they were signed' if whole else 'not all as they were signed'}{rest}")
