"""`inward attack` on real systems: one where everything holds, and ones that give way in each way there is."""

from __future__ import annotations

import json
import shutil
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import pytest
from tests.system.company import TRUST_DOMAIN
from tests.system.guarded import Guarded, eventually, stop_and_look
from tests.tokens import Signer, key_set

from inward.control.attack.kinds import KINDS
from inward.control.bundle import load_policy
from inward.envoy.folder import EnvoyFolder
from inward.envoy.resources.render import service_routes
from inward.record.call import Act
from inward.record.reader import read_entries

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inward.record.call import Call

APP = """\
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from inward.guard.asgi import Guard


async def serve(request):
    with Path("people.ran").open("a") as file:
        file.write(f"{request.method} {request.url.path}\\n")
    return JSONResponse({"id": 1, "email": "ada@example.com", "phone": "+46 8 555 0101"})


class Debugger(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def debug():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Debugger)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Path("debugger.port").write_text(str(server.server_port))
    return server


api = Starlette(routes=[
    Route("/people/{id}", serve, methods=["GET", "DELETE"]), Route("/admin/keys", serve), Route("/{rest:path}", serve),
])
guarded = Guard(api)
debugger = None


async def app(scope, receive, send):
    global debugger
    # Whoever asks whether there is a guard has no identity.
    called = any(name == b"x-forwarded-client-cert" for name, _ in scope.get("headers", ()))
    weak = called and Path("weak").exists()
    debugger = debugger or (debug() if weak else None)
    await (api if weak else guarded)(scope, receive, send)
"""
API = """\
openapi: 3.1.0
info: {title: people, version: '1'}
paths:
  /people/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: string}}
    get:
      operationId: getPerson
      responses:
        '200':
          description: done
          content:
            application/json:
              schema:
                type: object
                properties:
                  email: {type: string, x-inward-data: pii.email}
                  phone: {type: string, x-inward-data: pii.phone}
    delete: {operationId: deletePerson, responses: {'204': {description: done}}}
  /admin/keys:
    get: {operationId: getKeys, responses: {'200': {description: done}}}
"""
PEOPLE = {
    "inward.yaml": f"""\
trust_domain: {TRUST_DOMAIN}
services:
  people:
    owner: team-people
    api: people.yaml
    listen: 127.0.0.1:0
    run: uvicorn people:app --uds {{socket}} --log-level warning
    guard: true
  till: {{owner: team-till, run: sleep 86400}}
  office: {{owner: team-people}}
data:
  pii: {{owner: team-people}}
  pii.email: {{owner: team-people}}
  pii.phone: {{owner: team-people, undisclosed: mask}}
users: {{issuer: "https://tokens.shop.internal", keys: users.json}}
""",
    "people.yaml": API,
    "people.py": APP,
    "users.json": key_set(Signer()).decode(),
    "policies/people.cedar": """\
@id("till-shows-people") @reason("it shows people")
permit (principal == Service::"till", action == Action::"people:getPerson", resource == Service::"people");
@id("office-does-all") @reason("it keeps the files")
permit (principal == Service::"office", action, resource == Service::"people");
""",
}
WIDER = """\
@id("anybody-does-all") @reason("a mistake")
permit (principal, action in Action::"people:*", resource == Service::"people");
"""
OPEN = {
    "inward.yaml": f"""\
trust_domain: {TRUST_DOMAIN}
services:
  files:
    owner: team-files
    api: files.yaml
    listen: 127.0.0.1:0
    mode: observe
    run: python files.py {{port}}
  till: {{owner: team-till, run: sleep 86400}}
data:
  pii: {{owner: team-files}}
""",
    "files.yaml": """\
openapi: 3.1.0
info: {title: files, version: '1'}
paths:
  /files:
    get:
      operationId: listFiles
      responses:
        '200':
          description: done
          content: {application/json: {schema: {type: array, items: {type: string, x-inward-data: pii}}}}
    post: {operationId: createFile, responses: {'201': {description: done}}}
  /log:
    get: {operationId: getLog, responses: {'200': {description: done}}}
""",
    "files.py": """\
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = json.dumps(["ada@example.com"]).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_DELETE = do_PUT = do_PATCH = do_HEAD = do_GET

    def log_message(self, *_):
        with open("files.ran", "a") as file:
            file.write(self.command + "\\n")


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
""",
    "policies/files.cedar": """\
@id("till-lists-files") @reason("it lists them")
permit (principal == Service::"till", action == Action::"files:listFiles", resource == Service::"files");
""",
}
ALLOWED = {"INWARD_ALLOW_ATTACK": "1"}
Told = dict[str, Any]


