"""Labelled traffic for discovery: systems whose templates are known, and calls of them, with what scanners add.

`generated` makes a system up from a seed; `described` takes the operations of a real API description and makes up what
stands in their variables. The seeds 0 to 19 are for tuning, the results that are printed are of others.
"""

from __future__ import annotations

import random
import string
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inward.catalog.template import PathTemplate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NOUNS = [
    "orders",
    "customers",
    "products",
    "invoices",
    "payments",
    "shipments",
    "users",
    "teams",
    "projects",
    "tickets",
    "comments",
    "documents",
    "files",
    "events",
    "reports",
    "accounts",
    "cards",
    "addresses",
    "categories",
    "suppliers",
    "warehouses",
    "batches",
    "devices",
    "sensors",
    "alerts",
    "policies",
    "branches",
    "releases",
    "jobs",
    "tasks",
    "notes",
    "tags",
    "labels",
    "members",
    "groups",
    "roles",
    "permissions",
    "sessions",
    "tokens",
    "messages",
    "channels",
    "threads",
    "campaigns",
    "coupons",
    "carts",
    "reviews",
    "articles",
    "pages",
    "assets",
    "images",
    "videos",
    "playlists",
    "albums",
    "tracks",
    "bookings",
    "rooms",
    "flights",
    "seats",
    "drivers",
    "vehicles",
    "routes",
    "stops",
    "fares",
    "claims",
    "patients",
    "visits",
    "doctors",
    "prescriptions",
    "appointments",
]
_ACTIONS = [
    "cancel",
    "approve",
    "reject",
    "archive",
    "restore",
    "publish",
    "close",
    "reopen",
    "refund",
    "resend",
    "activate",
    "suspend",
    "lock",
    "export",
]
_SINGLETONS = [
    "status",
    "health",
    "settings",
    "profile",
    "config",
    "search",
    "summary",
    "stats",
    "count",
    "current",
    "latest",
    "me",
    "default",
]
_PREFIXES = ("", "", "/api", "/api/v1", "/v2", "/internal", "/rest/api/2")
_FIRST = [
    "ada",
    "bob",
    "carol",
    "dave",
    "erin",
    "frank",
    "grace",
    "heidi",
    "ivan",
    "judy",
    "mallory",
    "niaj",
    "olivia",
    "peggy",
    "rupert",
    "sybil",
    "trent",
    "victor",
]
_WORDS = [
    "blue",
    "red",
    "small",
    "tall",
    "quiet",
    "north",
    "river",
    "stone",
    "cloud",
    "maple",
    "copper",
    "silver",
    "amber",
    "violet",
    "rapid",
    "ember",
    "lunar",
]
SCANNED = (
    "/wp-login.php", "/.env", "/admin/config.php", "/phpmyadmin/index.php", "/cgi-bin/test.cgi", "/.git/config",
    "/solr/admin/info/system", "/actuator/env", "/vendor/phpunit/eval-stdin.php", "/boaform/admin/formLogin",
)  # fmt: skip

Operation = tuple[str, str]  # method and template


@dataclass(frozen=True)
class Traffic:
    """The operations that there are, and calls: method, path, status."""

    truth: frozenset[Operation]
    calls: list[tuple[str, str, int, Operation | None]]

    def called(self, least: int) -> set[Operation]:
        """Return the operations that were called that often, with success."""
        counts: dict[Operation, int] = {}
        for _, _, status, operation in self.calls:
            if operation is not None and status < 400:
                counts[operation] = counts.get(operation, 0) + 1
        return {operation for operation, number in counts.items() if number >= least}


def _value_makers(source: random.Random) -> list[Callable[[], str]]:
    letters = string.ascii_letters + string.digits
    return [
        lambda: str(source.randint(1, 99_999)),
        lambda: str(uuid.UUID(int=source.getrandbits(128), version=4)),
        lambda: f"{source.choice(_FIRST)}-{source.choice(_WORDS)}",
        lambda: f"{source.choice(_WORDS)}{source.choice(_FIRST)}",
        lambda: f"{source.choice(['ord', 'cus', 'inv', 'sku'])}-{source.randint(100, 99_999)}",
        lambda: f"{source.getrandbits(96):024x}",
        lambda: "".join(source.choices(letters, k=20)) + "7Q",
        lambda: f"{source.choice(_FIRST)}@{source.choice(_WORDS)}.test",
        lambda: f"20{source.randint(10, 26)}-{source.randint(1, 12):02d}-{source.randint(1, 28):02d}",
    ]


