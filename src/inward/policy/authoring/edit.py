"""Writes a grant into its owner's file, and takes one out again: nothing else of the file changes.

A change is loaded and validated as a whole system before it replaces the file, and the file is replaced in one step.
Access of others is never taken away on the way: what would need that is refused, and named for editing by hand.
"""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cedarpy import pst

from inward.errors import BadInputError, InvalidSystemError, Place
from inward.policy.authoring.grants import grant_text, new_id
from inward.policy.authoring.replace import EditRefusedError, read_file, replace_file
from inward.policy.authoring.wording import cut, without_action
from inward.policy.index import Index
from inward.policy.loading.load import FOLDER, MAX_REASON, SUFFIX, Memo, load_policies, parse_expiry
from inward.policy.loading.rules import GUARDRAILS, nearest, shown
from inward.policy.loading.source import parse_statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inward.catalog.model import Catalog, Operation
    from inward.policy.model import Cell, Policies, Policy


@dataclass(frozen=True, slots=True)
class Change:
    """One policy that was added (`before` is empty), taken out (`after` is empty) or narrowed, and where."""

    policy: str
    place: Place
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Edit:
    """What was changed in one file; without `changes` nothing had to be, and `note` says why.

    `on_objects` are grants of what was revoked on objects. They stay: without the call they take no effect.
    """

    file: str
    changes: tuple[Change, ...] = ()
    note: str = ""
    on_objects: tuple[Policy, ...] = ()


def add_grant(
    folder: Path,
    catalog: Catalog,
    caller: str,
    operations: Sequence[str],
    reason: str,
    *,
    expires: str | None = None,
    condition: str | None = None,
) -> Edit:
    """Grant `operations` of one service to `caller`, in the file of that service.

    `expires` is a day or a time as in `@expires`; `condition` is a Cedar expression for a `when` clause. What is
    granted already, and for as long, is left out. Raises `BadInputError`, `InvalidSystemError` if the policies have
    mistakes now or would have then, and `EditRefusedError`.
    """
    chosen = _operations(catalog, caller, operations)
    _check_words(reason, expires)
    memo = Memo()
    policies = _load(folder, catalog, memo)
    index = Index(catalog, policies)
    file = f"{FOLDER}/{chosen[0].service}{SUFFIX}"
    missing = [operation for operation in chosen if not _covered(index.cell(caller, operation.id), expires)]
    if not missing:
        return Edit(file, note="granted already")
    for operation in missing:
        if barred := [forbid for forbid in index.cell(caller, operation.id).forbids if _is_absolute(forbid)]:
            raise EditRefusedError(
                f"{barred[0].place}: `{barred[0].id}` forbids `{operation.id}` to `{caller}`, whatever is granted",
                hint="change that policy first",
            )
    identifier = new_id(caller, missing, policies.by_id)
    text = grant_text(identifier, reason, caller, missing, expires=expires, condition=condition)
    changed = _appended(folder, catalog, file, text, memo)
    added = changed.policies.by_id.get(identifier)
    if added is None or changed.policies.by_id.keys() != policies.by_id.keys() | {identifier}:
        raise BadInputError("the condition does not stay within its clause", hint="write one Cedar expression")
    replace_file(folder, file, changed.before, changed.after)
    return Edit(file, (Change(identifier, added.place, "", text),))


def add_policy(folder: Path, catalog: Catalog, file: str, text: str, *, write: bool = True) -> Edit:
    """Add one policy, given as Cedar text, to a file of the system; without `write`, only say what would be.

    Raises `BadInputError`, `InvalidSystemError` if the policies have mistakes now or would have then, and
    `EditRefusedError`.
    """
    memo = Memo()
    policies = _load(folder, catalog, memo)
    changed = _appended(folder, catalog, file, text, memo)
    added = [each for each in changed.policies if each.id not in policies.by_id]
    if len(added) != 1 or len(changed.policies) != len(policies) + 1:
        raise BadInputError("the text is not one policy")
    if write:
        replace_file(folder, file, changed.before, changed.after)
    return Edit(file, (Change(added[0].id, added[0].place, "", text),))


def revoke(folder: Path, catalog: Catalog, caller: str, operation: str) -> Edit:
    """Take what grants `operation` to `caller` out of the file of its service.

    A policy for that caller and operation alone goes; a list of operations loses that one. Grants on objects stay, and
    are named, so that a grant that comes back is as narrow as it was. Raises `BadInputError`, `InvalidSystemError` if
    the policies have mistakes, and `EditRefusedError` if a policy grants it to others too.
    """
    (chosen,) = _operations(catalog, caller, [operation])
    memo = Memo()
    policies = _load(folder, catalog, memo)
    index = Index(catalog, policies)
    permits = index.cell(caller, chosen.id).permits
    file = f"{FOLDER}/{chosen.service}{SUFFIX}"
    cells = [index.object_cell(caller, chosen.id, each.type) for each in policies.resources.objects(chosen)]
    on_objects = dict.fromkeys(permit.id for cell in cells for permit in cell.permits)
    if not permits:
        return Edit(file, note="not granted", on_objects=tuple(policies.by_id[name] for name in on_objects))
    narrowed = [_narrowed(permit, caller, chosen) for permit in permits]
    before, text = _read_text(folder, file)
    statements = {(each.line, each.text): each for each in parse_statements(before, file)[0]}
    changes = []
    for permit, after in sorted(zip(permits, narrowed, strict=True), key=lambda pair: -pair[0].place.line):
        statement = statements.get((permit.place.line, permit.text))
        if statement is None:
            raise EditRefusedError(f"{file} has changed meanwhile", hint="try again")
        if after:
            text = text[: statement.start] + after + text[statement.end :]
        else:
            text = without_statement(text, statement.start, statement.end)
        changes.append(Change(permit.id, permit.place, permit.text, after))
    result = _validated(folder, catalog, file, text, memo)
    gone = {change.policy for change in changes if not change.after}
    if result.by_id.keys() != policies.by_id.keys() - gone or Index(catalog, result).cell(caller, chosen.id).permits:
        raise EditRefusedError(f"{file} cannot be edited without touching more", hint="edit it by hand")
    replace_file(folder, file, before, text.encode())
    # where they stand now
    return Edit(file, tuple(reversed(changes)), on_objects=tuple(result.by_id[name] for name in on_objects))


