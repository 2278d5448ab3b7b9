"""A service that takes calls without an Envoy in front, called through the Envoys of others, as any service is."""

from __future__ import annotations

import json
import os
import signal
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from tests import forge
from tests.system import wire
from tests.system.company import TRUST_DOMAIN
from tests.system.guarded import Guarded, eventually, stop_and_look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRET = "ada@example.com"
APP = """\
import asyncio

from fastapi import FastAPI, Request

from inward.guard.current import current_call
from inward.guard.httpx import AsyncClient

app = FastAPI(openapi_url=None)


@app.get("/people/{id}")
async def get_person(id: str, request: Request):
    if id == "slow":
        await asyncio.sleep(60)
    if id == "onward":
        async with AsyncClient() as client:
            return {"seen": (await client.get("http://people/people/headers")).json()["headers"]}
    return {"id": id, "email": "ada@example.com", "caller": current_call().caller, "headers": dict(request.headers)}
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
              schema: {type: object, properties: {email: {type: string, x-inward-data: pii}}}
"""
POLICY = """\
@id("callers") @reason("they show people")
permit (principal in Group::"callers", action == Action::"people:getPerson", resource == Service::"people");
"""
FILES = {
    "inward.yaml": f"""\
trust_domain: {TRUST_DOMAIN}
services:
  people:
    owner: team-people
    groups: [callers]
    api: people.yaml
    listen: 127.0.0.1:0
    run: python -m inward.guard.serve people:app
    guard: tls
  till:
    owner: team-till
    groups: [callers]
    run: sleep 3600
data:
  pii: {{owner: team-people}}
""",
    "people.yaml": API,
    "people.py": APP,
    "policies/people.cedar": POLICY,
}
LIFETIMES = {"INWARD_SVID_TTL": "4", "INWARD_CA_TTL": "12", "INWARD_BACKDATE": "2"}  # seconds


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    system = Guarded(tmp_path_factory.mktemp("people"), FILES)
    try:
        yield system.start()
        assert list(stop_and_look(system)) == []
    finally:
        system.destroy()


def through_egress(system: Guarded, target: str, **headers: str) -> wire.Answer:
    """Call as the till does."""
    with wire.Connection.plain(system.egress("till")) as connection:
        return ask(connection, system, target, **headers)


def ask(connection: wire.Connection, system: Guarded, target: str, **headers: str) -> wire.Answer:
    right = wire.basic(system.running("till").credential)
    return connection.call("GET", f"http://people{target}", host="people", proxy_authorization=right, **headers)


def test_a_service_calls_it_through_its_own_envoy(people: Guarded) -> None:
    seen = through_egress(people, "/people/1", x_forwarded_client_cert="URI=spiffe://x/people", x_inward_guard="{}")
    shown = json.loads(seen.body)
    assert (seen.status, shown["caller"]) == (200, "till")
    assert "email" not in shown
    assert shown["headers"]["x-forwarded-client-cert"] == f"URI={people.spiffe_id('till')}"
    assert "x-inward-guard" not in shown["headers"]
    recorded = people.recorded(seen)
    assert (recorded.caller, recorded.operation, recorded.policies) == ("till", "people:getPerson", ("callers",))
    assert (recorded.decision, recorded.withheld, recorded.status) == ("allow", ("pii",), 200)
    assert recorded.policy_version == json.loads(people.inward("status", "--json").stdout)["policy"]


def test_only_it_answers_at_its_address_and_only_to_whom_it_knows(people: Guarded) -> None:
    assert people.call("people", "till", "GET", "/people/1").status == 200
    refused = people.call("people", "nobody", "GET", "/people/1")
    assert (refused.status, people.recorded(refused).reason) == (403, "unknown_caller")
    with people.connect("people", None) as connection:
        assert connection.call("GET", "/people/1", host="people").status == 0
    stranger = wire.Identity.of(forge.foreign_ca(people.issuer, people.spiffe_id("till")), people.folder)
    with people.connect("people", stranger) as connection:
        assert connection.call("GET", "/people/1", host="people").status == 0
    eventually("both are recorded", lambda: [call.reason for call in people.calls()].count("bad_identity") == 2)


