"""Each detector is provoked once on the example company, with all of its services and their own traffic running.

It is as published, but that one operation of a service that only observes is in no document; what was usual stands in
a record that is there before the start.
"""

from __future__ import annotations

import contextlib
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests import forge
from tests.system.guarded import Guarded, TimeOutError, eventually, stop_and_look
from tests.system.test_alerts import DAYS, call_from, write

from inward.alerting.registry import REGISTRY
from inward.authority.ca import Authority
from inward.authority.keys import FolderKeyStore
from inward.record.call import Call, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.system import wire

SHOP = Path(__file__).resolve().parents[2] / "examples" / "shop"
DOMAIN = "shop.internal"
START_SECONDS = 120.0
SEASON_SECONDS = 150.0  # a bucket of a minute is judged when the stream is past it
FLOOD = 400  # calls
ALERTS = """
alerts:
  detectors:
    after-quarantine: {grace_seconds: 0}
    forgotten-operation: {days: 5}
    volume: {minutes: 1}
    data-volume: {minutes: 1, kilobytes: 5}
"""


class Shop(Guarded):
    """The example company in a folder of its own."""

    @property
    def issuer(self) -> forge.Issuer:
        return forge.issuer_of(Authority(DOMAIN, FolderKeyStore(self.layout.run / "authority")))

    def spiffe_id(self, service: str) -> str:
        return f"spiffe://{DOMAIN}/{service}"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    folder = tmp_path / "shop"
    shutil.copytree(SHOP, folder, ignore=shutil.ignore_patterns(".inward", "__pycache__"))
    with (folder / "inward.yaml").open("a") as file:
        file.write(ALERTS)
    api = folder / "apis" / "shipping.yaml"
    before, _, after = api.read_text().partition("  /shipments/{shipment}:\n")
    api.write_text(before + "components:" + after.partition("components:")[2])  # what it has, and nobody documented
    system = Shop(folder, {})
    write(system.layout.record, list(history(datetime.now(UTC))))
    try:
        system.launch()
        system.event("ready", seconds=START_SECONDS)
        yield system
        assert list(stop_and_look(system)) == []
    finally:
        system.destroy()
        shutil.rmtree(system.layout.run, ignore_errors=True)


def history(now: datetime) -> Iterator[Call]:
    """What was usual: the storefront reads the account of some customer now and then."""
    for number in range(DAYS * 24 * 6):
        yield Call(
            time=timestamp(now - timedelta(days=DAYS) + number * timedelta(minutes=10)),
            id=f"old-{number}",
            caller="storefront",
            callee="customers",
            operation="customers:getCustomer",
            method="GET",
            path="/v1/customers/{customer}",
            parameters={"customer": f"c-{1 + number % 3}"},
            address="127.0.0.1",
            decision="allow",
            carried_out="allow",
            reason="granted",
            policies=("sellers-read-customers",),
            status=200,
            bytes_out=150,
        )


def silent(system: Guarded) -> set[str]:
    """Return the detectors of which no alert was told yet."""
    return set(REGISTRY) - {event["alert"]["detector"] for event in system.events if event["event"] == "alert"}


@pytest.mark.long
def test_each_detector_once(shop: Shop) -> None:
    for address in ("127.0.0.1", "127.77.0.1", "127.0.0.1"):  # two-places
        assert _account(shop, address).status == 200
    for callee, target in (  # probing
        ("orders", "/orders?limit=5"),
        ("orders", "/no/such/thing"),
        ("customers", "/v1/customers"),
        ("payments", "/cards/tok-ada"),
        ("products", "/admin"),
    ):
        assert shop.call(callee, "checkout", "GET", target).status == 403
    # first-seen-edge, and an operation that nobody called since the record began
    assert shop.call("customers", "reporting", "GET", "/v1/statistics").status == 200
    # undocumented-operation: it only observes, so what no document has reaches it
    assert shop.call("shipping", "checkout", "GET", "/shipments/S-1042").status == 200
    # lateral-movement: shipping is reached, and soon tries what it never did
    shop.recorded(shop.call("shipping", "storefront", "GET", "/shipments"))
    assert shop.call("payments", "shipping", "GET", "/cards/tok-ada").status == 403
    # after-quarantine
    assert shop.inward("quarantine", "reporting", "--yes").returncode == 0
    assert shop.call("customers", "reporting", "GET", "/v1/statistics").status == 403
    # enumeration; and volume and data volume, once two minutes of it are over
    with shop.connect("customers", "storefront") as connection:

        def flood() -> bool:
            for number in range(FLOOD):
                customer = f"c-{1 + number % 4}" if number % 2 else f"c-{1000 + number}"
                assert connection.call("GET", f"/v1/customers/{customer}", host="customers").status in {200, 404}
            return not silent(shop)

        with contextlib.suppress(TimeOutError):
            eventually("every detector fires", flood, SEASON_SECONDS)
    assert silent(shop) == set()


def _account(system: Guarded, address: str) -> wire.Answer:
    return call_from(system, address, "storefront", "/v1/customers/c-1", "customers")
