from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from inward.control.bundle import load_policy
from inward.control.checking import parts
from inward.control.checking.parts import Findings, of_posture_by_parts, parts_of
from inward.control.proofs import of_posture
from inward.errors import InvalidSystemError

if TYPE_CHECKING:
    from pathlib import Path

    from inward.control.bundle import Policy as System
    from inward.control.findings import Finding

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
LATER = datetime(2028, 1, 1, tzinfo=UTC)
# What one system can differ by: each name has one of the values. `$` is the service.
CHOICES: dict[str, tuple[str, ...]] = {
    "zone of a": ("core", "edge"),
    "owner of b": ("team-one", "team-two"),
    "owner of pii": ("team-one", "team-two"),
    "method of a": ("get", "post"),
    "type in a": ("integer", "string"),
    "path of b": ("/{n}", "/{n}.json"),
    "now": (NOW.isoformat(), LATER.isoformat()),
    "guardrail": (
        "",
        'forbid (principal in Zone::"edge", action, resource);',
        'forbid (principal, action in Action::"write", resource) when { principal.owner != resource.owner };',
        'forbid (principal, action, resource) when { Action::"a:do" in Action::"read" && principal == resource };',
        'forbid (principal, action, resource) when { context.time > datetime("2027-01-01") };',
        '@expires("2027-01-01") forbid (principal == Service::"c", action, resource);',
    ),
}
DO = 'action == Action::"$:do", resource == Service::"$"'
C, A = 'principal == Service::"c"', 'principal == Service::"a"'
POLICIES = (
    "",
    f"permit ({C}, {DO});",
    'permit (principal in Zone::"edge", action in Action::"$:*", resource == Service::"$");',
    f'@expires("2027-01-01") permit ({C}, {DO});',
    f"permit ({C}, {DO}) when {{ context.path.n == 1 }};",
    f"permit ({A}, {DO}) when {{ context.path.n * 100 > 0 }};",
    f"permit (principal is Service, {DO}) when {{ principal.owner == resource.owner }};",
    f'permit ({C}, {DO}) when {{ context.time < datetime("2027-01-01") }};',
    f'permit ({A}, action in Action::"$:write", resource == Service::"$");',
    f'forbid (principal in Team::"team-one", {DO});',
    f"// another line\nforbid ({C}, {DO});",
    f'permit ({C}, action == Action::"disclose", resource == DataClass::"pii");',
    'permit (principal in Zone::"edge", action == Action::"disclose", resource in DataClass::"pii");',
)
CHOICES |= {f"policy {number} of {service}": POLICIES for service in "abc" for number in range(2)}


def system_of(folder: Path, state: dict[str, str]) -> System:
    services = "".join(
        f"  {name}: {{owner: {owner}, zone: {zone}, api: {name}.yaml, listen: '127.0.0.1:0'}}\n"
        for name, owner, zone in (
            ("a", "team-one", state["zone of a"]),
            ("b", state["owner of b"], "core"),
            ("c", "team-one", "edge"),
        )
    )
    data = f"data:\n  pii: {{owner: {state['owner of pii']}}}\n"
    (folder / "policies").mkdir(exist_ok=True)
    (folder / "inward.yaml").write_text(f"trust_domain: company.test\nservices:\n{services}{data}")
    for name in "abc":
        method = state["method of a"] if name == "a" else "get"
        kind = state["type in a"] if name == "a" else "integer"
        path = state["path of b"] if name == "b" else "/{n}"
        (folder / f"{name}.yaml").write_text(
            "openapi: 3.1.0\ninfo: {title: t, version: '1'}\npaths:\n"
            f"  '{path}':\n    parameters: [{{name: n, in: path, required: true, schema: {{type: {kind}}}}}]\n"
            f"    {method}: {{operationId: do, responses: {{'200': {{description: d}}}}}}\n"
        )
        texts = [state[f"policy {number} of {name}"].replace("$", name) for number in range(2)]
        (folder / "policies" / f"{name}.cedar").write_text(
            "".join(f'@id("{name}{n}") @reason("r") {text}\n' for n, text in enumerate(texts) if text)
        )
    guardrail = state["guardrail"]
    (folder / "guardrails.cedar").write_text(f'@id("g") @reason("r") {guardrail}' if guardrail else "")
    return load_policy(folder)


def told(findings: list[Finding]) -> Counter[object]:
    # which request a policy fails for is the solver's choice
    return Counter(
        (each.kind, each.place, each.about, "" if each.kind == "can_fail" else each.what) for each in findings
    )


