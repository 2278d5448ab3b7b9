"""Spring MVC and WebFlux: the mappings of controllers in Java and Kotlin.

A controller has the mappings of its methods, and those of what it extends and implements as far as that is in the
source folder; a Feign client has none, whatever it is annotated with. Constants are followed through all files by the
names of their classes. `${a.setting:/default}` is what the application's own properties say, or its default, and then
`likely`.

Left out, and named: functional routes (`RouterFunction`), repositories that serve themselves (Spring Data REST),
mappings with wildcards, interfaces that are not there (such as those that are generated when the program is built).
"""

from __future__ import annotations

import re
from itertools import product
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from inward.discovery.found import Sure
from inward.discovery.source.files import read_text, walk
from inward.discovery.source.jvm.classes import Class, Method, read_classes
from inward.discovery.source.jvm.mappings import Constants, InvalidMappingError, Mapping, mapping_of, template_of
from inward.discovery.source.jvm.settings import Settings, read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inward.discovery.found import Discovery

HINT = re.compile(
    r"@\w*(?:Mapping|Controller|RepositoryRestResource)\b|RouterFunction|\bcoRouter\b|\bString\s+\w+\s*=|\bconst\s+val\b"
)
MAX_MAPPINGS = 20_000
_CONTROLLERS = ("RestController", "Controller")
_MAPPINGS = {
    "RequestMapping": "", "GetMapping": "GET", "PostMapping": "POST", "PutMapping": "PUT", "PatchMapping": "PATCH",
    "DeleteMapping": "DELETE",
}  # fmt: skip
_FUNCTIONAL = re.compile(r"RouterFunction|\bcoRouter\b")
_ANY = "the mapping takes every method: GET is what is taken for it"
_KNOWN_SUPERS = frozenset({"ErrorController"})  # of Spring itself


def read_spring(root: Path, discovery: Discovery) -> int:
    """Add the operations of all controllers below a folder, or in a file; return how many controllers there are."""
    folder = root if root.is_dir() else root.parent
    reader = _Reader(discovery, read_settings(folder, discovery))
    files = [root] if root.is_file() else walk(root, (".java", ".kt"), discovery)
    for path in files:
        shown = PurePosixPath(path.relative_to(folder)).as_posix()
        text = read_text(path, shown, discovery)
        if text is not None and HINT.search(text):
            reader.add(text, shown)
    return reader.read()


class _Reader:
    def __init__(self, discovery: Discovery, settings: Settings) -> None:
        self._discovery = discovery
        self._settings = settings
        self._classes: dict[str, Class] = {}
        self._all: list[Class] = []
        self._constants = Constants()
        self._count = 0

    def add(self, text: str, file: str) -> None:
        if found := _FUNCTIONAL.search(text):
            line = text.count("\n", 0, found.start()) + 1
            self._discovery.note(f"{file}:{line}", "functional routes are not read", "its operations are left out")
        for cls in read_classes(text, file):
            self._constants.add(cls)
            self._all.append(cls)
            if cls.name:
                self._classes.setdefault(cls.name, cls)
            if cls.annotation("RepositoryRestResource"):
                what = f"the repository `{cls.name}` serves itself"
                self._discovery.note(f"{file}:{cls.line}", what, "its operations are left out")

    def read(self) -> int:
        controllers = [cls for cls in self._all if cls.kind != "interface" and cls.annotation(*_CONTROLLERS)]
        for cls in controllers:
            self._controller(cls)
        return len(controllers)

    def _line_of(self, cls: Class) -> list[Class]:
        """Return a class and what it is made of, as far as that is known."""
        found, pending = [], [cls]
        while pending:
            each = pending.pop(0)
            if each in found:
                continue
            found.append(each)
            for name in each.supers:
                if name in self._classes:
                    pending.append(self._classes[name])
                elif (
                    each is cls
                    and name not in _KNOWN_SUPERS
                    and name.endswith(("Api", "Controller", "Resource", "Operations"))
                ):
                    what = f"`{cls.name}` is made of `{name}`, which is not in the source"
                    self._discovery.note(f"{cls.file}:{cls.line}", what, "what that one maps is left out")
        return [each for each in found if each.annotation("FeignClient") is None]

    def _controller(self, cls: Class) -> None:
        line = self._line_of(cls)
        above = next(((each, found) for each in line if (found := each.annotation("RequestMapping"))), None)
        try:
            outer = mapping_of(above[1], self._constants, above[0]) if above else Mapping(("",), ())
        except InvalidMappingError as error:
            place = f"{above[0].file}:{above[1].line}" if above else cls.file
            self._discovery.note(place, f"`{cls.name}`: {error.message}", "its operations are left out")
            return
        seen: set[str] = set()
        for each in line:
            for method in each.methods:
                if self._mapped(each, method, outer, overridden=each is not cls and method.name in seen):
                    seen.add(method.name)

    def _mapped(self, cls: Class, method: Method, outer: Mapping, *, overridden: bool) -> bool:
        annotation = next((each for each in method.annotations if each.name in _MAPPINGS), None)
        if annotation is None or overridden:
            return False
        place = f"{cls.file}:{annotation.line}"
        try:
            inner = mapping_of(annotation, self._constants, cls)
        except InvalidMappingError as error:
            self._discovery.note(place, f"`{method.name}`: {error.message}", "its operation is left out")
            return True
        own = _MAPPINGS[annotation.name]
        methods = (own,) if own else inner.methods or outer.methods or ("GET",)
        why = "" if own or inner.methods or outer.methods else _ANY
        for above, below in product(outer.paths, inner.paths):
            self._operation(above, below, methods, place, why)
        return True

    def _operation(self, above: str, below: str, methods: tuple[str, ...], place: str, why: str) -> None:
        self._count += 1
        if self._count > MAX_MAPPINGS:
            return
        text, assumed = self._settings.filled(_joined(above, below))
        if text is None:
            self._discovery.note(
                place, f"`{above}{below}` has a setting that is not known", "its operation is left out"
            )
            return
        prefix, source = self._settings.prefix
        try:
            template = template_of(prefix + text)
        except InvalidMappingError as error:
            self._discovery.note(place, error.message, error.hint)
            return
        why = why or assumed or (f"under `{prefix}`, by {source}" if prefix else "")
        for method in methods:
            sure = Sure.LIKELY if why else Sure.SURE
            self._discovery.operation(method, template, "spring", place, sure=sure, why=why)


def _joined(above: str, below: str) -> str:
    """Join as Spring does: one slash between both, and none after the first where the second is empty."""
    parts: Iterator[str] = (part for part in (above.strip("/"), below.removeprefix("/")) if part)
    slash = "/" if below == "/" and above.strip("/") else ""
    return "/" + "/".join(parts) + slash
