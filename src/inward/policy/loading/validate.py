"""Cedar's own strict validation of policies against the schema, at a cost that does not grow with the system.

Cedar checks a policy once for every action that its scope admits: policies times operations. So a policy is
checked against the actions that it names and, where its scope names a group or nothing, one operation of each
kind. Two operations are of one kind if no expression of that policy can tell them apart: their contexts have
the same type, their objects are of the same types, and they are in the same of the groups that it names. What was
found valid is remembered.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING

import cedarpy
import msgspec

from inward.policy.loading.rules import Finding, Parsed, nearest, shown, shown_line
from inward.policy.resources.model import NO_RESOURCES, OF_THE_CATALOG, RecordOf
from inward.policy.schema import DISCLOSE, groups_of, schema_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from inward.catalog.model import Catalog, Operation, Parameter
    from inward.policy.resources.model import Resources, ResourceType

_BATCH = 64  # actions that policies are checked against together
_MESSAGES = 5  # of one policy
_PREFIX = re.compile(r"^for policy `[^`]*`, ")
_ACTION = re.compile(r' (?:in context )?for Action::"((?:[^"\\]|\\.)*)"')
_OPTIONAL = re.compile(r"access to optional attribute `(path|query)\.([A-Za-z0-9_]+)`")
_MISSING = re.compile(r"^attribute `(path|query)\.([A-Za-z0-9_]+)` not found")

_OBJECT = re.compile(r"on entity type `([^`]*)`")
_OPTIONAL_OF_OBJECT = "test it first, such as `resource has note && resource.note == …`"
# it may be a policy about everything, such as a guardrail, which meets a type that somebody else declares
_NOT_OF_OBJECT = "declare it, or where the policy is about more than objects, ask `resource is Service && …` first"
_HINTS = {
    "unable to find an applicable action": (
        "no operation fits this scope",
        "callers are services; the resource is a Service or a declared object of it, or for `disclose` a DataClass",
    ),
    "unable to guarantee safety of access to optional": (
        None,
        "test it first, with `has` and `&&`, such as `principal has zone && principal.zone == …`",
    ),
    "extension constructors may not be called": (None, "parameters cannot be turned into dates or addresses"),
}


class Validator:
    """Checks the policies of one system; `valid` is what earlier checks found good, and is added to."""

    def __init__(self, catalog: Catalog, valid: set[bytes], resources: Resources = NO_RESOURCES) -> None:
        self._catalog = catalog
        self._resources = resources
        self._valid = valid
        self._used: set[bytes] = set()
        # a number for each type of context, with the types of objects
        self._contexts: dict[tuple[tuple[Parameter, ...], tuple[ResourceType, ...]], int] = {}
        self._listed: dict[str | None, list[tuple[Operation, int, tuple[str, ...]]]] = {}
        self._kinds: dict[tuple[str | None, frozenset[str]], list[Operation]] = {}
        self._digests: dict[str, bytes] = {}

    @property
    def used(self) -> set[bytes]:
        """What was found valid by this validator: all that the next one needs to remember."""
        return self._used

    def check(self, policies: Sequence[tuple[str, Parsed]], service: str | None) -> dict[int, list[Finding]]:
        """Return what is wrong with which of the policies, given with their source, of a service's file."""
        findings: dict[int, list[Finding]] = {}
        batch: list[tuple[int, bytes]] = []
        actions: dict[str, Operation] = {}
        for number, (text, policy) in enumerate(policies):
            relevant = self._relevant(policy, service)
            if relevant is None:
                continue
            key = self._key(text, relevant.values())
            if key in self._valid:
                self._used.add(key)
                continue
            if batch and len(actions | relevant) > _BATCH:
                findings |= self._check_batch(batch, policies, actions)
                batch, actions = [], {}
            batch.append((number, key))
            actions |= relevant
        if batch:
            findings |= self._check_batch(batch, policies, actions)
        return findings

    def _check_batch(
        self,
        batch: list[tuple[int, bytes]],
        policies: Sequence[tuple[str, Parsed]],
        actions: dict[str, Operation],
    ) -> dict[int, list[Finding]]:
        services = {
            action.partition(":")[0]
            for number, _ in batch
            for action in policies[number][1].actions
            if ":" in action  # else `read`, `write` or `disclose`
        }
        schema = cedarpy.Schema.from_json_str(json.dumps(schema_of(actions.values(), services, self._resources)))
        result = cedarpy.validate_policies("\n".join(policies[number][0] for number, _ in batch), schema)
        messages: dict[int, list[str]] = defaultdict(list)
        for error in result.errors:
            # Cedar numbers policies by where they stand; an error without one is everybody's
            position = error.policy_id.removeprefix("policy")
            at = [int(position)] if position.isdecimal() else range(len(batch))
            for place in at:
                messages[place].append(error.error)
        if not result.validation_passed and not messages:
            messages |= {place: ["this policy is not valid"] for place in range(len(batch))}
        names = {parameter.name for operation in actions.values() for parameter in operation.parameters}
        good = {key for place, (_, key) in enumerate(batch) if place not in messages}
        self._used |= good
        self._valid |= good
        return {batch[place][0]: _findings(texts, names) for place, texts in messages.items()}

    def _relevant(self, policy: Parsed, service: str | None) -> dict[str, Operation] | None:
        """Return the operations to check a policy against, by id; None where its scope holds nothing (yet)."""
        operations = self._catalog.operations
        scope, actions = policy.scope, policy.actions
        named = {name: operations[name] for name in actions if name in operations}
        groups = frozenset(actions - named.keys())
        candidates = list(named.values())
        if scope is None or groups.intersection(scope):
            candidates += self._one_of_each_kind(service, groups)
        in_scope = {operation.id: operation for operation in candidates if _in_scope(operation, scope)}
        discloses = service is None if scope is None else DISCLOSE in scope
        if not in_scope and not discloses:
            return None
        return in_scope | named  # what only a condition names must be known to Cedar too

    def _one_of_each_kind(self, service: str | None, groups: frozenset[str]) -> list[Operation]:
        found = self._kinds.get((service, groups))
        if found is None:
            kinds = {
                (context, tuple(group for group in within if group in groups)): operation
                for operation, context, within in self._operations(service)
            }
            found = self._kinds[service, groups] = list(kinds.values())
        return found

    def _operations(self, service: str | None) -> list[tuple[Operation, int, tuple[str, ...]]]:
        """Return operations, of one service or all, with the number of their context's type, and their groups."""
        found = self._listed.get(service)
        if found is None:
            catalog = self._catalog
            operations = catalog.operations.values() if service is None else catalog.services[service].operations
            known = self._contexts
            found = self._listed[service] = [
                (operation, known.setdefault(self._types_of(operation), len(known)), groups_of(operation))
                for operation in operations
            ]
        return found

    def _types_of(self, operation: Operation) -> tuple[tuple[Parameter, ...], tuple[ResourceType, ...]]:
        return operation.parameters, self._resources.of(operation.service)

    def _key(self, text: str, operations: Iterable[Operation]) -> bytes:
        """Return a digest of all that the validity of a policy depends on."""
        key = hashlib.sha256(text.encode("utf-8"))
        for digest in sorted(map(self._digest, operations)):
            key.update(digest)
        return key.digest()

    def _digest(self, operation: Operation) -> bytes:
        digest = self._digests.get(operation.id)
        if digest is None:
            # a type as text, since no message and no program reads it again; its place says nothing of its meaning
            objects = [(each.name, str(RecordOf(each.attributes))) for each in self._resources.of(operation.service)]
            seen = (operation.id, operation.read_only, operation.parameters, objects)
            digest = self._digests[operation.id] = hashlib.sha256(msgspec.json.encode(seen)).digest()
        return digest


