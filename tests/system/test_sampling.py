"""Sampling: what answers hold that nobody declared is found, nothing of it is kept, and no call pays for it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from tests.system.guarded import Guarded, eventually, stop_and_look
from tests.system.leaky import answer_to

from inward.control.run.services import SAMPLER
from inward.envoy.tap import MAX_ANSWERS, MAX_BODY
from inward.spotting.history import load_history
from inward.spotting.tally import Count, NotLooked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

APP = Path(__file__).parent / "leaky.py"
MARK = "grasmere7431"
IN_REQUESTS = "windermere9052"  # what only requests have
SYSTEM = {
    "inward.yaml": f"""\
trust_domain: company.test
services:
  orders:
    owner: team-orders
    api: orders.yaml
    listen: 127.0.0.1:0
    mode: observe
    run: python {APP} {{socket}} {MARK}
  archive:
    owner: team-orders
    api: orders.yaml
    listen: 127.0.0.1:0
    run: python {APP} {{socket}} {MARK}
    sample: 0
  reader: {{owner: team-readers}}
data:
  pii: {{owner: team-orders}}
""",
    "orders.yaml": """\
openapi: 3.1.0
info: {title: orders, version: '1'}
paths:
  /orders:
    get:
      operationId: listOrders
      responses: {'200': {description: all}}
  /orders/{id}:
    get:
      operationId: getOrder
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses:
        '200':
          description: one
          content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}
components:
  schemas:
    Order:
      properties:
        contact: {type: string, x-inward-data: pii}
        lines: {type: array, items: {properties: {note: {type: string}}}}
""",
    "policies/archive.cedar": """\
