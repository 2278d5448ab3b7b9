"""Django REST Framework, which is not there to be asked: its routers, view sets and generic views are known by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inward.discovery.found import Discovery
from inward.discovery.source.read import read_source

if TYPE_CHECKING:
    from pathlib import Path

URLS = """
from django.contrib import admin
from django.urls import include, path
from rest_framework.routers import DefaultRouter, SimpleRouter
from api.views import Detail, Items, Plain, Users, listing

router = DefaultRouter()
router.register(r"users", Users, basename="user")
plain = SimpleRouter(trailing_slash=False)
plain.register("items", Items)
plain.register(compute(), Items)
urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/", include(router.urls)),
    path("v2/", include(plain.urls)),
    path("plain/", Plain.as_view()),
    path("listing/", listing),
    path("detail/<int:pk>/", Detail.as_view()),
    path("mapped/", Users.as_view({"get": "list", "post": "create"})),
    *compute(),
]
"""
VIEWS = """
from rest_framework import generics, mixins, viewsets
from rest_framework.decorators import action, api_view
from rest_framework.views import APIView

class Users(viewsets.ModelViewSet):
    lookup_field = "name"
    @action(detail=True, methods=["post", "delete"], url_path="set-password")
    def set_password(self, request, name=None): ...
    @action(detail=False)
    def recent(self, request): ...

class Items(mixins.ListModelMixin, mixins.DestroyModelMixin, viewsets.GenericViewSet): ...

class Plain(APIView):
    def get(self, request): ...
    def post(self, request): ...

@api_view(["GET", "PUT"])
def listing(request): ...

class Detail(generics.RetrieveUpdateAPIView): ...
"""
SERVED = """
DELETE /api/users/{name}/
DELETE /api/users/{name}/set-password/
DELETE /v2/items/{pk}
GET /api/
GET /api/users/
GET /api/users/recent/
GET /api/users/{name}/
GET /detail/{pk}/
GET /listing/
GET /mapped/
GET /plain/
GET /v2/items
PATCH /api/users/{name}/
PATCH /detail/{pk}/
POST /api/users/
POST /api/users/{name}/set-password/
POST /mapped/
POST /plain/
PUT /api/users/{name}/
PUT /detail/{pk}/
PUT /listing/
"""


def test_routers_view_sets_and_generic_views_are_known(tmp_path: Path) -> None:
    (tmp_path / "api").mkdir()
    for name, text in {"urls.py": URLS, "api/__init__.py": "", "api/views.py": VIEWS}.items():
        (tmp_path / name).write_text(text)
    discovery = Discovery()
    read_source(tmp_path, discovery)
    assert sorted(f"{each.method} {each.template.text}" for each in discovery.found) == SERVED.split("\n")[1:-1]
    assert [f"{note.place}: {note.what}" for note in discovery.notes] == [
        "urls.py:13: `admin.site.urls` is not followed",
        "urls.py:11: registers what cannot be followed",
        "urls.py:20: a list of patterns cannot be followed",
    ]