def _in_scope(operation: Operation, scope: Collection[str] | None) -> bool:
    return scope is None or operation.id in scope or any(group in scope for group in groups_of(operation))


def _findings(messages: Iterable[str], parameters: set[str]) -> list[Finding]:
    """Say Cedar's messages in our words, those that differ only in the operation together."""
    operations: dict[str, set[str]] = defaultdict(set)
    for message in messages:
        text = _PREFIX.sub("", message)
        found = _ACTION.search(text)
        operations[_ACTION.sub("", text)] |= {found[1]} if found else set()
    findings = []
    for text, names in sorted(operations.items())[:_MESSAGES]:
        what, hint = _in_our_words(text, parameters)
        if names:
            others = " and others" if len(names) > 1 else ""
            what += f" in the context of `{shown(min(names))}`{others}"
        findings.append((what, hint))
    return findings


def _in_our_words(message: str, parameters: set[str]) -> Finding:
    text = shown_line(message)
    if optional := _OPTIONAL.search(text):
        where, name = optional.groups()
        return text, f"test it first: `context.{where} has {name} && context.{where}.{name} …`"
    if missing := _MISSING.search(text):
        where, name = missing.groups()
        if name in parameters:
            return text, f"test it first, or name the operations that have it: `context.{where} has {name} && …`"
        return text, nearest(name, parameters)
    if (typed := _OBJECT.search(text)) and typed[1] not in OF_THE_CATALOG:
        return text, _OPTIONAL_OF_OBJECT if text.startswith("unable") else _NOT_OF_OBJECT
    instead, hint = next((said for start, said in _HINTS.items() if text.startswith(start)), (None, ""))
    return instead or text, hint
