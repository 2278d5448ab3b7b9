"""Quarantine: it only ever removes access, whoever changes it, and however many at once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.unit.envoy import shop

from inward.control.bundle import load_policy
from inward.control.quarantine import Quarantined, QuarantineError, apply_quarantine, change_quarantine, load_quarantine
from inward.control.run.services import prepare_folders
from inward.errors import InwardError

if TYPE_CHECKING:
    from pathlib import Path

    from inward.catalog.model import Catalog
    from inward.control.bundle import Policy
    from inward.control.layout import Layout

SINCE = "2026-08-01T12:00:00.000Z"


@pytest.fixture
def catalog(policy: Policy, layout: Layout) -> Catalog:
    """The catalog of a system of which Envoys for two services run here."""
    for name in ("orders", "checkout"):
        prepare_folders(name, layout)
    return policy.catalog


def add(layout: Layout, catalog: Catalog, name: str, reason: str = "r") -> list[str]:
    return change_quarantine(layout, catalog, Quarantined(name, SINCE, reason), None)


def refused(layout: Layout, service: str) -> set[str]:
    """Return whom the file of a service's Envoy refuses: SPIFFE IDs, or `*`."""
    content = msgspec.json.decode((layout.service(service).path / "quarantine.json").read_bytes())
    found = set()
    for _, value in shop.walk(content):
        if isinstance(value, dict) and "principal_name" in value:
            found.add(value["principal_name"]["exact"])
        if isinstance(value, list) and value == [{"any": True}] and "authenticated" not in shop.texts(content):
            found.add("*")
    return found


def test_it_reaches_every_envoy_that_there_is(layout: Layout, catalog: Catalog) -> None:
    assert sorted(add(layout, catalog, "checkout")) == ["checkout", "orders"]
    assert refused(layout, "orders") == {f"{shop.ID}/checkout"}
    assert refused(layout, "checkout") == {"*"}
    assert load_quarantine(layout) == {"checkout": Quarantined("checkout", SINCE, "r")}
    assert layout.quarantine.stat().st_mode & 0o777 == 0o600
    assert not layout.service("audit").path.exists()


def test_a_second_time_changes_nothing_and_keeps_when_and_why(layout: Layout, catalog: Catalog) -> None:
    add(layout, catalog, "checkout", "the first reason")
    assert add(layout, catalog, "checkout", "another reason") == []
    assert load_quarantine(layout)["checkout"].reason == "the first reason"
    assert apply_quarantine(layout, catalog) == []


def test_a_release_lets_it_take_part_again(layout: Layout, catalog: Catalog) -> None:
    add(layout, catalog, "checkout")
    assert sorted(change_quarantine(layout, catalog, None, "checkout")) == ["checkout", "orders"]
    assert (refused(layout, "orders"), refused(layout, "checkout"), load_quarantine(layout)) == (set(), set(), {})
    assert change_quarantine(layout, catalog, None, "checkout") == []


def test_one_that_was_taken_out_of_the_system_stays_cut_off(layout: Layout, catalog: Catalog, tmp_path: Path) -> None:
    """Its SVID is good for an hour more, and a callee in observe mode would let an unknown caller through."""
    add(layout, catalog, "monitor")
    files = shop.files()
    files["inward.yaml"] = files["inward.yaml"].replace("  monitor: {owner: team-checkout, run: monitor-app}\n", "")
    without = load_policy(shop.write(tmp_path / "other", files)).catalog
    assert "monitor" not in without.services
    apply_quarantine(layout, without)
    assert refused(layout, "orders") == {f"{shop.ID}/monitor"}


def test_many_at_once_lose_nothing(layout: Layout, catalog: Catalog) -> None:
    names = ["orders", "checkout", "monitor", "audit", "foreign"]
    barrier = threading.Barrier(len(names) + 1)

    def work(name: str | None) -> None:
        barrier.wait()
        for _ in range(5):
            if name:
                add(layout, catalog, name)
            else:
                apply_quarantine(layout, catalog)

    threads = [threading.Thread(target=work, args=(name,)) for name in (*names, None)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(load_quarantine(layout)) == set(names)
    assert refused(layout, "orders") == {"*"}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a":1}', b'{"a":{"service":"a"}}', b"\xff", b"[" * 200_000])
def test_a_damaged_list_releases_nobody(layout: Layout, catalog: Catalog, content: bytes) -> None:
    add(layout, catalog, "checkout")
    layout.quarantine.write_bytes(content)
    for attempt in (
        lambda: load_quarantine(layout),
        lambda: add(layout, catalog, "orders"),
        lambda: change_quarantine(layout, catalog, None, "checkout"),
        lambda: apply_quarantine(layout, catalog),
    ):
        with pytest.raises(QuarantineError) as raised:
            attempt()
        assert str(layout.quarantine) in raised.value.message
    assert refused(layout, "orders") == {f"{shop.ID}/checkout"}
    assert layout.quarantine.read_bytes() == content


@pytest.mark.parametrize("name", ["", "..", "a b", "../checkout"])
def test_a_name_that_is_none_releases_nobody_either(layout: Layout, catalog: Catalog, name: str) -> None:
    add(layout, catalog, "checkout")
    entries = {**load_quarantine(layout), name: Quarantined(name, SINCE, "")}
    layout.quarantine.write_bytes(msgspec.json.encode(entries))
    with pytest.raises(InwardError):
        apply_quarantine(layout, catalog)
    assert refused(layout, "orders") == {f"{shop.ID}/checkout"}
