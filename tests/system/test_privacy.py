"""What of a call gets into the record, and what never does, behind an Envoy and where a service takes calls itself."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from tests import tokens
from tests.system import wire
from tests.system.company import TRUST_DOMAIN
from tests.system.guarded import Guarded, eventually, stop_and_look

from inward.envoy.log_folder import LogFolder
from inward.record.call import HASHED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.record.call import Call

SECRET = "s3cret"
SIGNER = tokens.Signer()
APP = """\
from fastapi import FastAPI, Request

from inward.guard.asgi import Guard

api = FastAPI(openapi_url=None)


@api.api_route("/people/{name}", methods=["GET", "POST"])
async def get_person(name: str, request: Request):
    await request.body()
    return {"name": name, "email": "s3cret-answer"}


@api.get("/people/{name}/orders/{number}")
async def get_order(name: str, number: str):
    return {}


app = Guard(api)
"""
API = """\
openapi: 3.1.0
info: {title: people, version: '1'}
paths:
  /people/{name}:
    get:
      operationId: getPerson
      parameters:
        - {name: name, in: path, required: true, schema: {type: string}, x-inward-data: pii.name}
      responses: {'200': {description: done}}
    post:
      operationId: setPerson
      parameters:
        - {name: name, in: path, required: true, schema: {type: string}, x-inward-data: pii.name}
      responses: {'200': {description: done}}
  /people/{name}/orders/{number}:
    get:
      operationId: getOrder
      parameters:
        - {name: name, in: path, required: true, schema: {type: string}, x-inward-data: pii.name}
        - {name: number, in: path, required: true, schema: {type: string}}
      responses: {'200': {description: done}}
"""
POLICY = """\
@id("{service}-callers") @reason("they show people")
permit (principal in Group::"callers", action in Action::"{service}:*", resource == Service::"{service}");

@id("{service}-is-told") @reason("it keeps them")
permit (principal == Service::"{service}", action == Action::"disclose", resource in DataClass::"pii");
"""
SYSTEM = f"""\
trust_domain: {TRUST_DOMAIN}
services:
  people:
    owner: team-people
    groups: [callers]
    api: people.yaml
    listen: 127.0.0.1:0
    run: uvicorn app:app --uds {{socket}} --log-level warning
    guard: true
  direct:
    owner: team-people
    api: people.yaml
    listen: 127.0.0.1:0
    run: python -m inward.guard.serve app:app
    guard: tls
  till: {{owner: team-till, groups: [callers]}}
users: {{issuer: {tokens.ISSUER}, keys: keys.json, audience: shop.internal}}
data:
  pii: {{owner: team-people}}
  pii.name: {{owner: team-people}}
"""
STRICT = """\
record:
  parameters: hash
  users: hash
  addresses: drop
  unknown_paths: drop
  classes: {pii: drop}
  operations:
    people:getOrder: {users: drop, addresses: keep}
