"""In every framework: whatever is left open is found by asking over the socket, and what is guarded is never run."""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from litestar import Litestar
from litestar import asgi as mounted_by_litestar
from starlette.applications import Starlette
from starlette.routing import Mount
from tests.contract.guard.frameworks import ASGI, WSGI, made
from tests.contract.guard.people import followed, handled
from tests.contract.guard.served import served
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from inward.control.probe.look import Outcome, look
from inward.control.probe.questions import questions_of
from inward.guard.asgi import Guard as ASGIGuard
from inward.guard.wsgi import Guard as WSGIGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from inward.catalog.model import Service
    from inward.guard.bundle import FollowedBundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> FollowedBundle:
    return followed(tmp_path_factory.mktemp("people"))


@pytest.fixture
def service(bundle: FollowedBundle) -> Service:
    return dataclasses.replace(bundle.follow().service, guarded=True)


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="inw") as folder:
        yield Path(folder) / "own.sock"


@pytest.fixture(autouse=True)
def _nothing_handled() -> None:
    handled.calls.clear()


def guarded(name: str, bundle: FollowedBundle) -> Any:
    return (ASGIGuard if name in ASGI else WSGIGuard)(made(name), bundle=bundle)


def looked(app: Any, path: Path, service: Service, name: str) -> Outcome:
    with served(app, path, asgi=name in ASGI) as socket:
        return asyncio.run(look(socket, service, questions_of(service)))


def dispatched(name: str, outside: Callable[[str], bool], inner: Any, outer: Any) -> Any:
    """Return what sends some paths to `outer`, and the others to `inner`."""

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        await (outer if outside(scope.get("path", "")) else inner)(scope, receive, send)

    def wsgi(environ: Any, start_response: Any) -> Any:
        return (outer if outside(environ["PATH_INFO"]) else inner)(environ, start_response)

    return asgi if name in ASGI else wsgi


@pytest.mark.parametrize("name", [*ASGI, *WSGI])
def test_what_is_guarded_refuses_all_and_tells_what_is_undocumented(
    name: str, bundle: FollowedBundle, service: Service, path: Path
) -> None:
    outcome = looked(guarded(name, bundle), path, service, name)
    assert (outcome.closed, outcome.open, outcome.silent) == (True, None, None)
    assert outcome.asked == len(questions_of(service)) > len(service.operations)
    assert outcome.report is not None
    assert outcome.report.routes is not None
    assert outcome.report.routes >= 4
    hidden = "* /hidden/{answer}" if name.startswith("django") else "GET /hidden/{answer}"
    assert hidden in outcome.report.undocumented
    assert handled.calls == []


@pytest.mark.parametrize("name", [*ASGI, *WSGI])
def test_a_program_without_a_guard_is_found_by_the_first_question(name: str, service: Service, path: Path) -> None:
    outcome = looked(made(name), path, service, name)
    assert (outcome.closed, outcome.asked, outcome.report) == (False, 0, None)
    assert outcome.open is not None
    assert "with 404, where its guard should refuse it" in outcome.open


@pytest.mark.parametrize("name", [*ASGI, *WSGI])
def test_one_route_without_its_guard_is_found(name: str, bundle: FollowedBundle, service: Service, path: Path) -> None:
    app = dispatched(name, lambda at: at.startswith("/plain/"), guarded(name, bundle), made(name))
    outcome = looked(app, path, service, name)
    assert outcome.open is not None
    assert "`people` answers `GET /plain/x` with 500" in outcome.open  # the handler asks who calls


@pytest.mark.parametrize("name", [*ASGI, *WSGI])
def test_an_operation_that_is_only_posted_is_found_without_being_carried_out(
    name: str, bundle: FollowedBundle, service: Service, path: Path
) -> None:
    operations = tuple(each for each in service.operations if each.method == "POST")
    app = dispatched(name, lambda at: at.startswith("/people/"), guarded(name, bundle), made(name))
    outcome = looked(app, path, dataclasses.replace(service, operations=operations), name)
    assert outcome.open is not None
    assert "`OPTIONS /people/x`" in outcome.open
    assert handled.calls == []


def _mounted(name: str, inner: Any) -> Any:
    """Mount an application without a guard beside a guarded one, as each framework does it."""
    if name in {"flask", "django-wsgi"}:
        return DispatcherMiddleware(inner, {"/metrics": made("flask")})
    if name == "litestar":
        beside = mounted_by_litestar("/metrics", is_mount=True, copy_scope=True)(made("starlette"))
        return Litestar([beside, mounted_by_litestar("/", is_mount=True, copy_scope=True)(inner)], openapi_config=None)
    if name in {"starlette", "fastapi"}:
        return Starlette(routes=[Mount("/metrics", made(name)), Mount("/", inner)])
    return dispatched(name, lambda at: at.startswith("/metrics"), inner, made(name))  # they mount nothing themselves


@pytest.mark.parametrize("name", [*ASGI, *WSGI])
def test_an_application_mounted_without_a_guard_is_found(
    name: str, bundle: FollowedBundle, service: Service, path: Path
) -> None:
    outcome = looked(_mounted(name, guarded(name, bundle)), path, service, name)
    assert outcome.open is not None
    by_itself = name in {"starlette", "fastapi", "litestar"}  # a guard knows that it stands inside of these
    assert ("with 500" in outcome.open) == by_itself
    assert ("`GET /metrics`" in outcome.open) == (not by_itself)
    assert handled.calls == []
