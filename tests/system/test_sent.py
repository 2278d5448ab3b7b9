"""What a service may not receive, behind a real Envoy: refused by its guard, and in the record with the reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.system.company import TRUST_DOMAIN
from tests.system.guarded import Guarded, stop_and_look

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.system import wire

SECRET = '{"name": "Ada", "email": "ada@example.com"}'
PLAIN = '{ "name": "Ada", "email": null }'
CHUNKED = b"5\r\n" + SECRET[:5].encode() + b"\r\n%x\r\n" % len(SECRET[5:]) + SECRET[5:].encode() + b"\r\n0\r\n\r\n"
APP = """\
from fastapi import FastAPI, Request

from inward.guard.asgi import Guard

api = FastAPI(openapi_url=None)


@api.post("/people")
async def add(request: Request):
    return {"got": (await request.body()).decode()}


app = Guard(api)
"""
FLASK = """\
from flask import Flask, request

from inward.guard.wsgi import Guard

app = Flask(__name__, static_folder=None)


@app.post("/people")
@app.post("/watched")
def add():
    return {"got": request.get_data().decode()}


app.wsgi_app = Guard(app.wsgi_app)
"""
POST = """\
    post:
      operationId: {name}
      parameters: [{{name: mail, in: query, schema: {{type: string, x-inward-data: pii.email}}}}]
      requestBody:
        content:
          application/json: {{schema: {{properties: {{email: {{type: string, x-inward-data: pii.email}}}}}}}}
      responses: {{'200': {{description: done}}}}
"""
API = f"""\
openapi: 3.1.0
info: {{title: people, version: '1'}}
paths:
  /people:
{POST.format(name="addPerson")}
  /watched:
{POST.format(name="watchPerson")}
"""
GRANT = """\
@id("{service}-called") @reason("they keep people")
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
    run: uvicorn people:app --uds {{socket}} --log-level warning
    guard: true
  archive:
    owner: team-people
    api: people.yaml
    listen: 127.0.0.1:0
    operations: {{watchPerson: {{mode: observe}}}}
    run: gunicorn --bind unix:{{socket}} --threads 2 --no-control-socket --log-level warning archive:app
    guard: true
  till: {{owner: team-till}}
data:
  pii.email: {{owner: team-people}}
""",
    "people.yaml": API,
    "people.py": APP,
    "archive.py": FLASK,
    "policies/people.cedar": GRANT.format(service="people"),
    "policies/archive.cedar": GRANT.format(service="archive"),
}


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    system = Guarded(tmp_path_factory.mktemp("sent"), FILES)
    try:
        yield system.start()
        assert list(stop_and_look(system)) == []
    finally:
        system.destroy()


def post(people: Guarded, service: str, body: str, target: str = "/people", **headers: str) -> wire.Answer:
    return people.call(service, "till", "POST", target, body=body, **{"content_type": "application/json"} | headers)


@pytest.mark.parametrize("service", ["people", "archive"])
def test_what_is_refused_stands_in_the_record_with_its_reason(people: Guarded, service: str) -> None:
    refused = post(people, service, SECRET)
    assert (refused.status, refused.code, refused.header("x-inward-guard")) == (403, "undisclosed", None)
    recorded = people.recorded(refused)
    assert (recorded.enforcer, recorded.decision, recorded.carried_out) == ("guard", "deny", "deny")
    assert (recorded.reason, recorded.sent, recorded.status) == ("undisclosed", ("pii.email",), 403)
    told = people.inward("explain", recorded.id)
    assert (told.returncode, "not disclosed to the service that it is sent to: pii.email" in told.stdout) == (2, True)
    assert "undisclosed (pii.email)" in people.inward("calls", "--denied").stdout
    assert post(people, service, "{}", "/people?mail=ada%40example.com").code == "undisclosed"


@pytest.mark.parametrize("service", ["people", "archive"])
def test_what_may_be_sent_arrives_as_it_is(people: Guarded, service: str) -> None:
    for headers in ({}, {"expect": "100-continue"}):
        with people.connect(service, "till") as connection:
            answer = connection.call(
                "POST", "/people", host=service, body=PLAIN, content_type="application/json", **headers
            )
            while answer.status == 100:
                answer = connection.answer()
        assert (answer.status, json.loads(answer.body)) == (200, {"got": PLAIN})
        assert people.recorded(answer).sent == ()


@pytest.mark.parametrize("service", ["people", "archive"])
def test_chunks_and_what_cannot_be_read(people: Guarded, service: str) -> None:
    with people.connect(service, "till") as connection:
        head = f"POST /people HTTP/1.1\r\nhost: {service}\r\ncontent-type: application/json\r\n"
        connection.send(head.encode() + b"transfer-encoding: chunked\r\n\r\n" + CHUNKED)
        assert connection.answer().code == "undisclosed"
        # the connection can be used on
        answer = connection.call("POST", "/people", host=service, body=PLAIN, content_type="application/json")
        assert answer.status == 200
    refused = post(people, service, PLAIN, content_type="text/plain")
    assert (refused.status, refused.code) == (415, "unreadable")
    assert people.recorded(refused).reason == "unreadable"


def test_what_is_observed_arrives_and_is_recorded(people: Guarded) -> None:
    answer = post(people, "archive", SECRET, "/watched")
    assert (answer.status, json.loads(answer.body)) == (200, {"got": SECRET})
    recorded = people.recorded(answer)
    assert (recorded.decision, recorded.carried_out, recorded.mode) == ("deny", "allow", "observe")
    assert (recorded.reason, recorded.sent, recorded.enforcer) == ("undisclosed", ("pii.email",), "guard")


def test_it_is_a_finding_of_the_check(people: Guarded) -> None:
    checked = people.inward("check")
    assert checked.returncode == 2
    assert "`people:addPerson` takes `pii.email`, which `people` itself may not receive" in checked.stdout
