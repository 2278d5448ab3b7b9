"""How damage to the record is printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inward.cli.output import print_line, styled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inward.record.audit.locate import Damage


def print_damages(damages: Iterable[Damage]) -> None:
    """Print a line for each: which entries, in which file, and what is wrong."""
    for damage in damages:
        where = [_entries(damage), f"`{damage.file}`" if damage.file else ""]
        print_line(styled(f"{', '.join(part for part in where if part) or 'the record'}: {damage.why}", "red"))


def damage_as_json(damage: Damage) -> dict[str, Any]:
    """Return one for programs; `begin` and `end` are of the entries, counted from 0, and `end` is behind the last."""
    return {"begin": damage.begin, "end": damage.end, "file": damage.file, "why": damage.why}


def _entries(damage: Damage) -> str:
    if damage.begin is None or damage.end is None:
        return ""
    if damage.end == damage.begin + 1:
        return f"entry {damage.begin}"
    return f"entries {damage.begin} to {damage.end - 1}"
