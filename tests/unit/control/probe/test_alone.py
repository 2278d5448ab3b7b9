"""A program alone: asked, ended, and nothing of it left; what keeps it from listening is said."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from inward.control.probe.alone import look_alone

if TYPE_CHECKING:
    from pathlib import Path

    from inward.catalog.model import Service
    from inward.control.bundle import Policy
    from inward.control.probe.look import Outcome

PROGRAM = """\
import json, os, sys
from wsgiref.simple_server import WSGIRequestHandler
from tests.contract.guard.served import _Handler, _Server
from inward.guard.wsgi import Guard

def app(environ, start_response):
    start_response("200 OK", [])
    return [b"handled"]

with open("environment.json", "w") as file:
    json.dump(dict(os.environ), file)
print("about to listen", flush=True)
server = _Server(sys.argv[1], _Handler)
server.set_app(app if "--open" in sys.argv else Guard(app))
server.serve_forever()
"""


@pytest.fixture
def service(policy: Policy, system: Path) -> Service:
    (system / "program.py").write_text(PROGRAM)
    return dataclasses.replace(
        policy.catalog.services["orders"], guarded=True, run=f"{sys.executable} program.py {{socket}}"
    )


def looked(system: Path, policy: Policy, service: Service, seconds: float = 30.0) -> Outcome:
    given = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "INWARD_CA_PASSPHRASE": "secret"}
    before = set(psutil.Process().children(recursive=True))  # those of other tests
    outcome = asyncio.run(look_alone(system, policy, service, given, seconds))
    left = set(psutil.Process().children(recursive=True)) - before
    assert [each for each in left if each.status() != psutil.STATUS_ZOMBIE] == []
    return outcome


def test_a_guarded_program_is_asked_with_a_bundle_and_a_socket_of_its_own(
    system: Path, policy: Policy, service: Service
) -> None:
    before = {path.relative_to(system) for path in system.rglob("*")}
    outcome = looked(system, policy, service)
    assert (outcome.open, outcome.silent) == (None, None)
    assert outcome.closed
    environment = (system / "environment.json").read_text()
    assert "secret" not in environment
    assert '"INWARD_SERVICE": "orders"' in environment
    after = {path.relative_to(system) for path in system.rglob("*")}
    assert {str(each) for each in after - before} == {"environment.json"}


def test_a_program_without_a_guard_is_found(system: Path, policy: Policy, service: Service) -> None:
    outcome = looked(system, policy, dataclasses.replace(service, run=f"{service.run} --open"))
    assert outcome.open is not None
    assert "with 200, where its guard should refuse it" in outcome.open


@pytest.mark.parametrize(
    ("run", "why"),
    [
        ("python -c 'raise SystemExit(\"no database\")' {socket}", "it has ended (1), and said `no database`"),
        ("python -c '' {socket}", "it has ended (0)"),
        ("python -c 'print(1, 2, 3, sep=chr(10))' {socket}", "it has ended (0), and said `2 … 3`"),
        ("no-such-program {socket}", "it cannot be started: [errno 2] no such file or directory"),
    ],
)
def test_what_keeps_it_from_listening_is_said(
    system: Path, policy: Policy, service: Service, run: str, why: str
) -> None:
    outcome = looked(system, policy, dataclasses.replace(service, run=run))
    assert (outcome.asked, outcome.open) == (0, None)
    assert outcome.silent is not None
    assert outcome.silent.startswith(why)


def test_one_that_never_listens_is_not_waited_for(system: Path, policy: Policy, service: Service) -> None:
    waits = dataclasses.replace(service, run="python -c 'import time; time.sleep(1000)' {socket}")
    assert looked(system, policy, waits, 0.05).silent == "it does not listen after 0.05 s"


def test_a_temporary_folder_with_too_long_a_path_is_said(
    system: Path, policy: Policy, service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    deep = tmp_path / ("x" * 90)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    silent = looked(system, policy, service).silent
    assert silent is not None
    assert "has a path of more than 107 bytes" in silent
