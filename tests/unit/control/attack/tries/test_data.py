from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.control.attack.test_intruder import Recorded

from inward.control.attack.attempt import Sent
from inward.control.attack.tries.data import data, undisclosed_in
from inward.control.egress_client import Answer
from inward.identity.private_files import private_folder
from inward.record.call import Call
from inward.record.recorder import Recorder

if TYPE_CHECKING:
    from tests.unit.control.attack.conftest import MakeIntruder

WITHHELD: Any = {"pii": "drop", "pii.phone": "mask"}
ALL = ["what no view can be made of"]
ALLOWED = {"decision": "allow", "carried_out": "allow", "reason": "granted"}


def answer(body: bytes | Any, kind: str = "application/json", status: int = 200, **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = ((name.replace("_", "-"), value) for name, value in headers.items())
    return Answer(status, "", (("content-type", kind), *named), content, 0.0)


@pytest.mark.parametrize(
    ("given", "places"),
    [
        (answer({"id": 1, "lines": [{"phone": "****0101"}]}), []),
        (answer({"email": None, "lines": None}), []),
        (answer({"email": "ada@example.com"}), ["$.email"]),
        (answer({"email": "****"}), ["$.email"]),  # it was to be dropped
        (answer({"lines": [{"phone": "****0101"}, {"phone": "+46 8 555 0101"}]}), ["$.lines[*].phone"]),
        (answer({"lines": [{"phone": {"number": 1}}]}), ["$.lines[*].phone"]),
        (answer([{"email": "ada@example.com"}]), ["$[*].email"]),  # another form than declared
        (answer({"lines": "ada@example.com"}), ["$.lines"]),
        (answer(b""), []),
        (answer(b"<p>ada@example.com", "text/html"), ALL),
        (answer(b"{"), ALL),
        (answer(b"[" * 100_000), ALL),
        (answer(gzip.compress(b'{"email": "a"}'), content_encoding="gzip"), ["$.email"]),
        (answer(b"x", content_encoding="gzip"), ALL),
        (answer(b"x", content_encoding="br"), ALL),
        (answer(b'{"email": "a"}\n{"email": "b"}\n', "application/x-ndjson"), ["$.email", "$.email"]),
        (answer({"email": "a"}, status=500), ["$.email"]),  # an error page that nobody described
    ],
)
def test_what_should_have_been_withheld_is_found(make_intruder: MakeIntruder, given: Answer, places: list[str]) -> None:
    operation = make_intruder().catalog.operations["orders:getOrder"]
    assert undisclosed_in(given, operation, WITHHELD) == places


def test_nothing_is_found_where_nothing_is_withheld(make_intruder: MakeIntruder) -> None:
    operation = make_intruder().catalog.operations["orders:getOrder"]
    assert undisclosed_in(answer({"email": "a"}), operation, {}) == []


def test_an_answer_is_judged_by_what_it_holds(make_intruder: MakeIntruder) -> None:
    first, *others = data(make_intruder())
    assert first.target == "orders:getOrder"
    assert len(others) == 10
    shown = Sent(200, None, "r", shown=("$.email",))
    assert first.judge(shown, Recorded(**ALLOWED)).why == "the answer holds $.email"
    assert first.judge(shown, Recorded()).outcome == "held"  # refused all the same
    assert first.judge(Sent(404, None, "r"), Recorded(**ALLOWED)).outcome == "untried"
    held = first.judge(Sent(200, None, "r"), Recorded(**ALLOWED, withheld=("pii",)))
    assert (held.outcome, held.why) == ("held", "withheld: pii")


def test_what_is_observed_withholds_nothing(make_intruder: MakeIntruder) -> None:
    first = next(data(make_intruder(mode="mode: observe,")))
    assert first.judge(Sent(200, None, "r", shown=("$.email",)), Recorded(**ALLOWED)).outcome == "open"


def test_an_object_that_there_is_is_asked_for(make_intruder: MakeIntruder) -> None:
    intruder = make_intruder()
    call = Call(
        time=intruder.now.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        id="before",
        caller="till",
        callee="orders",
        operation="orders:getOrder",
        path="/orders/{id}",
        parameters={"id": "4711"},
        status=200,
        decision="allow",
        carried_out="allow",
        reason="granted",
    )
    with Recorder(private_folder(intruder.layout.record)) as recorder:
        recorder.append([call], [])
    asked: list[str] = []

    def take(outgoing: Any) -> Any:
        asked.append(outgoing.target.decode())
        raise OSError

    object.__setattr__(intruder, "ask", take)
    for attempt in data(intruder):
        assert attempt.send is not None
        attempt.send()
    assert set(asked) == {"/orders/4711"}
