"""FastAPI and Flask: applications, the routers or blueprints that they include, and the routes of each.

An application is where it is made (`app = FastAPI()`, `app = new_app()`); what a function adds to the application that
it returns belongs to each that is made by calling it. A router that cannot be followed to an application serves
nothing, and is named. So is what is decided at run time: a path, a prefix or a list of methods that is no constant.

Left out: what frameworks serve by themselves (`/docs`, `/static/…`, HEAD and OPTIONS), and WebSockets.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inward.discovery.found import Sure
from inward.discovery.source.python.modules import Text, argument, assigned, called, class_names, statements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.discovery.found import Discovery
    from inward.discovery.source.python.modules import Module, Python

HINT = re.compile(r"\b(?:fastapi|flask|quart)\b")  # whoever has none of these has no route of theirs
MAX_NESTED = 16  # routers in routers
MAX_ROUTES = 20_000
MAX_ITEMS = 200  # of a loop over a list
_APPS = {"FastAPI": "fastapi", "Flask": "flask", "Quart": "flask"}
_ROUTERS = {"APIRouter": "fastapi", "Blueprint": "flask"}
_VERBS = frozenset({"get", "post", "put", "patch", "delete", "options", "head", "trace"})
_INCLUDES = {"include_router": "prefix", "register_blueprint": "url_prefix", "mount": "path"}
_DECORATORS = frozenset({"route", "api_route", *_VERBS})
_CALLS = frozenset({"add_url_rule", "add_api_route", *_INCLUDES})
_FLASK_VARIABLE = re.compile(r"<(?:(?P<converter>[a-zA-Z_]\w*)(?:\((?:[^()<>]*)\))?:)?(?P<name>[a-zA-Z_]\w*)>")
_FASTAPI_VARIABLE = re.compile(r"\{(?P<name>[a-zA-Z_]\w*)(?::(?P<converter>[a-zA-Z_]\w*))?\}")

Site = tuple[str, int, int]  # file, line and column of the call that makes an object
Scope = dict[str, ast.AST]


@dataclass(frozen=True, slots=True)
class _Route:
    path: str
    methods: tuple[str, ...]
    place: str
    assumed: str
    name: str | None


@dataclass(eq=False)
class _Router:
    """An application or a router. `like`: it was made by a function, and has what that one gave it."""

    kind: str
    is_app: bool
    place: str
    in_only: bool
    prefix: Text | None
    like: _Router | None = None
    used: bool = False
    routes: list[_Route] = field(default_factory=list)
    includes: list[tuple[_Router, Text | None, str]] = field(default_factory=list)


def read_routers(python: Python, discovery: Discovery) -> int:
    """Add the operations of all FastAPI and Flask applications; return how many applications there are."""
    return _Reader(python, discovery).read()


class _Reader:
    def __init__(self, python: Python, discovery: Discovery) -> None:
        self._python = python
        self._discovery = discovery
        self._made: dict[Site, _Router] = {}
        self._orphans: list[tuple[str, _Route | tuple[_Router, Text | None, str], str]] = []
        self._count = 0

    def read(self) -> int:
        for file in self._python.files:
            module = self._python.module(file)
            if module is not None and HINT.search(" ".join(self._imported(module))):
                self._module(module)
        made = [router for router in self._made.values() if router.in_only or self._python.only is None]
        apps = [router for router in made if router.is_app and not router.used]
        self._adopt(apps)
        for app in apps:
            self._walk(app, "", "", (), app.kind)
        for router in made:
            if not router.is_app and not router.used and (router.routes or router.includes):
                what = f"a router of {len(router.routes)} routes is included in no application that was found"
                self._discovery.note(router.place, what, "its operations are left out")
        if len(apps) > 1:
            places = ", ".join(app.place for app in apps[:5])
            self._discovery.note(
                places, f"{len(apps)} applications are taken for one service", "name one file where that is wrong"
            )
        return len(apps)

    def _imported(self, module: Module) -> Iterator[str]:
        """Yield the modules that a module imports, and those that these import: a factory may be elsewhere."""
        for origin, _ in list(module.imports.values()):
            yield origin
            file = self._python.find(origin, module.file) if origin else None
            target = self._python.module(file) if file else None
            yield from (each for each, _ in target.imports.values()) if target else ()

    def _module(self, module: Module) -> None:
        self._scope(module, module.tree.body, [])
        pending = list(module.tree.body)
        while pending:
            node = pending.pop()
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self._scope(module, node.body, [_locals(node)])
            if isinstance(node, ast.ClassDef | ast.If | ast.Try | ast.With):
                pending.extend(node.body)

    def _scope(self, module: Module, body: list[ast.stmt], scopes: list[Scope]) -> None:
        for node in statements(body, loops=False):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for decorator in node.decorator_list:
                    if isinstance(decorator, ast.Call):
                        self._call(module, decorator, scopes, decorates=True)
                if scopes:
                    self._scope(module, node.body, [_locals(node), *scopes])
            elif isinstance(node, ast.For):
                self._loop(module, node, scopes)
            elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                self._call(module, node.value, scopes)
            for value in assigned(node).values():
                if called(value) in _APPS:
                    self._resolve(module, value, scopes)  # one that nobody adds anything to is there as well

    def _loop(self, module: Module, node: ast.For, scopes: list[Scope]) -> None:
        """Take what a loop does for each of the items that it lists; over anything else, its variable is unknown."""
        found = self._python.look_up(module, node.iter.id) if isinstance(node.iter, ast.Name) else None
        source = found.node if found and found.module is module else node.iter
        if isinstance(source, ast.List | ast.Tuple) and isinstance(node.target, ast.Name):
            for item in source.elts[:MAX_ITEMS]:
                self._scope(module, node.body, [{node.target.id: item}, *scopes])
            return
        unknown: Scope = {each.id: ast.arg(each.id) for each in ast.walk(node.target) if isinstance(each, ast.Name)}
        self._scope(module, node.body, [unknown, *scopes])

    def _call(self, module: Module, call: ast.Call, scopes: list[Scope], *, decorates: bool = False) -> None:
        if not isinstance(call.func, ast.Attribute):
            return
        name = call.func.attr
        if name not in (_DECORATORS if decorates else _CALLS):
            return
        owner = self._resolve(module, call.func.value, scopes)
        if owner is None and name in _VERBS and not self._starts_with_slash(module, call):
            return
        if name in _INCLUDES:
            self._include(module, call, scopes, owner, _INCLUDES[name])
            return
        for route in self._routes(module, call, name, owner.kind if owner else "flask"):
            self._count += 1
            if self._count > MAX_ROUTES:
                return
            if owner is not None:
                owner.routes.append(route)
            else:
                self._orphans.append((ast.unparse(call.func.value)[:60], route, module.place(call)))

    def _starts_with_slash(self, module: Module, call: ast.Call) -> bool:
        """Whether a decorator that cannot be followed to a router looks like one of a route all the same."""
        path = self._python.text(module, argument(call, 0, "path"))
        return path is not None and path.text.startswith("/")

    def _include(
        self, module: Module, call: ast.Call, scopes: list[Scope], owner: _Router | None, keyword: str
    ) -> None:
        mounted = keyword == "path"
        given = argument(
            call, 1 if mounted else 0, "app" if mounted else "router" if keyword == "prefix" else "blueprint"
        )
        prefix_node = argument(call, 0 if mounted else None, keyword)
        target = self._resolve(module, given, scopes) if given is not None else None
        place = module.place(call)
        if target is None:
            if mounted and called(given) == "StaticFiles" if given is not None else False:
                return
            self._discovery.note(
                place, f"`{_short(call)}` includes what cannot be followed", "its operations are left out"
            )
            return
        prefix = self._python.text(module, prefix_node)
        if prefix_node is not None and prefix is None and not _is_none(prefix_node):
            self._discovery.note(
                place, f"`{_short(call)}` has a prefix that is no constant", "its operations are left out"
            )
            target.used = True
            return
        target.used = True
        edge = (target, prefix, place)
        if owner is not None:
            owner.includes.append(edge)
        else:
            self._orphans.append((_short(call), edge, place))

    def _routes(self, module: Module, call: ast.Call, name: str, kind: str) -> Iterator[_Route]:
        path = self._python.text(module, argument(call, 0, "rule" if name in {"route", "add_url_rule"} else "path"))
        place = module.place(call)
        if path is None:
            self._discovery.note(place, f"`{_short(call)}` has a path that is no constant", "its operation is left out")
            return
        view = argument(call, 2 if name == "add_url_rule" else 1, "view_func")
        methods = (name.upper(),) if name in _VERBS else self._methods(module, argument(call, None, "methods"), view)
        if methods is None:
            self._discovery.note(
                place, f"`{_short(call)}` has methods that are no constants", "its operation is left out"
            )
            return
        named = self._python.text(module, argument(call, None, "operation_id")) if kind == "fastapi" else None
        yield _Route(path.text, methods, place, path.assumed, named.text if named else None)

    def _methods(self, module: Module, node: ast.expr | None, view: ast.expr | None) -> tuple[str, ...] | None:
        if node is None:
            return self._view_methods(module, view) if view is not None else ("GET",)
        if isinstance(node, ast.Name | ast.Attribute):
            found = self._python.meaning(module, node)
            module, source = (found.module, found.node) if found else (module, node)
        else:
            source = node
        if not isinstance(source, ast.List | ast.Tuple | ast.Set):
            return None
        texts = [self._python.text(module, item) for item in source.elts]
        known = tuple(dict.fromkeys(text.text.upper() for text in texts if text))
        return known if len(texts) == sum(text is not None for text in texts) else None

    def _view_methods(self, module: Module, view: ast.expr) -> tuple[str, ...] | None:
        """Return the methods of a view: those that its class has, where it is made by `as_view`."""
        if not (isinstance(view, ast.Call) and isinstance(view.func, ast.Attribute) and view.func.attr == "as_view"):
            return ("GET",)
        found = self._python.meaning(module, view.func.value)
        if found is None or not isinstance(found.node, ast.ClassDef):
            return None
        names = class_names(found.node)
        if "methods" in names:
            listed = names["methods"]
            return self._methods(found.module, listed, None) if isinstance(listed, ast.expr) else None
        return tuple(name.upper() for name in names if name in _VERBS) or ("GET",)

    def _resolve(self, module: Module, node: ast.AST | None, scopes: list[Scope], hops: int = 0) -> _Router | None:
        """Return the application or router that an expression stands for."""
        if node is None or hops > MAX_NESTED:
            return None
        if isinstance(node, ast.Name):
            for index, scope in enumerate(scopes):
                if node.id in scope:
                    value = scope[node.id]
                    own = isinstance(value, ast.Name) and value.id == node.id
                    return (
                        self._resolve(module, value, scopes[index + own :], hops + 1)
                        if not isinstance(value, ast.arg)
                        else None
                    )
        if isinstance(node, ast.Name | ast.Attribute):
            found = self._python.meaning(module, node)
            return (
                self._resolve(found.module, found.node, [], hops + 1)
                if found and isinstance(found.node, ast.Call)
                else None
            )
        return self._new(module, node, hops) if isinstance(node, ast.Call) else None

    def _new(self, module: Module, call: ast.Call, hops: int) -> _Router | None:
        site = (module.shown, call.lineno, call.col_offset)
        if site in self._made:
            return self._made[site]
        name = called(call)
        only = module.file == self._python.only
        if kind := _APPS.get(name) or _ROUTERS.get(name):
            is_app = name in _APPS
            keyword = "prefix" if kind == "fastapi" else "url_prefix"
            node = None if is_app else argument(call, None, keyword)
            prefix = Text("") if node is None or _is_none(node) else self._python.text(module, node)
            router = self._made[site] = _Router(kind, is_app, module.place(call), only, prefix)
            return router
        found = self._python.meaning(module, call.func) if isinstance(call.func, ast.Name | ast.Attribute) else None
        if found is None or not isinstance(found.node, ast.FunctionDef | ast.AsyncFunctionDef):
            return None
        returned = [each.value for each in statements(found.node.body) if isinstance(each, ast.Return)]
        pattern = self._resolve(found.module, returned[-1], [_locals(found.node)], hops + 1) if returned else None
        if pattern is None:
            return None
        pattern.used = True
        router = self._made[site] = _Router(
            pattern.kind, pattern.is_app, module.place(call), only, pattern.prefix, like=pattern
        )
        return router

    def _adopt(self, apps: list[_Router]) -> None:
        """Give the only application what is added to one that a function is handed; name it where there is a choice."""
        for name, what, place in self._orphans:
            if len(apps) != 1:
                self._discovery.note(
                    place, f"`{name}` cannot be followed to one application", "what it adds is left out"
                )
            elif isinstance(what, _Route):
                assumed = "taken for a route of the only application"
                apps[0].routes.append(_Route(what.path, what.methods, what.place, assumed, what.name))
            else:
                apps[0].includes.append(what)

    def _walk(self, router: _Router, above: str, assumed: str, seen: tuple[_Router, ...], kind: str) -> None:
        if router in seen or len(seen) > MAX_NESTED:
            return
        for part in [router, *([router.like] if router.like else [])]:
            for route in part.routes:
                self._operation(router.kind, above, route, assumed or route.assumed)
            for target, prefix, place in part.includes:
                own = target.prefix
                flask = target.kind == "flask"
                given = prefix is not None
                if own is None and not (flask and given):
                    self._discovery.note(
                        target.place, "a router's prefix is no constant", f"left out where {place} includes it"
                    )
                    continue
                ours, theirs = prefix or Text(""), own or Text("")
                below = (
                    (ours.text if given else theirs.text) if flask and not target.is_app else ours.text + theirs.text
                )
                joined = _joined_flask(above, below) if flask else above + below
                self._walk(target, joined, assumed or ours.assumed or theirs.assumed, (*seen, router), kind)

    def _operation(self, kind: str, above: str, route: _Route, assumed: str) -> None:
        path = _joined_flask(above, route.path) if kind == "flask" and above else above + route.path
        form = _FLASK_VARIABLE if kind == "flask" else _FASTAPI_VARIABLE
        found = list(form.finditer(path))
        if any(each["converter"] == "path" for each in found):
            self._discovery.note(
                route.place, f"`{path}` takes more than one segment", "no template can; it is left out"
            )
            return
        template = form.sub(r"{\g<name>}", path)
        types = tuple((each["name"], "integer") for each in found if each["converter"] == "int")
        if not template.startswith("/"):
            template = "/" + template if kind == "flask" or not template else template
        sure = Sure.LIKELY if assumed else Sure.SURE
        for method in route.methods:
            self._discovery.operation(
                method, template, kind, route.place, sure=sure, why=assumed, name=route.name, types=types
            )


def _joined_flask(above: str, below: str) -> str:
    """Join as Flask does: one slash between a prefix and a rule; an empty rule is the prefix itself."""
    return f"{above.rstrip('/')}/{below.lstrip('/')}" if above and below else above or below


def _locals(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Scope:
    arguments = node.args
    found: Scope = {each.arg: each for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    for each in statements(node.body):
        found.update(assigned(each))
    return found


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _short(call: ast.Call) -> str:
    try:
        text = ast.unparse(call)
    except (RecursionError, ValueError):
        text = called(call)
    return text.partition("\n")[0][:80]
