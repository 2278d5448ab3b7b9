"""Python modules as syntax trees, and what a name in one of them means: never imported, never run.

What is looked up: names of a module, imports between the modules of the source folder, attributes of classes, and texts
that are put together from constants. Everything else has no meaning here (None), and whoever asked says so.

Recursion is bounded by `MAX_HOPS`, so that modules which import each other in a circle come to an end.
"""

from __future__ import annotations

import ast
import warnings
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from inward.discovery.source.files import read_text, walk

if TYPE_CHECKING:
    from inward.discovery.found import Discovery

MAX_HOPS = 24
MAX_PARTS = 8  # of a module's name
MAX_ALIKE = 500  # modules that one name may mean
MAX_KEPT_BYTES = 16 * 1024 * 1024  # of source text whose trees are kept; others are read again
_SETTING = "the default of a setting"
_ENVIRONMENT = frozenset({"getenv", "get", "config", "env"})


@dataclass(eq=False)
class Module:
    """A parsed file. `names` are what its own statements bind at its top: a definition, or the value assigned last."""

    file: Path
    shown: str  # how messages call it
    tree: ast.Module
    size: int
    names: dict[str, ast.AST] = field(default_factory=dict)
    imports: dict[str, tuple[str, str | None]] = field(default_factory=dict)  # to a module, and a name in it

    def place(self, node: ast.AST) -> str:
        """Return where a node stands."""
        return f"{self.shown}:{getattr(node, 'lineno', 0)}"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a name means: a node of a module; the node of a whole module is its tree."""

    module: Module
    node: ast.AST


@dataclass(frozen=True, slots=True)
class Text:
    """A text that is known; `assumed` says on what it rests where it may be another at run time."""

    text: str
    assumed: str = ""


class Python:
    """The Python files below a folder. `only`: applications are looked for in that file alone, and in no other."""

    def __init__(self, root: Path, discovery: Discovery) -> None:
        self.only = root if root.is_file() else None
        self.root = package_root(root) if self.only else root
        self._imported_from = package_root(self.root / "__init__.py")  # above it, where the folder is a package itself
        self._discovery = discovery
        self.files = list(walk(self.root, (".py",), discovery))
        if self.only and self.only not in self.files:
            self.files.append(self.only)
        self._known = frozenset(self.files)
        self._by_end: dict[str, list[Path]] = {}  # by the last parts of their names, as they may be imported
        for file in self.files:
            parts = _dotted(file.relative_to(self._imported_from)).split(".")
            for number in range(1, min(len(parts), MAX_PARTS) + 1):
                self._by_end.setdefault(".".join(parts[-number:]), []).append(file)
        self._kept: OrderedDict[Path, Module | None] = OrderedDict()
        self._size = 0

    def module(self, file: Path) -> Module | None:
        """Return a file as a module; None, and a note, where it cannot be parsed."""
        if file in self._kept:
            self._kept.move_to_end(file)
            return self._kept[file]
        made = self._kept[file] = self._parse(file)
        self._size += made.size if made else 0
        while self._size > MAX_KEPT_BYTES and len(self._kept) > 1:
            _, old = self._kept.popitem(last=False)
            self._size -= old.size if old else 0
        return made

    def _parse(self, file: Path) -> Module | None:
        shown = PurePosixPath(file.relative_to(self.root)).as_posix()
        text = read_text(file, shown, self._discovery)
        if text is None:
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of others' escapes
                tree = ast.parse(text)
        except SyntaxError as error:
            self._discovery.note(f"{shown}:{error.lineno or 1}", f"is no Python that can be read: {error.msg}")
            return None
        except (RecursionError, MemoryError, ValueError):
            self._discovery.note(shown, "is nested too deeply, and left out")
            return None
        module = Module(file, shown, tree, len(text))
        self._bind(module, tree.body)
        return module

    def _bind(self, module: Module, body: list[ast.stmt]) -> None:
        package = ".".join(module.file.relative_to(self._imported_from).parent.parts)
        for node in statements(body):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    name = alias.asname or alias.name.partition(".")[0]
                    module.imports[name] = (alias.name if alias.asname else name, None)
            elif isinstance(node, ast.ImportFrom):
                above = package.split(".") if package else []
                kept = above[: len(above) - node.level + 1] if node.level else []
                origin = ".".join([*kept, *([node.module] if node.module else [])])
                module.imports.update({alias.asname or alias.name: (origin, alias.name) for alias in node.names})
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                module.names[node.name] = node
            else:
                module.names.update(assigned(node))

    def find(self, dotted: str, near: Path) -> Path | None:
        """Return the file of a module that is imported as `dotted`; the nearest one where several could be meant."""
        found = self._by_end.get(dotted, ())[:MAX_ALIKE]
        return max(found, key=lambda file: (_shared(file, near), -len(file.parts)), default=None)

    def look_up(self, module: Module, name: str, hops: int = 0) -> Meaning | None:
        """Return what a name at the top of a module means."""
        if hops > MAX_HOPS:
            return None
        node = module.names.get(name)
        if node is not None:
            named = isinstance(node, ast.Name | ast.Attribute)
            return self.meaning(module, node, hops + 1) if named else Meaning(module, node)
        return self._imported(module, *module.imports[name], hops) if name in module.imports else None

    def _imported(self, module: Module, origin: str, member: str | None, hops: int) -> Meaning | None:
        """Return what an import brings: a name of a module, or a whole module."""
        file = self.find(origin, module.file) if origin else None
        if member is not None:
            target = self.module(file) if file else None
            found = self.look_up(target, member, hops + 1) if target is not None and target is not module else None
            if found is not None:
                return found
            file = self.find(f"{origin}.{member}" if origin else member, module.file)
        whole = self.module(file) if file else None
        return Meaning(whole, whole.tree) if whole else None

    def meaning(self, module: Module, node: ast.AST, hops: int = 0) -> Meaning | None:
        """Return what an expression at the top of a module means: a name, or an attribute of one."""
        if hops > MAX_HOPS:
            return None
        if isinstance(node, ast.Name):
            return self.look_up(module, node.id, hops + 1)
        if not isinstance(node, ast.Attribute):
            return Meaning(module, node)
        dotted = _dotted_name(node)
        if dotted and (file := self._imported_whole(module, dotted)):
            target = self.module(file)
            return Meaning(target, target.tree) if target else None
        owner = self.meaning(module, node.value, hops + 1)
        return self._member(owner, node.attr, hops) if owner is not None else None

    def _member(self, owner: Meaning | None, name: str, hops: int) -> Meaning | None:
        """Return what an attribute of a module, a class or an instance means; of the last, what its class says."""
        if owner is not None and isinstance(owner.node, ast.Module):
            return self.look_up(owner.module, name, hops + 1) or self._submodule(owner.module, name)
        if owner is not None and isinstance(owner.node, ast.Call):
            owner = self.meaning(owner.module, owner.node.func, hops + 1)
        if owner is None or not isinstance(owner.node, ast.ClassDef):
            return None
        value = class_names(owner.node).get(name)
        return Meaning(owner.module, value) if value is not None else None

    def _imported_whole(self, module: Module, dotted: str) -> Path | None:
        first = dotted.partition(".")[0]
        whole = module.imports.get(first) == (first, None) and first not in module.names
        return self.find(dotted, module.file) if whole else None

    def _submodule(self, module: Module, name: str) -> Meaning | None:
        if module.file.name != "__init__.py":
            return None
        for file in (module.file.parent / f"{name}.py", module.file.parent / name / "__init__.py"):
            if file in self._known and (target := self.module(file)):
                return Meaning(target, target.tree)
        return None

    def text(self, module: Module, node: ast.AST | None, hops: int = 0) -> Text | None:
        """Return the text that an expression stands for, or None where it is not known without running it."""
        if node is None or hops > MAX_HOPS:
            return None
        found: Text | None = None
        match node:
            case ast.Constant(value=str(value)):
                found = Text(value)
            case ast.FormattedValue(value=inner, conversion=-1, format_spec=None):
                found = self.text(module, inner, hops + 1)
            case ast.JoinedStr(values=values):
                found = _joined([self.text(module, each, hops + 1) for each in values])
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                found = _joined([self.text(module, left, hops + 1), self.text(module, right, hops + 1)])
            case ast.Call(func=ast.Attribute(attr=attr) | ast.Name(id=attr), args=[_, default]) if attr in _ENVIRONMENT:
                known = self.text(module, default, hops + 1)
                found = Text(known.text, _SETTING) if known else None
            case ast.Name() | ast.Attribute():
                found = self._named_text(module, node, hops)
        return found

    def _named_text(self, module: Module, node: ast.Name | ast.Attribute, hops: int) -> Text | None:
        meant = self.meaning(module, node, hops + 1)
        if meant is None or isinstance(meant.node, ast.Name | ast.Attribute):
            return None
        known = self.text(meant.module, meant.node, hops + 1)
        if known and isinstance(node, ast.Attribute) and self._is_setting(module, node):
            return Text(known.text, _SETTING)
        return known

    def _is_setting(self, module: Module, node: ast.Attribute) -> bool:
        """Whether an attribute is one of an instance, whose class may have filled it from elsewhere."""
        owner = self.meaning(module, node.value)
        return owner is not None and isinstance(owner.node, ast.Call)


def _joined(parts: list[Text | None]) -> Text | None:
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return Text("".join(part.text for part in known), next((part.assumed for part in known if part.assumed), ""))


def statements(body: list[ast.stmt], *, loops: bool = True) -> list[ast.stmt]:
    """Return the statements of a body and of the blocks in it, in their order; not those of functions and classes.

    Without `loops`, what stands in a `for` is left out.
    """
    found: list[ast.stmt] = []
    pending = list(reversed(body))
    while pending:
        node = pending.pop()
        found.append(node)
        if isinstance(node, ast.For) and not loops:
            continue
        if isinstance(node, ast.If | ast.For | ast.While | ast.With | ast.AsyncWith | ast.AsyncFor | ast.Try):
            blocks = [getattr(node, name, []) for name in ("body", "orelse", "finalbody")]
            blocks[1:1] = [handler.body for handler in getattr(node, "handlers", [])]
            pending.extend(reversed([each for block in blocks for each in block]))
    return found


def assigned(node: ast.stmt) -> dict[str, ast.AST]:
    """Return the names that a statement binds to a value."""
    if isinstance(node, ast.Assign):
        return {target.id: node.value for target in node.targets if isinstance(target, ast.Name)}
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
        return {node.target.id: node.value}
    return {}


def class_names(node: ast.ClassDef) -> dict[str, ast.AST]:
    """Return what stands in a class, by name."""
    found: dict[str, ast.AST] = {}
    for each in node.body:
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
            found[each.name] = each
        else:
            found.update(assigned(each))
    return found


def argument(call: ast.Call, position: int | None, name: str) -> ast.expr | None:
    """Return an argument of a call, by its name or its position."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    if position is not None and position < len(call.args) and not isinstance(call.args[position], ast.Starred):
        return call.args[position]
    return None


def called(node: ast.AST) -> str:
    """Return the last name of what is called; empty where it has none."""
    func = node.func if isinstance(node, ast.Call) else node
    if isinstance(func, ast.Attribute):
        return func.attr
    return func.id if isinstance(func, ast.Name) else ""


def package_root(file: Path) -> Path:
    """Return the folder from which a file's package is imported."""
    folder = file.parent
    while (folder / "__init__.py").is_file() and folder.parent != folder:
        folder = folder.parent
    return folder


def _dotted(relative: Path) -> str:
    parts = list(relative.with_suffix("").parts)
    return ".".join(parts[:-1] if parts and parts[-1] == "__init__" else parts)


def _dotted_name(node: ast.AST) -> str:
    names: list[str] = []
    while isinstance(node, ast.Attribute) and len(names) < MAX_HOPS:
        names.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(names)]) if isinstance(node, ast.Name) else ""


def _shared(one: Path, other: Path) -> int:
    return sum(1 for mine, theirs in zip(one.parts, other.parts, strict=False) if mine == theirs)
