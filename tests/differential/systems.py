"""Random systems for differential tests: from a seed to a whole system folder, and calls to try on it.

What is generated are files, so that everything that reads them takes part. Every system is valid: each
parameter name has one type in all operations, and conditions test before they read. Conditions that can fail
at run time (an integer overflow) are among them on purpose, and policies that expire while they are tried.

The same seed gives the same system and the same calls. Import it: `from tests.differential import systems`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

NOON = datetime(2030, 6, 15, 12, 0, tzinfo=UTC)  # what conditions and expiries are near to
TYPES = {"id": "string", "sku": "string", "n": "integer", "flag": "boolean"}  # of path parameters
QUERY_TYPES = {"q": "string", "status": "string", "limit": "integer", "dry_run": "boolean"}
_TEXTS = ("a", "b-1", "A.B~c", "monitor-7", "x@y", "it's")
_NUMBERS = ("0", "1", "-1", "7", "42", "100000000000000001", "999999999999999999", "-999999999999999999")
_ODD = ("%61", "a%20b", "a+b", "%C3%A9", "01", "+1", "1e3", "True", "1000000000000000000", "a,b", "x*y")
_MOMENTS = tuple(NOON + timedelta(hours=hours) for hours in (-36, -12, -1, 0, 1, 12, 36))


@dataclass(frozen=True)
class GeneratedOperation:
    """An operation as its OpenAPI document has it."""

    service: str
    operation_id: str | None
    method: str
    path: tuple[str, ...]  # segments; a parameter is written `{name}`
    query: tuple[tuple[str, bool], ...]  # name, required

    @property
    def template(self) -> str:
        return "/" + "/".join(self.path)

    @property
    def id(self) -> str:
        return f"{self.service}:{self.operation_id or f'{self.method} {self.template}'}"


@dataclass(frozen=True)
class GeneratedPolicy:
    """A policy, whole and with its scope alone, for oracles that share no code with what they check."""

    id: str
    effect: str
    file: str
    scope: str
    conditions: str
    expires: datetime | None
    text: str


@dataclass(frozen=True)
class GeneratedCall:
    """One call: the caller's name, the operation that the path is of, and what is sent."""

    caller: str
    operation: str
    method: str
    path: str
    query: str
    now: datetime


@dataclass(frozen=True)
class GeneratedSystem:
    """A system folder's files by name, and what they were made of."""

    seed: int
    files: Mapping[str, str]
    services: tuple[str, ...]
    operations: tuple[GeneratedOperation, ...]
    policies: tuple[GeneratedPolicy, ...]

    def write(self, folder: Path) -> Path:
        """Write the files into `folder`, and return it."""
        for name, text in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return folder

    def calls(self, each: int) -> Iterator[GeneratedCall]:
        """Yield `each` calls for every service and operation, some of them not in plain form."""
        rng = random.Random(f"calls {self.seed}")  # noqa: S311 - the same every time, on purpose
        for operation in self.operations:
            for caller in self.services:
                for _ in range(each):
                    yield _call(rng, caller, operation)


def generate(
    seed: int, *, services: int = 5, operations: int = 5, policies: int = 7, guardrails: int | None = None
) -> GeneratedSystem:
    """Generate a system with up to so many services, operations of a service, and policies of a file.

    `guardrails` is how many there are about operations, and as many about data classes; by default, few or none.
    """
    return _Generator(seed, services, operations, policies, guardrails).system()


