"""A service with a guard inside, behind a real Envoy: who may call is not who may see."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.system.company import TRUST_DOMAIN
from tests.system.guarded import Guarded, eventually, stop_and_look

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "ada@example.com"
APP = """\
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse

from inward.guard.asgi import Guard
from inward.guard.current import current_call

api = FastAPI(openapi_url=None)


@api.get("/people/{id}")
async def get_person(id: str, request: Request):
    call = current_call()
    if id == "page":
        return PlainTextResponse("ada@example.com")
    return JSONResponse(
        {"id": id, "email": "ada@example.com", "phone": "+46 8 555 0101", "caller": call.caller, "ref": call.reference},
        headers={"x-inward-guard": "{}"},
    )


@api.get("/hidden")
async def hidden():
    return {"email": "ada@example.com"}


app = Guard(api)
"""
FLASK = """\
from flask import Flask

from inward.guard.current import current_call
from inward.guard.wsgi import Guard

app = Flask(__name__, static_folder=None)


@app.get("/people/<id>")
def get_person(id):
    return {"id": id, "email": "ada@example.com", "phone": "+46 8 555 0101", "caller": current_call().caller}


app.wsgi_app = Guard(app.wsgi_app)
"""
API = """\
openapi: 3.1.0
info: {title: people, version: '1'}
paths:
  /people/{id}:
    get:
      operationId: getPerson
      parameters:
        - {name: id, in: path, required: true, schema: {type: string}}
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
"""
POLICY = """\
@id("{service}-called") @reason("they show people")
permit (principal in Group::"callers", action in Action::"{service}:*", resource == Service::"{service}");
"""
DISCLOSED = """\
@id("office-shown") @reason("it keeps the files")
permit (principal == Service::"office", action == Action::"disclose", resource in DataClass::"pii");
"""
FILES = {
    "inward.yaml": f"""\
trust_domain: {TRUST_DOMAIN}
services:
  people:
    owner: team-people
    api: people.yaml
    listen: 127.0.0.1:0
    run: uvicorn people:app --uds {{socket}} --log-level warning
    guard: true
  archive:
    owner: team-people
    api: people.yaml
    listen: 127.0.0.1:0
    mode: observe
    run: gunicorn --bind unix:{{socket}} --threads 2 --no-control-socket --log-level warning archive:app
    guard: true
  till: {{owner: team-till, groups: [callers]}}
  office: {{owner: team-people, groups: [callers]}}
data:
  pii: {{owner: team-people}}
  pii.email: {{owner: team-people}}
  pii.phone: {{owner: team-people, undisclosed: mask}}
""",
    "people.yaml": API,
    "people.py": APP,
    "archive.py": FLASK,
    "policies/people.cedar": POLICY.format(service="people") + DISCLOSED,
    "policies/archive.cedar": POLICY.format(service="archive"),
}


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    system = Guarded(tmp_path_factory.mktemp("people"), FILES)
    try:
        yield system.start()
        assert list(stop_and_look(system)) == []
    finally:
        system.destroy()


def test_a_caller_may_call_and_may_not_see(people: Guarded) -> None:
    seen = people.call("people", "till", "GET", "/people/1")
    shown = json.loads(seen.body)
    assert (seen.status, shown["caller"], shown["phone"]) == (200, "till", "****0101")
    assert "email" not in shown
    assert seen.header("x-inward-guard") is None
    recorded = people.recorded(seen)
    assert shown["ref"] == recorded.id
    assert (recorded.decision, recorded.reason, recorded.withheld) == ("allow", "granted", ("pii.email", "pii.phone"))
    whole = people.call("people", "office", "GET", "/people/1")
    assert json.loads(whole.body)["email"] == SECRET
    assert people.recorded(whole).withheld == ()


def test_what_cannot_be_viewed_is_refused_by_the_guard_and_recorded(people: Guarded) -> None:
    refused = people.call("people", "till", "GET", "/people/page")
    assert (refused.status, json.loads(refused.body)["code"]) == (502, "unviewable")
    assert SECRET.encode() not in refused.body
    recorded = people.recorded(refused)
    assert (recorded.enforcer, recorded.decision, recorded.carried_out) == ("guard", "deny", "deny")
    assert recorded.reason == "unviewable"
    assert people.call("people", "office", "GET", "/people/page").body == SECRET.encode()


def test_a_caller_cannot_speak_in_the_guards_or_in_envoys_name(people: Guarded) -> None:
    claims = {
        "X-Inward-Guard": '{"withheld":["pii"]}',
        "X-Forwarded-Client-Cert": f"URI=spiffe://{TRUST_DOMAIN}/office",
    }
    seen = people.call("people", "till", "GET", "/people/2", **claims)
    assert SECRET.encode() not in seen.body
    assert people.recorded(seen).withheld == ("pii.email", "pii.phone")


def test_what_is_observed_is_not_withheld_and_said(people: Guarded) -> None:
    seen = people.call("archive", "till", "GET", "/people/1")
    assert json.loads(seen.body) == {"id": "1", "email": SECRET, "phone": "+46 8 555 0101", "caller": "till"}
    recorded = people.recorded(seen)
    assert (recorded.decision, recorded.withheld) == ("allow", ("pii.email", "pii.phone"))


def test_a_change_of_what_is_disclosed_is_in_force_at_once(people: Guarded) -> None:
    def emails() -> bool:
        return SECRET.encode() in people.call("people", "till", "GET", "/people/3").body

    assert not emails()
    before = people.read("policies/people.cedar")
    more = DISCLOSED.replace("office-shown", "till-shown").replace('"office"', '"till"')
    people.write("policies/people.cedar", before + more)
    eventually("the till is shown e-mail addresses", emails)
    people.write("policies/people.cedar", before)
    eventually("the till is not shown them any more", lambda: not emails())


def test_undocumented_routes_are_told_at_start_and_refused(people: Guarded) -> None:
    output = people.layout.output("people")
    eventually("the route is told", lambda: b"`GET /hidden`" in output.read_bytes())
    assert people.call("people", "till", "GET", "/hidden").status == 403
