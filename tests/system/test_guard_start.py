"""What stands open is found when a program starts, and starts again: no call reaches it until it is shut."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest
from tests.system.company import TRUST_DOMAIN
from tests.system.guarded import Guarded, eventually, stop_and_look

from inward.control.probe.questions import OFTEN_SERVED

if TYPE_CHECKING:
    from collections.abc import Iterator

PEOPLE = """\
from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from inward.guard.asgi import Guard


async def serve(request):
    with Path("people.ran").open("a") as file:
        file.write(f"{request.method} {request.url.path}\\n")
    return JSONResponse({"id": request.path_params["id"]})


api = Starlette(routes=[Route("/people/{id}", serve, methods=["GET", "DELETE"])])
guarded = Guard(api)
"""
WHOLE = PEOPLE + "app = guarded\n"
MOUNTED = (
    PEOPLE
    + """\
other = Starlette(routes=[Route("/{id}", serve)])


async def app(scope, receive, send):
    await (other if scope.get("path") == "/metrics" else guarded)(scope, receive, send)
"""
)
PAST = (
    PEOPLE
    + """\


async def app(scope, receive, send):
    await (api if scope.get("path", "").startswith("/people") else guarded)(scope, receive, send)
"""
)
ARCHIVE = """\
from flask import Flask

from inward.guard.wsgi import Guard

app = Flask(__name__, static_folder=None)


@app.get("/people/<id>")
def get_person(id):
    return {"id": id}


@app.get("/cellar")
def cellar():
    return {}


app.wsgi_app = Guard(app.wsgi_app)
"""
API = """\
openapi: 3.1.0
info: {title: people, version: '1'}
paths:
  /people/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: string}}
    get: {operationId: getPerson, responses: {'200': {description: done}}}
    delete: {operationId: removePerson, responses: {'200': {description: done}}}
"""
POLICY = """\
@id("{service}-called") @reason("the till greets who pays")
permit (principal == Service::"till", action in Action::"{service}:*", resource == Service::"{service}");
"""
FILES = {
    "inward.yaml": f"""\
trust_domain: {TRUST_DOMAIN}
services:
  people:
    owner: team-people
    api: people.yaml
    listen: 127.0.0.1:0
    guard: true
    run: uvicorn people:app --uds {{socket}} --log-level warning
  archive:
    owner: team-people
    api: people.yaml
    listen: 127.0.0.1:0
    guard: true
    mode: observe
    run: gunicorn --bind unix:{{socket}} --threads 2 --no-control-socket --log-level warning archive:app
  till: {{owner: team-till}}
""",
    "people.yaml": API,
    "people.py": WHOLE,
    "archive.py": ARCHIVE,
    "policies/people.cedar": POLICY.format(service="people"),
    "policies/archive.cedar": POLICY.format(service="archive"),
}


@pytest.fixture
def system(tmp_path: object) -> Iterator[Guarded]:
    people = Guarded(tmp_path, FILES)  # type: ignore[arg-type] # a path
    try:
        yield people
        assert list(stop_and_look(people)) == []
    finally:
        people.destroy()


def ran(system: Guarded) -> list[str]:
    """Return the requests that reached a handler of `people`."""
    path = system.folder / "people.ran"
    return path.read_text().splitlines() if path.exists() else []


def answered(system: Guarded, service: str = "people") -> tuple[int, str]:
    got = system.call(service, "till", "GET", "/people/1")
    return got.status, json.loads(got.body).get("code", "")


def test_a_guarded_system_takes_calls_and_does_again_when_a_program_was_started_again(system: Guarded) -> None:
    system.start()
    assert answered(system) == (200, "")
    assert answered(system, "archive") == (200, "")
    assert ran(system) == ["GET /people/1"]  # no question reached a handler
    told = system.event("warning", service="archive")
    assert told["text"] == "`archive` serves what no API description has, and only observes: `GET /cellar`"
    system.write("people.py", PAST)
    os.kill(system.pid("people"), signal.SIGKILL)
    open_ = system.event("warning", service="people")["text"]
    assert "`people` answers `GET /people/x` with 200, where its guard should refuse it: no call is handed" in open_
    assert answered(system) == (503, "unreachable")
    assert "DELETE" not in " ".join(ran(system))
    system.write("people.py", WHOLE)
    os.kill(system.pid("people"), signal.SIGKILL)
    eventually("people takes calls again", lambda: answered(system) == (200, ""))
    system.event("service", service="people", state="guarded")


def test_what_is_open_from_the_start_is_not_handed_calls_and_keeps_nobody_else_from_them(system: Guarded) -> None:
    system.write("people.py", MOUNTED)
    system.launch()
    text = system.event("warning", service="people")["text"]
    assert text.startswith("`people` answers `GET /metrics` with ")
    system.event("service", service="archive", state="ready")
    assert answered(system, "archive") == (200, "")
    assert answered(system) == (503, "unreachable")
    assert not [event for event in system.events if event["event"] == "ready"]
    # to observe is somebody's decision, and takes effect at once
    files = system.read("inward.yaml")
    system.write(
        "inward.yaml", files.replace("    guard: true\n    run: uv", "    guard: true\n    mode: observe\n    run: uv")
    )
    eventually("people takes calls", lambda: answered(system) == (200, ""))
    # and so is to enforce: the program is ended, and its connections with it
    before = system.pid("people")
    system.write("inward.yaml", files)
    eventually("people takes no calls", lambda: answered(system) == (503, "unreachable"))
    eventually("the program was started again", lambda: system.pid("people") != before)
    assert answered(system) == (503, "unreachable")


def test_a_check_starts_the_programs_alone_and_says_what_is_open(system: Guarded) -> None:
    assert "/metrics" in OFTEN_SERVED
    system.write("inward.yaml", system.read("inward.yaml").replace("    mode: observe\n", ""))
    good = system.inward("check", "--probe", "--no-cache")
    assert (good.returncode, good.stderr) == (0, "asked 2 guarded programs\n"), good.stdout
    assert (
        "note: inward.yaml:9: `archive` serves what no API description has, which is refused: `GET /cellar`"
        in good.stdout
    )
    system.write("people.py", MOUNTED)
    bad = system.inward("check", "--probe", "--no-cache", "--json")
    assert bad.returncode == 2
    found = {each["kind"]: each["what"] for each in json.loads(bad.stdout)["findings"]}
    assert "`people` answers `GET /metrics` with " in found["unguarded"]
    system.write("people.py", "raise SystemExit('no database')\n")
    silent = system.inward("check", "--probe", "--no-cache")
    assert silent.returncode == 2
    assert "not known whether `people` is guarded: it has ended (1), and said `no database`" in silent.stdout
    assert system.processes() == []