class _Generator:
    def __init__(self, seed: int, services: int, operations: int, policies: int, guardrails: int | None) -> None:
        self._seed = seed
        self._guardrails = guardrails
        self._rng = random.Random(f"system {seed}")  # noqa: S311 - the same every time, on purpose
        self._operation_count = operations
        self._policy_count = policies
        rng = self._rng
        self._services = [f"s{number}" for number in range(rng.randint(2, services))]
        self._owner = {service: f"team-{rng.randint(0, 2)}" for service in self._services}
        self._zone = {service: rng.choice([None, "edge", "core"]) for service in self._services}
        self._groups = {
            service: [group for group in ("red", "green", "blue") if rng.random() < 0.4] for service in self._services
        }
        self._operations = {service: self._some_operations(service) for service in self._services}
        self._policies: list[GeneratedPolicy] = []
        self._path_names, self._query_names = sorted(TYPES), sorted(QUERY_TYPES)  # that conditions read

    def system(self) -> GeneratedSystem:
        files: dict[str, str] = {}
        classes = self._data_classes()
        files["inward.yaml"] = self._inward_yaml(classes)
        for service, operations in self._operations.items():
            files[f"apis/{service}.yaml"] = _openapi(service, operations)
            for _ in range(self._rng.randint(0, self._policy_count)):
                self._policy(f"policies/{service}.cedar", service)
            self._disclosure(service, classes)
        for _ in range(self._rng.choice([0, 0, 1, 2]) if self._guardrails is None else self._guardrails):
            self._policy("guardrails.cedar", None)
        for _ in range(self._guardrails or 0):
            self._about_data(classes)
        for policy in self._policies:
            files[policy.file] = files.get(policy.file, "// generated\n") + "\n" + policy.text + "\n"
        every = tuple(operation for operations in self._operations.values() for operation in operations)
        return GeneratedSystem(self._seed, files, tuple(self._services), every, tuple(self._policies))

    # --- what there is
    # ----------------------------------------------------------------------------------------------

    def _data_classes(self) -> dict[str, str]:
        owners = sorted(set(self._owner.values()))
        names = ("pii", "pii.email", "card")[: self._rng.randint(0, 3)]
        return {name: self._rng.choice(owners) for name in names}

    def _some_operations(self, service: str) -> list[GeneratedOperation]:
        rng = self._rng
        found = []
        for number in range(rng.randint(1, self._operation_count)):
            names = rng.sample(sorted(TYPES), rng.choice([0, 1, 1, 2]))
            path: list[str] = [f"r{number}"]
            for name in names:
                path += [f"{{{name}}}"] if rng.random() < 0.6 else [name + "s", f"{{{name}}}"]
            query = tuple(
                (name, rng.random() < 0.25) for name in rng.sample(sorted(QUERY_TYPES), rng.choice([0, 0, 1, 2]))
            )
            method = rng.choice(["GET", "GET", "POST", "PUT", "DELETE"])
            operation_id = f"op{number}" if rng.random() < 0.8 else None
            found.append(GeneratedOperation(service, operation_id, method, tuple(path), query))
        return found

    def _inward_yaml(self, classes: Mapping[str, str]) -> str:
        lines = ["trust_domain: random.internal", "services:"]
        for service in self._services:
            lines += [f"  {service}:", f"    owner: {self._owner[service]}"]
            if self._zone[service]:
                lines.append(f"    zone: {self._zone[service]}")
            if self._groups[service]:
                lines.append(f"    groups: [{', '.join(self._groups[service])}]")
            lines += [f"    api: apis/{service}.yaml", "    listen: 127.0.0.1:0", "    mode: enforce"]
        if classes:
            lines.append("data:")
            lines += [f"  {name}: {{owner: {owner}}}" for name, owner in classes.items()]
        return "\n".join(lines) + "\n"

    # --- policies
    # ---------------------------------------------------------------------------------------------------

    def _policy(self, file: str, service: str | None) -> None:
        rng = self._rng
        self._path_names, self._query_names = self._known_names(service)
        effect = "forbid" if service is None or rng.random() < 0.25 else "permit"
        action, names = self._action(service)
        resource = self._resource(service, limited=names is not None)
        scope = f"{self._principal()}, {action}, {resource}"
        conditions = "".join(
            f" {rng.choice(['when', 'when', 'unless'])} {{ {self._condition(2)} }}"
            for _ in range(rng.choice([0, 0, 1, 1, 2]))
        )
        self._add(file, effect, scope, conditions)

    def _known_names(self, service: str | None) -> tuple[list[str], list[str]]:
        """Return parameters to read: mostly ones that the service's operations have, sometimes any."""
        operations = self._operations[service or self._rng.choice(self._services)]
        in_path = {segment[1:-1] for operation in operations for segment in operation.path if "{" in segment}
        in_query = {name for operation in operations for name, _ in operation.query}
        any_name = self._rng.random() < 0.2
        return (
            sorted(TYPES if any_name or not in_path else in_path),
            sorted(QUERY_TYPES if any_name or not in_query else in_query),
        )

    def _disclosure(self, service: str, classes: Mapping[str, str]) -> None:
        own = [name for name, owner in classes.items() if owner == self._owner[service]]
        if own and self._rng.random() < 0.5:
            resource = f'resource == DataClass::"{self._rng.choice(own)}"'
            self._add(
                f"policies/{service}.cedar",
                "permit",
                f'principal, action == Action::"disclose", {resource}',
                "",
            )

    def _about_data(self, classes: Mapping[str, str]) -> None:
        """Add a guardrail about data classes, and a conditional grant beside it, which it may refuse."""
        rng = self._rng
        if not classes:
            return
        name = rng.choice(sorted(classes))
        owner = rng.choice([service for service in self._services if self._owner[service] == classes[name]])
        for file, effect, resource in (
            ("guardrails.cedar", "forbid", rng.choice([f'resource in DataClass::"{name}"', "resource is DataClass"])),
            (f"policies/{owner}.cedar", "permit", f'resource == DataClass::"{name}"'),
        ):
            kind = rng.choice(["when", "unless"])
            condition = rng.choice(["", f" {kind} {{ {self._about_disclosure()} }}"])
            self._add(file, effect, f'{self._principal()}, action == Action::"disclose", {resource}', condition)

    def _about_disclosure(self) -> str:
        rng = self._rng
        service = rng.choice(self._services)
        choices = [
            "principal.owner == resource.owner",
            f'principal.owner == Team::"{self._owner[service]}"',
            f'principal == Service::"{service}"',
            f'context.time < datetime("{rng.choice(_MOMENTS):%Y-%m-%dT%H:%M:%SZ}")',
            "principal has zone",
        ]
        return f"{rng.choice(choices)} {rng.choice(['&&', '||'])} {rng.choice(choices)}"

    def _add(self, file: str, effect: str, scope: str, conditions: str) -> None:
        identifier = f"p{len(self._policies)}"
        expires, annotation = self._expiry()
        annotations = f'@id("{identifier}")\n@reason("generated; // no comment")\n{annotation}'
        text = f"{annotations}{effect} ({scope}){conditions};\n"
        self._policies.append(GeneratedPolicy(identifier, effect, file, scope, conditions, expires, text))

    def _expiry(self) -> tuple[datetime | None, str]:
        if self._rng.random() < 0.7:
            return None, ""
        moment = self._rng.choice(_MOMENTS)
        if self._rng.random() < 0.3:
            midnight = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
            return midnight + timedelta(days=1), f'@expires("{moment:%Y-%m-%d}")\n'
        return moment, f'@expires("{moment:%Y-%m-%dT%H:%M:%SZ}")\n'

    def _principal(self) -> str:
        rng = self._rng
        service = rng.choice(self._services)
        choices = [
            "principal",
            "principal is Service",
            f'principal == Service::"{service}"',
            f'principal == Service::"{rng.choice(self._services)}"',
            f'principal in Team::"{self._owner[service]}"',
            f'principal in Service::"{service}"',
        ]
        if self._zone[service]:
            choices.append(f'principal in Zone::"{self._zone[service]}"')
        for group in self._groups[service]:
            choices += [f'principal in Group::"{group}"', f'principal is Service in Group::"{group}"']
        return rng.choice(choices)

    def _action(self, service: str | None) -> tuple[str, list[str] | None]:
        """Return an action constraint, and the actions of one service that limit it, if they do."""
        rng = self._rng
        of = service or rng.choice(self._services)
        operations = [operation.id for operation in self._operations[of]]
        match rng.randrange(6):
            case 0:
                return "action", None
            case 1:
                return f'action in Action::"{rng.choice(["read", "write"])}"', None
            case 2:
                group = f"{of}:{rng.choice(['read', 'write', '*'])}"
                return f'action in [Action::"{group}", Action::"{rng.choice(operations)}"]', operations
            case 3:
                return f'action in Action::"{of}:*"', operations
            case 4:
                some = rng.sample(operations, rng.randint(1, len(operations)))
                return "action in [" + ", ".join(f'Action::"{name}"' for name in some) + "]", some
            case _:
                one = rng.choice(operations)
                return f'action == Action::"{one}"', [one]

    def _resource(self, service: str | None, *, limited: bool) -> str:
        rng = self._rng
        if service is not None and (not limited or rng.random() < 0.5):
            return f'resource == Service::"{service}"'
        of = service or rng.choice(self._services)
        # where the scope of a guardrail leaves the action open, its conditions need an operation's context
        choices = [
            "resource is Service",
            f'resource in Team::"{self._owner[of]}"',
            f'resource in Service::"{of}"',
        ]
        if self._zone[of]:
            choices.append(f'resource is Service in Zone::"{self._zone[of]}"')
        return rng.choice(choices + (["resource"] if limited else []))

    def _condition(self, depth: int) -> str:
        rng = self._rng
        if depth and rng.random() < 0.55:
            left, right = self._condition(depth - 1), self._condition(depth - 1)
            return rng.choice(
                [
                    f"({left} && {right})",
                    f"({left} || {right})",
                    f"!({left})",
                    f"(if {left} then {right} else {left})",
                ]
            )
        kind = rng.randrange(9)
        if kind < 3:
            return self._read("path", rng.choice(self._path_names), TYPES)
        if kind < 6:
            return self._read("query", rng.choice(self._query_names), QUERY_TYPES)
        if kind == 6:
            moment = rng.choice(_MOMENTS)
            return f'context.time {rng.choice(["<", "<=", ">", ">="])} datetime("{moment:%Y-%m-%dT%H:%M:%SZ}")'
        return self._about_entities()

    def _about_entities(self) -> str:
        rng = self._rng
        service = rng.choice(self._services)
        choices = [
            f'principal.owner == Team::"{self._owner[service]}"',
            "principal.owner == resource.owner",
            "principal == resource",
            f'principal in [Service::"{service}", Service::"{rng.choice(self._services)}"]',
            f'action in Action::"{rng.choice(["read", "write"])}"',
            "principal is Service",
        ]
        if self._zone[service]:
            zone = self._zone[service]
            choices.append(f'(principal has zone && principal.zone == Zone::"{zone}")')
        choices += [f'principal in Group::"{group}"' for group in self._groups[service]]
        return rng.choice(choices)

    def _read(self, where: str, name: str, types: Mapping[str, str]) -> str:
        rng = self._rng
        value = f"context.{where}.{name}"
        match types[name]:
            case "string":
                text = rng.choice(_TEXTS)
                test = rng.choice(
                    [
                        f'{value} == "{text}"',
                        f'{value} != "{text}"',
                        f'{value} like "{text[0]}*"',
                        f'["{text}", "zz"].contains({value})',
                    ]
                )
            case "integer":
                number = rng.choice(_NUMBERS)
                operator = rng.choice(["<", "<=", ">", ">=", "==", "!="])
                overflow = " * 99" if rng.random() < 0.6 else ""
                test = f"{value}{overflow} {operator} {number}"
            case _:
                test = rng.choice([value, f"!{value}", f"{value} == true"])
        guard = f"context.{where} has {name}"
        return rng.choice(
            [f"({guard} && {test})", f"({guard} && {test})", f"(if {guard} then {test} else true)", guard]
        )