"""
FILES = {
    "inward.yaml": SYSTEM,
    "people.yaml": API,
    "app.py": APP,
    "keys.json": tokens.key_set(SIGNER).decode(),
    "policies/people.cedar": POLICY.format(service="people"),
    "policies/direct.cedar": POLICY.format(service="direct"),
}
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"
SERVICES = ("people", "direct")


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    system = Guarded(tmp_path_factory.mktemp("people"), FILES)
    try:
        yield system.start()
        assert list(stop_and_look(system)) == []
    finally:
        system.destroy()


def token(subject: str = "ada", lasts: timedelta = timedelta()) -> str:
    return SIGNER.token(tokens.claims(datetime.now(UTC) + lasts, sub=subject))


def keep(system: Guarded, record: str) -> None:
    """Let the record keep what that says from now on."""
    before = len(system.events)
    system.write("inward.yaml", SYSTEM + record)
    system.event("policy", before)


def asked(system: Guarded, service: str, target: str, **headers: str) -> Call:
    return system.recorded(system.call(service, "till", "GET", target, **headers))


@pytest.mark.parametrize("service", SERVICES)
def test_a_call_is_recorded_with_its_user_its_address_and_its_span(people: Guarded, service: str) -> None:
    keep(people, "")
    call = asked(people, service, "/people/ad%C3%A4?x=1", txn_token=token(), traceparent=TRACEPARENT)
    assert (call.path, call.parameters, call.full_path) == ("/people/{name}", {"name": "ad%C3%A4"}, "/people/ad%C3%A4")
    assert (call.user, call.address, call.trace, call.span) == ("ada", "127.0.0.1", TRACE, SPAN)
    assert (call.operation, call.status, call.detail) == (f"{service}:getPerson", 200, None)
    unknown = asked(people, service, "/nowhere/7", txn_token=token())
    assert (unknown.path, unknown.parameters, unknown.operation) == ("/nowhere/7", {}, None)


@pytest.mark.parametrize("service", SERVICES)
def test_nobody_is_a_user_or_comes_from_elsewhere_by_saying_so(people: Guarded, service: str) -> None:
    keep(people, "")
    forged = tokens.Signer().token(tokens.claims(datetime.now(UTC)))
    claimed = {"x_user": "ada", "x_inward_guard": '{"user":"ada"}', "x_forwarded_user": "ada"}
    elsewhere = {"x_forwarded_for": "10.9.9.9", "forwarded": "for=10.9.9.9", "x_real_ip": "10.9.9.9"}
    envoys = {"x_envoy_external_address": "10.9.9.9", "x_envoy_original_dst_host": "10.9.9.9:1"}
    for headers in ({}, {"txn_token": forged}, {"txn_token": token(lasts=timedelta(hours=-1))}):
        call = asked(people, service, "/people/1", **headers, **claimed, **elsewhere, **envoys)
        assert (call.status, call.user, call.address) == (200, None, "127.0.0.1")


def test_a_failed_handshake_has_an_address_of_its_own(people: Guarded) -> None:
    keep(people, "")
    for service in SERVICES:
        with people.connect(service, None) as connection:
            assert connection.answer().status == 0

    def refused() -> list[Call]:
        return [call for call in people.calls() if call.reason == "bad_identity"]

    calls = eventually("both are recorded", lambda: len(found := refused()) == len(SERVICES) and found)
    assert {call.address for call in calls} == {"127.0.0.1"}
    assert all("127.0.0.1" not in (call.detail or "") for call in calls)


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_not_to_be_kept_is_not(people: Guarded, service: str) -> None:
    keep(people, STRICT)
    call = asked(people, service, "/people/ada/orders/42", txn_token=token())
    assert (call.path, call.full_path) == ("/people/{name}/orders/{number}", f"/people/{{name}}/orders/{hashed(call)}")
    assert call.parameters.keys() == {"number"}
    again = asked(people, service, "/people/eve/orders/42", txn_token=token())
    assert again.parameters == call.parameters
    assert asked(people, service, "/people/eve/orders/43").parameters != call.parameters
    if service == "people":
        assert (call.user, call.address) == (None, "127.0.0.1")
    other = asked(people, service, "/people/ada", txn_token=token())
    assert (other.parameters, other.address, other.path) == ({}, None, "/people/{name}")
    assert re.fullmatch(r"hash#[0-9a-f]{32}", other.user or "")
    assert other.user == asked(people, service, "/people/eve", txn_token=token()).user
    count = len(people.calls())
    targets = ("/nowhere/ada", "/people/ada/more", "/people//ada", "/people/ada%2Fb", "/people/%61da", "/people/ada;b")
    for target in targets:
        people.call(service, "till", "GET", target)
    asked(people, service, "/people/fence")
    recorded = people.calls()[count:]
    assert len(recorded) == len(targets) + 1
    assert {each.path for each in recorded} <= {None, "/people/{name}"}
    assert "ada" not in repr(recorded)
    told = people.inward("explain", other.id).stdout
    assert "ada" not in told.replace(people.folder.name, "")


def hashed(call: Call) -> str:
    text = call.parameters["number"]
    assert text.startswith(HASHED)
    return text


def test_a_path_that_resembles_an_operation_tells_no_more_than_its_calls(people: Guarded) -> None:
    """What no callee took, and what was refused before it was an operation, is kept no better."""
    keep(people, "record: {classes: {pii.name: drop}}\n")
    right = wire.basic(people.running("people").credential)
    for target in ("/people/ada", "/people/%61da"):
        with wire.Connection.plain(people.egress("people")) as connection:
            wrong = connection.call("GET", f"http://people{target}", host="people", proxy_authorization="Basic eDp5")
            assert people.recorded(wrong).path is None
    with wire.Connection.plain(people.egress("people")) as connection:
        seen = connection.call("GET", "http://nobody/people/ada", host="nobody", proxy_authorization=right)
        assert people.recorded(seen).path == "/people/ada"  # which is of no service here
    refused = people.recorded(people.call("people", "till", "DELETE", "/people/ada"))
    assert (refused.reason, refused.path) == ("unknown_operation", None)
    assert people.recorded(people.call("people", "till", "DELETE", "/elsewhere/ada")).path == "/elsewhere/ada"


def test_a_change_of_what_is_kept_is_in_the_record(people: Guarded) -> None:
    keep(people, "record: {users: drop}\n")
    keep(people, "")
    acts = [json.loads(line) for line in people.inward("calls", "--acts", "--json").stdout.splitlines()]
    changes = [act for act in acts if act["what"] == "policy" and "what the record keeps was changed" in act["detail"]]
    assert len(changes) >= 2


@pytest.mark.parametrize("service", SERVICES)
def test_no_query_body_token_or_cookie_gets_into_the_record(people: Guarded, service: str) -> None:
    keep(people, "")
    secret = f"{SECRET}-{service}"
    valid, invalid = token(), f"{token()}{secret}"
    headers = {
        "authorization": f"Bearer {secret}",
        "cookie": f"session={secret}",
        "x_api_key": secret,
        "x_request_id": secret,
        "referer": f"http://a/?{secret}",
        "user_agent": secret,
        "tracestate": f"a={secret}",
        "traceparent": f"01-{TRACE}-{SPAN}-01-{secret}",
    }
    answers = [
        people.call(service, "till", method, f"/people/1?token={secret}", body=body, txn_token=sent, **headers)
        for method, body in (("GET", ""), ("POST", secret), ("PATCH", secret))
        for sent in (valid, invalid)
    ]
    with wire.Connection.plain(people.egress("people")) as connection:
        address = f"http://user:{secret}@nobody/x?{secret}"
        answers.append(connection.call("GET", address, host="nobody", proxy_authorization=f"Basic {secret}", **headers))
    for target in (f"/people/1?{secret}#{secret}", f"/people/1#{secret}"):  # which no reference is given for
        people.call(service, "till", "GET", target, **headers)
    answers.append(people.call(service, "till", "GET", "/people/fence"))
    for answer in answers:
        people.recorded(answer)
    tear(people, service, secret)
    files = [path for path in people.layout.record.rglob("*") if path.is_file()]
    stored = [line for path in files for line in path.read_bytes().splitlines()]
    assert len(stored) > len(answers)
    signature = valid.rpartition(".")[2]
    assert [line for line in stored if secret.encode() in line or signature.encode() in line] == []


def tear(system: Guarded, service: str, secret: str) -> None:
    """Let a line of its log end in the midst of what a client sent."""
    log = LogFolder(system.layout.log(service), "access" if service == "people" else "guard")
    before = len(system.gaps())
    line = f'{{"a":"user:{secret}@host","e":"i","id":"6f9a","m":"GET","p":"/people/{secret}","tp":"{secret}\n'
    with log.symlink.open("ab") as file:
        file.write(line.encode())
    found = eventually("the torn line is a gap", lambda: system.gaps()[before:])
    assert found[0].detail == "reference 6f9a, method GET"
