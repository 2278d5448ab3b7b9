"""The service in Starlette, with a mount for each path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import Mount, Route
from tests.contract.guard.people import METHODS, PATHS, handled, head, later

if TYPE_CHECKING:
    from starlette.requests import Request


async def serve(request: Request) -> Response:
    said = handled.take(request.path_params["answer"], dict(request.headers), await request.body())
    if said.chunks:
        return StreamingResponse(later(said.chunks), said.status, head(said))
    return Response(said.body, said.status, head(said))


def make() -> Starlette:
    mounts = [Mount(f"/{path}", routes=[Route("/{answer}", serve, methods=list(METHODS))]) for path in PATHS]
    return Starlette(routes=mounts)
