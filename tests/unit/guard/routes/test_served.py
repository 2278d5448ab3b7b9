"""What frameworks serve, with all that they mount and include, however late."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from flask import Blueprint, Flask
from litestar import Litestar, Router, asgi, get, websocket
from litestar.connection import WebSocket  # noqa: TC002 - Litestar reads the annotation
from litestar.static_files import create_static_files_router
from quart import Quart
from starlette.applications import Starlette
from starlette.routing import Host, Mount, WebSocketRoute
from starlette.routing import Route as Served
from starlette.staticfiles import StaticFiles
from tests.contract.guard.frameworks import made
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from inward.guard.asgi import Guard as ASGIGuard
from inward.guard.routes.route import WEBSOCKET, Route
from inward.guard.routes.served import around, routes_of
from inward.guard.wsgi import Guard


def nothing(*_: Any) -> Any:
    raise AssertionError("no handler is to run")


def wsgi_guard(app: Any) -> Guard:
    return Guard(app, allow_unguarded=True)


FRAMEWORKS = ("starlette", "fastapi", "litestar", "quart", "django-asgi", "flask", "django-wsgi")


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_every_framework_is_known(framework: str) -> None:
    routes = routes_of(made(framework))
    assert routes is not None
    paths = {route.path.partition("{")[0] for route in routes}
    assert paths >= {"/people/", "/watched/", "/plain/", "/hidden/"}
    methods = {route.method for route in routes if route.path.startswith("/people/")}
    assert methods == ({None} if framework.startswith("django") else {"GET", "POST"})


def test_nested_and_mounted_and_included_routes_of_starlette_and_fastapi() -> None:
    inner, router = FastAPI(openapi_url=None), APIRouter(prefix="/v1")
    app = Starlette(routes=[Served("/top", nothing, methods=["DELETE"]), WebSocketRoute("/live", nothing)])
    guard = ASGIGuard(app, allow_unguarded=True)
    # everything from here on is added late
    router.add_api_route("/late", lambda: None, methods=["PUT"])
    deep = APIRouter(prefix="/deep")
    deep.add_api_route("/x", lambda: None)
    router.include_router(deep, prefix="/between")
    inner.include_router(router, prefix="/pre")
    inner.mount("/files", StaticFiles(directory=".", check_dir=False))
    app.router.routes.append(Mount("/api", inner))
    app.router.routes.append(Host("admin.test", Starlette(routes=[Served("/only", nothing)])))
    assert routes_of(guard) == (
        Route("/api/files/{path}", None), Route("/api/pre/v1/between/deep/x", "GET"), Route("/api/pre/v1/late", "PUT"),
        Route("/live", WEBSOCKET), Route("/only", "GET"), Route("/top", "DELETE"),
    )  # fmt: skip
    inner.include_router(router, prefix="/again")
    assert Route("/api/again/v1/late", "PUT") in (routes_of(guard) or ())


def test_applications_of_other_frameworks_are_followed() -> None:
    flask = Flask(__name__, static_folder=None)
    flask.add_url_rule("/in/<int:n>", "n", nothing)
    wrapped: Any = type("WSGIMiddleware", (), {"app": flask})()
    app = Starlette(routes=[Mount("/old", wrapped), Mount("/new", made("litestar"))])
    routes = routes_of(app)
    assert routes is not None
    assert Route("/old/in/{n}", "GET") in routes
    assert Route("/new/people/{answer}", "POST") in routes


def test_an_application_within_itself_comes_to_an_end() -> None:
    app = Starlette(routes=[Served("/x", nothing)])
    app.mount("/a", app)
    app.mount("/b", app)
    assert routes_of(app) == (Route("/a/{path}", None), Route("/b/{path}", None), Route("/x", "GET"))


def test_routers_mounts_sockets_and_static_files_of_litestar() -> None:
    @get("/items/{item:int}")
    async def read() -> str:
        raise AssertionError

    @websocket("/live")
    async def live(socket: WebSocket[Any, Any, Any]) -> None:
        raise AssertionError(socket)

    inner = Starlette(routes=[Served("/in", nothing)])
    mount = asgi("/mounted", is_mount=True, copy_scope=True)(inner)
    static = create_static_files_router("/static", ["."])
    app = Litestar([Router("/v1", route_handlers=[Router("/v2", route_handlers=[read])]), mount, static, live])
    routes = [route for route in routes_of(app) or () if not route.path.startswith("/schema")]
    assert routes == [
        Route("/live", WEBSOCKET), Route("/mounted/in", "GET"), Route("/static/{file_path}", "GET"),
        Route("/v1/v2/items/{item}", "GET"),
    ]  # fmt: skip


def test_late_blueprints_and_dispatchers_of_flask() -> None:
    app, blueprint = Flask(__name__, static_folder="files"), Blueprint("late", __name__, url_prefix="/late")
    app.wsgi_app = wsgi_guard(app.wsgi_app)  # type: ignore[method-assign] # as its documentation says
    guard = app.wsgi_app
    blueprint.add_url_rule("/<any(a, b):kind>/<path:rest>", "rest", nothing, methods=["POST"])
    nested = Blueprint("nested", __name__, url_prefix="/nested")
    nested.add_url_rule("/x", "x", nothing)
    blueprint.register_blueprint(nested)
    app.register_blueprint(blueprint)
    expected = {Route("/late/{kind}/{rest}", "POST"), Route("/late/nested/x", "GET"), Route("/files/{filename}", "GET")}
    assert set(routes_of(guard) or ()) == expected
    both = wsgi_guard(DispatcherMiddleware(app, {"/admin": made("flask"), "/other": nothing}))
    routes = set(routes_of(both) or ())
    assert routes > expected
    assert {Route("/admin/hidden/{answer}", "GET"), Route("/other/{path}", None)} <= routes


def test_web_sockets_of_quart() -> None:
    app = Quart(__name__, static_folder=None)
    app.add_websocket("/live", "live", nothing)
    assert routes_of(app) == (Route("/live", WEBSOCKET),)


def test_what_is_put_around_a_guard_later_serves_beside_it() -> None:
    app = Flask(__name__)
    guard = wsgi_guard(app.wsgi_app)
    app.wsgi_app = guard  # type: ignore[method-assign] # as its documentation says
    assert around(guard) == ()
    app.wsgi_app = DispatcherMiddleware(guard, {"/metrics": nothing})  # type: ignore[method-assign] # as above
    assert around(guard) == (Route("/metrics/{path}", None),)
    assert around(wsgi_guard(app.wsgi_app)) == ()  # that one stands around both
    assert around(wsgi_guard(nothing)) == ()


def test_an_application_is_found_behind_middleware() -> None:
    flask = made("flask")
    assert routes_of(flask.wsgi_app) == routes_of(flask)
    behind: Any = type("Middleware", (), {"app": made("starlette")})()
    assert routes_of(behind) == routes_of(behind.app)
    assert routes_of(wsgi_guard(flask)) == routes_of(flask)


def test_what_is_of_no_known_kind_is_not_known() -> None:
    around_itself: Any = type("Loop", (), {})()
    around_itself.app = around_itself
    for app in (object(), nothing, around_itself, None):
        assert routes_of(app) is None
