"""The service in Quart."""

from __future__ import annotations

from quart import Quart, Response, request
from tests.contract.guard.people import METHODS, PATHS, handled, head, later


async def serve(answer: str) -> Response:
    said = handled.take(answer, dict(request.headers), await request.body)
    return Response(later(said.chunks) if said.chunks else said.body, said.status, head(said))


def make() -> Quart:
    app = Quart(__name__)
    for path in PATHS:
        app.add_url_rule(f"/{path}/<answer>", path, serve, methods=list(METHODS))
    return app
