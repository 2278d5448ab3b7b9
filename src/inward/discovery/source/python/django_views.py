"""Which methods a view of Django answers: from its decorators, its class, and the generic views that it is made of."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from inward.discovery.source.python.modules import MAX_HOPS, Meaning, argument, called, class_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.discovery.source.python.modules import Module, Python

_VERBS = ("get", "post", "put", "patch", "delete")
_DECORATORS = {"require_GET": ("GET",), "require_POST": ("POST",), "require_safe": ("GET", "HEAD")}
_GENERIC = {
    # Django's own
    "TemplateView": "GET", "RedirectView": "GET POST PUT PATCH DELETE", "ListView": "GET", "DetailView": "GET",
    "ArchiveIndexView": "GET", "YearArchiveView": "GET", "MonthArchiveView": "GET", "WeekArchiveView": "GET",
    "DayArchiveView": "GET", "TodayArchiveView": "GET", "DateDetailView": "GET", "FormView": "GET POST PUT",
    "CreateView": "GET POST PUT", "UpdateView": "GET POST PUT", "DeleteView": "GET POST DELETE",
    "LoginView": "GET POST PUT", "LogoutView": "POST",
    # Django REST Framework's
    "CreateAPIView": "POST", "ListAPIView": "GET", "RetrieveAPIView": "GET", "DestroyAPIView": "DELETE",
    "UpdateAPIView": "PUT PATCH", "ListCreateAPIView": "GET POST", "RetrieveUpdateAPIView": "GET PUT PATCH",
    "RetrieveDestroyAPIView": "GET DELETE", "RetrieveUpdateDestroyAPIView": "GET PUT PATCH DELETE",
}  # fmt: skip
_SET_METHODS = {
    "list": ("GET", False), "create": ("POST", False), "retrieve": ("GET", True), "update": ("PUT", True),
    "partial_update": ("PATCH", True), "destroy": ("DELETE", True),
}  # fmt: skip
_SETS = {
    "ModelViewSet": "list create retrieve update partial_update destroy", "ReadOnlyModelViewSet": "list retrieve",
    "ListModelMixin": "list", "CreateModelMixin": "create", "RetrieveModelMixin": "retrieve",
    "UpdateModelMixin": "update partial_update", "DestroyModelMixin": "destroy",
}  # fmt: skip
ANY = "the view takes every method: these are what its code mentions"


class ViewMethods:
    """Tells the methods of views that stand in the modules of `python`."""

    def __init__(self, python: Python) -> None:
        self._python = python

    def of_view(self, module: Module, view: ast.expr) -> list[tuple[str, str]]:
        """Return the methods of what `path()` is given, each with what it rests on (empty: it says so itself)."""
        given: list[str] | None = None
        while isinstance(view, ast.Call) and called(view) != "as_view":  # `login_required(view)`, `csrf_exempt(view)`
            if called(view) in _DECORATORS:
                given = list(_DECORATORS[called(view)])
            if not view.args:
                return [("GET", "its view cannot be followed")]
            view = view.args[-1]
        if given is not None:
            return [(method, "") for method in given]
        as_view = isinstance(view, ast.Call)
        target: ast.AST = (
            view.func.value if isinstance(view, ast.Call) and isinstance(view.func, ast.Attribute) else view
        )
        found = self._python.meaning(module, target)
        if as_view:
            mapped = view.args[0] if isinstance(view, ast.Call) and view.args else None
            if isinstance(mapped, ast.Dict):
                texts = [self._python.text(module, key) for key in mapped.keys]
                return [(text.text.upper(), "") for text in texts if text]
            methods = self._of_class(found) if found else self._generic(target)
            return [(method, "") for method in methods] or [("GET", "its view cannot be followed")]
        if found is None or not isinstance(found.node, ast.FunctionDef | ast.AsyncFunctionDef):
            return [("GET", "its view cannot be followed")]
        return self._of_function(found.module, found.node)

    def _of_function(self, module: Module, node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[tuple[str, str]]:
        for decorator in node.decorator_list:
            name = called(decorator)
            if name in _DECORATORS:
                return [(method, "") for method in _DECORATORS[name]]
            if name in {"require_http_methods", "api_view"} and isinstance(decorator, ast.Call):
                listed = argument(decorator, 0, "request_method_list" if name != "api_view" else "http_method_names")
                if listed is None and name == "api_view":
                    return [("GET", "")]
                if isinstance(listed, ast.List | ast.Tuple):
                    texts = [self._python.text(module, item) for item in listed.elts]
                    return [(text.text.upper(), "") for text in texts if text]
        mentioned = {
            each.value
            for each in ast.walk(node)
            if isinstance(each, ast.Constant)
            and isinstance(each.value, str)
            and each.value.lower() in _VERBS
            and each.value.isupper()
        }
        reads_body = any(
            isinstance(each, ast.Attribute) and each.attr in {"POST", "body", "FILES"} for each in ast.walk(node)
        )
        return [(method, ANY) for method in sorted(mentioned | {"GET"} | ({"POST"} if reads_body else set()))]

    def _of_class(self, found: Meaning) -> list[str]:
        methods: dict[str, None] = {}
        allowed: set[str] | None = None
        for cls in self._line_of(found):
            if not isinstance(cls.node, ast.ClassDef):
                methods.update(dict.fromkeys(self._generic(cls.node)))
                continue
            names = class_names(cls.node)
            methods.update(dict.fromkeys(verb.upper() for verb in _VERBS if verb in names))
            listed = names.get("http_method_names")
            if allowed is None and isinstance(listed, ast.List | ast.Tuple):
                texts = [self._python.text(cls.module, item) for item in listed.elts]
                allowed = {text.text.upper() for text in texts if text}
        return [method for method in methods if allowed is None or method in allowed]

    def _line_of(self, found: Meaning) -> Iterator[Meaning]:
        """Yield a class and those that it is made of; one from elsewhere comes as the expression that names it."""
        pending, seen = [found], set[int]()
        while pending and len(seen) < MAX_HOPS:
            each = pending.pop(0)
            if id(each.node) in seen:
                continue
            seen.add(id(each.node))
            yield each
            if isinstance(each.node, ast.ClassDef):
                for node in each.node.bases:
                    base = self._python.meaning(each.module, node)
                    pending.append(base if base and isinstance(base.node, ast.ClassDef) else Meaning(each.module, node))

    @staticmethod
    def _generic(node: ast.AST) -> list[str]:
        return _GENERIC.get(called(node), "").split()

    def of_view_set(self, module: Module, node: ast.expr | None) -> list[tuple[str, str, str]] | None:
        """Return what a view set serves: method, path below its prefix, what it rests on; None if it is unknown."""
        found = self._python.meaning(module, node) if node is not None else None
        if found is None or not isinstance(found.node, ast.ClassDef):
            return None
        served: dict[tuple[str, str], str] = {}
        lookup, actions = "pk", set()
        extra: list[tuple[Module, ast.FunctionDef | ast.AsyncFunctionDef]] = []
        for cls in self._line_of(found):
            if not isinstance(cls.node, ast.ClassDef):
                actions |= set(_SETS.get(called(cls.node), "").split())
                continue
            names = class_names(cls.node)
            actions |= _SET_METHODS.keys() & names.keys()
            field = next((names[each] for each in ("lookup_url_kwarg", "lookup_field") if each in names), None)
            text = self._python.text(cls.module, field) if field is not None else None
            lookup = text.text if text and lookup == "pk" else lookup
            extra += [
                (cls.module, each)
                for each in names.values()
                if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
            ]
        for action in actions:
            method, on_item = _SET_METHODS[action]
            served[method, f"<{lookup}>" if on_item else ""] = ""
        for owner, function in extra:
            for decorator in function.decorator_list:
                if called(decorator) == "action" and isinstance(decorator, ast.Call):
                    self._action(owner, function.name, decorator, lookup, served)
        return [(method, path, why) for (method, path), why in served.items()]

    def _action(
        self, module: Module, name: str, call: ast.Call, lookup: str, served: dict[tuple[str, str], str]
    ) -> None:
        detail = argument(call, 1, "detail")
        path = self._python.text(module, argument(call, 2, "url_path"))
        listed = argument(call, 0, "methods")
        methods = ["get"]
        if isinstance(listed, ast.List | ast.Tuple):
            methods = [text.text for item in listed.elts if (text := self._python.text(module, item))]
        on_item = isinstance(detail, ast.Constant) and detail.value is True
        below = path.text if path else name
        for method in methods:
            served[method.upper(), f"<{lookup}>/{below}" if on_item else below] = ""
