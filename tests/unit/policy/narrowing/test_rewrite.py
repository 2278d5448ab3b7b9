"""The texts of narrowed grants, and of their files."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import pytest

from inward.control.bundle import load_policy
from inward.policy.authoring.replace import EditRefusedError
from inward.policy.narrowing.rewrite import MAX_PIECES, ByHandError, Narrowed, rewritten, texts_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from inward.control.bundle import Policy as System

UNNAMED = "GET /3"
NAMES = ("list", "get", "create", UNNAMED)
FILE = "policies/orders.cedar"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def load(folder: Path, policies: str, callers: int = 3) -> System:
    services: dict[str, object] = {
        f"s{number}": {"owner": "team-s", "zone": "z", "groups": ["g"]} for number in range(callers)
    }
    services["orders"] = {"owner": "team-orders", "api": "orders.json", "listen": "127.0.0.1:0"}
    paths: dict[str, object] = {
        f"/{number}": {
            "post" if name == "create" else "get": {"responses": {}}
            | ({"operationId": name} if name != UNNAMED else {})
        }
        for number, name in enumerate(NAMES)
    }
    content = {
        "inward.yaml": json.dumps({"trust_domain": "x.internal", "services": services}),
        "orders.json": json.dumps({"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "paths": paths}),
        FILE: policies,
    }
    for name, text in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode())
    return load_policy(folder)


def narrowed(system: System, kept: Mapping[str, set[str]], policy: str = "p") -> dict[str, str]:
    found = system.policies.by_id[policy]
    services, operations = [], []
    index = system.engine.index
    for name in system.catalog.services:
        for operation in system.catalog.operations:
            if found in index.cell(name, operation).permits:
                services.append(name)
                operations.append(operation)
    asked = Narrowed(
        found,
        tuple(dict.fromkeys(services)),
        tuple(dict.fromkeys(operations)),
        {caller: {f"orders:{name}" for name in names} for caller, names in kept.items()},
    )
    return texts_of(asked, system.catalog, set(system.policies.by_id))


def scope(text: str) -> str:
    """Return a policy's scope on one line."""
    return " ".join(text[text.index("permit") :].split()).replace("( ", "(").replace(" )", ")")


def grant(principal: str, action: str, more: str = "") -> str:
    return f'@id("p") @reason("r") permit ({principal}, {action}, resource == Service::"orders") {more};\n'


GROUP, ALL = 'principal in Group::"g"', 'action in Action::"orders:*"'
SOME = {"s0": {"list"}, "s1": {"list", "get"}, "s2": {"list"}}


def test_a_group_stays_for_what_all_of_it_keeps(folder: Path) -> None:
    found = narrowed(load(folder, grant(GROUP, ALL)), SOME)
    assert list(found) == ["p", "p-s1"]
    assert scope(found["p"]) == (
        'permit (principal in Group::"g", action == Action::"orders:list", resource == Service::"orders");'
    )
    assert scope(found["p-s1"]) == (
        'permit (principal == Service::"s1", action == Action::"orders:get", resource == Service::"orders");'
    )


@pytest.mark.parametrize("principal", [GROUP, 'principal in Zone::"z"', 'principal is Service in Team::"team-s"'])
def test_services_are_named_where_not_all_keep_something(folder: Path, principal: str) -> None:
    found = narrowed(load(folder, grant(principal, ALL)), {"s2": {"list"}, "s0": {"get", "list"}})
    assert [scope(text).partition(", action")[0] for text in found.values()] == [
        'permit (principal == Service::"s0"',
        'permit (principal == Service::"s2"',
    ]
    assert list(found) == ["p", "p-s2"]


@pytest.mark.parametrize(
    ("action", "kept", "expected"),
    [
        (ALL, {"list", "get"}, 'action in [Action::"orders:list", Action::"orders:get"]'),
        ('action in [Action::"orders:read", Action::"orders:create"]', {"list", "get", UNNAMED},
         'action in Action::"orders:read"'),
        ('action in [Action::"orders:read", Action::"orders:create"]', {"create"}, 'action == Action::"orders:create"'),
        ('action in [Action::"orders:read", Action::"orders:create"]', {"list", "create"},
         'action in [Action::"orders:create", Action::"orders:list"]'),
        ('action in [Action::"orders:read", Action::"orders:list", Action::"orders:create"]', {"list", "create"},
         'action in [Action::"orders:list", Action::"orders:create"]'),
        ("action", {UNNAMED}, 'action == Action::"orders:GET /3"'),
    ],
)  # fmt: skip
def test_actions_are_listed_and_groups_that_are_kept_wholly_stay(
    folder: Path, action: str, kept: set[str], expected: str
) -> None:
    found = narrowed(load(folder, grant('principal == Service::"s0"', action)), {"s0": kept})
    assert scope(found["p"]).startswith(f'permit (principal == Service::"s0", {expected},')


