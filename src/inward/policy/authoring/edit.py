"""Writes a grant into its owner's file, and takes one out again: nothing else of the file changes.

A change is loaded and validated as a whole system before it replaces the file, and the file is replaced in one step.
Access of others is never taken away on the way: what would need that is refused, and named for editing by hand.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cedarpy import pst

from inward.errors import BadInputError, InvalidSystemError, InwardError, Place
from inward.policy.authoring.grants import grant_text, new_id
from inward.policy.authoring.wording import cut, without_action
from inward.policy.index import Index
from inward.policy.loading.load import FOLDER, MAX_REASON, SUFFIX, Memo, load_policies, parse_expiry
from inward.policy.loading.rules import GUARDRAILS, nearest, shown
from inward.policy.loading.source import MAX_FILE_BYTES, parse_statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inward.catalog.model import Catalog, Operation
    from inward.policy.model import Cell, Policies, Policy


class EditRefusedError(InwardError):
    """A policy file is not changed, because a person has to decide what should become of it."""

    code = "edit_refused"


@dataclass(frozen=True, slots=True)
class Change:
    """One policy that was added (`before` is empty), taken out (`after` is empty) or narrowed, and where."""

    policy: str
    place: Place
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Edit:
    """What was changed in one file; without `changes` nothing had to be, and `note` says why."""

    file: str
    changes: tuple[Change, ...] = ()
    note: str = ""


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
    before = _read(folder, file)
    newline = "\r\n" if b"\r\n" in before else "\n"
    old = before.decode()
    gap = "" if not old.strip() else newline if old.endswith("\n") else newline * 2
    new = old + gap + text.replace("\n", newline) + newline
    result = _validated(folder, catalog, file, new, memo)
    added = result.by_id.get(identifier)
    if added is None or result.by_id.keys() != policies.by_id.keys() | {identifier}:
        raise BadInputError("the condition does not stay within its clause", hint="write one Cedar expression")
    _replace(folder, file, before, new)
    return Edit(file, (Change(identifier, added.place, "", text),))


def revoke(folder: Path, catalog: Catalog, caller: str, operation: str) -> Edit:
    """Take what grants `operation` to `caller` out of the file of its service.

    A policy for that caller and operation alone goes; a list of operations loses that one. Raises `BadInputError`,
    `InvalidSystemError` if the policies have mistakes, and `EditRefusedError` if a policy grants it to others too.
    """
    (chosen,) = _operations(catalog, caller, [operation])
    memo = Memo()
    policies = _load(folder, catalog, memo)
    permits = Index(catalog, policies).cell(caller, chosen.id).permits
    file = f"{FOLDER}/{chosen.service}{SUFFIX}"
    if not permits:
        return Edit(file, note="not granted")
    narrowed = [_narrowed(permit, caller, chosen) for permit in permits]
    before = _read(folder, file)
    text = before.decode()
    statements = {(each.line, each.text): each for each in parse_statements(before, file)[0]}
    changes = []
    for permit, after in sorted(zip(permits, narrowed, strict=True), key=lambda pair: -pair[0].place.line):
        statement = statements.get((permit.place.line, permit.text))
        if statement is None:
            raise EditRefusedError(f"{file} has changed meanwhile", hint="try again")
        if after:
            text = text[: statement.start] + after + text[statement.end :]
        else:
            text = _without_statement(text, statement.start, statement.end)
        changes.append(Change(permit.id, permit.place, permit.text, after))
    result = _validated(folder, catalog, file, text, memo)
    gone = {change.policy for change in changes if not change.after}
    if result.by_id.keys() != policies.by_id.keys() - gone or Index(catalog, result).cell(caller, chosen.id).permits:
        raise EditRefusedError(f"{file} cannot be edited without touching more", hint="edit it by hand")
    _replace(folder, file, before, text)
    return Edit(file, tuple(reversed(changes)))


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


def _without_statement(text: str, start: int, end: int) -> str:
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


def _real(folder: Path, file: str) -> Path:
    """Return where a file of the system really is; refuses what lies outside of the folder."""
    root, real = folder.resolve(), (folder / file).resolve()
    if not real.is_relative_to(root):
        raise EditRefusedError(f"{file} is a link to `{real}`, outside of the system", hint="edit it there")
    return real


def _read(folder: Path, file: str) -> bytes:
    try:
        with _real(folder, file).open("rb") as source:
            data = source.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise BadInputError(f"{file} cannot be read: {error.strerror}") from error
    return data


def _replace(folder: Path, file: str, before: bytes, text: str) -> None:
    """Replace a file in one step, keeping its mode; refused if it is no longer what it was."""
    real = _real(folder, file)
    temporary = real.with_name(f".{real.name}.{secrets.token_hex(8)}")  # a name with a dot is no policy file
    try:
        real.parent.mkdir(exist_ok=True)
        mode = stat.S_IMODE(real.stat().st_mode) if real.exists() else None
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        with os.fdopen(descriptor, "wb") as target:
            if mode is not None:
                os.fchmod(target.fileno(), mode)
            target.write(text.encode())
            target.flush()
            os.fsync(target.fileno())
        if _read(folder, file) != before:
            raise EditRefusedError(f"{file} has changed meanwhile", hint="try again")
        temporary.replace(real)
        parent = os.open(real.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)
    except OSError as error:
        raise BadInputError(f"{file} cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            temporary.unlink()
