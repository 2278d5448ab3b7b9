"""What `record` in inward.yaml says: what the record keeps of path parameters, end users and addresses.

Rules, the same in docs/system-folder.md:

1. Of a parameter is kept what its operation and its data classes say, a class by its own name or by one above it. Where
   several speak, the strictest counts; where none does, `parameters`.
2. Of users and addresses is kept what the operation says; where it says nothing, `users` and `addresses`.
3. Of a path that fits no operation is kept what `unknown_paths` says; see `inward.control.recording.privacy` for one
   that an application could take for an operation's all the same.

It leaves out how something is hashed, and who does it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, get_args

from inward.catalog.document import did_you_mean, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from inward.catalog.document import Value
    from inward.catalog.model import Operation

Keeping = Literal["keep", "hash", "drop"]  # the strictest comes last
ORDER: Final[tuple[Keeping, ...]] = get_args(Keeping)
HASH_DAYS, MAX_HASH_DAYS = 30, 3650
_EVERYWHERE = ("parameters", "users", "addresses", "unknown_paths")
_KEYS = (*_EVERYWHERE, "hash_days", "classes", "operations", "keep")  # the last: `inward.catalog.retention`


def strictest(*words: Keeping) -> Keeping:
    """Return the one of several that keeps the least."""
    return max(words, key=ORDER.index)


@dataclass(frozen=True, slots=True)
class OperationPrivacy:
    """What is kept of one operation's calls, where that differs. `parameters` are by name."""

    parameters: Mapping[str, Keeping] = field(default_factory=dict)
    users: Keeping | None = None
    addresses: Keeping | None = None


@dataclass(frozen=True, slots=True)
class Privacy:
    """What the record of a system keeps. `classes` are by data class, `operations` by id."""

    parameters: Keeping = "keep"
    users: Keeping = "keep"
    addresses: Keeping = "keep"
    unknown_paths: Keeping = "keep"
    hash_days: int = HASH_DAYS  # how long one key hashes
    classes: Mapping[str, Keeping] = field(default_factory=dict)
    operations: Mapping[str, OperationPrivacy] = field(default_factory=dict)

    def of(self, operation_id: str | None) -> OperationPrivacy:
        """Return what is said of the operation with that id alone."""
        return self.operations.get(operation_id or "", _NOTHING_SAID)

    def of_parameters(self, operation: Operation) -> dict[str, Keeping]:
        """Return what is kept of each variable in the path of an operation."""
        own = self.of(operation.id).parameters
        classes = {each.name: each.classes for each in operation.parameters if each.where == "path"}
        found: dict[str, Keeping] = {}
        for name in operation.template.variables:
            words = list(self._of_classes(classes.get(name, ())))
            if name in own:
                words.append(own[name])
            found[name] = strictest(*words) if words else self.parameters
        return found

    def _of_classes(self, names: Collection[str]) -> Iterator[Keeping]:
        for name, keeping in self.classes.items():
            if any(each == name or each.startswith(f"{name}.") for each in names):
                yield keeping


_NOTHING_SAID = OperationPrivacy()


def load_privacy(root: Value, data_classes: Collection[str], operations: Mapping[str, Operation] | None) -> Privacy:
    """Return what the document `root` says; what is wrong there is a mistake, and left out.

    `operations` are by id, None where not all of them could be read: then none is held to be unknown.
    """
    value = root.get("record")
    if value is None or not value.is_a(dict):
        return Privacy()
    value.check_keys(_KEYS)
    parameters, users, addresses, unknown_paths = (_keeping(value.get(name)) or "keep" for name in _EVERYWHERE)
    return Privacy(
        parameters,
        users,
        addresses,
        unknown_paths,
        _days(value.get("hash_days")),
        classes=MappingProxyType(dict(_classes(value.get("classes"), data_classes))),
        operations=MappingProxyType(dict(_operations(value.get("operations"), operations))),
    )


def _keeping(value: Value | None) -> Keeping | None:
    text = value.text() if value else None
    known: dict[str, Keeping] = {word: word for word in ORDER}
    if value is not None and text is not None and text not in known:
        value.mistake(f"`{shown(text)}` is nothing that the record can do", did_you_mean(text, known))
    return known.get(text or "")


def _days(value: Value | None) -> int:
    if value is not None:
        days = value.data
        if isinstance(days, int) and not isinstance(days, bool) and 0 < days <= MAX_HASH_DAYS:
            return days
        value.mistake(f"`hash_days` must be a whole number from 1 to {MAX_HASH_DAYS}", "30 is a month, about")
    return HASH_DAYS


def _classes(value: Value | None, known: Collection[str]) -> Iterator[tuple[str, Keeping]]:
    for name, word in value.entries() if value else ():
        if name not in known:
            word.mistake(f"there is no data class `{shown(name)}`", did_you_mean(name, known))
        keeping = _keeping(word)
        if keeping is not None and name in known:
            yield name, keeping


def _operations(value: Value | None, known: Mapping[str, Operation] | None) -> Iterator[tuple[str, OperationPrivacy]]:
    for name, said in value.entries() if value else ():
        operation = known.get(name) if known is not None else None
        if known is not None and operation is None:
            said.mistake(f"there is no operation `{shown(name)}`", did_you_mean(name, known))
        if not said.is_a(dict):
            continue
        said.check_keys(("parameters", "users", "addresses"))
        parameters = MappingProxyType(dict(_parameters(said.get("parameters"), operation)))
        users, addresses = (_keeping(said.get(key)) for key in ("users", "addresses"))
        if operation is not None:
            yield name, OperationPrivacy(parameters, users, addresses)


def _parameters(value: Value | None, operation: Operation | None) -> Iterator[tuple[str, Keeping]]:
    for name, word in value.entries() if value else ():
        variables = operation.template.variables if operation is not None else (name,)
        if name not in variables:
            hint = did_you_mean(name, variables)
            if operation is not None and any(each.name == name for each in operation.parameters):
                hint = "what stands in a query is never recorded"
            word.mistake(f"the path of the operation has no parameter `{shown(name)}`", hint)
        keeping = _keeping(word)
        if keeping is not None:
            yield name, keeping
