"""Programs that are read by discovery, and run to see what they really serve: files by name, and how they are asked."""

from __future__ import annotations

FASTAPI = {
    "main.py": """
from fastapi import FastAPI, APIRouter
from shopping import api, admin
from shopping.routers import users, items as item_routes
from shopping.routers.deep import router as deep_router
from shopping.settings import settings, PREFIX
import shopping.extra

app = FastAPI(root_path="/behind")
app.include_router(api.router, prefix="/api")
app.include_router(users.router)
app.include_router(item_routes.router, prefix=PREFIX + "/v2", tags=["items"])
app.include_router(deep_router, prefix=f"{settings.BASE}/deep")
for each in (admin.first, admin.second):
    app.include_router(each, prefix="/admin")
app.include_router(shopping.extra.router)
app.include_router(shopping.extra.make_router(), prefix="/made")


@app.get("/")
def root(): ...


@app.api_route("/both", methods=["GET", "POST"])
def both(): ...


@app.get("/files/{name:path}")
def files(name: str): ...


@app.websocket("/ws")
async def ws(socket): ...


if True:
    @app.delete("/conditional/{id}")
    def conditional(id: int): ...


def added(): ...


app.add_api_route("/added/{what}", added, methods=["PUT"])
""",
    "shopping/__init__.py": "",
    "shopping/settings.py": """
import os
PREFIX = os.getenv("NO_SUCH_VARIABLE_HERE", "/store")
class Settings:
    BASE: str = "/base"
settings = Settings()
""",
    "shopping/api.py": """
from fastapi import APIRouter
from .routers.nested import router as nested
router = APIRouter(prefix="/v1")
router.include_router(nested, prefix="/nested")

@router.get("")
def index(): ...

@router.get("/ping")
async def ping(): ...
""",
    "shopping/admin.py": """
from fastapi import APIRouter
first = APIRouter(prefix="/first")
second = APIRouter()

@first.patch("/{a}/{b}")
def one(a, b): ...

@second.head("/two")
@second.get("/two", operation_id="getTwo")
def two(): ...
""",
    "shopping/extra.py": """
import fastapi
router = fastapi.APIRouter()

@router.get("/extra/{x}.json")
def extra(x): ...

def make_router():
    router = fastapi.APIRouter()

    @router.get("/inside")
    def inside(): ...

    return router
""",
    "shopping/routers/__init__.py": "",
    "shopping/routers/users.py": """
from fastapi import APIRouter
router = APIRouter(prefix="/users", tags=["users"])

@router.get("/{user_id}")
def get(user_id: int): ...

@router.post("/")
def post(): ...
""",
    "shopping/routers/items.py": """
from fastapi import APIRouter
router = APIRouter()
ITEMS = "/items"

@router.get(ITEMS)
def items(): ...

@router.put(ITEMS + "/{item}")
def put(item): ...
""",
    "shopping/routers/nested.py": """
from fastapi import APIRouter
router = APIRouter(prefix="/n")

@router.delete("/{id}/lines/{line}")
def line(id, line): ...
""",
    "shopping/routers/deep.py": """
from fastapi import APIRouter
router = APIRouter()

@router.post("/{id}:cancel")
def cancel(id): ...
""",
}
ASK_FASTAPI = """
import json, main
found = []
for path, item in main.app.openapi()["paths"].items():
    found += [[method.upper(), path] for method in item]
print(json.dumps(found))
"""

FLASK = {
    "main.py": """
from flask import Flask
from parts.views import bp, Orders
from parts import nested, late

def create_app():
    app = Flask(__name__, static_folder=None)
    app.register_blueprint(bp)
    app.register_blueprint(nested.outer, url_prefix="/o")
    app.add_url_rule("/orders/<int:id>", view_func=Orders.as_view("orders"))
    app.add_url_rule("/plain", "plain", lambda: "", methods=("PUT", "DELETE"))
    late.init_app(app)

    @app.route("/")
    def root(): return ""

    @app.post("/posted/<string(length=2):code>")
    def posted(code): return ""

    return app

app = create_app()
""",
    "parts/__init__.py": "",
    "parts/views.py": """
from flask import Blueprint
from flask.views import MethodView
bp = Blueprint("bp", __name__, url_prefix="/bp/")
METHODS = ["GET", "PATCH"]

@bp.route("/things/", methods=METHODS)
def things(): return ""

@bp.route("/things/<uuid:id>")
@bp.get("/same/<id>")
def thing(id): return ""

@bp.route("/any/<any(a, b):kind>/x")
def kinds(kind): return ""

@bp.route("/rest/<path:where>")
def rest(where): return ""

class Orders(MethodView):
    def get(self, id): return ""
    def delete(self, id): return ""
""",
    "parts/nested.py": """
from flask import Blueprint
outer = Blueprint("outer", __name__, url_prefix="/ignored")
inner = Blueprint("inner", __name__, url_prefix="/inner")
outer.register_blueprint(inner)
deepest = Blueprint("deepest", __name__)
inner.register_blueprint(deepest, url_prefix="/deepest")

@outer.get("/x")
def x(): return ""

@inner.get("/y")
def y(): return ""

@deepest.get("/z")
def z(): return ""
""",
    "parts/late.py": """
from flask import Blueprint
late = Blueprint("late", __name__)

@late.put("/late/<int:id>")
def put(id): return ""

def init_app(app):
    app.register_blueprint(late, url_prefix="/l")
    @app.get("/in-init")
    def in_init(): return ""
""",
}
ASK_FLASK = """
import json, re, main
found = []
for rule in main.app.url_map.iter_rules():
    if rule.is_leaf is not None:
        path = re.sub(r"<(?:[^<>:]*(?:\\([^)]*\\))?:)?([^<>]+)>", r"{\\1}", rule.rule)
        many = "<path:" in rule.rule
        found += [[method, path] for method in rule.methods - {"HEAD", "OPTIONS"} if not many]
print(json.dumps(found))
"""

