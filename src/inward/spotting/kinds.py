"""Kinds of data that can be told by how it is written, and the form in which each recogniser is given.

A recogniser looks at one text that stands in a field. Its `triggers` are RE2 patterns, of which one is found in every
text that it could say yes to without a hint; `hints` are found in names of fields in which it looks at any text. RE2
takes time linear in the text, whatever the text is; `re` patterns in recognisers repeat within bounds only.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from inward.catalog.json_path import Path, json_path

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator


class Kind(enum.StrEnum):
    """What a value looks like. The text is stable: programs may read it."""

    EMAIL = "email"
    PHONE = "phone"
    CARD = "card"
    IBAN = "iban"
    NATIONAL_ID = "national-id"
    SECRET = "secret"  # noqa: S105 - the name of a kind


@dataclass(frozen=True, slots=True)
class Spotted:
    """At `path` stands a value that looks like `kind`, and nothing is declared there."""

    path: Path
    kind: Kind

    @property
    def place(self) -> str:
        """The path as JSONPath, such as `$.orders[*].contact`."""
        return json_path(self.path)


class Candidates(Protocol):
    """Looks at one text: yields for each part of it that has the form of a kind whether it is one."""

    def __call__(self, text: str, *, hinted: bool) -> Iterator[bool]:
        """`hinted` is whether the field's name says that it is of the kind."""


@dataclass(frozen=True, slots=True, eq=False)
class Recogniser:
    """Recognises one kind.

    Where `by_chance`, other numbers pass now and then: of several candidates at one place half must pass.
    """

    kind: Kind
    triggers: tuple[str, ...]
    hints: re.Pattern[str] | None
    candidates: Candidates
    by_chance: bool = False
