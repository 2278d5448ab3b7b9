"""URL configurations of Django: included, as paths, as regular expressions, with views of classes and of functions."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import include, path, re_path
from django.urls.resolvers import RegexPattern, URLResolver
from django.views import View
from tests.contract.guard.frameworks import made

from inward.guard.routes import django
from inward.guard.routes.route import Route

if TYPE_CHECKING:
    from django.http import HttpRequest


class Reads(View):  # type: ignore[misc] # Django has no types
    def get(self, request: HttpRequest) -> Any:
        raise AssertionError(request)

    def delete(self, request: HttpRequest) -> Any:
        raise AssertionError(request)


def view(request: HttpRequest) -> Any:
    raise AssertionError(request)


DEEP = [path("x/<uuid:key>", view), re_path(r"^y/(?P<year>[0-9]{4})/(\w+)\.json$", view)]
PATTERNS = [
    path("", view),
    path("classes/<slug:name>/", Reads.as_view()),
    path("v1/", include([path("v2/", include(DEEP))])),
    re_path(r"^old(er)?/", view),
]


def test_patterns_are_followed_to_their_views(monkeypatch: pytest.MonkeyPatch) -> None:
    app = made("django-asgi")
    resolver = URLResolver(RegexPattern(r"^/"), PATTERNS)
    monkeypatch.setattr(
        django, "sys", SimpleNamespace(modules={"django.urls": SimpleNamespace(get_resolver=lambda: resolver)})
    )
    routes = django.routes(app, "/app", lambda *_: iter(()))
    assert routes is not None
    assert list(routes) == [
        Route("/app/", None), Route("/app/classes/{name}/", "DELETE"), Route("/app/classes/{name}/", "GET"),
        Route("/app/v1/v2/x/{key}", None), Route("/app/v1/v2/y/{year}/{2}.json", None), Route("/app/^old(er)?/", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("regex", "meant"),
    [
        (r"^people/$", "people/"),
        (r"\Apeople\Z", "people"),
        (r"^a/(?P<id>[^/()]+)/$", "a/{id}/"),
        (r"^a/(?P<id>(?:x|y)+)/(\d+)$", "a/{id}/{2}"),
        (r"^a/(?P<id>[]()])/(?P<b>[^](])$", "a/{id}/{b}"),
        (r"^a\-b\.json$", "a-b.json"),
        (r"^a/(?P<id>\()$", "a/{id}"),
    ],
)
def test_a_simple_regular_expression_is_a_path(regex: str, meant: str) -> None:
    assert django.simplified(regex) == meant


@pytest.mark.parametrize(
    "regex",
    ["^a|b$", "^a?$", "^a.b", r"^\d+$", "^(a)?$", "^(?:a)/b$", "^(?i:a)$", "^(a", "^a)", "^[ab]$", "^a{2}$", "a\\"],
)
def test_one_that_means_more_than_a_path_is_told_as_it_is(regex: str) -> None:
    assert django.simplified(regex) == regex
