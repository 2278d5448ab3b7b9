"""The page on data: what it shows can be loaded, and the example company's flow is what the page says."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from inward.control.bundle import load_policy

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
    (grant,) = blocks("cedar")
    services = service + "    owner: team-customers\n    listen: 127.0.0.1:0\n  checkout: {owner: team-checkout}\n"
    api = PATHS + api.replace("        id: {", "        customer: {type: string}\n        id: {")
    for name, text in {
        "inward.yaml": f"trust_domain: shop.test\n{services}{data}",
        "apis/orders.yaml": api,
        "apis/orders.overlay.yaml": overlay,
        "policies/orders.cedar": grant,
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    policy = load_policy(tmp_path)
    assert policy.catalog.operations["orders:getOrder"].answers.classes == {"pii", "pii.email"}
    assert policy.engine.disclose("checkout", "pii.email", NOW).allowed
    assert policy.catalog.data_classes["pii.email"].undisclosed == "mask"


def test_the_flow_is_that_of_the_example_company() -> None:
    (console,) = blocks("console")
    shown = console.split("--flow\n")[1].partition("$ ")[0]
    done = subprocess.run(
        [sys.executable, "-m", "inward", "data", "pii.address", "--flow", "--system", ROOT / "examples" / "shop"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == shown
