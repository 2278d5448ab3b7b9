"""Writes grants as Cedar text: what a person would write, with an id that can be read and is not taken."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inward.policy.authoring.layout import lay_out_policy
from inward.policy.authoring.wording import quoted
from inward.policy.schema import DISCLOSE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from inward.catalog.model import Operation
    from inward.policy.resources.model import Objects

MAX_ID = 90  # characters; a hundred are allowed, and a number may follow


def new_id(caller: str, operations: Sequence[Operation], taken: Collection[str]) -> str:
    """Return an id for a grant such as `checkout-orders-getorder`."""
    names = [operation.name for operation in operations] if len(operations) == 1 else ["several"]
    return free_id([caller, operations[0].service, *names], taken)


def free_id(words: Iterable[str], taken: Collection[str]) -> str:
    """Return an id made of words, with `-2` and so on where it is taken."""
    stem = re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")[:MAX_ID].strip("-")
    number, name = 1, stem
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    return name


def grant_text(
    identifier: str,
    reason: str,
    caller: str,
    operations: Sequence[Operation],
    *,
    expires: str | None = None,
    condition: str | None = None,
) -> str:
    """Return the Cedar text of a grant, laid out: one caller, some operations of one service; no line break at its end.

    `expires` is the text of `@expires`; `condition` the expression of a `when` clause, taken as it is.
    """
    actions = [f"Action::{quoted(operation.id)}" for operation in operations]
    action = f"action == {actions[0]}" if len(actions) == 1 else f"action in [{', '.join(actions)}]"
    resource = f"resource == Service::{quoted(operations[0].service)}"
    return _text(identifier, reason, (caller, action, resource), expires, condition)


def object_grant_text(identifier: str, reason: str, caller: str, objects: Objects) -> str:
    """Return the Cedar text of a grant of one operation on all objects of a type."""
    action = f"action == Action::{quoted(objects.operation.id)}"
    return _text(identifier, reason, (caller, action, f"resource is {objects.type.name}"))


def disclosure_text(identifier: str, reason: str, caller: str, data_class: str) -> str:
    """Return the Cedar text of a grant by which a service is shown, and may be sent, one data class."""
    action = f"action == Action::{quoted(DISCLOSE)}"
    return _text(identifier, reason, (caller, action, f"resource == DataClass::{quoted(data_class)}"))


def _text(
    identifier: str,
    reason: str,
    scope: tuple[str, str, str],
    expires: str | None = None,
    condition: str | None = None,
) -> str:
    caller, action, resource = scope
    lines = [f"@id({quoted(identifier)})", f"@reason({quoted(reason)})"]
    if expires is not None:
        lines.append(f"@expires({quoted(expires)})")
    lines += ["permit (", f"  principal == Service::{quoted(caller)},", f"  {action},", f"  {resource}", ")"]
    if condition is not None:
        lines += ["when {", f"  {condition}", "}"]
    return lay_out_policy("\n".join(lines) + ";")