@pytest.fixture
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    yield from started(tmp_path_factory.mktemp("people"), PEOPLE)


@pytest.fixture
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    yield from started(tmp_path_factory.mktemp("files"), OPEN)


def started(folder: Path, content: dict[str, str]) -> Iterator[Guarded]:
    system = Guarded(folder, content, ALLOWED)
    try:
        yield system.start()
        assert list(stop_and_look(system)) == []
    finally:
        system.destroy()
        shutil.rmtree(system.layout.run, ignore_errors=True)


def attack(system: Guarded, *options: str) -> tuple[int, Told]:
    done = system.inward("attack", "till", "--yes", "--json", "--rate", "1000", *options)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def outcomes(told: Told) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for each in told["tries"]:
        found[each["kind"]][each["outcome"]] += 1
    return found


def ran(system: Guarded, service: str) -> list[str]:
    path = system.folder / f"{service}.ran"
    return path.read_text().splitlines() if path.exists() else []


def test_what_holds_is_shown_by_the_record_and_what_gives_way_is_found(people: Guarded) -> None:
    code, told = attack(people, "--with-quarantine")
    assert (code, told["counts"]["breached"], told["counts"]["open"]) == (0, 0, 0), told
    assert_held(people, told)
    weaken(people)
    code, told = attack(people, "--safe-only")
    assert code == 2
    assert_breached(people, told)


def assert_held(people: Guarded, told: Told) -> None:
    by_kind = outcomes(told)
    assert by_kind.keys() == set(KINDS)
    assert all(set(each) == {"held"} for kind, each in by_kind.items() if kind != "data"), by_kind
    # Each was really sent: the record has it. There is nothing in it of what no enforcer is asked for, by design.
    recorded: dict[str, Call] = {call.id: call for call in people.calls()}
    proven = [each for each in told["tries"] if each["reference"] in recorded]
    unproven = [each for each in told["tries"] if each["reference"] not in recorded]
    assert {each["kind"] for each in proven} == set(KINDS) - {"key", "listener"}
    assert {each["why"].partition(":")[0] for each in unproven} <= {
        "refused by the parser of its own Envoy, before anybody was asked",
        "only this account can enter the folder",
        "there is none",
    }
    assert {recorded[each["reference"]].caller for each in proven} == {"till", None}
    withheld = [each for each in told["tries"] if each["kind"] == "data" and each["outcome"] == "held"]
    assert any("withheld: pii.email, pii.phone" in each["why"] for each in withheld)
    # What the program saw is what was granted, with an object that there is not.
    assert {line.partition(" ")[0] for line in ran(people, "people")} <= {"GET", "HEAD"}
    assert all(line.startswith(("GET /people/", "HEAD /people/")) for line in ran(people, "people"))
    acts = [each for each in read_entries(people.layout.record) if isinstance(each, Act)]
    attacks = [each for each in acts if each.what == "attack"]
    assert [(each.about, (each.detail or "").partition(":")[0]) for each in attacks] == [
        ("till", "begins"),
        ("till", "ends"),
    ]
    assert [each.what for each in acts if each.what in {"quarantine", "release"}] == ["quarantine", "release"]
    assert json.loads(people.inward("quarantine", "--json").stdout) == {"quarantined": []}
    assert {alert.get("caller") for alert in told["alerts"] if alert["detector"] == "probing"} >= {"till"}


