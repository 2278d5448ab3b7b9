"""What of a call comes into the record: parameters, paths, users and addresses as the system says (`catalog.privacy`).

It is done between a log and the record, so what is not kept has never been in there. Rules:

1. A path by the template of its operation: each parameter by itself.
2. Every other path as a whole, by `unknown_paths`; but where it resembles the template of an operation of the callee,
   in whatever spelling and by whatever method, no more than is kept of that operation's parameters. So a call that was
   refused before it had an operation, or that no callee took, tells nothing that one which was served does not.
3. A hash is of the text and what kind of text it is: a user's name hashes to something else than a parameter with the
   same text. It is keyed, since what there are few of (addresses, numbers) could be tried one by one.

It leaves out the key (`hash_key`), and what is in no log to begin with: queries, headers, bodies.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import msgspec

from inward.catalog.privacy import Keeping, Privacy, strictest
from inward.catalog.template import plain_spelling
from inward.record.call import HASHED

if TYPE_CHECKING:
    from collections.abc import Callable

    from inward.catalog.model import Catalog, Service
    from inward.catalog.template import PathTemplate
    from inward.record.call import Call

HASH_BYTES = 16  # of HMAC-SHA256 that are kept
Kind = Literal["parameter", "path", "user", "address"]


def hashed(key: bytes, kind: Kind, text: str) -> str:
    """Return what stands in the place of a text: `HASHED` and 32 hexadecimal digits."""
    message = f"{kind}\0{text}".encode("utf-8", "surrogatepass")
    return HASHED + hmac.digest(key, message, "sha256")[:HASH_BYTES].hex()


# By the number of segments, and the first one's text, None where that is no literal.
_Guarded: TypeAlias = "dict[tuple[int, str | None], list[tuple[PathTemplate, Keeping]]]"


class _Plan(NamedTuple):
    """What is done to calls of one operation; `template` is what its path is then, None for no operation."""

    template: str | None
    parameters: dict[str, Keeping]  # those of which not all is kept
    users: Keeping
    addresses: Keeping


class Keeper:
    """Keeps of calls what one catalog says. `key` gives the key that hashes now."""

    def __init__(self, catalog: Catalog, key: Callable[[], bytes]) -> None:
        self.catalog = catalog
        self._privacy = catalog.privacy
        self._key = key
        self._keeps_all = _keeps_all(self._privacy)
        self._plans: dict[str, _Plan] = {}
        self._guarded: dict[str, _Guarded] = {}  # by service

    def kept(self, call: Call) -> Call:
        """Return what is recorded of a call."""
        if self._keeps_all:
            return call
        plan = self._plan(call.operation or "")
        changes: dict[str, Any] = {}
        if call.user is not None and plan.users != "keep":
            changes["user"] = self._instead(plan.users, "user", call.user)
        if call.address is not None and plan.addresses != "keep":
            changes["address"] = self._instead(plan.addresses, "address", call.address)
        if call.path is not None and call.path != plan.template:
            keeping = self._of_path(call.callee or "", call.path)
            if keeping != "keep":
                changes["path"] = self._instead(keeping, "path", call.path)
        elif plan.parameters:
            replaced = {name: self._of_parameter(plan, name, text) for name, text in call.parameters.items()}
            changes["parameters"] = {name: text for name, text in replaced.items() if text is not None}
        return msgspec.structs.replace(call, **changes) if changes else call

    def _instead(self, keeping: Keeping, kind: Kind, text: str) -> str | None:
        return hashed(self._key(), kind, text) if keeping == "hash" else None

    def _of_parameter(self, plan: _Plan, name: str, text: str) -> str | None:
        keeping = plan.parameters.get(name, "keep")
        return text if keeping == "keep" else self._instead(keeping, "parameter", text)

    def _plan(self, operation_id: str) -> _Plan:
        """Return what is done to calls of an operation; one that the catalog does not hold is like none."""
        operation = self.catalog.operations.get(operation_id)
        name = operation_id if operation is not None else ""
        plan = self._plans.get(name)
        if plan is None:
            privacy, said = self._privacy, self._privacy.of(name)
            parameters = privacy.of_parameters(operation).items() if operation is not None else ()
            plan = self._plans[name] = _Plan(
                operation.template.text if operation is not None else None,
                {each: keeping for each, keeping in parameters if keeping != "keep"},
                said.users or privacy.users,
                said.addresses or privacy.addresses,
            )
        return plan

    def _of_path(self, callee: str, path: str) -> Keeping:
        """Return what is kept of a path that is by no template."""
        keeping = self._privacy.unknown_paths
        service = self.catalog.services.get(callee)
        if service is None or keeping == "drop":
            return keeping
        guarded = self._guarded.get(callee)
        if guarded is None:
            guarded = self._guarded[callee] = self._guarded_templates(service)
        if not guarded:
            return keeping
        texts = plain_spelling(path)[1:].split("/")
        for first in (texts[0], None):
            for template, each in guarded.get((len(texts), first), ()):
                if each != keeping and template.resembles(texts):
                    keeping = strictest(keeping, each)
        return keeping

    def _guarded_templates(self, service: Service) -> _Guarded:
        """Return the templates of which not all parameters are kept, each with what is kept of the strictest one."""
        found: _Guarded = {}
        for operation in service.operations:
            keeping = strictest("keep", *self._privacy.of_parameters(operation).values())
            if keeping != "keep":
                segments = operation.template.segments
                literals = segments[0].plain.literals
                first = literals[0] if len(literals) == 1 else None
                found.setdefault((len(segments), first), []).append((operation.template, keeping))
        return found


def _keeps_all(privacy: Privacy) -> bool:
    operations = privacy.operations.values()
    said: set[Keeping | None] = {privacy.parameters, privacy.users, privacy.addresses, privacy.unknown_paths}
    said.update(privacy.classes.values())
    said.update(each for operation in operations for each in (operation.users, operation.addresses))
    said.update(each for operation in operations for each in operation.parameters.values())
    return said <= {"keep", None}
