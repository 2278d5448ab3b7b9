"""The page on data: what it shows can be loaded, and the example company's flow is what the page says."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

from inward.catalog.json_path import Wild
from inward.control.bundle import load_policy
from inward.control.sampling.looking import ENFORCED_SHARE, ENOUGH
from inward.identity.private_files import private_folder
from inward.spotting import spot
from inward.spotting.history import DAYS, History, add_to_history
from inward.spotting.kinds import Kind, Spotted

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "data.md").read_text()
NOW = datetime(2026, 8, 1, tzinfo=UTC)
PATHS = """\
openapi: 3.1.0
paths:
  /orders/{id}:
    get:
      operationId: getOrder
      responses: {'200': {content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}}
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_examples_make_a_system(tmp_path: Path) -> None:
    data, api, service, overlay = blocks("yaml")
    shown, received = blocks("cedar")
    services = service + "    owner: team-customers\n    listen: 127.0.0.1:0\n  checkout: {owner: team-checkout}\n"
    api = PATHS + api.replace("        id: {", "        customer: {type: string}\n        id: {")
    for name, text in {
        "inward.yaml": f"trust_domain: shop.test\n{services}{data}",
        "apis/orders.yaml": api,
        "apis/orders.overlay.yaml": overlay,
        "policies/orders.cedar": shown + received,
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    policy = load_policy(tmp_path)
    assert policy.catalog.operations["orders:getOrder"].answers.classes == {"pii", "pii.email"}
    for service in ("checkout", "orders"):
        assert policy.engine.disclose(service, "pii.email", NOW).allowed
    assert policy.catalog.data_classes["pii.email"].undisclosed == "mask"


def test_the_flow_is_that_of_the_example_company() -> None:
    _, flow, _ = blocks("console")
    shown = flow.split("--flow\n")[1].partition("$ ")[0]
    done = subprocess.run(
        [sys.executable, "-m", "inward", "data", "pii.address", "--flow", "--system", ROOT / "examples" / "shop"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == shown


def test_who_withholds_is_that_of_the_example_company() -> None:
    told, *_ = blocks("console")
    command, *lines = told.splitlines()
    assert command == "$ inward data pii.address"
    done = subprocess.run(
        [sys.executable, "-m", "inward", "data", "pii.address", "--system", ROOT / "examples" / "shop"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert lines
    assert set(lines) <= set(done.stdout.splitlines())


DESCRIBED = """\
openapi: 3.1.0
info: {title: orders, version: '1'}
paths:
  /orders/{id}:
    get:
      operationId: getOrder
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {'200': {description: it, content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}}
components:
  schemas:
    Order: {properties: {lines: {type: array, items: {$ref: '#/components/schemas/Line'}}}}
    Line: {properties: {note: {type: string}}}
"""


def test_what_is_printed_of_undeclared_data(tmp_path: Path) -> None:
    (tmp_path / "apis").mkdir()
    (tmp_path / "apis" / "orders.yaml").write_text(DESCRIBED)
    (tmp_path / "inward.yaml").write_text(
        "trust_domain: shop.test\n"
        "services:\n  orders: {owner: team, api: apis/orders.yaml, listen: '127.0.0.1:0'}\n"
        "data:\n  pii.email: {owner: team}\n"
    )
    *_, console = blocks("console")
    day = date.fromisoformat(re.findall(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", console)[0])
    history = History()
    for number in range(120):
        spotted = [Spotted(("lines", Wild.ITEM, "note"), Kind.EMAIL)] if number < 74 else []
        history.day(day).add("orders:getOrder", 200, spotted)
    add_to_history(private_folder(tmp_path / ".inward") / "undeclared.json", history, day)
    done = subprocess.run(
        [sys.executable, "-m", "inward", "data", "--undeclared", "--system", tmp_path],
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"$ inward data --undeclared\n{done.stdout}" == console


def test_the_limits_of_what_is_looked_at_are_those_of_the_code() -> None:
    page = " ".join(PAGE.split())
    assert f"over {spot.MAX_BYTES // 1024} KiB" in page
    assert f"{spot.MAX_DEPTH} levels or {spot.MAX_VALUES:,} values" in page
    assert f"more than {spot.MAX_FIELDS} become" in page
    assert f"for {DAYS} days" in page
    assert f"each operation {ENOUGH} an hour at most" in page
    assert f"{1 / ENFORCED_SHARE:g}" == "100"
    assert set(re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.MULTILINE)) == set(Kind)