def _openapi(service: str, operations: list[GeneratedOperation]) -> str:
    lines = ["openapi: 3.1.0", f"info: {{title: {service}, version: '1'}}", "paths:"]
    for operation in operations:
        lines += [f"  {operation.template}:", f"    {operation.method.lower()}:"]
        if operation.operation_id:
            lines.append(f"      operationId: {operation.operation_id}")
        parameters = [
            f"        - {{name: {name}, in: path, required: true, schema: {{type: {TYPES[name]}}}}}"
            for name in TYPES
            if f"{{{name}}}" in operation.path
        ]
        parameters += [
            f"        - {{name: {name}, in: query, required: {str(required).lower()},"
            f" schema: {{type: {QUERY_TYPES[name]}}}}}"
            for name, required in operation.query
        ]
        if parameters:
            lines += ["      parameters:", *parameters]
        lines.append("      responses: {'200': {description: done}}")
    return "\n".join(lines) + "\n"


def _call(rng: random.Random, caller: str, operation: GeneratedOperation) -> GeneratedCall:
    path = "".join(
        "/" + (_value(rng, TYPES[segment[1:-1]]) if segment.startswith("{") else segment) for segment in operation.path
    )
    items = [
        f"{name}={_value(rng, QUERY_TYPES[name])}"
        for name, required in operation.query
        if rng.random() < (0.95 if required else 0.6)
    ]
    if rng.random() < 0.2:
        items.append(rng.choice(["page=2", "x", "q=again", "limit", "LIMIT=3", "Q=a", "dry_run=true", "a%62=1", "y=;"]))
    rng.shuffle(items)
    now = rng.choice(_MOMENTS) + rng.choice([timedelta(0), timedelta(microseconds=-1), timedelta(minutes=7)])
    return GeneratedCall(caller, operation.id, operation.method, path, "&".join(items), now)


def _value(rng: random.Random, kind: str) -> str:
    if rng.random() < 0.06:
        return rng.choice(_ODD)
    if kind == "string":
        return rng.choice(_TEXTS)
    return rng.choice(_NUMBERS) if kind == "integer" else rng.choice(["true", "false"])