DJANGO = {
    "project/__init__.py": "",
    "project/settings.py": """
SECRET_KEY = "x"
ROOT_URLCONF = "project.urls"
INSTALLED_APPS = []
USE_TZ = True
""",
    "project/urls.py": """
from django.urls import include, path, re_path
from orders import views
from orders.urls import extra

more = [path("one/", views.listing), path("two/<slug:name>/", views.only_get)]
API = "api/"

urlpatterns = [
    path("", views.home),
    path(API, include("orders.urls")),
    path("named/", include(("orders.others", "others"), namespace="n")),
    path("inline/", include([path("a/", views.only_get), path("b/", views.Detail.as_view())])),
    path("more/", include(more)),
    re_path(r"^archive/(?P<year>[0-9]{4})/(?P<slug>[\\w-]+)/$", views.only_get),
    re_path(r"^optional/(\\d+)/?$", views.only_get),
    path("deco/", views.login_required_like(views.Detail.as_view())),
    path("tree/<path:where>", views.only_get),
]
urlpatterns += [path("later/", views.posts), *extra]
""",
    "orders/__init__.py": "",
    "orders/urls.py": """
from django.urls import path
from . import views
app_name = "orders"
urlpatterns = [
    path("orders/", views.OrderList.as_view(), name="list"),
    path("orders/<int:pk>/", views.OrderDetail.as_view(), name="detail"),
    path("orders/<uuid:pk>/lines/<int:line>", views.several),
]
extra = [path("extra/", views.only_get)]
""",
    "orders/others.py": """
from django.urls import path
from orders import views
urlpatterns = [path("other/<name>/", views.Limited.as_view())]
""",
    "orders/views.py": """
from django.http import HttpResponse
from django.views import View
from django.views.decorators.http import require_GET, require_POST, require_http_methods

def home(request): return HttpResponse()
def login_required_like(view): return view
def listing(request):
    if request.method == "POST":
        return HttpResponse()
    return HttpResponse()

@require_GET
def only_get(request, *args, **kwargs): return HttpResponse()

@require_POST
def posts(request): return HttpResponse()

@require_http_methods(["GET", "DELETE"])
def several(request, pk, line): return HttpResponse()

class OrderList(View):
    def get(self, request): return HttpResponse()
    def post(self, request): return HttpResponse()

class Readable:
    def get(self, request, **kwargs): return HttpResponse()

class OrderDetail(Readable, View):
    def put(self, request, pk): return HttpResponse()

class Detail(View):
    def patch(self, request): return HttpResponse()

class Limited(Readable, View):
    http_method_names = ["get"]
    def delete(self, request, name): return HttpResponse()
""",
}
ASK_DJANGO = """
import json, os, re
os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
import django
django.setup()
from django.test import RequestFactory
from django.urls import get_resolver
from django.urls.resolvers import URLPattern

def walk(patterns, above):
    for pattern in patterns:
        text = above + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield text, pattern.callback
        else:
            yield from walk(pattern.url_patterns, text)

class Nothing:
    def __getattr__(self, name): return ""

found = []
for text, view in walk(get_resolver().url_patterns, "/"):
    variables = re.findall(r"<(?:[a-z]+:)?([a-z]+)>", text)
    path = re.sub(r"<(?:[a-z]+:)?([a-z]+)>", r"{\\1}", text)
    values = {name: "1" for name in variables}
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        request = RequestFactory().generic(method, "/")
        try:
            answer = view(request, **values)
            answer = answer if hasattr(answer, "status_code") else None
        except TypeError:
            answer = None
        found.append([method, path, answer.status_code if answer is not None else 0])
print(json.dumps(found))
"""
