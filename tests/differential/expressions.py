"""Random Cedar conditions for differential tests, typed as validated policies are, and contexts to try them on.

They hold every construct that a validated policy can have, are dense in what the context decides, and go to the
limits of each type. Nearly all are valid; `valid_policies` keeps those that are. The same seed gives the same ones.

Import it: `from tests.differential import expressions`.
"""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import cedarpy

from inward.catalog.model import Catalog, DataClass, Mode, Operation, Parameter, Service
from inward.catalog.template import PathTemplate
from inward.errors import Place
from inward.identity.spiffe_id import SpiffeID
from inward.policy.schema import schema_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from cedarpy import pst

PLACE = Place("policies/orders.cedar", 1)
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PARAMETERS = (
    Parameter("shop", "path", "string", required=True),
    Parameter("n", "path", "integer", required=True),
    Parameter("q", "query", "string", required=False),
    Parameter("task-id", "query", "string", required=False),
    Parameter("limit", "query", "integer", required=False),
    Parameter("all", "query", "boolean", required=False),
    Parameter("all?", "query", "boolean", required=False),  # a name that looks like the presence of another one
    Parameter("must", "query", "integer", required=True),
)
_OPTIONAL = tuple(parameter for parameter in PARAMETERS if not parameter.required)
Values = dict[tuple[str, str], str | int | bool]  # of parameters, by place and name


def _operation(service: str, name: str, method: str) -> Operation:
    template = PathTemplate(f"/{service}/{{shop}}/{name}/o-{{n}}.json")
    return Operation(service, name, method, template, PARAMETERS, Mode.ENFORCE, deprecated=False, place=PLACE)


def service_of(
    name: str, owner: str, zone: str | None, groups: tuple[str, ...], operations: tuple[Operation, ...] = ()
) -> Service:
    """Return a service of the system."""
    return Service(
        name=name,
        spiffe_id=SpiffeID.of_service("shop.internal", name),
        owner=owner,
        zone=zone,
        groups=groups,
        mode=Mode.ENFORCE,
        listen=None,
        run=None,
        operations=operations,
        place=PLACE,
    )


READS = _operation("orders", "getLine", "GET")
WRITES = _operation("orders", "putLine", "PUT")
_SERVICES = (
    service_of("checkout", "team-web", "core", ("g1",)),
    service_of("billing", "team-money", None, ("g1", "g2")),
    service_of("orders", "team-orders", "core", ("g2",), (READS, WRITES)),
    service_of("batch", "team-orders", "edge", ()),
)
_DATA = (
    DataClass("pii", "team-orders", None, PLACE),
    DataClass("pii.email", "team-orders", "pii", PLACE),
    DataClass("pii.email.work", "team-web", "pii.email", PLACE),
    DataClass("card", "team-money", None, PLACE),
)
CATALOG = Catalog("shop.internal", {each.name: each for each in _SERVICES}, {each.name: each for each in _DATA})
NOWHERE = "elsewhere"  # a team and a zone that no catalog here names
TARGETS: tuple[Operation | DataClass, ...] = (READS, WRITES, CATALOG.data_classes["pii.email"])

