from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from inward.control.bundle import load_policy
from inward.control.findings import MOST_NAMES, Finding, find, slow_cells

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)

YAML = """\
trust_domain: company.test
services:
  orders:
    owner: team-orders
    api: apis/orders.yaml
    listen: 127.0.0.1:0
    run: serve {socket}
  checkout:
    owner: team-checkout
"""
API = """\
openapi: 3.1.0
info: {title: orders, version: '1'}
paths:
  /orders:
    get: {operationId: list, responses: {'200': {description: x}}}
    post: {operationId: create, responses: {'200': {description: x}}}
"""
GRANT = """\
@id("all") @reason("r")
permit (
  principal == Service::"checkout",
  action in [Action::"orders:list", Action::"orders:create"],
  resource == Service::"orders"
);
"""
SCOPE = 'principal, action == Action::"orders:list", resource == Service::"orders"'


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., list[Finding]]:
    """Find what there is in a system that has nothing, but for changes in its files."""

    def run(yaml: str = YAML, policy: str = GRANT, api: str = API) -> list[Finding]:
        for name, content in (("inward.yaml", yaml), ("apis/orders.yaml", api), ("policies/orders.cedar", policy)):
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)
        return find(load_policy(tmp_path), NOW)

    return run


def only(findings: list[Finding]) -> tuple[str, str, str]:
    (finding,) = findings
    assert finding.what == finding.what.strip().removesuffix(".")
    return finding.level, finding.kind, str(finding.place)


def test_nothing(look: Callable[..., list[Finding]]) -> None:
    assert look() == []


def test_a_loopback_port(look: Callable[..., list[Finding]]) -> None:
    assert only(look(YAML.replace("{socket}", "{port}"))) == ("finding", "open_port", "inward.yaml:3")


def test_a_service_that_observes(look: Callable[..., list[Finding]]) -> None:
    observing = YAML.replace("    run: serve", "    mode: observe\n    run: serve")
    assert only(look(observing)) == ("finding", "observed", "inward.yaml:3")
    (finding,) = look(observing.replace("    run:", "    operations: {list: {mode: enforce}}\n    run:"))
    assert "1 of its operations" in finding.what


def test_an_operation_that_observes(look: Callable[..., list[Finding]]) -> None:
    (finding,) = look(YAML.replace("    run:", "    operations: {create: {mode: observe}}\n    run:"))
    assert (finding.kind, "`orders:create`" in finding.what, "orders:list" in finding.what) == ("observed", True, False)


def test_a_service_without_a_description(look: Callable[..., list[Finding]]) -> None:
    bare = YAML.replace("    api: apis/orders.yaml\n", "")
    enforced = look(bare, policy="")
    assert only(enforced) == ("finding", "undocumented", "inward.yaml:3")
    assert "refused" in enforced[0].what
    kinds = {
        finding.kind: finding.what
        for finding in look(bare.replace("    run:", "    mode: observe\n    run:"), policy="")
    }
    assert kinds.keys() == {"undocumented", "observed"}
    assert "let through" in kinds["undocumented"]


@pytest.mark.parametrize(
    ("expires", "kind", "level", "word"),
    [
        ("2026-07-31", "expired", "finding", "held until 2026-07-31"),
        ("2026-08-01T12:00:00Z", "expired", "finding", "held until"),
        ("2026-08-01", "expires_soon", "note", "in less than a day"),
        ("2026-08-02", "expires_soon", "note", "in 1 day"),
        ("2026-08-30", "expires_soon", "note", "in 29 days"),
        ("2026-09-01", None, "", ""),
    ],
)
def test_expiry(look: Callable[..., list[Finding]], expires: str, kind: str | None, level: str, word: str) -> None:
    found = look(policy=GRANT.replace("@reason", f'@expires("{expires}") @reason'))
    if kind is None:
        assert found == []
    else:
        assert only(found) == (level, kind, "policies/orders.cedar:1")
        assert word in found[0].what


def test_an_expired_forbid_is_worse(look: Callable[..., list[Finding]]) -> None:
    forbid = f'@id("no") @reason("r") @expires("2020-01-01")\nforbid ({SCOPE});\n'
    (finding,) = look(policy=GRANT + forbid)
    assert "may be allowed" in finding.what


@pytest.mark.parametrize(
    ("principal", "action", "condition", "level"),
    [
        ("principal", 'action == Action::"orders:list"', "", "finding"),
        ("principal is Service", 'action == Action::"orders:list"', "", "finding"),
        ('principal == Service::"checkout"', "action", "", "finding"),
        ("principal", "action", "", "finding"),
        ("principal", 'action == Action::"orders:list"', ' when { principal == Service::"checkout" }', "note"),
        ('principal == Service::"checkout"', 'action in Action::"orders:*"', "", ""),
        ('principal in Team::"team-checkout"', 'action in Action::"orders:*"', "", ""),
    ],
)
def test_wide_open(look: Callable[..., list[Finding]], principal: str, action: str, condition: str, level: str) -> None:
    text = f'@id("wide") @reason("r")\npermit ({principal}, {action}, resource == Service::"orders"){condition};\n'
    found = [finding for finding in look(policy=GRANT + text) if finding.kind == "wide_open"]
    assert [finding.level for finding in found] == ([level] if level else [])


def test_a_forbid_may_be_wide(look: Callable[..., list[Finding]]) -> None:
    text = f'@id("no") @reason("r")\nforbid ({SCOPE}) when {{ context.time < datetime("2020-01-01") }};\n'
    assert look(policy=GRANT + text) == []


def test_operations_that_nobody_may_call(look: Callable[..., list[Finding]]) -> None:
    (finding,) = look(policy=GRANT.replace(', Action::"orders:create"', ""))
    assert (finding.level, finding.kind, finding.hint) == ("note", "not_granted", "")
    assert "`orders:create`" in finding.what
    (every,) = look(policy="")
    assert "inward allow" in every.hint


def test_long_lists_are_cut(look: Callable[..., list[Finding]]) -> None:
    paths = "".join(
        f"  /p{n}:\n    get: {{operationId: op{n}, responses: {{'200': {{description: x}}}}}}\n" for n in range(9)
    )
    (finding,) = look(api=API + paths)
    assert finding.what.count("`") == 2 * MOST_NAMES
    assert finding.what.endswith("and 4 more")


def test_the_slow_path(look: Callable[..., list[Finding]], tmp_path: Path) -> None:
    slow = ' when { context.time.offset(duration("1h")).toDate() < datetime("2099-01-01") };'
    (finding,) = look(policy=GRANT.replace(";\n", slow + "\n"))
    assert (finding.level, finding.kind, str(finding.place)) == ("note", "slow_path", "policies/orders.cedar:1")
    assert "`checkout → orders:list`" in finding.what
    cells = list(slow_cells(load_policy(tmp_path)))
    assert {(cell.caller, cell.operation) for cell, _ in cells} == {
        ("checkout", "orders:list"),
        ("checkout", "orders:create"),
    }
    assert all([policy.id for policy in policies] == ["all"] for _, policies in cells)


def test_findings_come_before_notes(look: Callable[..., list[Finding]]) -> None:
    soon = f"{NOW + timedelta(days=3):%Y-%m-%d}"
    found = look(YAML.replace("{socket}", "{port}"), GRANT.replace("@reason", f'@expires("{soon}") @reason'))
    assert [finding.level for finding in found] == ["finding", "note"]