@id("reader-reads-the-archive")
@reason("it is tested")
permit (principal == Service::"reader", action == Action::"archive:getOrder", resource == Service::"archive");
""",
    "policies/orders.cedar": "",
}


@pytest.fixture(scope="module")
def leaky(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("leaky")
    system = Guarded(folder, SYSTEM, {"XDG_CACHE_HOME": str(folder / "cache")})
    try:
        yield system.start()
        assert list(stop_and_look(system)) == []
    finally:
        system.destroy()


def undeclared(system: Guarded) -> dict[str, Any]:
    ended = system.inward("data", "--undeclared", "--json")
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def counts(system: Guarded) -> dict[str, Count]:
    whole = load_history(system.layout.undeclared).whole()
    return {operation: count for (operation, _), count in whole.counts.items()}


def looked_at(system: Guarded) -> dict[str, int]:
    return {operation: count.answers for operation, count in counts(system).items()}


def call_until(system: Guarded, service: str, prefix: str, done: Callable[[], bool]) -> None:
    """Call until something is so: the sampler begins when it likes, and looks at some answers only."""
    numbers = iter(range(10_000))

    def look() -> bool:
        for _ in range(5):
            name = f"{prefix}{next(numbers)}"
            target = f"/orders/{name}?token={IN_REQUESTS}"
            answer = system.call(service, "reader", "GET", target, authorization=f"Bearer {IN_REQUESTS}")
            assert (answer.status, answer.body) == (200, answer_to(target, MARK)[0])
        return done()

    eventually("what was waited for", look, 40)


def files_below(*folders: Path) -> Iterator[Path]:
    for folder in folders:
        yield from (path for path in folder.rglob("*") if path.is_file())


def test_it_is_found_with_its_share_and_its_declaration_and_nothing_of_it_is_kept(leaky: Guarded) -> None:
    call_until(leaky, "orders", "", lambda: looked_at(leaky).get("orders:getOrder", 0) >= 5)
    call_until(leaky, "orders", "z", lambda: looked_at(leaky)["orders:getOrder"] >= 10)
    found = {each["path"]: each for each in undeclared(leaky)["undeclared"]}
    assert set(found) == {"$.lines[*].note", "$.*"}  # `contact` is declared, and a key that is data is no name
    note = found["$.lines[*].note"]
    assert (note["operation"], note["kind"], note["share"], note["sure"]) == ("orders:getOrder", "email", 1.0, True)
    (action,) = note["actions"]
    assert "$.components.schemas.Order.properties.lines.items.properties.note" in action

    checked = leaky.inward("check", "--json", "--no-cache")
    assert checked.returncode == 2
    told = [each for each in json.loads(checked.stdout)["findings"] if each["kind"] == "undeclared_data"]
    assert len(told) == 2
    assert all(each["file"] == "orders.yaml" for each in told)
    assert "$.lines[*].note" in str(told)
    shown = leaky.inward("data", "--undeclared")
    assert "$.lines[*].note" in shown.stdout
    assert "100%" in shown.stdout

    # it is in the answers, and in no file: not in the record, the logs, what processes print, the tallies, a cache
    state = list(files_below(leaky.folder, leaky.layout.run))
    assert any(path.name == "undeclared.json" for path in state)
    assert any(path.name == f"{SAMPLER}.txt" for path in state)
    for path in state:
        content = path.read_bytes()
        assert b"@lindqvist" not in content, path
        assert b"@key" not in content, path
        assert IN_REQUESTS.encode() not in content, path
    for output in (checked.stdout, shown.stdout, json.dumps(undeclared(leaky))):
        assert "lindqvist" not in output
        assert "key.test" not in output


def test_a_service_that_is_not_sampled(leaky: Guarded) -> None:
    before = looked_at(leaky).get("orders:getOrder", 0)
    for number in range(10):
        assert leaky.call("archive", "reader", "GET", f"/orders/{number}").status == 200
    call_until(leaky, "orders", "", lambda: looked_at(leaky).get("orders:getOrder", 0) >= before + 5)
    assert not any(operation.startswith("archive:") for operation in looked_at(leaky))


def test_a_sampler_that_hangs_holds_no_call_back_and_no_memory(leaky: Guarded) -> None:
    """Envoy keeps what nobody fetches: so many answers of a quarter of a megabyte at most, however many there were."""
    call_until(leaky, "orders", "", lambda: bool(looked_at(leaky)))
    envoy = psutil.Process(leaky.envoy_pid("orders"))
    sampler = leaky.pid(SAMPLER)
    expected = answer_to("/orders", MARK)[0]
    before = envoy.memory_info().rss
    os.kill(sampler, signal.SIGSTOP)
    try:
        for _ in range(4 * MAX_ANSWERS):
            answer = leaky.call("orders", "reader", "GET", "/orders")
            assert (answer.status, answer.body) == (200, expected)
        grown = envoy.memory_info().rss - before
    finally:
        os.kill(sampler, signal.SIGCONT)
    # as text in JSON a body is a third larger, and may be there twice while it is written
    assert grown < 4 * MAX_ANSWERS * MAX_BODY


def test_an_answer_that_is_too_large_is_told(leaky: Guarded) -> None:
    def told() -> bool:
        assert leaky.call("orders", "reader", "GET", "/orders").status == 200
        count = counts(leaky).get("orders:listOrders")
        return count is not None and count.not_looked[NotLooked.TOO_LARGE] > 0 == count.answers

    eventually("an answer that is too large", told)


def test_a_sampler_that_dies_is_started_again(leaky: Guarded) -> None:
    call_until(leaky, "orders", "", lambda: looked_at(leaky).get("orders:getOrder", 0) > 0)
    died = leaky.pid(SAMPLER)
    os.kill(died, signal.SIGKILL)
    eventually("another sampler", lambda: leaky.pid(SAMPLER) != died)
    before = looked_at(leaky)["orders:getOrder"]
    call_until(leaky, "orders", "", lambda: looked_at(leaky)["orders:getOrder"] > before)


def test_it_can_be_switched_off(guard: Callable[..., Guarded]) -> None:
    system = guard(SYSTEM, {"INWARD_SAMPLING": "0"}).start()
    assert SAMPLER not in json.loads(system.layout.processes.read_bytes())
    assert system.call("orders", "reader", "GET", "/orders/7").status == 200
    assert not system.layout.undeclared.exists()
