"""What frameworks serve, beside what is documented."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from tests.contract.guard.frameworks import made
from tests.contract.guard.people import followed

from inward.guard.routes import Route, routes_of, tell_routes, undocumented
from inward.guard.wsgi import Guard

if TYPE_CHECKING:
    from inward.catalog.model import Service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return followed(tmp_path_factory.mktemp("people")).follow().service


@pytest.mark.parametrize("framework", ["starlette", "fastapi", "flask"])
def test_routes_that_nobody_described_are_found(framework: str, service: Service) -> None:
    routes = routes_of(made(framework))
    assert routes is not None
    assert len(routes) >= 8
    found = {(route.path.replace("<", "{").replace(">", "}"), route.method) for route in undocumented(routes, service)}
    posted = {(f"/{path}/{{answer}}", "POST") for path in ("hidden", "watched", "plain")}
    assert found == {("/hidden/{answer}", "GET"), *posted}


def test_nested_and_mounted_and_included_routes_are_found() -> None:
    from fastapi import APIRouter, FastAPI  # noqa: PLC0415 - for this test alone
    from starlette.applications import Starlette  # noqa: PLC0415 - for this test alone
    from starlette.routing import Mount, WebSocketRoute  # noqa: PLC0415 - for this test alone
    from starlette.routing import Route as Served  # noqa: PLC0415 - for this test alone
    from starlette.staticfiles import StaticFiles  # noqa: PLC0415 - for this test alone

    inner, router = FastAPI(openapi_url=None), APIRouter(prefix="/v1")
    router.add_api_route("/late", lambda: None, methods=["PUT"])
    deep = APIRouter(prefix="/deep")
    deep.add_api_route("/x", lambda: None)
    router.include_router(deep, prefix="/between")
    inner.include_router(router, prefix="/pre")
    inner.mount("/files", StaticFiles(directory=".", check_dir=False))
    app = Starlette(
        routes=[Served("/top", lambda _: None, methods=["DELETE"]), WebSocketRoute("/live", lambda _: None)]
    )
    app.router.routes.append(Mount("/api", inner))
    assert routes_of(app) == (
        Route("/api/files", None), Route("/api/pre/v1/between/deep/x", "GET"), Route("/api/pre/v1/late", "PUT"),
        Route("/live", None), Route("/top", "DELETE"),
    )  # fmt: skip


def test_an_application_is_found_behind_middleware() -> None:
    flask = made("flask")
    assert routes_of(flask.wsgi_app) == routes_of(flask)
    behind: Any = type("Middleware", (), {"app": made("starlette")})()
    assert routes_of(behind) == routes_of(behind.app)
    assert routes_of(Guard(flask, allow_unguarded=True, bundle=None)) == routes_of(flask)


def test_what_is_of_no_known_kind_is_said(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    around: Any = type("Loop", (), {})()
    around.app = around
    for app in (object(), lambda: None, around):
        caplog.clear()
        with caplog.at_level(logging.INFO, "inward.guard"):
            tell_routes(app, service)
        assert "not known which routes people serves" in caplog.text
