"""A running system sends its record on: real receivers take it, and the trace of a call goes on in it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from opentelemetry.proto.trace.v1.trace_pb2 import Span
from tests.receiver import Receiver, Reply, values
from tests.system.company import SMALL
from tests.system.guarded import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.receiver import Request
    from tests.system.guarded import Guarded

TRACED = Path(__file__).parent / "traced.py"


def test_the_trace_of_a_call_goes_on_in_a_real_receiver(guard: Callable[..., Guarded]) -> None:
    files = dict(SMALL)
    files["inward.yaml"] = SMALL["inward.yaml"].replace(
        "run: sleep 86400", f"run: python {TRACED} http://orders/orders/42 traced"
    )
    assert "traced.py" in files["inward.yaml"]
    with Receiver() as receiver:
        system = guard(files, {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "INWARD_OCSF_URL": f"{receiver.url}/ocsf"})
        system.start()
        noted = system.folder / "traced"
        trace, parent = eventually("the call", lambda: noted.read_text() if noted.exists() else "").split()
        (call,) = eventually(
            "it in the record", lambda: [each for each in system.calls() if each.trace == trace and each.status == 200]
        )
        refused = system.recorded(system.call("orders", "stranger", "GET", "/orders/7"))
        system.stop()  # which sends what is left

        found = [each for request in of(receiver, "/v1/traces") for each in request.spans()]
        ((resource, span),) = [each for each in found if values(each[1].attributes)["inward.id"] == call.id]
        assert (span.trace_id.hex(), span.parent_span_id.hex()) == (trace, parent)
        assert (resource["service.name"], resource["inward.trust_domain"]) == ("orders", "company.test")
        assert (span.name, span.kind) == ("GET /orders/{id}", Span.SPAN_KIND_SERVER)
        assert values(span.attributes)["url.path"] == "/orders/42"

        records = [record for request in of(receiver, "/v1/logs") for record in request.logs()]
        of_calls = {values(record.attributes).get("inward.id"): record for record in records}
        assert of_calls[call.id].span_id == span.span_id
        assert of_calls[refused.id].severity_text == "WARN"
        acts = [record.body.string_value for record in records if record.event_name == "inward.act"]
        assert acts[0].startswith("start ")
        assert acts[-1].startswith("stop ")

        events = [event for request in of(receiver, "/ocsf") for event in request.events()]
        assert [event["action_id"] for event in events if event["http_request"]["uid"] == refused.id] == [2]


def of(receiver: Receiver, path: str) -> list[Request]:
    return [request for request in receiver.taken if request.path == path]


def test_a_receiver_that_is_away_costs_no_call_and_is_shown(guard: Callable[..., Guarded]) -> None:
    away = True

    def behave(_: object) -> Reply:
        return Reply(503, body=b"not now") if away else Reply()

    with Receiver(behave) as receiver:
        system = guard(SMALL, {"INWARD_OCSF_URL": receiver.url, "INWARD_OCSF_HEADERS": "authorization=s3cret"}).start()
        answers = [system.call("orders", "reader", "GET", f"/orders/{number}") for number in range(20)]
        assert {answer.status for answer in answers} == {200}
        warning = system.event("warning", destination="ocsf")
        assert warning["text"] == "ocsf: nothing is sent, and waits in the record: it answers 503: not now"
        status = json.loads(system.inward("status", "--json").stdout)
        assert status["exports"]["ocsf"]["trouble"] == "it answers 503: not now"
        shown = system.inward("status").stdout
        assert "ocsf: nothing is sent" in shown
        assert "s3cret" not in shown + json.dumps(system.events) + system.errors

        system.kill()  # the place in the record outlives it
        away = False
        system.start()
        wanted = {system.recorded(answer).id for answer in answers}
        eventually("all of it", lambda: wanted <= set(sent(receiver)))
        assert len(sent(receiver)) == len(set(sent(receiver)))

    started = time.monotonic()
    system.call("orders", "reader", "GET", "/orders/1")  # nobody is there any more
    assert system.stop() == 0
    assert time.monotonic() - started < 30


def sent(receiver: Receiver) -> list[str]:
    return [event["http_request"]["uid"] for request in list(receiver.taken) for event in request.events()]
