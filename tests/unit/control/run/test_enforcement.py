"""What is written for every Envoy, in which order, and when it counts as enforced."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.unit.envoy import shop

from inward.control.quarantine import Quarantined, apply_quarantine, change_quarantine
from inward.control.run import enforcement as module
from inward.control.run.enforcement import Enforcement
from inward.control.run.services import Allocation, allocate, prepare_folders
from inward.envoy.admin import Admin, EnvoyAdminError
from inward.envoy.folder import VERSION_STATS, EnvoyFolder

if TYPE_CHECKING:
    from pathlib import Path

    from inward.control.bundle import Policy
    from inward.control.layout import Layout
    from inward.control.run.events import Event
    from inward.control.run.ports import Ports

FILES = ("clusters.json", "egress.json", "routes.json")


class Envoys:
    """Envoys that say what they enforce: what is in their folders, unless a test says otherwise."""

    def __init__(self) -> None:
        self.lagging: dict[str, str] = {}
        self.silent = False
        self.asked = 0

    async def versions(self, admin: Admin) -> dict[str, str]:
        self.asked += 1
        if self.silent:
            raise EnvoyAdminError("no answer")
        folder = EnvoyFolder(admin.socket.parent)
        folder.recall()
        return {VERSION_STATS[name]: self.lagging.get(name, version) for name, version in folder.written.items()}


class Rig:
    def __init__(self, layout: Layout, policy: Policy, ports: Ports) -> None:
        self.layout = layout
        self.told: list[Event] = []
        self.enforcement = Enforcement(layout, self.told.append)
        self.allocations: dict[str, Allocation] = {}
        for name, service in policy.catalog.services.items():
            if service.run:
                prepare_folders(name, layout)
                self.allocations[name] = allocate(service, layout, None, ports)

    def written(self, service: str, file: str) -> dict[str, object]:
        found: dict[str, object] = msgspec.json.decode((self.layout.service(service).path / file).read_bytes())
        return found

    def version(self, service: str, file: str = "routes.json") -> str:
        return str(self.written(service, file)["version_info"])

    def confirm(self, service: str, seconds: float = 5.0) -> str | None:
        return asyncio.run(self.enforcement.confirm(service, seconds))


@pytest.fixture
def envoys(monkeypatch: pytest.MonkeyPatch) -> Envoys:
    found = Envoys()
    monkeypatch.setattr(Admin, "versions", lambda admin: found.versions(admin))  # noqa: PLW0108 - so that it is a method
    monkeypatch.setattr(module, "POLL_SECONDS", 0)
    return found


@pytest.fixture
def rig(layout: Layout, policy: Policy, ports: Ports) -> Rig:
    return Rig(layout, policy, ports)


def test_every_envoy_gets_its_own_files_and_its_own_credential(rig: Rig, policy: Policy) -> None:
    rig.enforcement.apply(policy, rig.allocations)
    egresses = {name: msgspec.json.encode(rig.written(name, "egress.json")) for name in rig.allocations}
    assert len(set(egresses.values())) == len(rig.allocations) == 4
    for name in rig.allocations:
        assert all(rig.written(name, file)["resources"] for file in FILES)
        clusters = [text for text in shop.texts(rig.written(name, "clusters.json")) if text.startswith("service:")]
        assert {"service:orders", "service:audit", "service:foreign"} == set(clusters)


def test_clusters_are_there_before_routes_use_them(rig: Rig, policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    write = EnvoyFolder.write

    def writing(folder: EnvoyFolder, name: str, *arguments: object) -> bool:
        order.append(name)
        return write(folder, name, *arguments)  # type: ignore[arg-type]  # whatever it was given

    monkeypatch.setattr(EnvoyFolder, "write", writing)
    rig.enforcement.apply(policy, rig.allocations)
    assert max(index for index, name in enumerate(order) if name != "routes.json") < order.index("routes.json")


def test_what_did_not_change_is_not_written_again(rig: Rig, policy: Policy, tmp_path: Path) -> None:
    rig.enforcement.apply(policy, rig.allocations)
    before = {name: (rig.layout.service(name).path / "routes.json").stat().st_ino for name in rig.allocations}
    assert rig.version("orders").startswith(f"{policy.version}.")
    changed = shop.loaded(tmp_path / "other", {"policies/orders.cedar": shop.policy("other", caller="monitor")})
    rig.enforcement.apply(changed, rig.allocations)
    after = {name: (rig.layout.service(name).path / "routes.json").stat().st_ino for name in rig.allocations}
    assert {name for name in after if after[name] != before[name]} == {"orders"}
    assert rig.version("orders").startswith(f"{changed.version}.")
    assert rig.version("audit").startswith(f"{policy.version}.")  # the version under which it last changed


def test_a_run_after_this_one_writes_nothing_that_is_there(rig: Rig, policy: Policy) -> None:
    rig.enforcement.apply(policy, rig.allocations)
    before = {path: path.stat().st_ino for path in rig.layout.services.rglob("*.json")}
    Enforcement(rig.layout, rig.told.append).apply(policy, rig.allocations)
    assert {path: path.stat().st_ino for path in rig.layout.services.rglob("*.json")} == before


@pytest.mark.usefixtures("envoys")
def test_it_is_enforced_when_the_envoy_says_so(rig: Rig, policy: Policy) -> None:
    rig.enforcement.apply(policy, rig.allocations)
    assert rig.enforcement.enforced("orders") is None
    assert rig.confirm("orders") == rig.enforcement.enforced("orders") == policy.version
    assert rig.told == []


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("version", ["", "an older one"])
def test_one_file_that_is_not_taken_over_is_told(
    rig: Rig, policy: Policy, envoys: Envoys, file: str, version: str
) -> None:
    rig.enforcement.apply(policy, rig.allocations)
    envoys.lagging[file] = version
    assert rig.confirm("orders", 0.05) is None
    assert envoys.asked > 1
    assert rig.enforcement.enforced("orders") is None
    (warning,) = rig.told
    assert warning.kind == "warning"
    assert file in warning.text
    assert str(rig.layout.output("orders.envoy")) in warning.text


def test_an_envoy_that_does_not_answer_enforces_nothing_that_we_know(rig: Rig, policy: Policy, envoys: Envoys) -> None:
    rig.enforcement.apply(policy, rig.allocations)
    envoys.silent = True
    assert rig.confirm("orders", 0.05) is None
    assert "its admin interface does not answer" in rig.told[0].text


def test_a_quarantine_that_a_command_wrote_meanwhile_is_no_obstacle(rig: Rig, policy: Policy, envoys: Envoys) -> None:
    """The list is written by other processes too: what this one wrote of it last says nothing."""
    apply_quarantine(rig.layout, policy.catalog)
    rig.enforcement.apply(policy, rig.allocations)
    assert rig.confirm("orders") == policy.version
    change_quarantine(rig.layout, policy.catalog, Quarantined("monitor", "2026-08-01T12:00:00.000Z", "r"), None)
    assert rig.confirm("orders") == policy.version
    envoys.lagging["quarantine.json"] = "older"
    assert rig.confirm("orders", 0.05) is None
    assert "quarantine.json" in rig.told[0].text
