from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from inward.control.bundle import load_policy
from inward.control.proofs import of_guardrails, of_posture
from inward.policy.proving.flaws import Kind
from inward.policy.symbolic.solve import Solver

if TYPE_CHECKING:
    from collections.abc import Callable

    from inward.control.bundle import Policy
    from inward.control.findings import Finding

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
EXAMPLES = Path(__file__).parents[3] / "examples"
YAML = """\
trust_domain: company.test
services:
  orders: {owner: team-orders, zone: core, api: apis/orders.yaml, listen: '127.0.0.1:0'}
  checkout: {owner: team-checkout, zone: edge}
"""
API = """\
openapi: 3.1.0
info: {title: orders, version: '1'}
paths:
  /orders/{n}:
    parameters: [{name: n, in: path, required: true, schema: {type: integer}}]
    get: {operationId: get, responses: {'200': {description: x}}}
"""
SCOPE = 'principal == Service::"checkout", action == Action::"orders:get", resource == Service::"orders"'
GRANT = f'@id("get") @reason("r")\npermit ({SCOPE});\n'


def proofs_of(system: Policy) -> list[Finding]:
    return [*of_guardrails(system, NOW), *of_posture(system, NOW)]


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., list[Finding]]:
    """Find what the proofs say of some policies and guardrails."""

    def run(policies: str = GRANT, guardrails: str = "") -> list[Finding]:
        for name, content in (
            ("inward.yaml", YAML),
            ("apis/orders.yaml", API),
            ("policies/orders.cedar", policies),
            ("guardrails.cedar", guardrails),
        ):
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)
        return proofs_of(load_policy(tmp_path))

    return run


def only(findings: list[Finding]) -> tuple[str, str, str, str]:
    (finding,) = findings
    assert finding.what == finding.what.strip().removesuffix(".")
    return finding.level, finding.kind, str(finding.place), finding.about


def test_nothing(look: Callable[..., list[Finding]]) -> None:
    assert look(guardrails=f'@id("no") @reason("r")\nforbid ({SCOPE.replace("checkout", "orders")});\n') == []


def test_a_refuted_guardrail_is_a_finding(look: Callable[..., list[Finding]]) -> None:
    found = look(guardrails=f'@id("no") @reason("r")\nforbid ({SCOPE}) when {{ context.path.n > 7 }};\n')
    assert only(found) == ("finding", "guardrail_refuted", "guardrails.cedar:1", "no")
    assert "checkout GET http://orders/orders/8 at 2026-08-01T12:00:00.0" in found[0].what
    assert found[0].what.endswith("by `get` (policies/orders.cedar:1)")
    assert "--guardrail no" in found[0].hint


def test_a_guardrail_that_is_not_known_to_hold_is_a_finding(
    look: Callable[..., list[Finding]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Solver, "_ask", lambda *_: None)
    guardrail = f'@id("no") @reason("r")\nforbid ({SCOPE}) when {{ context.path.n > 7 }};\n'
    unknown = [each for each in look(guardrails=guardrail) if each.kind == "guardrail_unknown"]
    assert only(unknown)[:1] == ("finding",)
    assert "because of" in unknown[0].what


@pytest.mark.parametrize(
    ("text", "level", "kind"),
    [
        (f"permit ({SCOPE});", "note", "redundant"),
        (f"permit ({SCOPE}) when {{ context.path.n > 8 && context.path.n < 7 }};", "note", "never_applies"),
        (f"forbid ({SCOPE}) when {{ context.path.n > 8 && context.path.n < 7 }};", "finding", "never_applies"),
        (f"forbid ({SCOPE}) when {{ context.path.n * 100 < 7 }};", "finding", "can_fail"),
        (f"forbid ({SCOPE.replace('checkout', 'orders')});", "note", "redundant"),
    ],
)
def test_single_policies(look: Callable[..., list[Finding]], text: str, level: str, kind: str) -> None:
    assert only(look(GRANT + f'@id("other") @reason("r")\n{text}\n')) == (
        level, kind, "policies/orders.cedar:3", "other",
    )  # fmt: skip


def test_a_grant_of_which_all_is_refused_is_a_note(look: Callable[..., list[Finding]]) -> None:
    assert only(look(GRANT + f'@id("no") @reason("r")\nforbid ({SCOPE});\n')) == (
        "note", "overruled", "policies/orders.cedar:1", "get",
    )  # fmt: skip


def test_two_things_that_are_not_known_of_a_policy_are_told_apart(
    look: Callable[..., list[Finding]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Solver, "_ask", lambda *_: None)
    found = look(GRANT.replace(";", " when { context.path.n * 100 < 7 };"))
    assert {(each.level, each.kind) for each in found} == {("note", "not_known")}
    assert len({each.about for each in found}) == len(found) == 2


@pytest.mark.parametrize(
    "condition",
    [
        "context.query has a && context.query has A && context.query.a == context.query.A",  # look-alikes
        "context.path.n == 0",  # /orders/0 is another operation
    ],
)
def test_what_no_request_can_be_is_not_shown_as_one(
    look: Callable[..., list[Finding]], condition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = "[{name: a, in: query, schema: {type: integer}}, {name: A, in: query, schema: {type: integer}}]"
    zero = "  /orders/0:\n    get: {operationId: zero, responses: {'200': {description: x}}}\n"
    monkeypatch.setitem(globals(), "API", API.replace("get: {", f"get: {{parameters: {both}, ") + zero)
    found = look(GRANT.replace(";", f" when {{ {condition} }};"), f'@id("no") @reason("r")\nforbid ({SCOPE});\n')
    unknown = [each for each in found if each.kind == "guardrail_unknown"]
    assert only(unknown)[3] == "no"
    assert "`orders:get`" in unknown[0].what


@pytest.mark.parametrize("name", ["shop", "unmodified"])
def test_the_examples_hold_what_they_say(name: str) -> None:
    assert proofs_of(load_policy(EXAMPLES / name)) == []


def test_the_page_of_guardrails_says_what_happens(tmp_path: Path) -> None:
    page = (EXAMPLES.parent / "docs" / "guardrails.md").read_text()
    [guardrail] = re.findall(r"^```cedar\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    folder = shutil.copytree(EXAMPLES / "shop", tmp_path / "shop", ignore=shutil.ignore_patterns(".inward", "shop"))
    with (folder / "guardrails.cedar").open("a") as file:
        file.write("\n" + guardrail)
    found = proofs_of(load_policy(folder))
    assert {each.kind for each in found} == {"guardrail_refuted", "overruled"}
    (breach,) = [each for each in found if each.kind == "guardrail_refuted"]
    assert (breach.about, str(breach.place)) == ("the-edge-only-reads", "guardrails.cedar:21")
    assert set(re.findall(r"^\| `([a-z_]+)`", page, re.MULTILINE)) == set(get_args(Kind))
