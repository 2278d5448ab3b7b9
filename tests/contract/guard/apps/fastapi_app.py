"""The service in FastAPI, by a router that is included."""

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from tests.contract.guard.people import METHODS, PATHS, handled, head, later


async def serve(answer: str, request: Request) -> Response:
    said = handled.take(answer, dict(request.headers), await request.body())
    if said.chunks:
        return StreamingResponse(later(said.chunks), said.status, head(said))
    return Response(said.body, said.status, head(said))


def make() -> FastAPI:
    app, router = FastAPI(openapi_url=None), APIRouter()
    for path in PATHS:
        router.add_api_route(f"/{path}/{{answer}}", serve, methods=list(METHODS), response_model=None)
    app.include_router(router)
    return app
