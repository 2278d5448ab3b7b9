"""The service in Flask."""

from __future__ import annotations

from flask import Flask, Response, request
from tests.contract.guard.people import METHODS, PATHS, handled, head


def serve(answer: str) -> Response:
    said = handled.take(answer, dict(request.headers), request.get_data())
    return Response(iter(said.chunks) if said.chunks else said.body, said.status, head(said))


def make() -> Flask:
    app = Flask(__name__, static_folder=None)
    for path in PATHS:
        app.add_url_rule(f"/{path}/<answer>", path, serve, methods=list(METHODS))
    return app
