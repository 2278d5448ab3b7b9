from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inward.control.attack.attempt import Sent
from inward.record.call import Call

if TYPE_CHECKING:
    from tests.unit.control.attack.conftest import MakeIntruder


class Recorded:
    """A record of one call."""

    def __init__(self, **fields: Any) -> None:
        given = {"time": "2026-01-01T00:00:00.000Z", "id": "r", "caller": "till", "callee": "orders"}
        given |= {"decision": "deny", "carried_out": "deny", "reason": "no_grant", "operation": "orders:getKeys"}
        self._call = Call(**(given | fields))

    def call(self, reference: str | None) -> Call | None:
        return self._call if reference == self._call.id else None

    def handshake(self, callee: str, port: int | None) -> Call | None:
        return None if port != 7 else self._call if callee == "orders" else None


ALLOWED = {"decision": "allow", "carried_out": "allow", "reason": "granted"}
OBSERVED = {"decision": "deny", "carried_out": "allow"}


def sent(status: int | None = 403, code: str | None = "no_grant", reference: str | None = "r", said: str = "") -> Sent:
    return Sent(status, code, reference, said=said)


@pytest.mark.parametrize(
    ("back", "recorded", "outcome", "why"),
    [
        (sent(), {}, "held", "no_grant"),
        (sent(200, None), OBSERVED, "open", "no_grant, and mode observe lets it through"),
        (sent(200, None), ALLOWED, "breached", "it was let through, and answered 200"),
        # the answer says that it was refused, and the record that it was not: a service that lies
        (sent(403, "no_grant"), ALLOWED, "breached", "it was let through, and answered 403"),
        # and the other way round
        (sent(200, None), {}, "breached", "recorded as refused, and answered 200"),
        (sent(200, None), ALLOWED | {"operation": None}, "breached", "it was let through, and answered 200"),
        (sent(200, None), ALLOWED | {"operation": "orders:getOrder"}, "held", "it was taken for `orders:getOrder`"),
        (
            sent(200, None),
            ALLOWED | {"operation": "orders:deleteOrder"},
            "breached",
            "let through as `orders:deleteOrder`",
        ),
        (sent(200, None), ALLOWED | {"caller": "office"}, "breached", "it was taken for `office`"),
        (sent(), {"caller": "office"}, "breached", "it was taken for `office`"),
        (sent(), {"id": "another"}, "breached", "the record does not have it"),
        (sent(200, None, None), {}, "breached", "the record does not have it"),
        (sent(400, "bad_request", None), {}, "held", "the parser of its own Envoy"),
        (sent(503, "unreachable"), {"reason": "unreachable"}, "untried", "unreachable"),
        (sent(407, "bad_credential"), {"reason": "bad_credential", "caller": None}, "untried", "bad_credential"),
        (sent(403, "quarantined"), {"reason": "quarantined"}, "untried", "quarantined"),
        (sent(None, None, None, "gone"), {}, "untried", "no answer: gone"),
    ],
)
def test_a_call_that_had_to_be_refused_is_judged_by_the_record(
    make_intruder: MakeIntruder, back: Sent, recorded: dict[str, Any], outcome: str, why: str
) -> None:
    intruder = make_intruder()
    operation = intruder.catalog.operations["orders:getKeys"]
    verdict = intruder.judged(back, Recorded(**recorded), operation)
    assert (verdict.outcome, why in verdict.why) == (outcome, True), verdict
    assert verdict.gave_way == (outcome in {"breached", "open"})


def test_what_it_may_and_whom_it_is_worth_to_be_taken_for(make_intruder: MakeIntruder) -> None:
    intruder = make_intruder()
    (orders,) = intruder.callees
    assert [each.name for each in intruder.refused(orders)] == ["deleteOrder", "getKeys"]
    assert [each.name for each in intruder.granted(orders)] == ["getOrder"]
    assert intruder.path(intruder.granted(orders)[0]) == "/orders/0"
    assert intruder.victim(intruder.catalog.operations["orders:getKeys"]) == "office"


def test_what_would_change_something_has_a_body_of_no_use(make_intruder: MakeIntruder) -> None:
    intruder = make_intruder()
    request = intruder.outgoing("orders", "DELETE", "/orders/0").render("c")
    assert b"content-type: text/plain\r\n" in request
    assert b"user-agent: inward-attack/" in request
    message = intruder.outgoing("orders", "POST", "/shop.Orders/Get", rpc=True).render("c")
    assert message.endswith(b"content-length: 5\r\n\r\n\0\0\0\0\0")
    assert b"content-type: application/grpc\r\n" in message
    assert intruder.outgoing("orders", "GET", "/").body is None