def test_what_it_cannot_read_is_refused_and_recorded(people: Guarded) -> None:
    refused = people.call("people", "till", "GET", "/people/..%2f..%2fhidden")
    assert (refused.status, refused.code) == (400, "bad_request")
    assert people.recorded(refused).enforcer == "guard"
    unknown = through_egress(people, "/hidden")
    assert (unknown.status, people.recorded(unknown).reason) == (403, "unknown_operation")


def test_a_change_of_the_policy_is_in_force_at_once(people: Guarded) -> None:
    assert through_egress(people, "/people/1").status == 200
    narrower = POLICY.replace('principal in Group::"callers"', 'principal == Service::"people"')
    people.write("policies/people.cedar", narrower)
    eventually("it is refused", lambda: through_egress(people, "/people/1").status == 403)
    people.write("policies/people.cedar", POLICY)
    eventually("it is allowed", lambda: through_egress(people, "/people/1").status == 200)


def test_quarantine_holds_before_the_command_has_ended(people: Guarded) -> None:
    with wire.Connection.plain(people.egress("till")) as connection:
        assert ask(connection, people, "/people/1").status == 200
        done = people.inward("quarantine", "till")
        refused = ask(connection, people, "/people/1")
        assert (refused.status, refused.code) == (403, "quarantined")
        assert "till is in quarantine: enforced by 1 of 1 enforcers" in done.stdout
        assert people.recorded(refused).reason == "quarantined"
        people.inward("quarantine", "till", "--release")
        assert ask(connection, people, "/people/1").status == 200


def test_trace_and_end_user_go_on_with_the_calls_of_a_handler(people: Guarded) -> None:
    token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmVk"
    trace = "0af7651916cd43dd8448eb211c80319c"
    sent = {"traceparent": f"00-{trace}-b7ad6b7169203331-01", "txn_token": token}
    answer = through_egress(people, "/people/onward", **sent)
    seen = json.loads(answer.body)["seen"]
    assert seen["txn-token"] == token
    assert seen["traceparent"].startswith(f"00-{trace}-")
    assert seen["traceparent"] != sent["traceparent"]
    people.recorded(answer)
    hops = eventually("two hops", lambda: len(found := [c for c in people.calls() if c.trace == trace]) == 2 and found)
    assert {(call.caller, call.full_path) for call in hops} == {
        ("till", "/people/onward"),
        ("people", "/people/headers"),
    }
    state = [path for path in people.layout.state.rglob("*") if path.is_file()]
    assert [path for path in state if token.encode() in path.read_bytes()] == []


def test_what_was_answered_before_a_kill_is_recorded_once(guard: Callable[..., Guarded]) -> None:
    system = guard(FILES).start()
    answered: list[str] = []
    stop = threading.Event()

    def keep_calling() -> None:
        while not stop.is_set():
            answer = through_egress(system, f"/people/{len(answered)}")
            if answer.status == 200:
                answered.append(answer.header("x-request-id") or "")

    threads = [threading.Thread(target=keep_calling) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        eventually("calls go on", partial(_reached, answered, len(answered) + 10))
        os.kill(system.pid("people"), signal.SIGKILL)
    eventually("calls go on", partial(_reached, answered, len(answered) + 10))
    stop.set()
    for thread in threads:
        thread.join()
    ids = eventually("all are recorded", lambda: set(answered) <= {call.id for call in system.calls()} and _ids(system))
    assert len(ids) == len(set(ids))


def _reached(answered: list[str], count: int) -> bool:
    return len(answered) >= count


def _ids(system: Guarded) -> list[Any]:
    return [(call.id, call.enforcer) for call in system.calls()]


def test_no_call_fails_while_identities_rotate(guard: Callable[..., Guarded]) -> None:
    system = guard(FILES, LIFETIMES).start()
    serials: set[int] = set()
    count = 0
    with wire.Connection.plain(system.egress("till")) as kept:
        while len(serials) < 4:
            for answer in (ask(kept, system, "/people/1"), through_egress(system, "/people/1")):
                assert answer.status == 200
                count += 1
            serials.add(system.layout.service("people").path.joinpath("tls", "svid.pem").stat().st_ino)
    eventually("all are recorded", lambda: len(system.calls()) >= count)
    assert {call.reason for call in system.calls()} == {"granted"}
