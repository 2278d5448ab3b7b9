"""The texts of narrowed grants: what of their scopes is left, in as few policies as say it, in the files' own words.

1. Whom a grant names, such as a group, stays for the operations that all of them keep; for others each service is named
   by itself. An operation group stays where all of its operations are kept; the others are listed. Nothing new is left
   open: what covers services or operations to come was there before, and covers no more of them.
2. The first policy that comes of a grant has its id, the others derived ones. Annotations, conditions, resources and
   comments stay. What was changed is laid out as `inward policy fmt` lays it out, the rest of the file stays.
3. What comes out is read again: it must be the policy that was meant. Where a comment within the scope would be lost,
   the grant is left to a person.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cedarpy import policies_to_pst, pst

from inward.policy.authoring.edit import without_statement
from inward.policy.authoring.grants import free_id
from inward.policy.authoring.layout import lay_out_policy
from inward.policy.authoring.replace import EditRefusedError
from inward.policy.authoring.wording import quoted, with_constraint, with_id, without_action
from inward.policy.loading.source import parse_statements
from inward.policy.schema import groups_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from inward.catalog.model import Catalog
    from inward.policy.model import Policy

MAX_PIECES = 50  # that one grant may become
_Piece = tuple[str | None, frozenset[str]]  # a caller (None: all that the grant names), and operations


class ByHandError(EditRefusedError):
    """A grant could be narrower, but its text cannot be changed without losing something."""

    code = "narrow_by_hand"


@dataclass(frozen=True, slots=True)
class Narrowed:
    """A grant, the services and the operations that it names, and which of them it keeps: operations by caller."""

    policy: Policy
    services: Sequence[str]
    operations: Sequence[str]
    kept: Mapping[str, Collection[str]]


def texts_of(narrowed: Narrowed, catalog: Catalog, taken: Collection[str]) -> dict[str, str]:
    """Return the texts of the policies that a grant becomes, by id; none where it goes. Raises `ByHandError`.

    `taken` are ids that derived ones must differ from.
    """
    policy = narrowed.policy
    pieces = list(_pieces(narrowed))
    if len(pieces) > MAX_PIECES:
        raise ByHandError(
            f"{policy.place}: `{policy.id}` would become {len(pieces):,} grants",
            hint="give the services that call a group of their own",
        )
    texts: dict[str, str] = {}
    for number, (caller, operations) in enumerate(pieces):
        identifier = policy.id if not number else free_id([policy.id, caller or "all"], {*taken, *texts})
        texts[identifier] = _text(narrowed, catalog, identifier, caller, operations)
    return texts


def rewritten(file: str, before: bytes, texts: Mapping[str, Sequence[str]], policies: Iterable[Policy]) -> bytes:
    """Return the bytes of a policy file with `texts` in the place of each of `policies`, by id.

    Raises `EditRefusedError` where a policy is not in it.
    """
    text = before.decode()
    newline = "\r\n" if b"\r\n" in before else "\n"
    statements = {(each.line, each.text): each for each in parse_statements(before, file)[0]}
    for policy in sorted(policies, key=lambda each: -each.place.line):
        statement = statements.get((policy.place.line, policy.text))
        if statement is None:
            raise EditRefusedError(f"{file} has changed meanwhile", hint="try again")
        if texts[policy.id]:
            after = "\n\n".join(texts[policy.id]).replace("\n", newline)
            text = text[: statement.start] + after + text[statement.end :]
        else:
            text = without_statement(text, statement.start, statement.end)
    return text.encode()


def _pieces(narrowed: Narrowed) -> Iterator[_Piece]:
    """Yield what a grant keeps: what all callers that it names share, then the rest by caller."""
    kept = {caller: frozenset(operations) for caller, operations in narrowed.kept.items() if operations}
    everybody = kept.keys() == set(narrowed.services)
    shared = frozenset.intersection(*kept.values()) if everybody and kept else frozenset()
    if shared:
        yield None, shared
    for caller in narrowed.services:
        if rest := kept.get(caller, frozenset()) - shared:
            yield caller, rest


def _text(narrowed: Narrowed, catalog: Catalog, identifier: str, caller: str | None, operations: frozenset[str]) -> str:
    policy, granted = narrowed.policy, narrowed.operations
    by_hand = ByHandError(
        f"{policy.place}: `{policy.id}` cannot be narrowed without losing a comment", hint="narrow it by hand"
    )
    before = policy.text.replace("\r\n", "\n")
    text: str | None = before
    wanted = dataclasses.replace(policy.pst, annotations={**policy.pst.annotations, "id": identifier}, id="")
    actions: tuple[pst.ActionConstraint, ...] = (policy.pst.action,)
    if caller is not None:
        text = with_constraint(before, "principal", f"principal == Service::{quoted(caller)}")
        wanted = dataclasses.replace(
            wanted, principal=pst.ScopeEq(pst.EntityUid(pst.EntityType("Service", ()), caller))
        )
    if text is not None and operations != frozenset(granted):
        names = _action_names(policy, granted, catalog, operations)
        text, actions = _with_actions(text, policy.pst.action, names, catalog)
    if text is None:
        raise by_hand
    if identifier != policy.id:
        text = with_id(text, identifier)
    text = lay_out_policy(text)
    found = list(policies_to_pst(text).static_policies.values())
    meant = [dataclasses.replace(wanted, action=each) for each in actions]
    if len(found) != 1 or dataclasses.replace(found[0], id="") not in meant:
        raise by_hand
    return text


def _action_names(
    policy: Policy, granted: Sequence[str], catalog: Catalog, operations: frozenset[str]
) -> tuple[str, ...]:
    """Return the ids of actions that come to exactly these operations, in the order of the grant."""
    match policy.pst.action:
        case pst.ActionIn(entities):
            named = tuple(entity.id for entity in entities)
        case _:
            named = ()
    members: dict[str, list[str]] = defaultdict(list)
    for name in granted:
        for group in (name, *groups_of(catalog.operations[name])):
            members[group].append(name)
    found: dict[str, None] = {}
    covered: set[str] = set()
    for name in named:
        if operations.issuperset(members[name]) and not covered.issuperset(members[name]):
            found[name] = None
            covered.update(members[name])
    return (*found, *(name for name in granted if name in operations and name not in covered))


def _with_actions(
    text: str, before: pst.ActionConstraint, names: Sequence[str], catalog: Catalog
) -> tuple[str | None, tuple[pst.ActionConstraint, ...]]:
    """Return the text with these actions, None where a comment would be lost, and what its scope then may be.

    Of a list that only loses some, the words stay, and the comments among them.
    """
    uids = tuple(pst.EntityUid(pst.EntityType("Action", ()), name) for name in names)
    constraint: pst.ActionConstraint = pst.ActionIn(uids)
    written = ", ".join(f"Action::{quoted(name)}" for name in names)
    if len(names) > 1:
        written = f"action in [{written}]"
    elif names[0] in catalog.operations:
        constraint, written = pst.ActionEq(uids[0]), f"action == {written}"
    else:
        written = f"action in {written}"
    shorter = isinstance(before, pst.ActionIn) and _only_shorter(names, before.entities)
    changed = with_constraint(text, "action", written) if len(names) == 1 or not shorter else None
    if changed is None and shorter and isinstance(before, pst.ActionIn):
        changed = text
        for gone in (entity.id for entity in before.entities if entity.id not in names):
            changed = without_action(changed, gone)
    return changed, (constraint, pst.ActionIn(uids))


def _only_shorter(names: Sequence[str], before: Sequence[pst.EntityUid]) -> bool:
    """Tell whether a list of actions only loses some."""
    listed = [entity.id for entity in before]
    return len(set(listed)) == len(listed) > 1 and [name for name in listed if name in names] == list(names)
