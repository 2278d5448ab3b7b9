"""What the pages say is held against what the program does: examples are loaded and run, lists are complete."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from tests.tokens import Signer, key_set

from inward.cli.program import COMMANDS, GROUPS
from inward.control import settings
from inward.control.bundle import load_policy
from inward.identity import forwarded
from inward.policy.decision import Reason
from inward.policy.request import Request
from inward.policy.resources.model import Resource
from inward.record.call import Call

NOW = datetime(2026, 11, 26, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
ORDERS = """
openapi: 3.1.0
info: {title: Orders, version: "1"}
paths:
  /orders:
    get:
      operationId: listOrders
      parameters: [{name: status, in: query, schema: {type: string}}]
      responses: {"200": {description: ok}}
    post: {operationId: createOrder, responses: {"201": {description: made}}}
  /orders/{id}:
    get: {operationId: getOrder, responses: {"200": {description: ok}}}
"""


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands() -> set[str]:
    return COMMANDS.keys() | GROUPS.keys()


def write_readme_system(folder: Path) -> Path:
    [system] = blocks("README.md", "yaml")
    [grant] = blocks("README.md", "cedar")
    (folder / "apis").mkdir()
    (folder / "policies").mkdir()
    (folder / "inward.yaml").write_text(system)
    (folder / "apis" / "orders.yaml").write_text(ORDERS)
    (folder / "policies" / "orders.cedar").write_text(grant)
    return folder


def test_the_example_of_the_readme_is_a_system_that_allows_what_it_says(tmp_path: Path) -> None:
    policy = load_policy(write_readme_system(tmp_path))
    before, after = datetime(2027, 6, 30, 23, 59, 59, tzinfo=UTC), datetime(2027, 7, 1, tzinfo=UTC)
    granted = Request("checkout", "orders:getOrder", "/orders/42")
    assert policy.engine.decide(granted, before).allowed
    assert policy.engine.decide(granted, after).reason is Reason.EXPIRED
    assert policy.engine.decide(Request("checkout", "orders:createOrder", "/orders"), before).reason is Reason.NO_GRANT


def test_the_example_of_the_readme_passes_the_check(tmp_path: Path) -> None:
    folder = write_readme_system(tmp_path)
    answer = subprocess.run(
        [sys.executable, "-m", "inward", "check", "--system", str(folder)], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_the_example_of_the_policy_page_is_valid_and_needs_no_slow_path(tmp_path: Path) -> None:
    folder = write_readme_system(tmp_path)
    grant, of_objects = blocks("docs/policies.md", "cedar")
    [types] = blocks("docs/policies.md", "cedarschema")
    (folder / "inward.yaml").write_text((folder / "inward.yaml").read_text() + "  reporting: {owner: team-finance}\n")
    (folder / "policies" / "orders.cedarschema").write_text(types)
    (folder / "policies" / "orders.cedar").write_text(grant + of_objects)
    policy = load_policy(folder)
    assert [each.id for each in policy.policies] == ["checkout-reads-small-orders", "reporting-lists-closed-orders"]
    for total, allowed in ((500, True), (100_000, False)):
        order = Resource("Order", {"tenant": "till", "state": "open", "total": total})
        request = Request("checkout", "orders:getOrder", "/orders/1")
        assert policy.engine.decide_object(request, order, NOW).allowed is allowed


def test_the_example_of_the_system_page_is_read(tmp_path: Path) -> None:
    system, record = blocks("docs/system-folder.md", "yaml")
    (tmp_path / "apis").mkdir()
    (tmp_path / "apis" / "orders.yaml").write_text(ORDERS)
    overlay = "overlay: 1.0.0\nactions: [{target: $.info, update: {x-read: true}}]"
    (tmp_path / "apis" / "orders.more.yaml").write_text(overlay)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "users.json").write_bytes(key_set(Signer()))
    (tmp_path / "inward.yaml").write_text(system)
    catalog = load_policy(tmp_path).catalog
    assert catalog.users is not None
    assert catalog.operations["orders:listOrders"].mode.value == "observe"
    assert catalog.data_classes["pii.email"].parent == "pii"
    assert catalog.privacy.users == "hash"
    (tmp_path / "inward.yaml").write_text(system[: system.index("record:")] + record)
    privacy = load_policy(tmp_path).catalog.privacy
    assert (privacy.addresses, privacy.of("orders:getOrder").addresses, privacy.hash_days) == ("drop", "keep", 30)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    named = set(re.findall(r"(?:^|`|\$ )inward ([a-z]+)\b", page.read_text(), re.MULTILINE))
    # `inward run` is what the pages say does not exist yet
    assert named <= commands() | {"run"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_target_that_the_pages_name_is_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        assert set(re.findall(r"^make ([a-z-]+)", page.read_text(), re.MULTILINE)) <= targets


def test_ci_runs_the_commands_of_the_readme() -> None:
    assert re.findall(r"^make .*$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE) == ["make check", "make test"]


def test_every_field_of_a_call_is_on_the_page_of_the_record() -> None:
    page = (ROOT / "docs" / "record.md").read_text()
    table = page.partition("| field | what |")[2].partition("\n\n")[0]
    rows = "".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| `"))
    assert set(re.findall(r"`([a-z_]+)`", rows)) == {field.name for field in msgspec.structs.fields(Call)}


def test_every_reason_is_on_the_page_of_enforcement() -> None:
    page = (ROOT / "docs" / "enforcement.md").read_text()
    missing = {reason.value for reason in Reason} - set(re.findall(r"`([a-z_]+)`", page))
    assert missing == {"granted"}


def test_every_setting_is_on_the_page_of_running() -> None:
    read = set(re.findall(r'"(INWARD_[A-Z_]+)"', inspect.getsource(settings)))
    page = (ROOT / "docs" / "running.md").read_text()
    assert read == set(re.findall(r"^\| `(INWARD_[A-Z_]+)`", page, re.MULTILINE))


def test_the_headers_that_the_pages_say_are_dropped_are_dropped() -> None:
    page = (ROOT / "docs" / "enforcement.md").read_text()
    assert {"x-forwarded-client-cert", "x-forwarded-user", "remote-user", "x-request-id"} <= set(
        forwarded.IDENTITY_HEADERS
    )
    assert "x-forwarded-user" in page


def test_every_decision_is_in_the_list_of_decisions() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = set(re.findall(r"\]\(([0-9]{4}-[^)]+)\)", (folder / "README.md").read_text()))
    assert listed == {path.name for path in folder.glob("[0-9]*.md")}