class _Pools:
    """What stands in variables: for each place in the paths a set of values, a few of them used most."""

    def __init__(self, source: random.Random) -> None:
        self._source = source
        self._pools: dict[str, list[str]] = {}

    def value(self, place: str) -> str:
        if place not in self._pools:
            make = self._source.choices(_value_makers(self._source), weights=[8, 6, 3, 3, 3, 2, 2, 1, 1])[0]
            self._pools[place] = list(dict.fromkeys(make() for _ in range(self._source.choice([60, 200, 1000, 4000]))))
        pool = self._pools[place]
        return (
            pool[min(int(self._source.paretovariate(0.6)) - 1, len(pool) - 1)]
            if self._source.random() < 0.5
            else self._source.choice(pool)
        )

    def path(self, template: str) -> str:
        path, place = "", ""
        for segment in template[1:].split("/"):
            text = segment
            place += "/" + ("{}" if segment.startswith("{") else segment)
            if segment.startswith("{"):
                _name, _, after = segment.partition("}")
                text = self.value(place) + after
            path += "/" + text
        return path


def _system(source: random.Random) -> set[Operation]:
    prefix, operations = source.choice(_PREFIXES), set()
    nouns = source.sample(_NOUNS, source.randint(4, 16))

    def resource(path: str, depth: int) -> None:
        item = f"{path}/{{v{depth}}}"
        operations.update({("GET", path), ("GET", item)})
        for method, where in (("POST", path), ("PUT", item), ("PATCH", item), ("DELETE", item)):
            if source.random() < 0.5:
                operations.add((method, where))
        if source.random() < 0.3:
            operations.add(("GET", f"{path}/{source.choice(_SINGLETONS)}"))
        for action in source.sample(_ACTIONS, source.choice([0, 0, 1, 2])):
            operations.add(("POST", f"{item}/{action}"))
        if depth < 2 and source.random() < 0.5:
            for noun in source.sample(_NOUNS, source.randint(1, 3)):
                resource(f"{item}/{noun}", depth + 1)

    for noun in nouns:
        resource(f"{prefix}/{noun}", 0)
    operations.update(("GET", f"{prefix}/{word}") for word in source.sample(_SINGLETONS, 3))
    if source.random() < 0.3:  # of the kind that has a name an action
        operations.update(("POST", f"{prefix}/rpc/{noun}.{action}") for noun in nouns[:5] for action in _ACTIONS[:5])
    return operations


def traffic(operations: set[Operation], seed: int, calls: int) -> Traffic:
    """Return calls of operations, a few of which are called most; every tenth call is a scanner's or fails."""
    source = random.Random(seed)
    pools = _Pools(source)
    listed = sorted(operations)
    source.shuffle(listed)
    weights = [1 / (rank + 1) ** 0.8 for rank in range(len(listed))]
    made: list[tuple[str, str, int, Operation | None]] = []
    for operation in source.choices(listed, weights, k=calls):
        status = source.choices([200, 304, 404, 500], weights=[90, 2, 6, 2])[0]
        made.append((operation[0], pools.path(operation[1]), status, operation))
        if source.random() < 0.1:
            made.append(("GET", source.choice(SCANNED), 404, None))
    return Traffic(frozenset(operations), made)


def generated(seed: int, calls: int = 20_000) -> Traffic:
    """Return a system that is made up, and calls of it."""
    return traffic(_system(random.Random(seed)), seed, calls)


def shape(operation: Operation) -> tuple[object, ...]:
    """Return what two of the same operation have in common."""
    return operation[0], PathTemplate(operation[1]).specificity


def lines(calls: Traffic) -> Iterator[str]:
    """Yield the calls as lines of an access log in the combined format."""
    for method, path, status, _ in calls.calls:
        request = f"{method} {path}?page=2 HTTP/1.1"
        yield f'10.1.2.3 - - [01/Jan/2026:00:00:00 +0000] "{request}" {status} 512 "-" "client/1.0"\n'