_ALPHABET = ("a", "b", "ab", "\\", ".", "-", "/", '"', "\n", "ä", "\0", "\\u{41}", "A", "\U0001f600", "?", "[", "1")
_LIMITS = (2**63 - 1, -(2**63), 2**63 - 2, 1 - 2**63, 2**62, -(2**62), 2**32, 3_037_000_499, 3_037_000_500)
_INTEGERS = (0, 1, -1, 2, -2, 3, 7, 42, 10**17, 10**18 - 1, 1 - 10**18)
_TIMES = (
    "2026-11-23T12:00:00.000Z",
    "2026-11-23T12:00:00.001Z",
    "2026-11-23T13:00:00.001+0100",
    "2026-11-23",
    "2026-11-24",
    "2024-02-29T23:59:59Z",
    "1970-01-01",
    "1969-12-31T23:59:59.999Z",
    "1969-12-31",
    "0001-01-01",
    "0000-03-01T00:00:00Z",
    "9999-12-31T23:59:59.999-2359",
)
_DURATIONS = (
    "0ms", "1ms", "-1ms", "1h", "-1d2h", "86399999ms", "86400000ms", "-86400001ms", "12h0ms", "1d1h1m1s1ms",
    "365000d", "9223372036854775807ms", "-9223372036854775808ms", "-106751991167d", "9223372036854775s", "-1m", "59s",
)  # fmt: skip
_DECIMALS = ("0.0", "1.5", "-1.5", "1.50", "0.0001", "-0.0001", "922337203685477.5807", "-922337203685477.5808", "00.1")
_ADDRESSES = (
    "10.0.0.1", "10.0.0.0/8", "10.0.0.1/32", "10.255.0.0/16", "127.0.0.1", "127.0.0.0/8", "127.0.0.0/7", "224.0.0.1",
    "0.0.0.0/0", "::1", "::1/128", "::/0", "ff02::1", "2001:db8::/32", "2001:DB8:0:0::1",
)  # fmt: skip
_ALIKE = ("10.0.0.1", "10.0.0.1/32", "::1", "::1/128", "0:0::1")


def some_catalog(seed: int) -> Catalog:
    """Return a system with the same operations, whose services have other owners, zones and groups."""
    rng = random.Random(f"catalog {seed}")  # noqa: S311 - the same every time, on purpose
    services = {
        each.name: service_of(
            each.name,
            rng.choice(("team-web", "team-money", "team-orders")),
            rng.choice((None, "core", "edge")),
            tuple(group for group in ("g1", "g2") if rng.random() < 0.4),
            each.operations,
        )
        for each in _SERVICES
    }
    return Catalog("shop.internal", services, CATALOG.data_classes)


def newcomers(catalog: Catalog) -> Iterator[Service]:
    """Yield every service that could be added, of each owner, zone and set of groups; one owner and zone are new."""
    services = catalog.services.values()
    owners = {service.owner for service in services} | {each.owner for each in catalog.data_classes.values()}
    zones = {service.zone for service in services}
    groups = sorted({group for service in services for group in service.groups})
    for owner, zone in itertools.product(sorted(owners | {NOWHERE}), sorted(zones | {None, NOWHERE}, key=str)):
        for count in range(len(groups) + 1):
            for chosen in itertools.combinations(groups, count):
                yield service_of("newcomer", owner, zone, chosen)


def quoted(text: str) -> str:
    """Return a text as Cedar's string literal."""
    plain = (c if c >= " " and c not in '"\\' and c != "\x7f" else f"\\u{{{ord(c):x}}}" for c in text)
    return '"' + "".join(plain) + '"'


class Expressions:
    """Draws conditions: each method returns the text of an expression of that type, at most `depth` deep."""

    def __init__(self, seed: int, *, discloses: bool = False) -> None:
        self.random = random.Random(f"expressions {seed}")  # noqa: S311 - the same every time, on purpose
        self._discloses = discloses
        self._known: list[str] = []  # optional attributes that are there where we are

    def policy(self) -> str:
        """Return a permit with one to three clauses."""
        kept = len(self._known)
        count = self.random.choice((1, 1, 1, 2, 3))
        clauses = [
            f"{self.random.choice(('when', 'when', 'unless'))} {{ {self.boolean(self.random.randint(0, 3))} }}"
            for _ in range(count)
        ]
        del self._known[kept:]
        action = 'action == Action::"disclose"' if self._discloses else 'action in Action::"orders:*"'
        return f"permit (principal, {action}, resource) {' '.join(clauses)};"

    def one(self, *options: Callable[[], str]) -> str:
        return self.random.choice(options)()

    def pick(self, *texts: str) -> str:
        return self.random.choice(texts)

    # --- booleans
    # ---------------------------------------------------------------------------------------------------

    def boolean(self, depth: int) -> str:
        if depth <= 0:
            return self._test()
        inner = depth - 1
        return self.one(
            lambda: f"({self.boolean(inner)} && {self.boolean(inner)})",
            lambda: f"({self.boolean(inner)} || {self.boolean(inner)})",
            lambda: f"!({self.boolean(inner)})",
            lambda: self.choice(self.boolean, inner),
            lambda: f"({self.boolean(inner)} {self.equality()} {self.boolean(inner)})",
            lambda: self._guarded(inner),
            lambda: self._guarded(inner),
            self._test,
        )

    def choice(self, branch: Callable[[int], str], depth: int) -> str:
        return f"(if {self.boolean(depth)} then {branch(depth)} else {branch(depth)})"

    def equality(self) -> str:
        return self.pick("==", "==", "!=")

    def order(self) -> str:
        return self.pick("==", "!=", "<", "<=", ">", ">=")

    def _guarded(self, depth: int) -> str:
        """Return a test for an optional attribute, and an expression where it is there."""
        entity = self.random.random() < 0.3 or self._discloses
        if entity:
            base = self.pick("principal", "principal", 'Service::"batch"', 'Service::"billing"')
            has, access = f"{base} has zone", f"{base}.zone"
        else:
            name = self.random.choice(_OPTIONAL).name
            access = self.access("query", name)
            key = name if name.isidentifier() else quoted(name)
            has = f"context.query has {key}"
            if name.isidentifier() and self.random.random() < 0.3:
                has = f"context has query.{name}"
        self._known.append(access)
        body = f"({self._about(access)})" if self.random.random() < 0.6 else self.boolean(depth)
        self._known.pop()
        return self.pick(
            f"({has} && {body})",
            f"({has} && {body})",
            f"(if {has} then {body} else {self.boolean(0)})",
            f"(!({has}) || {body})" if self.random.random() < 0.2 else f"({has} && {body})",
        )

    def _about(self, access: str) -> str:
        """Return a comparison of an optional attribute."""
        if access.endswith(".zone"):
            return self.pick(
                f"{access} {self.equality()} {self.zone()}",
                f"{access} in {self.zone()}",
                f"{access} in [{self.zone()}, {self.zone()}]",
                f"[{self.zone()}, {access}].contains({self.zone()})",
            )
        if ".limit" in access:
            return f"{access} {self.order()} {self.long(1)}"
        if "all" in access:
            return self.pick(access, f"({access} {self.equality()} {self.boolean(0)})")
        return self.pick(
            f"{access} {self.equality()} {self.text(1)}",
            f"{access} like {self.pattern()}",
            f"[{self.text(0)}, {access}].contains({self.text(1)})",
        )

    @staticmethod
    def access(where: str, name: str) -> str:
        return f"context.{where}.{name}" if name.isidentifier() else f"context.{where}[{quoted(name)}]"

    def _test(self) -> str:
        """Return a Boolean that joins no others."""
        tests: list[Callable[[], str]] = [
            lambda: f"({self.long(2)} {self.order()} {self.long(2)})",
            lambda: f"({self.long(1)} {self.order()} {self.long(2)})",
            lambda: f"{self.text(1)} {self.equality()} {self.text(1)}",
            lambda: f"{self.text(1)} like {self.pattern()}",
            lambda: f"({self.moment(2)} {self.order()} {self.moment(1)})",
            lambda: f"({self.duration(2)} {self.order()} {self.duration(1)})",
            lambda: f"({self.units(1)} {self.order()} {self.random.randint(-2, 2)})",
            lambda: f"{self.decimal(1)}.{self.pick(*_DECIMAL_ORDERS)}({self.decimal(1)})",
            lambda: f"{self.decimal(1)} {self.equality()} {self.decimal(1)}",
            self._about_addresses,
            self._about_entities,
            self._about_entities,
            self._about_sets,
            self._about_sets,
            self._about_records,
            lambda: self.pick("true", "false"),
            self._fragile,
            *([] if self._discloses else [self._has, self._boolean_access]),
        ]
        return f"({self.one(*tests)})"

    def _fragile(self) -> str:
        """Return a comparison that fails to evaluate for about half of the requests."""
        value = "context.time.toTime().toMilliseconds()"
        if not self._discloses:
            value = self.pick("context.path.n", "context.query.must", value)
        return f"({value} * {self.pick('9223372036854775807', '4611686018427387904')} {self.order()} {self.long(0)})"

    def _has(self) -> str:
        name = self.pick("q", "limit", "all", "must", "nope", '"all?"', '"task-id"')
        return self.pick(f"(context.query has {name})", "(context.path has shop)", "(context has query.q)")

    def _boolean_access(self) -> str:
        known = [access for access in self._known if "all" in access]
        return self.random.choice(known) if known else self._has()

    def _about_addresses(self) -> str:
        tests = self.pick("isIpv4", "isIpv6", "isLoopback", "isMulticast")
        return self.one(
            lambda: f"{self.address(1)}.{tests}()",
            lambda: f"{self.address(1)}.isInRange({self.address(1)})",
            lambda: f"{self.address(1)} {self.equality()} {self.address(1)}",
            lambda: f'ip("{self.pick(*_ALIKE)}") {self.equality()} ip("{self.pick(*_ALIKE)}")',
            lambda: f"[{self.address(0)}, {self.address(1)}].contains({self.address(1)})",
        )

    def _about_entities(self) -> str:
        kind = self.pick("service", "team", "zone", "action", "data")
        draw: Callable[[int], str] = getattr(self, kind)
        group = f'Group::"{self.pick("g1", "g2")}"'
        return self.one(
            lambda: f"{draw(1)} {self.equality()} {draw(1)}",
            lambda: f"{draw(1)} in {draw(1)}",
            lambda: f"{draw(1)} in [{draw(1)}, {draw(0)}]",
            lambda: f"{self.service(1)} in {self.pick(self.team(1), self.zone(1), group)}",
            lambda: f"{self.service(1)} in [{self.team(1)}, {self.team(0)}]",
            lambda: f"{self.service(1)} in {self.choice(self.team, 0)}",
            lambda: f"{draw(1)} is {self.pick('Service', 'Team', 'DataClass')}",
            lambda: f"{self.service(1)} is Service in {self.pick(self.zone(1), group, self.service(1))}",
            lambda: f"{self.service(1)} is Service in [{self.zone(1)}, {self.zone(0)}]",
            lambda: f"{self.pick('principal', self.service(1))} has {self.pick('zone', 'owner', 'nope')}",
            lambda: f"principal.owner {self.equality()} resource.owner",
        )

    def _about_sets(self) -> str:
        draw = self.random.choice((self.longs, self.texts, self.services, self.teams, self.nested, self.moments))
        return self.one(
            lambda: f"{draw(1)} {self.equality()} {draw(1)}",
            lambda: f"{draw(1)}.{self.pick('containsAll', 'containsAny')}({draw(1)})",
            lambda: f"{draw(1)}.{self.pick('containsAll', 'containsAny')}({draw(1)})",
            lambda: f"{draw(1)}.isEmpty()",
            lambda: f"{self.longs(1)}.contains({self.long(1)})",
            lambda: f"{self.texts(1)}.contains({self.text(1)})",
            lambda: f"{self.services(1)}.contains({self.service(1)})",
            lambda: f"{self.nested(1)}.contains({self.longs(1)})",
            lambda: f"[{self.boolean(0)}, {self.boolean(0)}].contains({self.boolean(0)})",
        )

    def _about_records(self) -> str:
        options = [
            lambda: f"{self.record(1)} {self.equality()} {self.record(1)}",
            lambda: f"{self.record(1)}.a {self.order()} {self.long(1)}",
            lambda: f"{self.record(1)}.b.c {self.equality()} {self.text(1)}",
            lambda: f"{self.record(1)} has {self.pick('a', 'b.c', 'b.nope', 'nope.c', 'nope.a')}",
            lambda: f"[{self.record(0)}, {self.record(1)}].contains({self.record(0)})",
        ]
        if self._discloses:
            options += [lambda: f"(context has {self.pick('path', 'query.q', 'time', 'nope')})"]
        else:
            options += [
                lambda: f"context.path {self.equality()} {self.path(1)}",
                lambda: f"context.query {self.equality()} {self.pick('context.query', 'context.query')}",
                lambda: f"[context.path].contains({self.path(0)})",
                lambda: "context == context",
                lambda: f"{{r: context.path, n: {self.long(1)}}} == {{n: {self.long(0)}, r: {self.path(0)}}}",
            ]
        return self.one(*options)

    # --- values
    # -----------------------------------------------------------------------------------------------------

    def long(self, depth: int) -> str:
        if depth <= 0:
            known = [access for access in self._known if ".limit" in access]
            return self.one(
                lambda: str(self.random.choice(_INTEGERS)),
                lambda: str(self.random.choice(_INTEGERS + _LIMITS)),
                *(
                    [lambda: str(self.random.randint(-3, 3))]
                    if self._discloses
                    else [
                        lambda: "context.path.n",
                        lambda: "context.query.must",
                        lambda: self.pick("context.path.n", *known),
                    ]
                ),
            )
        inner = depth - 1
        return self.one(
            lambda: f"({self.long(inner)} {self.pick('+', '-')} {self.long(inner)})",
            lambda: f"({self.long(inner)} * {self.pick('2', '-1', '3', str(2**62), self.long(inner))})",
            lambda: f"-({self.long(inner)})",
            lambda: self.choice(self.long, inner),
            lambda: self.units(inner),
            lambda: f"{{a: {self.long(inner)}}}.a",
            lambda: self.long(0),
            lambda: self.long(0),
        )

    def text(self, depth: int) -> str:
        if depth > 0 and self.random.random() < 0.2:
            return self.choice(self.text, depth - 1)
        known = [access for access in self._known if "q" in access[13:] or "task" in access]
        if self._discloses:
            return quoted(some_text(self.random))
        return self.one(
            lambda: quoted(some_text(self.random)),
            lambda: "context.path.shop",
            lambda: self.pick("context.path.shop", *known),
        )

    def pattern(self) -> str:
        if self.random.random() < 0.3:
            return self.pick(r'"a\*b"', r'"a*\*b"', '"*"', '"*a*b"')
        pieces = (self.pick("*", "*", r"\*", *(quoted(each)[1:-1] for each in _ALPHABET)) for _ in range(4))
        return '"' + "".join(itertools.islice(pieces, self.random.randint(0, 4))) + '"'

    def moment(self, depth: int) -> str:
        if depth <= 0:
            return self.one(lambda: "context.time", lambda: f'datetime("{self.pick(*_TIMES)}")')
        inner = depth - 1
        return self.one(
            lambda: f"{self.moment(inner)}.offset({self.duration(inner)})",
            lambda: f"{self.moment(inner)}.toDate()",
            lambda: self.choice(self.moment, inner),
            lambda: self.moment(0),
        )

    def duration(self, depth: int) -> str:
        if depth <= 0:
            return self.one(lambda: f'duration("{self.pick(*_DURATIONS)}")', lambda: "context.time.toTime()")
        inner = depth - 1
        return self.one(
            lambda: f"{self.moment(inner)}.durationSince({self.moment(inner)})",
            lambda: f"{self.moment(inner)}.toTime()",
            lambda: self.choice(self.duration, inner),
            lambda: self.duration(0),
        )

    def units(self, depth: int) -> str:
        return f"{self.duration(depth)}.to{self.pick('Milliseconds', 'Seconds', 'Minutes', 'Hours', 'Days')}()"

    def decimal(self, depth: int) -> str:
        if depth > 0 and self.random.random() < 0.4:
            return self.choice(self.decimal, depth - 1)
        return f'decimal("{self.pick(*_DECIMALS)}")'

    def address(self, depth: int) -> str:
        if depth > 0 and self.random.random() < 0.4:
            return self.choice(self.address, depth - 1)
        return f'ip("{self.pick(*_ADDRESSES)}")'

    def service(self, depth: int) -> str:
        if depth > 0 and self.random.random() < 0.2:
            return self.choice(self.service, depth - 1)
        own = "principal" if self._discloses else self.pick("principal", "resource")
        return self.pick("principal", own, f'Service::"{self.pick(*CATALOG.services)}"')

    def team(self, depth: int) -> str:
        if depth > 0 and self.random.random() < 0.2:
            return self.choice(self.team, depth - 1)
        return self.pick(
            "principal.owner", "resource.owner", f'Team::"{self.pick("team-web", "team-money", "team-orders")}"',
            f"{self.service(depth)}.owner",
        )  # fmt: skip

    def zone(self, _depth: int = 0) -> str:
        known = [access for access in self._known if access.endswith(".zone")]
        return self.pick(f'Zone::"{self.pick("core", "edge")}"', *known)

    def action(self, depth: int) -> str:
        if depth > 0 and self.random.random() < 0.2:
            return self.choice(self.action, depth - 1)
        known = ("orders:getLine", "orders:putLine", "orders:read", "orders:*", "orders:write", "read", "write")
        return self.pick("action", "action", f'Action::"{self.pick(*known, "disclose")}"')

    def data(self, depth: int) -> str:
        if depth > 0 and self.random.random() < 0.2:
            return self.choice(self.data, depth - 1)
        known = f'DataClass::"{self.pick(*CATALOG.data_classes)}"'
        return self.pick("resource", known) if self._discloses else known

    def record(self, depth: int) -> str:
        if depth > 0 and self.random.random() < 0.3:
            return self.choice(self.record, depth - 1)
        return f"{{a: {self.long(depth)}, b: {{c: {self.text(depth)}}}}}"

    def path(self, depth: int) -> str:
        if self.random.random() < 0.2:
            return "context.path"
        number, text = self.pick("context.path.n", self.long(depth)), self.pick("context.path.shop", self.text(depth))
        return f"{{n: {number}, shop: {text}}}"

    def longs(self, depth: int) -> str:
        return self._set(self.longs, self.long, depth)

    def texts(self, depth: int) -> str:
        return self._set(self.texts, self.text, depth)

    def services(self, depth: int) -> str:
        return self._set(self.services, self.service, depth)

    def teams(self, depth: int) -> str:
        return self._set(self.teams, self.team, depth)

    def moments(self, depth: int) -> str:
        return self._set(self.moments, self.moment, depth)

    def nested(self, depth: int) -> str:
        return self._set(self.nested, self.longs, depth)

    def _set(self, whole: Callable[[int], str], element: Callable[[int], str], depth: int) -> str:
        if depth > 0 and self.random.random() < 0.2:
            return self.choice(whole, depth - 1)
        return "[" + ", ".join(element(0) for _ in range(self.random.randint(1, 3))) + "]"


_DECIMAL_ORDERS = ("lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual")


def some_text(rng: random.Random) -> str:
    """Return a text: short, of few characters, most of them awkward."""
    if rng.random() < 0.3:
        return rng.choice(("a*b", "aab", "A", "\\u{41}"))
    return "".join(rng.choice((*_ALPHABET, "*")) for _ in range(rng.choice((0, 1, 1, 1, 2, 3))))


@dataclass(frozen=True)
class Request:
    """One request: who calls what with which parameters, and when."""

    caller: str
    target: Operation | DataClass
    values: Values
    moment: datetime

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters of the operation; a disclosure has none."""
        return self.target.parameters if isinstance(self.target, Operation) else ()

    def question(self) -> dict[str, Any]:
        """Return the request in Cedar's words; made here by hand, with nothing of what is tested."""
        text = self.moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
        context: dict[str, Any] = {"time": {"__extn": {"fn": "datetime", "arg": text}}}
        if isinstance(self.target, Operation):
            context |= {"path": {}, "query": {}}
            for (where, name), value in self.values.items():
                context[where][name] = value
            action, resource = self.target.id, {"type": "Service", "id": self.target.service}
        else:
            action, resource = "disclose", {"type": "DataClass", "id": self.target.name}
        principal = {"type": "Service", "id": self.caller}
        return {
            "principal": principal,
            "action": {"type": "Action", "id": action},
            "resource": resource,
            "context": context,
        }


def some_requests(seed: int, target: Operation | DataClass, count: int, *, plain: bool = False) -> Iterator[Request]:
    """Yield requests to one target; with `plain` only parameters that an enforcer lets pass."""
    rng = random.Random(f"requests {seed}")  # noqa: S311 - the same every time, on purpose
    days = (0, 0, 0, 0, 1, -1, 365, -(365 * 57), -739_000, 2_900_000)
    for _ in range(count):
        values: Values = {}
        for parameter in PARAMETERS if isinstance(target, Operation) else ():
            if parameter.required or rng.random() < 0.6:
                values[parameter.where, parameter.name] = _some_value(rng, parameter, plain=plain)
        micros = rng.choice((0, 0, 1000, -1000, 1, 999, rng.randrange(86_400_000_000)))
        moment = NOON + timedelta(days=abs(rng.choice(days)) if plain else rng.choice(days), microseconds=micros)
        yield Request(rng.choice(tuple(CATALOG.services)), target, values, moment)


def _some_value(rng: random.Random, parameter: Parameter, *, plain: bool) -> str | int | bool:
    if parameter.type == "boolean":
        return rng.random() < 0.5
    if parameter.type == "integer":
        return rng.choice(_INTEGERS if plain or rng.random() < 0.6 else _LIMITS)
    if plain:
        return rng.choice(("a", "b", "ab", "A", "1", "-", "a.b", "b-a", "u", "a*b", "*"))
    return some_text(rng)


@dataclass(frozen=True)
class Batch:
    """Valid policies, numbered as Cedar numbers them, and what Cedar asks them with."""

    texts: tuple[str, ...]
    trees: tuple[pst.Template, ...]
    policies: cedarpy.PolicySet

    def outcomes(self, request: Request, entities: cedarpy.Entities) -> list[str]:
        """Return of each policy whether it `holds`, `fails` or neither (`no`), by Cedar."""
        answer = cedarpy.is_authorized(request.question(), self.policies, entities)
        assert answer.decision is not cedarpy.Decision.NoDecision, answer.diagnostics.errors
        outcomes = ["no"] * len(self.texts)
        for reason in answer.diagnostics.reasons:
            outcomes[int(reason.removeprefix("policy"))] = "holds"
        for error in answer.diagnostics.errors:
            outcomes[int(error.partition("`policy")[2].partition("`")[0])] = "fails"
        return outcomes


def valid_policies(texts: Sequence[str]) -> Batch:
    """Return those of the policies that are valid under the schema of the system."""
    schema = cedarpy.Schema.from_json_str(json.dumps(schema_of([READS, WRITES], list(CATALOG.services))))
    result = cedarpy.validate_policies("\n".join(texts), schema)
    wrong = {error.policy_id for error in result.errors}
    return batch_of([text for number, text in enumerate(texts) if f"policy{number}" not in wrong])


def batch_of(texts: Iterable[str]) -> Batch:
    """Return policies as a batch."""
    kept = tuple(texts)
    whole = "\n".join(kept)
    trees = cedarpy.policies_to_pst(whole).static_policies
    ordered = tuple(trees[f"policy{number}"] for number in range(len(kept)))
    return Batch(kept, ordered, cedarpy.PolicySet.from_str(whole))
