"""How the FastAPI services call their colleagues: plain HTTP by name, through `HTTP_PROXY`."""

from __future__ import annotations

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from shop import trace

_client = httpx.AsyncClient(timeout=10.0)
# answers that are the caller's business, and so are handed on to it as they are
_HANDED_ON = {402, 404, 409}


class CalleeError(Exception):
    """A colleague did not do what it was asked."""

    def __init__(self, service: str, status: int, answer: dict) -> None:
        super().__init__(f"{service} answered {status}")
        self.service = service
        self.status = status
        self.answer = answer


async def call(service: str, method: str, path: str, *, json=None, params=None):
    """Call a service and return its decoded answer, None where it has no body, or raise `CalleeError`."""
    try:
        response = await _client.request(
            method, f"http://{service}{path}", json=json, params=params, headers=trace.headers()
        )
    except httpx.HTTPError as error:
        raise CalleeError(service, 502, {"title": str(error) or type(error).__name__}) from error
    try:
        answer = response.json() if response.content else None
    except ValueError:
        answer = None
    if response.is_success:
        return answer
    raise CalleeError(service, response.status_code, answer if isinstance(answer, dict) else {})


async def _answer(_request: Request, error: CalleeError) -> JSONResponse:
    status = error.status if error.status in _HANDED_ON else 502
    problem = {"title": error.answer.get("title", str(error)), "status": status, "service": error.service}
    if "instance" in error.answer:
        problem["instance"] = error.answer["instance"]  # the reference by which a refusal is found again
    return JSONResponse(problem, status, media_type="application/problem+json")


def new_app(title: str) -> FastAPI:
    """Return an app that goes on with traces and answers for its callees; it serves no pages of its own."""
    app = FastAPI(title=title, openapi_url=None)
    app.add_middleware(trace.ASGITracing)
    app.add_exception_handler(CalleeError, _answer)
    return app