@pytest.mark.parametrize("seed", range(5))
def test_what_is_told_is_what_would_be_found_after_any_edit(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - it only has to vary
    state = {name: chance.choice(values) for name, values in CHOICES.items()}
    findings, reused, compared = Findings(), 0, 0
    while compared < 25:
        name = chance.choice(list(CHOICES))
        before = state[name]
        state[name] = chance.choice(CHOICES[name])
        try:
            system = system_of(tmp_path, state)
        except InvalidSystemError:
            state[name] = before if compared else chance.choice(CHOICES[name])
            if not compared:  # begin with a system that is valid
                state |= {each: "" for each in state if each.startswith("policy")}
            continue
        now = datetime.fromisoformat(state["now"])
        findings = Findings(findings.kept | findings.used)
        assert told(list(of_posture_by_parts(system, now, findings))) == told(list(of_posture(system, now))), state
        reused += len(findings.used.keys() & findings.kept.keys())
        compared += 1
    assert reused


@pytest.fixture
def state() -> dict[str, str]:
    chosen = {name: values[0] for name, values in CHOICES.items()}
    return chosen | {"policy 0 of a": POLICIES[1], "policy 0 of b": POLICIES[1], "guardrail": CHOICES["guardrail"][1]}


def digests(system: System, now: datetime = NOW) -> dict[str, str | None]:
    return {part.policies[0].id: part.digest for part in parts_of(system, now)}


def changed(folder: Path, state: dict[str, str], **edits: str) -> set[str]:
    """Return the parts that an edit decides about; in the names of edits, `_` is a space."""
    before = digests(system_of(folder, state))
    after = digests(system_of(folder, state | {name.replace("_", " "): value for name, value in edits.items()}))
    assert before.keys() == after.keys()
    return {name for name in before if before[name] != after[name]}


def test_an_edit_concerns_its_part_and_the_guardrails(tmp_path: Path, state: dict[str, str]) -> None:
    assert changed(tmp_path, state) == set()
    assert changed(tmp_path, state, policy_1_of_a=POLICIES[2]) == {"a0", "g"}
    assert changed(tmp_path, state, method_of_a="post") == {"a0", "g"}
    assert changed(tmp_path, state, zone_of_a="edge") == {"a0", "b0", "g"}
    assert changed(tmp_path, state, owner_of_pii="team-two") == {"a0", "b0", "g"}
    assert changed(tmp_path, state, guardrail=CHOICES["guardrail"][2]) == {"a0", "b0", "g"}


def test_an_operation_that_a_guardrail_names_concerns_all(tmp_path: Path, state: dict[str, str]) -> None:
    assert changed(tmp_path, state | {"guardrail": CHOICES["guardrail"][3]}, method_of_a="post") == {"a0", "b0", "g"}


def test_a_part_has_another_digest_when_something_in_it_has_expired(tmp_path: Path, state: dict[str, str]) -> None:
    system = system_of(tmp_path, state | {"policy 0 of a": POLICIES[3]})
    before, after = digests(system, NOW), digests(system, LATER)
    assert {name for name in before if before[name] != after[name]} == {"a0", "g"}


def test_what_reads_the_time_has_no_digest(tmp_path: Path, state: dict[str, str]) -> None:
    found = digests(system_of(tmp_path, state | {"policy 0 of a": POLICIES[7]}))
    assert {name for name, digest in found.items() if digest is None} == {"a0", "g"}
    found = digests(system_of(tmp_path, state | {"guardrail": CHOICES["guardrail"][4]}))
    assert set(found.values()) == {None}


def test_files_of_a_team_that_disclose_data_are_one_part(tmp_path: Path, state: dict[str, str]) -> None:
    disclosing = {"policy 1 of a": POLICIES[11], "policy 1 of c": POLICIES[12]}
    found = [[policy.id for policy in part.policies] for part in parts_of(system_of(tmp_path, state | disclosing), NOW)]
    assert sorted(found) == [["a0", "a1", "c1"], ["b0"], ["g"]]


def test_a_policy_that_can_fail_is_asked_about_again(tmp_path: Path, state: dict[str, str]) -> None:
    system = system_of(tmp_path, state | {"policy 0 of a": POLICIES[5]})
    findings = Findings()
    assert "can_fail" in {each.kind for each in of_posture_by_parts(system, NOW, findings)}
    assert findings.used.keys() == {digest for name, digest in digests(system).items() if name != "a0"}


def test_what_is_known_is_not_asked_about(
    tmp_path: Path, state: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Findings()
    expected = list(of_posture_by_parts(system_of(tmp_path, state), NOW, first))
    asked: list[set[str]] = []

    def ask(_system: System, _now: datetime, only: set[str]) -> list[Finding]:
        asked.append(only)
        return []

    monkeypatch.setattr(parts, "of_posture", ask)
    again = Findings(first.used)
    assert list(of_posture_by_parts(system_of(tmp_path, state), NOW, again)) == expected != []
    assert (asked, again.used) == ([], first.used)
    list(of_posture_by_parts(system_of(tmp_path, state | {"policy 1 of a": POLICIES[2]}), NOW, Findings(first.used)))
    assert asked == [{"a0", "a1", "g"}]
