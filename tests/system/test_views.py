"""A service without a guard, behind a real Envoy, as `inward up` starts it: its Envoy views its answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from tests.system.company import TRUST_DOMAIN
from tests.system.guarded import Guarded, eventually, stop_and_look
from tests.system.test_guard import API, DISCLOSED, POLICY, SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

APP = """\
import json, sys
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingMixIn, UnixStreamServer

PERSON = {"id": 1, "email": "ada@example.com", "phone": "+46 8 555 0101"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        page = self.path.endswith("page")
        body = b"<p>ada@example.com" if page else json.dumps(PERSON).encode()
        self.send_response(200)
        self.send_header("content-type", "text/html" if page else "application/json")
        self.send_header("x-inward-guard", '{"reason":"forbidden","withheld":["pii"]}')
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True


Server(sys.argv[1], Handler).serve_forever()
"""
FILES = {
    "inward.yaml": f"""\
trust_domain: {TRUST_DOMAIN}
services:
  people:
    owner: team-people
    api: people.yaml
    listen: 127.0.0.1:0
    run: python people.py {{socket}}
  till: {{owner: team-till, groups: [callers]}}
  office: {{owner: team-people, groups: [callers]}}
data:
  pii: {{owner: team-people}}
  pii.email: {{owner: team-people}}
  pii.phone: {{owner: team-people, undisclosed: tokenise}}
""",
    "people.yaml": API,
    "people.py": APP,
    "policies/people.cedar": POLICY.format(service="people") + DISCLOSED,
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
    assert (seen.status, shown["id"], "email" in shown, shown["phone"][:4]) == (200, 1, False, "tok_")
    recorded = people.recorded(seen)
    assert (recorded.decision, recorded.reason, recorded.withheld) == ("allow", "granted", ("pii.email", "pii.phone"))
    whole = people.call("people", "office", "GET", "/people/1")
    assert json.loads(whole.body)["email"] == SECRET
    assert people.recorded(whole).withheld == ()


def test_what_cannot_be_viewed_is_refused_and_recorded(people: Guarded) -> None:
    refused = people.call("people", "till", "GET", "/people/page")
    assert (refused.status, refused.code) == (502, "unviewable")
    assert SECRET.encode() not in refused.body
    recorded = people.recorded(refused)
    assert (recorded.enforcer, recorded.decision, recorded.carried_out) == ("ingress", "deny", "deny")
    assert (recorded.reason, recorded.withheld) == ("unviewable", ("pii.email", "pii.phone"))


def test_a_service_without_a_guard_cannot_speak_as_one(people: Guarded) -> None:
    for caller in ("till", "office"):
        seen = people.call("people", caller, "GET", "/people/2")
        assert seen.header("x-inward-guard") is None
        recorded = people.recorded(seen)
        assert (recorded.decision, recorded.enforcer) == ("allow", "ingress")


def test_a_disclosure_begins_and_ends_by_itself_and_with_its_grant(people: Guarded) -> None:
    def shown() -> bool:
        return SECRET.encode() in people.call("people", "till", "GET", "/people/3").body

    assert not shown()
    before = people.read("policies/people.cedar")
    until = datetime.now(UTC) + timedelta(seconds=8)
    more = DISCLOSED.replace("office-shown", "till-shown").replace('"office"', '"till"')
    more = f'@expires("{until:%Y-%m-%dT%H:%M:%SZ}") {more}'
    people.write("policies/people.cedar", before + more)
    eventually("the till is shown e-mail addresses", shown)
    eventually("the till is not shown them any more", lambda: not shown())
    assert datetime.now(UTC) >= until.replace(microsecond=0)
    people.write("policies/people.cedar", before)
