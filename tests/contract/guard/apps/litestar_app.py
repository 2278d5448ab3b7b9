"""The service in Litestar."""

from typing import Any

from litestar import HttpMethod, Litestar, Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream
from tests.contract.guard.people import METHODS, PATHS, handled, head, later


async def serve(request: Request[Any, Any, Any]) -> Response[Any]:
    said = handled.take(request.path_params["answer"], dict(request.headers), await request.body())
    sent = {name: value for name, value in head(said).items() if name != "content-type"}
    if said.chunks:
        return Stream(later(said.chunks), status_code=said.status, headers=sent, media_type=said.content_type)
    return Response(said.body, status_code=said.status, headers=sent, media_type=said.content_type)


def make() -> Litestar:
    paths = [f"/{path}/{{answer:str}}" for path in PATHS]
    handler = HTTPRouteHandler(paths, http_method=[HttpMethod(method) for method in METHODS], status_code=200)(serve)
    return Litestar([handler], openapi_config=None)
