"""What becomes of a copied answer: whose it is, what is counted of it, and when there were enough."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from inward.catalog.system import load_catalog
from inward.control.sampling import looking
from inward.control.sampling.looking import ENFORCED_SHARE, ENOUGH, Looker, share_of
from inward.envoy.tap import Tapped
from inward.spotting.kinds import Kind
from inward.spotting.tally import NotLooked

if TYPE_CHECKING:
    from pathlib import Path

    from inward.catalog.model import Catalog

ADA = "ada@lindqvist.test"
NOW = datetime(2026, 11, 26, 12, 30, tzinfo=UTC)
SYSTEM = """\
trust_domain: shop.test
services:
  orders: {owner: team, api: api.yaml, listen: 127.0.0.1:7001, mode: observe, sample: 0.25}
  watched: {owner: team, api: api.yaml, listen: 127.0.0.1:7002, mode: observe}
  held: {owner: team, api: api.yaml, listen: 127.0.0.1:7003}
  off: {owner: team, api: api.yaml, listen: 127.0.0.1:7004, sample: 0}
  caller: {owner: team}
  blank: {owner: team, listen: 127.0.0.1:7005, sample: 1}
data:
  pii: {owner: team}
"""
API = """\
openapi: 3.1.0
info: {title: orders, version: '1'}
paths:
  /orders/{id}:
    get:
      operationId: getOrder
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses:
        '200':
          description: one
          content: {application/json: {schema: {properties: {contact: {x-inward-data: pii}}}}}
"""


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    (tmp_path / "inward.yaml").write_text(SYSTEM)
    (tmp_path / "api.yaml").write_text(API)
    catalog, mistakes = load_catalog(tmp_path)
    assert mistakes == []
    assert catalog is not None
    return catalog


def tapped(
    answer: object, path: str = "/orders/7", method: str = "GET", status: int = 200, encoding: str = ""
) -> Tapped:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return Tapped(method, path, status, "application/json", encoding, body, truncated=False)


def test_the_share_is_what_the_system_says_or_fits_the_mode(catalog: Catalog) -> None:
    shares = {name: share_of(service) for name, service in catalog.services.items()}
    assert shares == {
        "orders": 0.25,
        "watched": 1.0,
        "held": ENFORCED_SHARE,
        "off": 0.0,
        "caller": 0.0,
        "blank": 0.0,  # nothing of it is described
    }


def test_an_answer_is_counted_for_its_operation_and_status(catalog: Catalog) -> None:
    looker = Looker(catalog)
    answer = {"contact": ADA, "note": f"for {ADA}", "card": "4111 1111 1111 1112"}
    looker.look("orders", tapped(answer), NOW)
    looker.look("orders", tapped(answer, status=404), NOW)
    looker.look("watched", tapped({}), NOW)
    counts = looker.history.whole().counts
    assert set(counts) == {("orders:getOrder", 200), ("orders:getOrder", 404), ("watched:getOrder", 200)}
    (found,) = counts["orders:getOrder", 200].having
    assert (found.place, found.kind) == ("$.note", Kind.EMAIL)
    assert [each.kind for each in counts["orders:getOrder", 200].resembling] == [Kind.CARD]
    assert ADA not in looker.history.encoded().decode()
    assert looker.history.since == NOW.date()


@pytest.mark.parametrize(
    ("service", "answer"),
    [
        ("nobody", tapped({"note": ADA})),
        ("orders", tapped({"note": ADA}, path="/orders/7/more")),
        ("orders", tapped({"note": ADA}, method="POST")),
        ("orders", tapped(b"")),
        ("caller", tapped({"note": ADA})),
    ],
)
def test_what_is_no_answer_of_a_documented_operation_is_nothing(catalog: Catalog, service: str, answer: Tapped) -> None:
    looker = Looker(catalog)
    looker.look(service, answer, NOW)
    assert looker.history.since is None


def test_what_is_not_looked_at_is_counted_with_the_reason(catalog: Catalog) -> None:
    looker = Looker(catalog)
    looker.look("orders", tapped(b"{}", encoding="br"), NOW)
    looker.look("orders", tapped(b"{"), NOW)
    count = looker.history.whole().counts["orders:getOrder", 200]
    assert count.answers == 0
    assert dict(count.not_looked) == {NotLooked.ENCODED: 1, NotLooked.UNREADABLE: 1}


def test_an_unforeseen_failure_is_counted_and_nothing_of_it_is_said(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(ADA)

    monkeypatch.setattr(looking, "look_at", fail)
    looker = Looker(catalog)
    looker.look("orders", tapped({"note": ADA}), NOW)
    assert looker.history.whole().counts["orders:getOrder", 200].not_looked == {NotLooked.FAILED: 1}
    assert capfd.readouterr() == ("", "")


def test_an_operation_is_left_alone_for_the_rest_of_the_hour(catalog: Catalog) -> None:
    looker = Looker(catalog)
    for _ in range(ENOUGH + 5):
        looker.look("orders", tapped({}), NOW)
    assert looker.history.whole().counts["orders:getOrder", 200].answers == ENOUGH
    assert [operation.id for operation in looker.known("orders", NOW)] == ["orders:getOrder"]
    assert looker.known("watched", NOW) == []
    later = NOW + timedelta(minutes=30)
    assert looker.known("orders", later) == []
    looker.look("orders", tapped({}), later)
    assert looker.history.whole().counts["orders:getOrder", 200].answers == ENOUGH + 1


def test_what_was_counted_is_taken_once(catalog: Catalog) -> None:
    looker = Looker(catalog)
    looker.look("orders", tapped({}), NOW)
    assert looker.take().since == NOW.date()
    assert looker.take().since is None
