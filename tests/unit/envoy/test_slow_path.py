"""The slow path: who asks, what about, and that nothing unclear is ever allowed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.envoy import shop

from inward.catalog.model import Mode
from inward.envoy.resources.slow_filter import ENFORCING_FILTER, slow_filters, slow_route
from inward.envoy.slow_path import SlowPath
from inward.policy.decision import Decision, Reason

if TYPE_CHECKING:
    from inward.catalog.model import Catalog
    from inward.policy.request import Request

CHECKOUT = f"{shop.ID}/checkout"
FORWARDED = f"By={shop.ID}/orders;Hash=00ff;URI={CHECKOUT}"
OPERATION = "orders:GET /orders/{id}"


class Engine:
    """Answers as it is told to, and remembers what it was asked."""

    def __init__(self, answer: Decision | Exception) -> None:
        self.answer = answer
        self.asked: list[Request] = []

    def decide(self, request: Request, now: datetime) -> Decision:
        assert now.tzinfo is not None
        self.asked.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@dataclass
class Policy:
    catalog: Catalog
    engine: Any


def policy(answer: Decision | Exception, mode: Mode = Mode.ENFORCE) -> Policy:
    operation = shop.operation("/orders/{id}", mode=mode)
    catalog = shop.catalog(shop.service(operation), shop.service(name="checkout"))
    return Policy(catalog, Engine(answer))


GRANTED = Decision(allowed=True, reason=Reason.GRANTED, policies=("a", "b"))
REFUSED = Decision(allowed=False, reason=Reason.CONDITION, policies=("a",))
HEADERS = ((b"x-forwarded-client-cert", FORWARDED.encode()), (b"x-inward-operation", OPERATION.encode()))


def asked(
    app: SlowPath, headers: tuple[tuple[bytes, bytes], ...] = HEADERS, path: bytes = b"/orders/1", query: bytes = b""
) -> tuple[int, str | None]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        raise AssertionError("nothing is to be received")

    scope = {"type": "http", "path": path.decode(), "raw_path": path, "query_string": query, "headers": list(headers)}
    asyncio.run(app(scope, receive, send))
    start, body = sent
    assert body == {"type": "http.response.body", "body": b""}
    told = dict(start["headers"]).get(b"x-inward-decision")
    return start["status"], told.decode() if told else None


@pytest.mark.parametrize(
    ("answer", "mode", "expected"),
    [
        (GRANTED, Mode.ENFORCE, (200, "granted:a,b")),
        (GRANTED, Mode.OBSERVE, (200, "granted:a,b")),
        (REFUSED, Mode.ENFORCE, (403, "condition:a")),
        (REFUSED, Mode.OBSERVE, (200, "condition:a")),
        (Decision(allowed=False, reason=Reason.BAD_PARAMETER), Mode.ENFORCE, (403, "bad_parameter")),
    ],
)
def test_a_decision_is_told_in_the_mode_of_the_route(answer: Decision, mode: Mode, expected: tuple[int, str]) -> None:
    # the catalog may be newer than the route: only the mode that the route tells counts
    current = policy(answer, Mode.OBSERVE if mode is Mode.ENFORCE else Mode.ENFORCE)
    headers = (*HEADERS, (b"x-inward-mode", mode.value.encode()))
    assert asked(SlowPath(lambda: current), headers, path=b"/orders/%41", query=b"region=eu&x=%zz") == expected
    (request,) = current.engine.asked
    assert (request.caller, request.operation, request.path) == ("checkout", OPERATION, "/orders/%41")
    assert request.query == "region=eu&x=%zz"


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("error", [RuntimeError("boom"), KeyError("x"), RecursionError(), MemoryError()])
def test_what_goes_wrong_is_no_decision_in_any_mode(
    mode: Mode, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def nothing() -> Policy:
        raise error

    for current in (lambda: policy(error, mode), nothing):
        status, told = asked(SlowPath(current))
        # Envoy takes an answer of the class 5xx for none at all, and refuses (`failure_mode_allow`)
        assert (status, told) == (503, None)
    assert "no decision" in caplog.text  # and whoever operates it finds out why


def test_envoy_refuses_where_there_is_no_answer() -> None:
    config = next(each for each in slow_filters() if each["name"] == ENFORCING_FILTER)["typed_config"]
    assert config["failure_mode_allow"] is False
    assert config["status_on_error"] == {"code": "ServiceUnavailable"}
    # only what the ingress itself wrote reaches the slow path beside method, host and path
    assert config["allowed_headers"] == {"patterns": [{"exact": "x-forwarded-client-cert"}]}


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ((), "unknown_operation"),
        (HEADERS[:1], "unknown_operation"),
        (HEADERS[1:], "unknown_caller"),
        ((*HEADERS, HEADERS[1]), "unknown_operation"),
        ((*HEADERS, (b"x-inward-operation", b"orders:other")), "unknown_operation"),
        ((*HEADERS, HEADERS[0]), "unknown_caller"),
        ((HEADERS[0], (b"x-inward-operation", b"\xff\xfe")), "unknown_operation"),
        ((HEADERS[0], (b"x-inward-operation", OPERATION.upper().encode())), "unknown_operation"),
        (((b"x-forwarded-client-cert", f"URI={shop.ID}/stranger".encode()), HEADERS[1]), "unknown_caller"),
    ],
)
def test_who_or_what_is_unclear_is_refused_before_any_policy(
    headers: tuple[tuple[bytes, bytes], ...], reason: str
) -> None:
    current = policy(GRANTED)
    assert asked(SlowPath(lambda: current), headers) == (403, reason)
    assert current.engine.asked == []


def test_nothing_but_http_is_answered() -> None:
    async def never(_: Any = None) -> Any:
        raise AssertionError("nothing is to be sent")

    asyncio.run(SlowPath(lambda: policy(GRANTED))({"type": "websocket"}, never, never))


def test_now_is_the_moment_of_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    current = policy(GRANTED)
    moments: list[datetime] = []

    def decide(_: Request, now: datetime) -> Decision:
        moments.append(now)
        return GRANTED

    monkeypatch.setattr(current.engine, "decide", decide)
    before = datetime.now(UTC)
    asked(SlowPath(lambda: current))
    assert before <= moments[0] <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("operation", "value"),
    [
        ("orders:getOrder", "orders:getOrder"),
        ("orders:GET /a%20b/{id}", "orders:GET /a%%20b/{id}"),
        ("a:100%", "a:100%%"),
    ],
)
def test_an_operation_is_no_command_to_envoy(operation: str, value: str) -> None:
    """Envoy 1.39 aborts at the first request of a route whose header value holds a `%` that begins no command."""
    route = slow_route(operation, Mode.ENFORCE)
    told, mode = route["config"]["check_settings"]["http_service"]["authorization_request"]["headers_to_add"]
    assert told == {"key": "x-inward-operation", "value": value}
    assert mode == {"key": "x-inward-mode", "value": "enforce"}
    assert route["disabled"] is False
    assert all(each["disabled"] for each in slow_filters())