def weaken(people: Guarded) -> None:
    """Let the program answer past its guard and listen elsewhere, and its Envoy enforce more than was granted."""
    wider = people.folder / "wider"
    for name, content in PEOPLE.items():
        people.write(f"wider/{name}", content)
    people.write("wider/policies/people.cedar", WIDER)
    policy = load_policy(wider)
    compiled = service_routes(policy.catalog.services["people"], policy.catalog, policy.engine)
    folder = EnvoyFolder(people.layout.service("people").path)
    folder.write("routes.json", [compiled.resource(policy.version)], f"{policy.version}.{compiled.content}")
    people.write("weak", "")

    def is_weak() -> bool:
        return b"ada@example.com" in people.call("people", "till", "GET", "/admin/keys").body

    eventually("the Envoy enforces it", is_weak)
    assert (people.folder / "debugger.port").exists()


def assert_breached(people: Guarded, told: Told) -> None:
    by_kind = outcomes(told)
    assert {kind for kind, each in by_kind.items() if each["breached"]} == {
        "ungranted",
        "unknown",
        "path",
        "identity",
        "data",
        "listener",
    }
    breached = [each for each in told["tries"] if each["outcome"] == "breached"]
    said = {(each["kind"], each["target"], each["why"]) for each in breached}
    assert ("ungranted", "people:getKeys", "it was let through, and answered 200") in said
    assert ("data", "people:getPerson", "the answer holds $.email, $.phone") in said
    port = (people.folder / "debugger.port").read_text()
    past = [each for each in breached if each["kind"] == "listener" and each["tried"].startswith(f"127.0.0.1:{port}")]
    assert ["at a port that inward.yaml does not name" in each["why"] for each in past] == [True]
    recorded = {call.id: call for call in people.calls()}
    calls = [recorded[each["reference"]] for each in breached if each["reference"]]
    assert calls
    assert {(call.decision, call.carried_out) for call in calls} == {("allow", "allow")}
    # Nothing that changes something was sent.
    assert {line.partition(" ")[0] for line in ran(people, "people")} <= {"GET", "HEAD"}
    deleting = [each for each in told["tries"] if each["target"] == "people:deletePerson"]
    assert {(each["outcome"], each["why"]) for each in deleting} == {("untried", "left out by --safe-only")}


def test_what_the_settings_leave_open_is_told_as_open(files: Guarded) -> None:
    code, told = attack(files)
    assert (code, told["counts"]["breached"]) == (2, 0), told
    by_kind = outcomes(told)
    assert {kind for kind, each in by_kind.items() if each["open"]} == {
        "ungranted",
        "unknown",
        "path",
        "data",
        "listener",
    }
    tries = {(each["kind"], each["target"], each["tried"]): each for each in told["tries"]}
    log = tries["ungranted", "files:getLog", "GET /log"]
    assert (log["outcome"], log["why"]) == ("open", "no_grant, and mode observe lets it through")
    recorded = {call.id: call for call in files.calls()}
    call = recorded[log["reference"]]
    assert (call.caller, call.operation, call.decision, call.carried_out) == ("till", "files:getLog", "deny", "allow")
    creating = tries["ungranted", "files:createFile", "POST /files"]
    assert creating["why"] == "mode observe lets it through; it was not sent, since it may change something"
    assert set(ran(files, "files")) <= {"GET", "HEAD", "get", "TRACE", "ATTACK"}
    app = files.running("files").app
    past = [each for each in told["tries"] if each["kind"] == "listener" and each["tried"].startswith(f"{app},")]
    assert [each["why"] for each in past] == ["it answered 200, past its Envoy: its `run` line has a port"]
    shown = [each["why"] for each in told["tries"] if each["kind"] == "data" and each["outcome"] == "open"]
    assert "the answer holds $[*]: in mode observe nothing is withheld" in shown
    assert told["unnoticed"]  # what is let through in mode observe, for a start
    text = files.inward("attack", "till", "--yes", "--rate", "1000", "--most", "60")
    assert text.returncode == 2
    assert "gave way:" in text.stdout
    assert "left out: " in text.stderr
