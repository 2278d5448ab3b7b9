"""Reads one test file: its fixtures and its tests, each expanded into cases.

A test asks about every one of its callers, with every one of its operations and requests. What `allow` does not list
is expected to be refused. Nothing is guessed: a name that does not exist, a fixture that no test uses, a parameter
that is missing and a test without a case are mistakes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from inward.catalog.document import did_you_mean, shown
from inward.catalog.resolve import Resolver
from inward.policy.cases.fixtures import Fixture, check_keys
from inward.policy.cases.model import Case, PolicyTest
from inward.policy.cases.names import EVERY, Known, Names, callers_of, operations_of
from inward.policy.decision import Reason
from inward.policy.loading.load import parse_expiry
from inward.policy.request import Request
from inward.policy.resources.model import NO_RESOURCES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from datetime import datetime

    from inward.catalog.document import Value
    from inward.catalog.model import Catalog
    from inward.policy.cases.fixtures import Target
    from inward.policy.resources.model import Resource, Resources

MAX_NAME = 200  # characters
MAX_CASES = 100_000  # of one file
MAX_LISTED = 10 * MAX_CASES  # by the `allow` of one test, each as often as it is listed
_FILE_KEYS = ("now", "callers", "requests", "tests")
_TEST_KEYS = ("name", "now", "callers", "operations", "requests", "allow", "reason")
_DESCRIBE = "describe it under `requests`"
_NO_REQUEST = ""  # the name of the request without parameters, which no file can define
# For what policies refuse; all other reasons come from before them, or after.
_REASONS = {
    reason.value: reason
    for reason in (
        Reason.NO_GRANT,
        Reason.CONDITION,
        Reason.EXPIRED,
        Reason.FORBIDDEN,
        Reason.BAD_PARAMETER,
        Reason.POLICY_ERROR,
    )
}


@dataclass(frozen=True)
class Subject:
    """What the test files of one system are about, made ready once for all of them."""

    catalog: Catalog
    callers: Known
    operations: Names
    resolvers: Mapping[str, Resolver]  # by service
    resources: Resources

    @classmethod
    def of(cls, catalog: Catalog, resources: Resources = NO_RESOURCES) -> Subject:
        """Make a catalog ready."""
        resolvers = {name: Resolver(service) for name, service in catalog.services.items()}
        return cls(catalog, callers_of(catalog), operations_of(catalog), resolvers, resources)


def read_tests(root: Value, subject: Subject) -> tuple[PolicyTest, ...]:
    """Read the test file of which `root` is the whole. What is returned counts only if there are no mistakes."""
    return tuple(_File(root, subject).tests()) if root.is_a(dict) else ()


class _File:
    """One run over a test file."""

    def __init__(self, root: Value, subject: Subject) -> None:
        self._root = root
        self._subject = subject
        check_keys(root, _FILE_KEYS)
        self._now = _moment(root.need("now", "a time such as 2027-01-15T12:00:00Z, so that no day changes the outcome"))
        self._sets = dict(self._named_sets())
        callers = subject.callers | self._sets
        self._callers = Names("caller", callers, lambda name: did_you_mean(name, callers))
        self._fixtures = {_NO_REQUEST: Fixture(None)} | dict(self._named_requests())
        requests = {name: (name,) for name in self._fixtures if name != _NO_REQUEST}
        self._requests = Names("request", requests, lambda name: did_you_mean(name, requests) or _DESCRIBE)
        self._targets: dict[tuple[str, str], Target | None] = {}  # by request and operation
        self._objects: dict[tuple[str, str], Resource | None] = {}
        self._count = 0

    def tests(self) -> Iterator[PolicyTest]:
        """Yield the tests that could be read."""
        listed = self._root.need("tests")
        if listed is None:
            return
        if listed.data == []:
            listed.mistake("there is no test in it")
        names: dict[str, Value] = {}
        for item in listed.items():
            before = len(item.mistakes)
            if not item.is_a(dict):
                continue
            name = _name(item.need("name", "say in a few words what it shows"))
            if name is not None and (first := names.setdefault(name, item)) is not item:
                item.mistake(f"the test `{shown(name)}` stands here a second time, first at {first.place}")
            test = self._test(item, name or "", before)
            if test is not None:
                yield test
        self._check_unused()

    def _named_sets(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        value = self._root.get("callers")
        known = self._subject.callers
        names = Names("service", known, lambda name: did_you_mean(name, known))
        for name, members in value.entries() if value else ():
            if name in known:
                which = "every" if name == EVERY else "a"
                members.mistake(f"`{shown(name)}` stands for {which} service already", "give the list another name")
            elif not name.strip():
                members.mistake("a list of callers needs a name")
            else:
                yield name, names.listed(members)

    def _named_requests(self) -> Iterator[tuple[str, Fixture]]:
        value = self._root.get("requests")
        for name, request in value.entries() if value else ():
            if not name.strip() or not name.isprintable() or len(name) > MAX_NAME:
                request.mistake(f"`{shown(name)}` cannot be the name of a request")
            else:
                yield name, Fixture(request, self._subject.resources)

    def _test(self, item: Value, name: str, before: int) -> PolicyTest | None:
        """Return one test; None where there were mistakes in it, of which there were `before` others."""
        check_keys(item, _TEST_KEYS)
        own = item.get("now")
        now = self._now if own is None else _moment(own)
        reason = _reason(item.get("reason"))
        callers = self._list(item, "callers", self._callers)
        operations = self._list(item, "operations", self._subject.operations)
        requests = self._requests.listed(named) if (named := item.get("requests")) else (_NO_REQUEST,)
        self._count += max(1, len(callers)) * len(operations) * len(requests)
        if self._count > MAX_CASES:
            item.mistake(f"with this test the file has more than {MAX_CASES} cases", "split it, or ask about fewer")
            return None
        for request, operation in product(requests, operations):
            self._make(request, operation, item)
        allowed = self._allowed(item.get("allow"), set(callers), set(operations), set(requests))
        if len(item.mistakes) > before or now is None:
            return None
        cases = tuple(self._cases(product(callers, operations, requests), allowed))
        if reason is not None and all(case.allowed for case in cases):
            item.mistake(f"it expects the reason `{reason.value}`, and no refusal")
        return PolicyTest(name, item.place, now, reason, cases)

    def _list(self, item: Value, key: str, names: Names) -> tuple[str, ...]:
        value = item.need(key)
        return names.listed(value) if value else ()

    def _make(self, request: str, operation: str, asked_by: Value) -> None:
        """Make the path and the query of a request, once for each operation."""
        # without a request of its own each test is told what is missing
        if request == _NO_REQUEST or (request, operation) not in self._targets:
            found = self._subject.catalog.operations[operation]
            resolver = self._subject.resolvers[found.service]
            self._targets[request, operation] = self._fixtures[request].target(found, resolver, asked_by)
            self._objects[request, operation] = self._fixtures[request].object(found)

    def _allowed(
        self, value: Value | None, callers: set[str], operations: set[str], requests: set[str]
    ) -> set[tuple[str, str, str]]:
        """Return what is expected to be allowed: caller, operation and request."""
        allowed: set[tuple[str, str, str]] = set()
        count = 0
        for name, entry in value.entries() if value else ():
            who = self._callers.of(name, entry, callers)
            for what, which in self._listed(entry, operations, requests):
                count += len(who) * len(what) * len(which)
                if count > MAX_LISTED:
                    entry.mistake("`allow` lists the same cases again and again", "list each once")
                    return allowed
                allowed.update(product(who, what, which))
        return allowed

    def _listed(
        self, entry: Value, operations: set[str], requests: set[str]
    ) -> Iterator[tuple[Collection[str], Collection[str]]]:
        """Yield the operations that an entry of `allow` lists, with the requests."""
        if not isinstance(entry.data, dict):
            yield self._subject.operations.listed(entry, operations), requests
            return
        if not entry.data:
            entry.mistake(f"{entry.label} names no operation")
        for operation, only in entry.entries():
            yield self._subject.operations.of(operation, only, operations), self._requests.listed(only, requests)

    def _cases(
        self, asked: Iterator[tuple[str, str, str]], allowed: Collection[tuple[str, str, str]]
    ) -> Iterator[Case]:
        for caller, operation, request in asked:
            target = self._targets[request, operation]
            if target is not None:
                called = Request(caller, operation, *target)
                expected = (caller, operation, request) in allowed
                yield Case(called, request, expected, self._objects[request, operation])

    def _check_unused(self) -> None:
        for kind, names, used in (
            ("callers", self._sets, self._callers.used),
            ("requests", self._requests.known, self._requests.used),
        ):
            value = self._root.get(kind)
            for name in names:
                if value is not None and name not in used:
                    value.child(name).mistake(f"no test uses `{shown(name)}`", "take it out")
        for name in self._requests.used:
            self._fixtures[name].check_names()


def _moment(value: Value | None) -> datetime | None:
    text = value.text() if value else None
    if value is None or text is None:
        return None
    # As in @expires, but no day: there it is the day's end.
    moment = parse_expiry(text) if "T" in text else None
    if moment is None:
        value.mistake(f"`{shown(text)}` is no time", "write it as 2027-01-15T12:00:00Z")
    return moment


def _name(value: Value | None) -> str | None:
    name = value.text() if value else None
    if value is not None and name is not None and (not name.isprintable() or len(name) > MAX_NAME):
        value.mistake(f"a name that is no single line of up to {MAX_NAME} printable characters")
    return name


def _reason(value: Value | None) -> Reason | None:
    text = value.text() if value else None
    if value is None or text is None:
        return None
    if text not in _REASONS:
        value.mistake(f"`{shown(text)}` is no reason for which policies refuse", did_you_mean(text, _REASONS))
    return _REASONS.get(text)
