"""Django: URL configurations, from the root one down, and the methods of the views that they lead to.

The root is what `ROOT_URLCONF` of a settings module names, else each `urls.py` that no other includes. A view that does
not say which methods it takes answers all of them: what is taken for its methods is then `likely`, and why is said. Of
Django REST Framework the generic views, the view sets and its two routers are known by name.

Left out: `admin.site.urls`, and what stands in `i18n_patterns`, whose prefix depends on the caller.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from inward.discovery.found import Sure
from inward.discovery.source.python.django_paths import InvalidRouteError, route_of, templates_of
from inward.discovery.source.python.django_views import ViewMethods
from inward.discovery.source.python.modules import argument, called, statements

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inward.discovery.found import Discovery
    from inward.discovery.source.python.modules import Module, Python

MAX_NESTED = 16  # configurations in configurations
MAX_ROUTES = 20_000
_ROUTERS = frozenset({"DefaultRouter", "SimpleRouter"})
_PATHS = frozenset({"path", "re_path", "url"})


def read_django(python: Python, discovery: Discovery) -> int:
    """Add the operations of all root URL configurations; return how many there are."""
    return _Reader(python, discovery).read()


class _Reader:
    def __init__(self, python: Python, discovery: Discovery) -> None:
        self._python = python
        self._discovery = discovery
        self._views = ViewMethods(python)
        self._included: set[Path] = set()
        self._count = 0

    def read(self) -> int:
        roots = self._roots()
        for module in roots:
            self._configuration(module, "", ())
        return len(roots)

    def _roots(self) -> list[Module]:
        if self._python.only:
            module = self._python.module(self._python.only)
            return [module] if module and "urlpatterns" in module.names else []
        named: list[Path] = []
        for file in self._python.files:
            if "settings" in file.stem or file.parent.name == "settings":
                module = self._python.module(file)
                text = self._python.text(module, module.names.get("ROOT_URLCONF")) if module else None
                found = self._python.find(text.text, file) if text else None
                named += [found] if found and found not in named else []
        modules = [module for file in named if (module := self._python.module(file))]
        if modules:
            return modules
        found_modules = [
            module
            for file in self._python.files
            if file.stem == "urls" or file.parent.name == "urls"
            if (module := self._python.module(file)) and "urlpatterns" in module.names
        ]
        for module in found_modules:
            self._included |= {target.file for target in self._targets(module)}
        return [module for module in found_modules if module.file not in self._included]

    def _targets(self, module: Module) -> Iterator[Module]:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and called(node) == "include":
                target = self._include_target(module, argument(node, 0, "arg"))
                if target is not None and isinstance(target[1], ast.Module):
                    yield target[0]

    def _include_target(self, module: Module, node: ast.AST | None) -> tuple[Module, ast.AST] | None:
        """Return the module and the node that an `include` leads to: a whole module, or a list of patterns."""
        if isinstance(node, ast.Tuple) and node.elts:
            node = node.elts[0]
        if node is None or isinstance(node, ast.List):
            return (module, node) if node is not None else None
        text = self._python.text(module, node)
        if text is not None:
            file = self._python.find(text.text, module.file)
            target = self._python.module(file) if file else None
            return (target, target.tree) if target else None
        if isinstance(node, ast.Attribute) and node.attr == "urls":
            router = self._python.meaning(module, node.value)
            return (router.module, router.node) if router and called(router.node) in _ROUTERS else None
        found = self._python.meaning(module, node)
        return (found.module, found.node) if found else None

    def _configuration(self, module: Module, above: str, seen: tuple[Path, ...]) -> None:
        if module.file in seen or len(seen) > MAX_NESTED:
            self._discovery.note(module.shown, "includes itself, or too many others", "what follows is left out")
            return
        inner = (*seen, module.file)
        for node in statements(module.tree.body):
            value = None
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if any(isinstance(target, ast.Name) and target.id == "urlpatterns" for target in targets):
                    value = node.value
            elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                func = node.value.func
                if isinstance(func, ast.Attribute) and ast.unparse(func.value) == "urlpatterns" and node.value.args:
                    value = node.value.args[0]
                    value = ast.List([value]) if func.attr == "append" else value
            if value is not None:
                self._patterns(module, value, above, inner)

    def _patterns(self, module: Module, node: ast.AST, above: str, seen: tuple[Path, ...]) -> None:
        """Read an expression that stands for a list of patterns."""
        match node:
            case ast.List(elts=items) | ast.Tuple(elts=items):
                for item in items:
                    if isinstance(item, ast.Starred):
                        self._patterns(module, item.value, above, seen)
                    elif isinstance(item, ast.Call):
                        self._pattern(module, item, above, seen)
                    else:
                        self._discovery.note(module.place(item), "a pattern cannot be followed", "it is left out")
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                self._patterns(module, left, above, seen)
                self._patterns(module, right, above, seen)
            case ast.Attribute(attr="urls") if found := self._include_target(module, node):
                self._router(found[0], found[1], above, name=found[0].names)
            case ast.Call() if called(node) in {"format_suffix_patterns", "static", "staticfiles_urlpatterns"}:
                if called(node) == "format_suffix_patterns" and node.args:
                    self._patterns(module, node.args[0], above, seen)
            case ast.Name() | ast.Attribute() if (meaning := self._python.meaning(module, node)) and not isinstance(
                meaning.node, ast.Name | ast.Attribute
            ):
                self._patterns(meaning.module, meaning.node, above, seen)
            case _:
                self._discovery.note(module.place(node), "a list of patterns cannot be followed", "it is left out")

    def _pattern(self, module: Module, call: ast.Call, above: str, seen: tuple[Path, ...]) -> None:
        place = module.place(call)
        if called(call) not in _PATHS:
            self._discovery.note(place, f"`{called(call)}` is no pattern that is known", "what it adds is left out")
            return
        text = self._python.text(module, argument(call, 0, "route"))
        view = argument(call, 1, "view")
        if text is None or view is None:
            self._discovery.note(place, "a pattern whose path is no constant", "it is left out")
            return
        try:
            routes = route_of(text.text, regular=called(call) != "path")
        except InvalidRouteError as error:
            self._discovery.note(place, error.message, error.hint)
            return
        for route in routes:
            self._follow(module, call, view, above + route, seen, text.assumed)

    def _follow(
        self, module: Module, call: ast.Call, view: ast.expr, path: str, seen: tuple[Path, ...], assumed: str
    ) -> None:
        place = module.place(call)
        if isinstance(view, ast.Call) and called(view) == "include":
            target = self._include_target(module, argument(view, 0, "arg"))
            if target is None:
                self._discovery.note(place, "includes what cannot be followed", "its operations are left out")
            elif isinstance(target[1], ast.Module):
                self._configuration(target[0], path, seen)
            elif called(target[1]) in _ROUTERS:
                self._router(*target, path, name=target[0].names)
            else:
                self._patterns(*target, path, seen)
            return
        if isinstance(view, ast.Attribute) and view.attr == "urls":
            if found := self._include_target(module, view):
                self._router(found[0], found[1], path, name=found[0].names)
            else:
                self._discovery.note(
                    place, f"`{ast.unparse(view)[:60]}` is not followed", "its operations are left out"
                )
            return
        for method, why in self._views.of_view(module, view):
            self._operation(method, path, place, why or assumed)

    def _router(self, module: Module, made: ast.AST, above: str, *, name: dict[str, ast.AST]) -> None:
        """Add what a router of Django REST Framework serves: what its module registers with it."""
        names = [each for each, node in name.items() if node is made]
        slash = "/"
        if isinstance(made, ast.Call):
            trailing = argument(made, 0 if called(made) == "SimpleRouter" else None, "trailing_slash")
            slash = "" if isinstance(trailing, ast.Constant) and trailing.value is False else "/"
            if called(made) == "DefaultRouter":
                self._operation("GET", above, module.place(made), "the root of a router")
        for node in statements(module.tree.body):
            call = node.value if isinstance(node, ast.Expr) else None
            func = call.func if isinstance(call, ast.Call) else None
            if not (isinstance(call, ast.Call) and isinstance(func, ast.Attribute) and func.attr == "register"):
                continue
            if not (isinstance(func.value, ast.Name) and func.value.id in names):
                continue
            prefix = self._python.text(module, argument(call, 0, "prefix"))
            served = self._views.of_view_set(module, argument(call, 1, "viewset"))
            if prefix is None or served is None:
                self._discovery.note(
                    module.place(call), "registers what cannot be followed", "its operations are left out"
                )
                continue
            for method, below, why in served:
                path = "/".join(part for part in (prefix.text.strip("^/$"), below) if part)
                self._operation(method, above + path + slash, module.place(call), why or prefix.assumed)

    def _operation(self, method: str, path: str, place: str, why: str) -> None:
        self._count += 1
        if self._count > MAX_ROUTES:
            return
        template, types = templates_of(path)
        sure = Sure.LIKELY if why else Sure.SURE
        self._discovery.operation(method, template, "django", place, sure=sure, why=why, types=types)
