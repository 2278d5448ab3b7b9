"""`inward demo`: the example company behind Inward, with traffic."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import itertools
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import inward
from inward.cli.output import Table, print_commands, print_event, print_line, remark, styled
from inward.cli.traffic import Made, Planned, load_traffic, make
from inward.cli.up import Teller, keep_up, told_who_runs
from inward.cli.verdict import STYLES
from inward.control.layout import STATE, Layout
from inward.control.run.supervisor import Supervisor
from inward.control.run.up import Up
from inward.control.running import require_running
from inward.control.settings import Settings
from inward.errors import ExitCode, InwardError
from inward.identity.private_files import private_folder
from inward.record.lock import FolderLock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inward.cli.output import Cell
    from inward.control.run.events import Event

NEEDED = ("fastapi", "flask", "gunicorn", "httpx", "requests", "uvicorn")
TRICKLE_SECONDS = 3.0
READY_SECONDS = 180.0
_HEADINGS = ("caller → callee", "request", "outcome", "status", "", "why it is there")


class NoExamplesError(InwardError):
    """The example company, or what it is made of, is not installed."""

    code = "no_examples"


class UnexpectedError(InwardError):
    """The demonstration did not go as it should."""

    code = "unexpected"


def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the traffic. Exit 1: a call went otherwise.")] = False,
) -> int:
    """Start the example company behind Inward, send it traffic, and keep both going until Ctrl-C."""
    source = _example()
    with told_who_runs():
        folder = _copy(source, os.environ)
        return asyncio.run(_Demo(folder, load_traffic(source / "traffic.json"), once=once).run())


def _example() -> Path:
    found = Path(inward.__file__).resolve().parents[2] / "examples" / "shop"
    if not (found / "inward.yaml").is_file():
        raise NoExamplesError(
            "the example company is in the checkout, not in the installed package",
            hint="clone the repository and run `make demo`",
        )
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise NoExamplesError(f"the example company needs {', '.join(missing)}", hint="`make demo` installs them")
    return found


def _copy(source: Path, environment: Mapping[str, str]) -> Path:
    """Copy the example to where `allow` and the like can be tried without a change to the checkout."""
    state = environment.get("XDG_STATE_HOME", "")
    base = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    folder = base / "inward" / "demo" / source.name
    folder.mkdir(parents=True, exist_ok=True)
    with FolderLock(private_folder(folder / STATE)):
        for old in folder.iterdir():
            if old.name != STATE:
                shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
        ignored = shutil.ignore_patterns(STATE, "__pycache__")
        shutil.copytree(source, folder, dirs_exist_ok=True, ignore=ignored)
        # What a killed demonstration left is no clean start.
        asyncio.run(Supervisor(Layout.of(folder).processes, lambda *_: None).clear(set()))
    return folder


class _Demo:
    def __init__(self, folder: Path, planned: list[Planned], *, once: bool) -> None:
        self._layout = Layout.of(folder)
        self._planned = planned
        self._once = once
        self._ready = asyncio.Event()
        self._made: list[Made] = []
        self._teller = Teller(self._told)
        self._run = Up(self._layout, Settings.from_environment(os.environ), os.environ, self._teller)

    async def run(self) -> int:
        driver = asyncio.create_task(self._drive())
        try:
            await keep_up(self._run, self._teller)
        finally:
            driver.cancel()
            ended = (await asyncio.gather(driver, return_exceptions=True))[0]
        if isinstance(ended, Exception):
            raise ended
        finished = len(self._made) == len(self._planned) or not self._once
        return ExitCode.SUCCESS if finished and not any(made.wrong for made in self._made) else ExitCode.FAILURE

    def _told(self, event: Event) -> None:
        print_event(event, as_json=False)
        if event.kind == "ready":
            self._ready.set()

    async def _drive(self) -> None:
        """Make the planned calls, say what came of them, and go on with a trickle of them."""
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._ready.wait()
            await self._make_all()
            self._greet()
            if not self._once:
                await self._trickle()
        except TimeoutError:
            raise UnexpectedError(
                f"the services are not ready after {READY_SECONDS:.0f} seconds", hint="see what is said above of each"
            ) from None
        finally:
            if self._once or sys.exc_info()[0] not in {None, asyncio.CancelledError}:
                self._run.stop()

    async def _make_all(self) -> None:
        routes = [f"{each.caller} → {each.callee}" for each in self._planned]
        requests = [f"{each.method} {each.target}" for each in self._planned]
        print_line()
        outcomes = [_words(each.expect, each.reason or "") for each in self._planned]
        table = Table(_HEADINGS, right=(3,), widths=[max(map(len, texts)) for texts in (routes, requests, outcomes)])
        for planned, route, request in zip(self._planned, routes, requests, strict=True):
            made = await asyncio.to_thread(make, self._layout, require_running(self._layout), planned)
            self._made.append(made)
            table.add([_row(made, route, request)])

    def _greet(self) -> None:
        wrong = sum(bool(made.wrong) for made in self._made)
        print_line()
        if wrong:
            remark(styled(f"{wrong} of {len(self._made)} calls went otherwise than expected", "red"))
        else:
            refused = sum(made.became == "refused" for made in self._made)
            print_line(styled(f"{len(self._made)} calls, {refused} of them refused: all as expected", "green"))
        if self._once:
            return
        print_line(f"the company runs in a copy of the example, where you may change anything: {self._layout.system}")
        print_line("try, in another terminal:")
        print_commands(_commands(self._layout.system, self._made))
        print_line("the traffic goes on; Ctrl-C stops everything")

    async def _trickle(self) -> None:
        for planned in itertools.cycle(self._planned):
            await asyncio.sleep(TRICKLE_SECONDS)
            with contextlib.suppress(InwardError):
                await asyncio.to_thread(make, self._layout, require_running(self._layout), planned)


def _row(made: Made, route: str, request: str) -> list[Cell]:
    style = STYLES.get(made.became, "red")
    became = _words(made.became, made.reason)
    verdict = styled(f"NOT {made.wrong}", "red") if made.wrong else styled("as expected", "dim")
    return [
        route,
        request,
        styled(became, style),
        "" if made.status is None else str(made.status),
        verdict,
        made.planned.why,
    ]


def _words(became: str, reason: str) -> str:
    return f"{became}: {reason}" if became in {"refused", "observed"} else became


def _commands(folder: Path, made: list[Made]) -> list[tuple[str, str]]:
    """Return what to try next, with a comment each."""
    found = shutil.which("inward")
    program = Path(sys.argv[0]).absolute()
    own = (
        []
        if found and Path(found).resolve() == program.resolve()
        else [(f"alias inward={shlex.quote(str(program))}", "")]
    )
    refused = next((each.reference for each in made if each.became == "refused" and each.reason == "no_grant"), None)
    return [
        *own,
        (f"cd {shlex.quote(str(folder))}", ""),
        ("inward calls --denied", "what was refused; --follow to look on"),
        *([(f"inward explain {refused}", "why, and what would allow it")] if refused else []),
        ("inward call checkout GET 'http://orders/orders?limit=5'", "refused: nobody granted it"),
        (
            'inward allow checkout orders:listOrders --reason "the till shows the last orders"',
            "enforced at once: call again",
        ),
        ("inward quarantine checkout", "nobody can buy; --release ends it"),
        ("inward status", "what each Envoy enforces, read back from it"),
    ]
