"""A Sigma rule: what it is called, how grave it is, and whether a call is what it is about.

Sigma rules specification 2.0. Rules: the log source is this record and no other; a key that is not known is a mistake,
since what was meant by it would not be done. Custom keys begin with `x-`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from inward.alerting.sigma.correlation import Correlation, read_correlation
from inward.alerting.sigma.detection import read_detection
from inward.catalog.document import did_you_mean, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from inward.catalog.document import Value
    from inward.errors import Place
    from inward.record.call import Call

Level: TypeAlias = Literal["informational", "low", "medium", "high", "critical"]

LOG_SOURCE: Final = {"product": "inward", "category": "calls"}
MAX_TITLE = 256
_KEYS: Final = (
    "title",
    "id",
    "name",
    "related",
    "taxonomy",
    "status",
    "description",
    "license",
    "references",
    "author",
    "date",
    "modified",
    "logsource",
    "detection",
    "correlation",
    "fields",
    "falsepositives",
    "level",
    "tags",
    "scope",
)
_STATUS: Final = ("stable", "test", "experimental", "deprecated", "unsupported")
_RETIRED: Final = ("deprecated", "unsupported")
_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_TECHNIQUE = re.compile(r"attack\.(t[0-9]{4}(?:\.[0-9]{3})?)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `test` is whether a call is what it is about; a correlation has `correlation` in its place."""

    id: str  # its `id`, else its `name`, else its file's name
    name: str | None
    title: str
    level: Level
    place: Place
    retired: bool = False  # deprecated or unsupported: it is read, and does not fire
    techniques: tuple[str, ...] = ()  # of MITRE ATT&CK
    test: Callable[[Call], bool] | None = None
    correlation: Correlation | None = None

    @property
    def detector(self) -> str:
        """What its alerts say found them."""
        return f"sigma:{self.id}"


def read_rule(document: Value, stem: str) -> Rule | None:
    """Return the rule in a document; None, and mistakes, where it is none. `stem` is what its file is called."""
    before = len(document.mistakes)
    if not document.is_a(dict):
        return None
    document.check_keys(_KEYS, extensions=True)
    title = _title(document)
    name = _identifier(document.get("name"))
    identifier = _identifier(document.get("id")) or name or (stem if _ID.fullmatch(stem) else None)
    if identifier is None:
        document.mistake(f"the file's name `{shown(stem)}` cannot name the rule", "give it an `id`")
    level = _one_of(document.get("level"), get_args(Level)) or "medium"
    status = _one_of(document.get("status"), _STATUS)
    _one_of(document.get("taxonomy"), ("inward", "sigma"))
    found = _body(document)
    if title is None or identifier is None or found is None or len(document.mistakes) > before:
        return None
    test, correlation = found
    return Rule(
        id=identifier,
        name=name,
        title=title,
        level=next(each for each in get_args(Level) if each == level),
        place=document.place,
        retired=status in _RETIRED,
        techniques=tuple(_techniques(document.get("tags"))),
        test=test,
        correlation=correlation,
    )


def _body(document: Value) -> tuple[Callable[[Call], bool] | None, Correlation | None] | None:
    detection, correlation = document.get("detection"), document.get("correlation")
    if correlation is not None:
        for key in ("detection", "logsource"):
            if (value := document.get(key)) is not None:
                value.mistake(f"a correlation has no `{key}`", "it has that of the rules that it names")
        read = read_correlation(correlation)
        return None if read is None else (None, read)
    _log_source(document)
    detection = document.need("detection", "what the rule is to find")
    test = read_detection(detection) if detection is not None else None
    return None if test is None else (test, None)


def _title(document: Value) -> str | None:
    value = document.need("title", "one line that says what the rule finds")
    text = value.text() if value is not None else None
    if value is not None and text is not None and (len(text) > MAX_TITLE or not text.isprintable()):
        value.mistake(f"the title is not one line of {MAX_TITLE} characters at most")
        return None
    return text


def _log_source(document: Value) -> None:
    source = document.need("logsource", "write `{product: inward, category: calls}`")
    if source is None or not source.is_a(dict):
        return
    source.check_keys(("product", "category", "definition"))
    for key, wanted in LOG_SOURCE.items():
        value = source.need(key, f"write `{key}: {wanted}`")
        if value is not None and value.data != wanted:
            value.mistake(f"`{shown(str(value.data))}` is not recorded here", f"write `{key}: {wanted}`")


def _identifier(value: Value | None) -> str | None:
    text = value.text() if value is not None else None
    if value is None or text is None:
        return None
    if not _ID.fullmatch(text):
        value.mistake(f"`{shown(text)}` cannot name a rule", "use letters, digits, dots, dashes and underscores")
        return None
    return text


def _one_of(value: Value | None, known: tuple[str, ...]) -> str | None:
    text = value.text() if value is not None else None
    if value is not None and text is not None and text not in known:
        value.mistake(f"`{shown(text)}` is no {value.path[-1]}", did_you_mean(text, known))
        return None
    return text


def _techniques(tags: Value | None) -> list[str]:
    texts = [item.text() for item in tags.items()] if tags is not None else []
    return [found[1].upper() for text in texts if text and (found := _TECHNIQUE.fullmatch(text))]