@dataclass(frozen=True, slots=True)
class _Appended:
    """A file before and after a policy was added to its end, and the policies of the system as they would be then."""

    before: bytes
    after: bytes
    policies: Policies


def _appended(folder: Path, catalog: Catalog, file: str, text: str, memo: Memo) -> _Appended:
    before, old = _read_text(folder, file)
    newline = "\r\n" if "\r\n" in old else "\n"
    gap = "" if not old else newline if old.endswith("\n") else newline * 2
    new = old + gap + text.replace("\n", newline) + newline
    return _Appended(before, new.encode(), _validated(folder, catalog, file, new, memo))


def _read_text(folder: Path, file: str) -> tuple[bytes, str]:
    before = read_file(folder, file)
    try:
        return before, before.decode()
    except UnicodeDecodeError:  # it was UTF-8 when the policies were loaded
        raise EditRefusedError(f"{file} has changed meanwhile", hint="try again") from None


def _operations(catalog: Catalog, caller: str, operations: Sequence[str]) -> list[Operation]:
    if caller not in catalog.services:
        raise BadInputError(f"there is no service `{shown(caller)}`", hint=nearest(caller, catalog.services))
    for name in operations:
        if name not in catalog.operations:
            hint = nearest(name, catalog.operations) or "an operation's id is its service, a colon and its name"
            raise BadInputError(f"there is no operation `{shown(name)}`", hint=hint)
    chosen = [catalog.operations[name] for name in dict.fromkeys(operations)]
    if len({operation.service for operation in chosen}) != 1:
        raise BadInputError("not operations of one service", hint="grant those of each service by itself")
    return chosen


def _check_words(reason: str, expires: str | None) -> None:
    if not reason.strip() or len(reason) > MAX_REASON or not reason.isprintable():
        raise BadInputError(
            "a grant needs a reason in one line", hint=f"say who needs this and why, in up to {MAX_REASON} characters"
        )
    if expires is not None and parse_expiry(expires) is None:
        raise BadInputError(
            f"the expiry `{shown(expires)}`",
            hint="write a day such as 2027-06-30, or a time such as 2027-06-30T12:00:00Z",
        )


def _covered(cell: Cell, expires: str | None) -> bool:
    """Return whether a cell is allowed already, whatever the request, until `expires` at least."""
    until = parse_expiry(expires) if expires is not None else None
    if cell.forbids or any(permit.conditional for permit in cell.permits):
        return False
    return any(permit.expires is None or (until is not None and permit.expires >= until) for permit in cell.permits)


def _is_absolute(forbid: Policy) -> bool:
    return not forbid.conditional and forbid.expires is None


def _narrowed(permit: Policy, caller: str, operation: Operation) -> str:
    """Return a grant's text without this caller and operation: empty where nothing would be left."""
    by_hand = f"it also grants to others or other operations; edit {permit.place} by hand"
    match permit.pst.principal:
        case pst.ScopeEq(pst.EntityUid(_, name)) if name == caller:
            pass
        case _:
            raise EditRefusedError(f"{permit.place}: `{permit.id}` grants to more than `{caller}`", hint=by_hand)
    match permit.pst.action:
        case pst.ActionEq(entity) if entity.id == operation.id:
            return ""
        case pst.ActionIn(entities) if operation.id in (names := {entity.id for entity in entities}):
            if names == {operation.id}:
                return ""
            return without_action(permit.text, operation.id)
    raise EditRefusedError(f"{permit.place}: `{permit.id}` grants more than `{operation.id}`", hint=by_hand)


def without_statement(text: str, start: int, end: int) -> str:
    """Return `text` without a statement, and without one of the blank lines that stood around it."""
    kept = cut(text, start, end)
    at = text.rfind("\n", 0, start) + 1
    if kept[:at] == text[:at] and (at >= len(kept) or re.match(r"[ \t]*\r?\n", kept[at:])):
        before = re.sub(r"(?:(?<=\n)|\A)[ \t]*\r?\n\Z", "", kept[:at])
        return before + kept[at:]
    return kept


def _load(folder: Path, catalog: Catalog, memo: Memo) -> Policies:
    policies, mistakes = load_policies(folder, catalog, memo)
    if mistakes:
        raise InvalidSystemError(mistakes)
    return policies


def _validated(folder: Path, catalog: Catalog, file: str, text: str, memo: Memo) -> Policies:
    """Return the policies of the system as they would be with `text` as that file."""
    with tempfile.TemporaryDirectory(prefix="inward-edit-") as name:
        copy = Path(name)
        (copy / FOLDER).mkdir()
        others = [path for path in (folder / GUARDRAILS, *_listed(folder / FOLDER)) if os.path.lexists(path)]
        for path in others:
            (copy / path.relative_to(folder)).symlink_to(path.absolute())
        target = copy / file
        target.unlink(missing_ok=True)
        target.write_bytes(text.encode())
        return _load(copy, catalog, memo)


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []
