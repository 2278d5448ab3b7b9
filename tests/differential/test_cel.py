"""Conditions translated for Envoy against Cedar itself, in the CEL engine that Envoy is built with."""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import cedarpy
import pytest
from cedarpy import pst
from cel_expr_python import cel as engine  # type: ignore[import-untyped]  # its stubs lack the marker
from tests.differential import systems

from inward.catalog.model import Catalog, Mode, Operation, Parameter, Service
from inward.catalog.system import load_catalog
from inward.catalog.template import PathTemplate
from inward.errors import Place
from inward.identity.spiffe_id import SpiffeID
from inward.policy.cel import UntranslatableError, conditions, translate, tree
from inward.policy.cel import cell as translation
from inward.policy.cel.tree import Truth, call
from inward.policy.decide import Engine
from inward.policy.index import Index
from inward.policy.loading.load import load_policies
from inward.policy.model import Cell, Policies, Policy
from inward.policy.request import BadParameterError, Request, build_context, reads_of
from inward.policy.schema import entities_of, schema_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

PLACE = Place("policies/orders.cedar", 1)
NOW = datetime(2026, 11, 23, 16, 45, 10, 123456, tzinfo=UTC)
OPERATION = Operation(
    service="orders",
    name="getLine",
    method="GET",
    template=PathTemplate("/v1/shops/{shop}/orders/o-{n}.json"),
    parameters=(
        Parameter("shop", "path", "string", required=True),
        Parameter("n", "path", "integer", required=True),
        Parameter("q", "query", "string", required=False),
        Parameter("task_id", "query", "string", required=False),
        Parameter("limit", "query", "integer", required=False),
        Parameter("all", "query", "boolean", required=False),
        Parameter("must", "query", "integer", required=True),
    ),
    mode=Mode.ENFORCE,
    deprecated=False,
    place=PLACE,
)


def _service(name: str, zone: str | None, groups: tuple[str, ...], operations: tuple[Operation, ...] = ()) -> Service:
    return Service(
        name=name,
        spiffe_id=SpiffeID.of_service("shop.internal", name),
        owner=f"team-{name}",
        zone=zone,
        groups=groups,
        mode=Mode.ENFORCE,
        listen=None,
        run=None,
        operations=operations,
        place=PLACE,
    )


CATALOG = Catalog(
    "shop.internal",
    {
        "checkout": _service("checkout", "core", ("g1",)),
        "billing": _service("billing", None, ()),
        "orders": _service("orders", "core", ("g2",), (OPERATION,)),
    },
    {},
)
SCHEMA = cedarpy.Schema.from_json_str(json.dumps(schema_of([OPERATION], ["orders"])))


class Conditions:
    """Draws Cedar expressions that are dense in what the request decides."""

    STRINGS = ("", "a", "ab", "b", "a*b", "o-1", "x/y", "a&q=b", "ä", "v1", "A", "a\nb", "true", "1")
    INTEGERS = (0, 1, -1, 2, 7, 42, 10**17, 999_999_999_999_999_999, 10**18, 2**63 - 1, -(2**63))
    PATTERNS = ("*", "a*", "*b", "a*b", "*a*", r"a\*b", "", "*.*", "o-?", "ab", "*/*", "a**", "*&*")
    TIMES = (
        "2026-11-23T16:45:10.123Z",
        "2026-11-23T16:45:10.124Z",
        "2026-11-23T16:45:10.122Z",
        "2026-11-23",
        "2026-11-23T17:45:10.123+0100",
        "2026-11-23T16:45:10Z",
        "1969-12-31T23:59:59.999Z",
        "9999-12-31T23:59:59.999Z",
    )
    DURATIONS = ("1h", "0ms", "-1d2h", "16h45m10s123ms", "1ms", "-1ms", "365d", "23h59m59s999ms")

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311  # cases, not secrets

    def one(self, *options: Callable[[], str]) -> str:
        return self.random.choice(options)()

    def boolean(self, depth: int) -> str:
        if depth <= 0:
            return self.one(self.leaf, self.leaf, self.leaf, self.constant)
        inner = depth - 1
        return self.one(
            lambda: f"({self.boolean(inner)} && {self.boolean(inner)})",
            lambda: f"({self.boolean(inner)} || {self.boolean(inner)})",
            lambda: f"!({self.boolean(inner)})",
            lambda: f"(if {self.boolean(inner)} then {self.boolean(inner)} else {self.boolean(inner)})",
            lambda: f"({self.boolean(inner)} {self.equality()} {self.boolean(inner)})",
            self.leaf,
        )

    def equality(self) -> str:
        return self.random.choice(("==", "!="))

    def order(self) -> str:
        return self.random.choice(("==", "!=", "<", "<=", ">", ">="))

    def either(self) -> str:
        return self.random.choice(("true", "false"))

    def leaf(self) -> str:
        return self.one(
            self.fragile,
            self.fragile,
            lambda: f"context.time {self.order()} {self.moment(0)}",
            lambda: f"{self.string()} {self.equality()} {self.string()}",
            lambda: f"{self.number(2)} {self.order()} {self.number(2)}",
            lambda: f"{self.moment(1)} {self.order()} {self.moment(1)}",
            lambda: f"{self.duration(1)} {self.order()} {self.duration(1)}",
            lambda: f'{self.string()} like "{self.random.choice(self.PATTERNS)}"',
            self.optional,
            self.optional,
            self.optional,
            lambda: f"[{self.string()}, {self.string()}].contains({self.string()})",
            lambda: f"[{self.number(1)}, {self.number(0)}].contains({self.number(1)})",
            lambda: f"[{self.string()}, {self.string()}].{self.many()}([{self.string()}, {self.string()}])",
            lambda: f"context.query has {self.random.choice(('q', 'limit', 'all', 'must', 'nope', 'task_id'))}",
            lambda: f"context.path has {self.random.choice(('shop', 'q'))}",
        )

    def many(self) -> str:
        return self.random.choice(("containsAny", "containsAll"))

    def fragile(self) -> str:
        """Return a comparison that fails to evaluate for some requests."""
        value = self.random.choice(("context.path.n", "context.query.must"))
        factor = self.random.choice(("9223372036854775807", "4611686018427387904", "(-9223372036854775807)"))
        return f"{value} * {factor} {self.order()} {self.random.choice((0, 7, '9223372036854775807'))}"

    def constant(self) -> str:
        return self.random.choice(
            ('principal in Zone::"core"', 'principal in Group::"g1"', "principal has zone", "true", "false",
             'resource.owner == Team::"team-orders"', 'ip("10.0.0.1").isInRange(ip("10.0.0.0/8"))',
             'action in Action::"orders:read"', "principal is Service", "9223372036854775807 + 1 == 0")
        )  # fmt: skip

    def optional(self) -> str:
        return self.one(
            lambda: f"(context.query has q && context.query.q {self.equality()} {self.literal()})",
            lambda: f'(context.query has q && context.query.q like "{self.random.choice(self.PATTERNS)}")',
            lambda: f"(context.query has q && context.path.shop {self.equality()} context.query.q)",
            lambda: (
                f"(context.query has task_id && [{self.literal()}, {self.literal()}].contains(context.query.task_id))"
            ),
            lambda: f"(context.query has limit && context.query.limit {self.order()} {self.number(1)})",
            lambda: f"(context has query.limit && {self.number(1)} {self.order()} context.query.limit * 2)",
            lambda: f"(context.query has all && context.query.all {self.equality()} {self.either()})",
            lambda: f"(!(context.query has all) || context.query.all {self.equality()} {self.boolean(0)})",
            lambda: "(context.query has all && context.query.all)",
        )

    def literal(self) -> str:
        return json.dumps(self.random.choice(self.STRINGS), ensure_ascii=False)

    def string(self) -> str:
        return self.one(self.literal, lambda: "context.path.shop", lambda: "context.path.shop")

    def number(self, depth: int) -> str:
        if depth <= 0:
            return self.one(
                lambda: f"{self.random.choice(self.INTEGERS)}",
                lambda: "context.path.n",
                lambda: "context.query.must",
            )
        inner = depth - 1
        return self.one(
            lambda: f"({self.number(inner)} + {self.number(inner)})",
            lambda: f"({self.number(inner)} - {self.number(inner)})",
            lambda: f"({self.number(inner)} * {self.number(inner)})",
            lambda: f"-({self.number(inner)})",
            lambda: f"(if {self.boolean(0)} then {self.number(inner)} else {self.number(inner)})",
            lambda: (
                f"{self.duration(0)}.to{self.random.choice(('Milliseconds', 'Seconds', 'Minutes', 'Hours', 'Days'))}()"
            ),
            lambda: self.number(0),
        )

    def moment(self, depth: int) -> str:
        if depth <= 0:
            return self.one(
                lambda: "context.time",
                lambda: "context.time",
                lambda: f'datetime("{self.random.choice(self.TIMES)}")',
            )
        return self.one(
            lambda: self.moment(0),
            lambda: self.moment(0),
            lambda: f"{self.moment(0)}.offset({self.duration(0)})",
            lambda: "context.time.toDate()",
        )

    def duration(self, depth: int) -> str:
        return self.one(
            lambda: f'duration("{self.random.choice(self.DURATIONS)}")',
            lambda: "context.time.toTime()",
            lambda: (
                f"{self.moment(depth - 1)}.durationSince({self.moment(depth - 1)})" if depth > 0 else 'duration("2h")'
            ),
        )

    def policy(self, effect: str) -> str:
        clauses = " ".join(
            f"{self.random.choice(('when', 'when', 'unless'))} {{ {self.boolean(self.random.randint(0, 3))} }}"
            for _ in range(self.random.choice((0, 1, 1, 1, 1, 2)))
        )
        own = 'principal == Service::"checkout", action == Action::"orders:getLine", resource == Service::"orders"'
        scope = self.random.choice(("principal, action, resource", own))
        return f"{effect} ({scope}) {clauses};"

    def expiry(self) -> datetime | None:
        micro = timedelta(microseconds=1)
        return self.random.choice(
            (
                None,
                None,
                None,
                NOW,
                NOW + micro,
                NOW - micro,
                NOW + timedelta(days=1),
                NOW - timedelta(days=1),
            )
        )

    def cell(self) -> Cell | None:
        """Return a cell of valid policies, or None where one of them was not valid."""
        policies: list[Policy] = []
        for number in range(self.random.choice((1, 1, 1, 2, 3, 4))):
            effect = "permit" if number == 0 else self.random.choice(("permit", "forbid"))
            text = self.policy(effect)
            if not cedarpy.validate_policies(text, SCHEMA).validation_passed:
                return None
            tree = next(iter(cedarpy.policies_to_pst(text).static_policies.values()))
            name = f"p{number}"
            policies.append(
                Policy(name, tree.effect, "why", self.expiry(), "orders", PLACE, text, replace(tree, id=name))
            )
        return Index(CATALOG, Policies.of(policies)).cell(self.random.choice(("checkout", "billing")), OPERATION.id)

    def request(self, caller: str) -> Request:
        odd = self.random.random() < 0.3

        def pick(usual: str, others: str) -> str:
            return self.random.choice((usual + others if odd else usual).split())

        number = pick("1 2 -1 0 42 1 2 7 999999999999999999", " 01 x 9999999999999999999 +1")
        shop = pick("a ab A b a*b o-1 v1 true ~ aab", " a%20b a+b")
        must = pick("must=1 must=2 must=0 must=7", " must must=x must=1&must=1")
        items = [
            pick("q=a q=ab q= q=o-1 q=a*b q=b", " q Q=a q[]=a q=a&q=a q=%61"),
            pick("limit=1 limit=2 limit=-7 limits=1", " limit=01 limit= z=%20 z=a+b"),
            pick("all=true all=false ball=true", " all=TRUE all z=1&z=2"),
            pick("task_id=a task_id=b z a.b:c[d]~-=!$'()*,/?@=", " task.id=a TASK_ID=a"),
        ]
        kept = [item for item in items if self.random.random() < 0.75]
        if not odd or self.random.random() < 0.9:
            kept.append(must)
        self.random.shuffle(kept)
        query = "&".join(kept)
        if odd and self.random.random() < 0.1:
            query = self.random.choice(("", "&", query + "&", query + ";must=1", "%6dust=1", "a b=1", query + "&ä=1"))
        return Request(caller, OPERATION.id, f"/v1/shops/{shop}/orders/o-{number}.json", query)


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def encode(node: dict[str, Any]) -> bytes:
    """Return a tree as a protobuf message `cel.expr.Expr`."""
    ((kind, body),) = ((kind, body) for kind, body in node.items() if kind != "id")
    if kind == "const_expr":
        ((name, value),) = body.items()
        inner = {
            "bool_value": lambda: _varint(2 << 3) + _varint(int(value)),
            "int64_value": lambda: _varint(3 << 3) + _varint(int(value)),
            "string_value": lambda: _field(6, value.encode()),
        }[name]()
        number = 3
    elif kind == "select_expr":
        # the engine's Python side takes times as variables only, not inside a map
        assert body["operand"]["ident_expr"] == {"name": "request"}
        number, inner = 4, _field(1, f"request_{body['field']}".encode())
    elif kind == "call_expr":
        target = _field(1, encode(body["target"])) if "target" in body else b""
        args = b"".join(_field(3, encode(arg)) for arg in body["args"])
        number, inner = 6, target + _field(2, body["function"].encode()) + args
    else:
        assert kind == "list_expr"
        number, inner = 7, b"".join(_field(1, encode(element)) for element in body["elements"])
    return _varint(2 << 3) + _varint(int(node["id"])) + _field(number, inner)


def _extract(text: str, pattern: str, rewrite: str) -> str:
    found = re.search(pattern, text)
    if found is None or rewrite != r"\1":
        raise ValueError("no match")
    return str(found[1])


@pytest.fixture(scope="module")
def environment() -> engine.Env:
    strings = [engine.Type.STRING] * 3
    extract = engine.Overload(
        id="re_extract", return_type=engine.Type.STRING, parameters=strings, is_member=False, impl=_extract
    )
    environment = engine.NewEnv(
        variables={
            "request_url_path": engine.Type.STRING,
            "request_query": engine.Type.STRING,
            "request_time": engine.Type.TIMESTAMP,
        },
        functions=[engine.FunctionDecl("re.extract", [extract])],
    )
    environment.compile("request_time == request_time")  # it knows no types of variables before
    return environment


class Compiled:
    """A tree in Envoy's CEL engine."""

    def __init__(self, environment: engine.Env, tree: dict[str, Any]) -> None:
        parsed = _field(1, b"type.googleapis.com/cel.expr.ParsedExpr") + _field(2, _field(2, encode(tree)))
        self._expression = environment.deserialize(parsed)

    def allows(self, request: Request, now: datetime) -> bool:
        """Return whether it is true; an error is not, as in Envoy."""
        data = {"request_url_path": request.path, "request_query": request.query, "request_time": now}
        value = self._expression.eval(data=data)
        return value.type() == engine.Type.BOOL and value.value() is True


def strict(cell: Cell, request: Request, now: datetime, entities: cedarpy.Entities) -> bool:
    """Return what each policy says when Cedar is asked about it alone, joined by hand."""
    live = [policy for policy in (*cell.permits, *cell.forbids) if policy.expires is None or now < policy.expires]
    if not any(policy.effect == "permit" for policy in live):
        return False
    try:
        context = build_context(OPERATION, request.path, request.query, now, reads_of(live, OPERATION))
    except BadParameterError:
        return False
    satisfied = {"permit": False, "forbid": False}
    for policy in live:
        alone = replace(policy.pst, effect="permit")
        answer = cedarpy.is_authorized(
            {
                "principal": {"type": "Service", "id": cell.caller},
                "action": {"type": "Action", "id": OPERATION.id},
                "resource": {"type": "Service", "id": "orders"},
                "context": context,
            },
            cedarpy.PolicySet.from_pst(pst.PolicySet({}, {alone.id: alone}, ())),
            entities,
        )
        if answer.diagnostics.errors:
            return False
        satisfied[policy.effect] |= answer.allowed
    return satisfied["permit"] and not satisfied["forbid"]


@dataclass(frozen=True)
class Case:
    """A cell, and requests with what Cedar says of them."""

    cell: Cell
    requests: tuple[tuple[Request, bool], ...]


@pytest.fixture(scope="module")
def entities() -> cedarpy.Entities:
    return cedarpy.Entities.from_json_str(json.dumps(entities_of(CATALOG)))


@pytest.fixture(scope="module")
def cases(entities: cedarpy.Entities) -> list[Case]:
    return _cases(range(3), 200, 15, entities)


def _cases(seeds: range, cells: int, each: int, entities: cedarpy.Entities) -> list[Case]:
    found: list[Case] = []
    for seed in seeds:
        draw = Conditions(seed)
        while len(found) < cells * (seed - seeds.start + 1):
            cell = draw.cell()
            if cell is not None:
                requests = [draw.request(cell.caller) for _ in range(each)]
                found.append(Case(cell, tuple((asked, strict(cell, asked, NOW, entities)) for asked in requests)))
    return found


def _differences(environment: engine.Env, cases: list[Case]) -> tuple[int, list[str]]:
    """Return the number of requests tried, and those on which the translation differs from Cedar."""
    tried = 0
    found: list[str] = []
    for case in cases:
        try:
            compiled = Compiled(environment, translate(case.cell, CATALOG))
        except UntranslatableError:
            continue
        for request, expected in case.requests:
            tried += 1
            if compiled.allows(request, NOW) is not expected:
                texts = " ".join(policy.text for policy in (*case.cell.permits, *case.cell.forbids))
                found.append(f"{request}: {expected} by {texts}")
    return tried, found


def test_envoys_engine_says_what_cedar_says(environment: engine.Env, cases: list[Case]) -> None:
    tried, found = _differences(environment, cases)
    assert found == []
    assert tried > 8000  # nearly all that is drawn can be translated
    allowed = sum(expected for case in cases for _, expected in case.requests)
    assert allowed > 1000


@pytest.mark.long
def test_envoys_engine_says_what_cedar_says_at_length(environment: engine.Env, entities: cedarpy.Entities) -> None:
    tried, found = _differences(environment, _cases(range(100, 130), 100, 20, entities))
    assert found == []
    assert tried > 50_000


def test_the_engine_of_decisions_says_the_same(cases: list[Case]) -> None:
    for case in cases:
        engine_of_cell = Engine(CATALOG, Policies.of([*case.cell.permits, *case.cell.forbids]))
        for request, expected in case.requests:
            assert engine_of_cell.decide(request, NOW).allowed is expected


def _absorbing(left: Truth, right: Truth) -> Truth:
    """Join as CEL's own `&&` does, the wrong way: an error on one side is lost if the other is false."""
    return call("_&&_", tree.boolean(left), tree.boolean(right))


def _skipping(values: Sequence[Truth]) -> Truth:
    """Join as Cedar alone does: the first one that holds decides, and one that fails after it is not seen."""
    return tree.any_of([*values])


def _ignoring_forbids(condition: Truth, then: Truth, otherwise: Truth) -> Truth:
    return otherwise if then is False else tree.choose(condition, then, otherwise)


MUTATIONS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "errors of a conjunction are absorbed": lambda patch: patch.setattr(tree, "both", _absorbing),
    "a conjunction takes its right side only": lambda patch: patch.setattr(tree, "both", lambda _, right: right),
    "a disjunction becomes a conjunction": lambda patch: patch.setattr(tree, "either", _absorbing),
    "errors of other policies are not seen": lambda patch: patch.setattr(translation, "any_strict", _skipping),
    "forbids are dropped": lambda patch: patch.setattr(translation, "choose", _ignoring_forbids),
    "expiries are dropped": lambda patch: patch.setattr(translation, "_while_alive", lambda _, value: value),
    "parameters are not held to their plain form": lambda patch: patch.setattr(
        translation, "_plain_form", lambda *_: []
    ),
    "`<=` becomes `<`": lambda patch: patch.setitem(conditions._COMPARISONS, "less_eq", "_<_"),
    "arithmetic swaps its sides": lambda patch: patch.setitem(conditions._ARITHMETIC, "sub", "_+_"),
    "times are not truncated": lambda patch: patch.setattr(
        conditions, "_milliseconds", lambda: call("_*_", call("int", tree.TIME), tree.integer(1000))
    ),
    "`unless` is read as `when`": lambda patch: patch.setattr(conditions, "negation", lambda value: value),
}


@pytest.mark.parametrize("mutation", sorted(MUTATIONS))
def test_a_planted_error_is_found(
    environment: engine.Env, cases: list[Case], mutation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    MUTATIONS[mutation](monkeypatch)
    _, found = _differences(environment, cases)
    assert found != []


def test_whole_systems_are_translated_as_they_are_decided(environment: engine.Env, tmp_path: Path) -> None:
    tried = 0
    for seed in range(12):
        system = systems.generate(seed)
        catalog, mistakes = load_catalog(system.write(tmp_path / str(seed)))
        assert catalog is not None
        policies, more = load_policies(tmp_path / str(seed), catalog)
        assert mistakes == more == []
        decisions = Engine(catalog, policies)
        compiled: dict[tuple[str, str], Compiled | None] = {}
        for made in system.calls(4):
            key = (made.caller, made.operation)
            if key not in compiled:
                try:
                    compiled[key] = Compiled(environment, translate(decisions.cell(*key), catalog))
                except UntranslatableError:
                    compiled[key] = None
            expression = compiled[key]
            if expression is None:
                continue
            request = Request(made.caller, made.operation, made.path, made.query)
            assert expression.allows(request, made.now) is decisions.decide(request, made.now).allowed, (seed, made)
            tried += 1
    assert tried > 1000
