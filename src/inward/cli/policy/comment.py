"""A comparison as Markdown, fit for a comment on a pull request.

Names stand in code spans, in which nothing is read as Markdown, as HTML or as a mention of somebody. There are lists
and no tables, since a code span does not keep a `|` from ending a cell. GitHub takes comments of 65,536 characters:
what goes beyond `MOST_CHARACTERS` is counted, the least important first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inward.catalog.document import shown
from inward.cli.output import printable
from inward.cli.policy.effects import SECTIONS, Name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inward.cli.policy.effects import Line, Words

MOST_CHARACTERS = 60_000
MOST_OF_A_NAME = 200
_BACKTICKS = re.compile("`+")


def render(title: Words, summary: Words, sections: Mapping[str, Sequence[Line]]) -> str:
    """Return the comment: a heading, a line that sums up, and the sections, as far as they fit."""
    parts = [f"### {_inline(title)}\n\n{_inline(summary)}\n"]
    size = len(parts[0])
    left_out = 0
    for section, lines in sections.items():
        parts.append(f"\n**{SECTIONS[section]}**\n\n")
        size += len(parts[-1])
        for line in lines:
            item = f"- {_inline(line.words)}\n" + "".join(f"  - {_inline(detail)}\n" for detail in line.details)
            if left_out or size + len(item) > MOST_CHARACTERS:
                left_out += 1
                continue
            parts.append(item)
            size += len(item)
    if left_out:
        parts.append(f"\nand {left_out:,} more lines: this is as much as a comment holds\n")
    return "".join(parts)


def _inline(words: Words) -> str:
    return "".join(_code(word) if isinstance(word, Name) else _plain(word) for word in words)


def _plain(text: str) -> str:
    return re.sub(r" {2,}", " ", text)


def _code(name: str) -> str:
    """Return a code span: its fence is longer than any row of backticks in it."""
    text = shown(printable(name), MOST_OF_A_NAME)
    longest = max((len(found) for found in _BACKTICKS.findall(text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if longest or text != text.strip() or not text else ""
    return f"{fence}{pad}{text}{pad}{fence}"
