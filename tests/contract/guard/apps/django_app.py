"""The service in Django, which serves it by ASGI and by WSGI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path
from tests.contract.guard.people import PATHS, handled, head, later

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase


def serve(request: HttpRequest, answer: str) -> HttpResponseBase:
    said = handled.take(answer, dict(request.headers), request.body)
    made: HttpResponseBase = HttpResponse(said.body)
    if said.chunks:
        made = StreamingHttpResponse(later(said.chunks) if hasattr(request, "scope") else iter(said.chunks))
    made.status_code = said.status
    for name, value in head(said).items():
        made[name] = value
    return made


urlpatterns = [path(f"{each}/<str:answer>", serve) for each in PATHS]


def make(*, by_asgi: bool) -> Any:
    if not settings.configured:
        settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="k")
        django.setup()
    return get_asgi_application() if by_asgi else get_wsgi_application()
