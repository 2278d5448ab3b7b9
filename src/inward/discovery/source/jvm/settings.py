"""The properties of a Spring application that its paths depend on: `application.properties`, `application.yml`.

Only the files without a profile are read; whatever is set elsewhere (the environment, a command line) is not known. So
what rests on a property is likely, and never sure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inward.catalog.syntax import InvalidSyntaxError, parse_yaml
from inward.discovery.source.files import read_text, walk

if TYPE_CHECKING:
    from pathlib import Path

    from inward.discovery.found import Discovery

_FILES = frozenset({"application.properties", "application.yml", "application.yaml"})
_PREFIXES = ("server.servlet.context-path", "spring.webflux.base-path", "spring.mvc.servlet.path")
_PLACEHOLDER = re.compile(r"\$\{(?P<name>[\w.-]{1,200})(?::(?P<default>[^{}]*))?\}")
_LINE = re.compile(r"\s*(?P<name>[\w.-]{1,200})\s*[=:]\s*(?P<value>.*?)\s*")
_MAX_NESTED = 20


@dataclass
class Settings:
    """Properties by name, each with the file that it stands in."""

    values: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def prefix(self) -> tuple[str, str]:
        """What all paths are under (empty: nothing), and the file that says so."""
        found = [self.values[name] for name in _PREFIXES if name in self.values]
        parts = [value.strip("/") for value, _ in found if value.strip("/") and "$" not in value]
        return "".join(f"/{part}" for part in parts), found[0][1] if found else ""

    def filled(self, path: str) -> tuple[str | None, str]:
        """Return a path with its placeholders filled in, and on what it rests then; None where one is not known."""
        assumed, missing = "", False

        def value(found: re.Match[str]) -> str:
            nonlocal assumed, missing
            known = self.values.get(found["name"])
            missing |= known is None and found["default"] is None
            assumed = f"`{found['name']}` is what {known[1]} says" if known else f"`{found['name']}` has its default"
            return (known[0] if known else found["default"] or "").strip("/")

        text = _PLACEHOLDER.sub(value, path)
        return (None, "") if missing else (text, assumed)


def read_settings(root: Path, discovery: Discovery) -> Settings:
    """Return the properties of the application below a folder; of files of the same name the first one found counts."""
    settings = Settings()
    for path in walk(root, tuple(_FILES), discovery):
        if path.name not in _FILES:
            continue
        shown = path.relative_to(root).as_posix()
        text = read_text(path, shown, discovery)
        if text is None:
            continue
        for name, value in _properties(text) if path.suffix == ".properties" else _of_yaml(text, shown, discovery):
            settings.values.setdefault(name, (value, shown))
    return settings


def _properties(text: str) -> list[tuple[str, str]]:
    lines = (line for line in text.splitlines() if not line.lstrip().startswith(("#", "!")))
    return [(found["name"], found["value"]) for line in lines if (found := _LINE.fullmatch(line[:2000]))]


def _of_yaml(text: str, shown: str, discovery: Discovery) -> list[tuple[str, str]]:
    first = re.split(r"^---", text.removeprefix("---"), maxsplit=1, flags=re.MULTILINE)[0]
    try:
        pending: list[tuple[str, object, int]] = [("", parse_yaml(first).data, 0)]
    except InvalidSyntaxError as error:
        discovery.note(f"{shown}:{error.line}", error.message)
        return []
    found = []
    while pending:
        name, value, depth = pending.pop()
        if isinstance(value, dict) and depth < _MAX_NESTED:
            pending += [(f"{name}.{key}" if name else key, each, depth + 1) for key, each in value.items()]
        elif isinstance(value, str | int):
            found.append((name, str(value)))
    return found
