"""Telling a sink over real HTTP: in order, until it is taken, whatever the receiver does."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.unit.alerting.keeping.test_store import alert
from tests.unit.control.watching.receiver import Receiver

from inward.alerting.keeping.database import FILE, Database
from inward.alerting.keeping.store import AlertStore
from inward.alerting.sinks.configured import sinks_of
from inward.alerting.sinks.sink import Target
from inward.control.exporting.answer import Answer
from inward.control.watching import courier as couriers
from inward.control.watching.courier import Courier
from inward.control.watching.post import Poster
from inward.record.follow import Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from inward.alerting.keeping.store import Telling as ToTell
    from inward.alerting.sinks.sink import Request, Sink

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
SECRET = "whsec_" + "c2VjcmV0" * 6


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AlertStore]:
    made = AlertStore(Database(tmp_path / FILE))
    made.begin(NOW - timedelta(hours=1), Place(1, 0))
    yield made
    made.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


def sink_of(url: str, variable: str = "INWARD_ALERT_WEBHOOK") -> Sink:
    environment = {variable: f"{url}/secret-path", "INWARD_ALERT_WEBHOOK_SECRET": SECRET}
    (sink,) = sinks_of(environment, lambda _: ())
    return sink


class Telling:
    """A courier that takes some turns, and what it told."""

    def __init__(self, store: AlertStore, sink: Sink, *, seconds: float = 30.0) -> None:
        self.told: list[str] = []
        self._store, self._sink, self._seconds = store, sink, seconds
        store.pending(sink.name, 1)  # from now on

    def turns(self, count: int) -> list[float]:
        return asyncio.run(self._turns(count))

    async def _turns(self, count: int) -> list[float]:
        poster = Poster(self._sink.target, seconds=self._seconds)
        courier = Courier(self._sink, self._store, poster, self.told.append)
        courier._reminded = asyncio.get_running_loop().time()
        try:
            return [await courier.turn() for _ in range(count)]
        finally:
            await poster.close()


def subjects(receiver: Receiver) -> list[str]:
    return [body["data"]["caller"] for body in receiver.bodies]


def test_in_order_and_once(store: AlertStore, receiver: Receiver) -> None:
    telling = Telling(store, sink_of(receiver.url))
    store.commit(Place(1, 1), [alert(subject=name) for name in "abc"])
    assert telling.turns(4) == [0.0, 0.0, 0.0, couriers.IDLE_SECONDS]
    assert subjects(receiver) == ["a", "b", "c"]
    path, headers, _ = receiver.requests[0]
    assert path == "/secret-path"
    assert {"webhook-id", "webhook-timestamp", "webhook-signature"} <= headers.keys()
    assert telling.turns(1) == [couriers.IDLE_SECONDS]
    assert (len(receiver.requests), telling.told, store.sinks()) == (3, [], [("webhook", 0, None)])


@pytest.mark.parametrize("status", [500, 503, 401, 404, 429, 302])
def test_a_receiver_that_is_away_is_tried_again(store: AlertStore, receiver: Receiver, status: int) -> None:
    telling = Telling(store, sink_of(receiver.url))
    store.commit(Place(1, 1), [alert()])
    receiver.answers = [status, status, status]
    waits = telling.turns(4)
    assert [0.5 <= waits[0] <= 1, 1 <= waits[1] <= 2, 2 <= waits[2] <= 4, waits[3] == 0] == [True] * 4
    assert len({headers["webhook-id"] for _, headers, _ in receiver.requests}) == 1
    assert telling.told == [
        f"webhook is not told of alerts, which wait: it answers {status} said …",
        "webhook is told of alerts again",
    ]
    assert store.sinks() == [("webhook", 0, None)]


@pytest.mark.parametrize(
    ("status", "kind"), [(200, "taken"), (204, "taken"), (400, "unfit"), (422, "unfit"), (500, "away"), (302, "away")]
)
def test_what_an_answer_means_also_where_it_is_a_web_page(status: int, kind: str) -> None:
    async def answered() -> Answer:
        poster = Poster(Target("127.0.0.1", 1, tls=False, path="/T0/x"))
        try:
            return poster.understood(httpx.Response(status, headers={"content-type": "text/html"}), b"ok at /T0/x")
        finally:
            await poster.close()

    found = asyncio.run(answered())
    assert (found.kind, found.why) == (kind, "" if kind == "taken" else f"it answers {status} ok at …")


def test_it_waits_as_long_as_it_is_asked_to(store: AlertStore, receiver: Receiver) -> None:
    telling = Telling(store, sink_of(receiver.url))
    store.commit(Place(1, 1), [alert()])
    receiver.answers = [(429, "77"), (503, "999999999"), (503, "soon")]
    waits = telling.turns(3)
    assert waits[:2] == [77.0, 3600.0]
    assert waits[2] <= 4
    assert store.sinks()[0][1] == 1


def test_nobody_is_there(store: AlertStore) -> None:
    with Receiver() as gone:
        sink = sink_of(gone.url)
    telling = Telling(store, sink)
    store.commit(Place(1, 1), [alert()])
    assert telling.turns(1)[0] > 0
    assert "secret-path" not in telling.told[0]
    assert "webhook is not told of alerts, which wait: " in telling.told[0]


def test_one_that_accepts_and_never_answers(store: AlertStore) -> None:
    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while not writer.is_closing():
            writer.write(b"x: y\r\n")
            await asyncio.sleep(0.01)
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        gone.set()

    async def tell() -> float:
        async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            sink = sink_of(f"http://127.0.0.1:{port}")
            await asyncio.to_thread(store.pending, sink.name, 1)
            await asyncio.to_thread(store.commit, Place(1, 1), [alert()])
            poster = Poster(sink.target, seconds=0.3)
            wait = await Courier(sink, store, poster, told.append).turn()
            await poster.close()
            await asyncio.wait_for(gone.wait(), 10)
            return wait

    told: list[str] = []
    gone = asyncio.Event()
    assert asyncio.run(tell()) > 0
    assert told == ["webhook is not told of alerts, which wait: no answer within 0.3 s"]


def test_what_is_refused_is_given_up_only_where_others_are_taken(store: AlertStore, receiver: Receiver) -> None:
    telling = Telling(store, sink_of(receiver.url))
    store.commit(Place(1, 1), [alert(subject="bad")])
    receiver.refused = "bad"
    assert telling.turns(2)[1] > 0
    assert store.sinks()[0][1] == 1  # it waits: it may be the receiver
    store.commit(Place(1, 2), [alert(subject="good")])
    assert telling.turns(1) == [0.0]
    assert any("refuses to be told of alert" in text for text in telling.told)
    assert store.sinks()[0][1] == 0
    assert [kept.alert.caller for kept in store.find()] == ["bad", "good"] or len(store.find()) == 2


def test_slack_takes_many_and_is_not_told_of_acknowledgements(store: AlertStore, receiver: Receiver) -> None:
    telling = Telling(store, sink_of(receiver.url, "INWARD_ALERT_SLACK"))
    store.commit(Place(1, 1), [alert(subject=f"s{number}") for number in range(25)])
    store.acknowledge(alert(subject="s3").id, NOW, "ada", None)
    assert telling.turns(3) == [0.0, 0.0, couriers.IDLE_SECONDS]
    assert [body["text"].count("\n") + 1 for body in receiver.bodies] == [20, 5]


def test_alertmanager_is_told_again_while_it_is_open(store: AlertStore, receiver: Receiver) -> None:
    sink = sink_of(receiver.url, "INWARD_ALERTMANAGER")
    store.pending(sink.name, 1)
    store.commit(Place(1, 1), [alert(), alert(subject="b")])

    async def tell() -> None:
        poster = Poster(sink.target)
        courier = Courier(sink, store, poster, lambda _: None)
        for _ in range(3):
            await courier.turn()
        store.acknowledge(alert().id, NOW, "ada", None)
        courier._reminded -= couriers.REMIND_SECONDS
        for _ in range(2):
            await courier.turn()
        await poster.close()

    asyncio.run(tell())
    told = [[each["labels"]["caller"] for each in body] for body in receiver.bodies]
    assert told == [["checkout", "b"], ["checkout", "b"], ["checkout"], ["b"]]
    ended = receiver.bodies[2][0]
    assert ended["endsAt"] <= datetime.now(UTC).isoformat()


def test_a_courier_does_not_end_whatever_goes_wrong(store: AlertStore, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = sink_of("http://127.0.0.1:9")
    right = sink.request
    wrong = iter([ValueError("a time that is none")])
    told: list[str] = []

    def request(tellings: Sequence[ToTell], now: datetime) -> Request | None:
        for error in wrong:
            raise error
        return right(tellings, now)

    class Taking(Poster):
        async def post(self, _request: Request) -> Answer:
            return Answer("taken")

    async def turns() -> None:
        courier = Courier(sink, store, Taking(sink.target), told.append)
        for _ in range(2):
            await courier._turn_or_wait()

    monkeypatch.setattr(sink, "request", request)
    store.pending(sink.name, 1)
    store.commit(Place(1, 1), [alert(subject="a")])
    asyncio.run(turns())
    assert told == [
        "webhook is not told of alerts, which wait: ValueError: a time that is none",
        "webhook is told of alerts again",
    ]
    assert store.pending(sink.name, 9) == []
