"""A first catalog, from nothing: what discovery writes is enforced as it stands, and the record teaches it the rest."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.system.guarded import Guarded, eventually, stop_and_look

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APP = """\
from fastapi import FastAPI

app = FastAPI(openapi_url=None)


@app.get("/orders/{id}")
def get_order(id: int):
    return {"id": id}


app.add_api_route(*("/hidden/{name}", lambda name: {"name": name}))
"""
RUN = f"{sys.executable} -m uvicorn app:app --uds {{socket}} --log-level warning"


def inward(system: Guarded, *arguments: str, code: int = 0) -> str:
    done = system.inward(*arguments)
    assert done.returncode == code, done.stderr
    return done.stdout


@pytest.fixture
def system(tmp_path: Path) -> Iterator[Guarded]:
    """A program without a description, and the system that was discovered of it."""
    made = Guarded(tmp_path / "system", {"app.py": APP})
    source = str(made.folder / "app.py")
    written = ("--write", "--owner", "team-orders", "--run", RUN)
    inward(made, "discover", "--service", "orders", "--from-source", source, *written)
    made.write("inward.yaml", made.read("inward.yaml") + "  reader: {owner: team-readers, run: sleep 600}\n")
    try:
        yield made.start()
        assert list(stop_and_look(made)) == []
    finally:
        made.destroy()


def test_a_service_is_found_run_and_completed_from_its_record(system: Guarded) -> None:
    def call(path: str) -> None:
        assert json.loads(inward(system, "call", "reader", "GET", f"http://orders{path}", "--json"))["status"] == 200

    def recorded() -> list[dict[str, Any]]:
        return [json.loads(line) for line in inward(system, "calls", "--callee", "orders", "--json").splitlines()]

    for path in ("/orders/7", "/hidden/1", "/hidden/2", "/hidden/3"):
        call(path)
    eventually("all calls are recorded", lambda: sum("method" in entry for entry in recorded()) == 4)
    seen = [entry.get("operation") for entry in recorded() if "method" in entry]
    assert seen == ["orders:GET /orders/{id}", None, None, None]
    inward(system, "discover", "--service", "orders", "--from-record", "--write")

    def known() -> bool:
        call("/hidden/4")
        return any(entry.get("operation") == "orders:GET /hidden/{hidden_id}" for entry in recorded())

    eventually("what was found is enforced", known)