def test_all_else_of_a_policy_stays(folder: Path) -> None:
    text = (
        '// above\n@id("p") // the id\n@reason("why, with permit ( in it")\n@keep("k")\n@expires("2030-01-01")\n'
        f"permit (\n  {GROUP},  // the group\n  {ALL},\n  "
        'resource == Service::"orders"\n)\n// when\nwhen { principal == Service::"s0" || true };\n'
    )
    found = narrowed(load(folder, text), {"s0": {"get"}, "s1": {"get"}})
    assert list(found) == ["p", "p-s1"]
    for kept in ("// the id", '@reason("why, with permit ( in it")', '@keep("k")', '@expires("2030-01-01")',
                 "// the group", "// when", 'principal == Service::"s0" || true'):  # fmt: skip
        assert all(kept in each for each in found.values()), kept


def test_comments_among_actions_stay(folder: Path) -> None:
    text = grant(
        GROUP,
        'action in [\n  // lists\n  Action::"orders:list",\n  Action::"orders:get", // gets\n'
        '  Action::"orders:create"]',
    )
    found = narrowed(load(folder, text), {name: {"list", "get"} for name in ("s0", "s1", "s2")})
    assert "// lists" in found["p"]
    assert "// gets" in found["p"]


@pytest.mark.parametrize(
    "text",
    [
        grant('principal in // all of them\n Group::"g"', ALL),
        grant(GROUP, 'action in // all of it\n Action::"orders:*"'),
    ],
)
def test_a_comment_is_not_lost(folder: Path, text: str) -> None:
    with pytest.raises(ByHandError, match="without losing a comment"):
        narrowed(load(folder, text), {"s0": {"get"}})


def test_a_derived_id_is_free(folder: Path) -> None:
    taken = grant('principal == Service::"s0"', 'action == Action::"orders:get"').replace('"p"', '"p-s1"')
    assert list(narrowed(load(folder, grant(GROUP, ALL) + taken), SOME)) == ["p", "p-s1-2"]


def test_nothing_is_left(folder: Path) -> None:
    assert narrowed(load(folder, grant(GROUP, ALL)), {}) == {}


def test_a_grant_does_not_become_a_hundred(folder: Path) -> None:
    system = load(folder, grant(GROUP, ALL), callers=MAX_PIECES + 2)
    with pytest.raises(ByHandError, match=f"would become {MAX_PIECES + 1} grants") as caught:
        narrowed(system, {f"s{number}": {"get"} for number in range(MAX_PIECES + 1)})
    assert caught.value.hint == "give the services that call a group of their own"


def test_in_its_file_nothing_else_changes(folder: Path) -> None:
    one, two, three = (
        grant(GROUP, ALL).replace('"p"', f'"{name}"').replace("\n", "\r\n") for name in ("one", "two", "p")
    )
    before = f"// head\r\n\r\n{one}\r\n// of two\r\n{two}{three}// tail".encode()
    system = load(folder, before.decode())
    texts = {"one": [], "p": list(narrowed(system, SOME).values())}
    after = rewritten(FILE, before, texts, [system.policies.by_id[name] for name in texts])
    assert after.startswith(f"// head\r\n\r\n// of two\r\n{two}".encode())
    assert after.endswith(b"// tail")
    assert after.count(b"\n") == after.count(b"\r\n")
    (folder / FILE).write_bytes(after)
    assert list(load_policy(folder).policies.by_id) == ["p", "p-s1", "two"]


def test_grants_may_share_a_line(folder: Path) -> None:
    texts = [grant(GROUP, ALL).replace('"p"', f'"{name}"').strip() for name in ("one", "p", "two")]
    before = " ".join(texts).encode()
    system = load(folder, before.decode())
    gone = rewritten(FILE, before, {"p": []}, [system.policies.by_id["p"]])
    assert gone.decode() == f"{texts[0]} {texts[2]}"
    narrow = narrowed(system, {"s0": {"get"}})
    after = rewritten(
        FILE, before, {"one": [], "p": list(narrow.values())}, [system.policies.by_id[name] for name in ("p", "one")]
    )
    assert after.decode() == f"{narrow['p']} {texts[2]}"


def test_a_file_that_is_another_one_is_refused(folder: Path) -> None:
    system = load(folder, grant(GROUP, ALL))
    moved = dataclasses.replace(system.policies.by_id["p"], text="permit (principal, action, resource);")
    with pytest.raises(EditRefusedError, match="has changed meanwhile"):
        rewritten(FILE, (folder / FILE).read_bytes(), {"p": []}, [moved])
