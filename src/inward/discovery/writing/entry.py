"""A service's entry in `inward.yaml`: written for a new service, given further documents for one that is there.

The file is a person's, with comments: lines are put in, and nothing else is touched. What comes out is parsed again
and must be what was meant, value for value; a file that is laid out in another way (`services: {…}` in one line) is
refused, with the lines to put in by hand.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from inward.catalog.document import InvalidDocumentError, parse_document
from inward.catalog.system import FILE
from inward.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inward.catalog.document import Document
    from inward.catalog.syntax import Data

_PLAIN = re.compile(r"[A-Za-z0-9_./-]*[A-Za-z_/-][A-Za-z0-9_./-]*")


class UneditableError(BadInputError):
    """`inward.yaml` is laid out in a way that no line can be put into; a person has to."""

    code = "uneditable"


def new_system(trust_domain: str) -> str:
    """Return the `inward.yaml` of a system that has no service yet."""
    return f"trust_domain: {trust_domain}\n\nservices:\n"


def with_service(text: str, name: str, entry: dict[str, Data]) -> str:
    """Return `inward.yaml` with one more service. Raises `UneditableError`."""
    document = _parsed(text)
    data = document.parsed.data if document else None
    services = data.get("services") if isinstance(data, dict) else None
    lines = text.splitlines(keepends=True)
    wanted = [f"{key}: {_value(value)}\n" for key, value in entry.items()]
    if isinstance(services, dict) and services and document:
        at = document.parsed.line_of(("services",))
        first = document.parsed.line_of(("services", next(iter(services))))
        indent = _indent(lines[first - 1])
    else:
        at = next((number for number, line in enumerate(lines, 1) if re.match(r"services:\s*(#.*)?$", line)), 0)
        indent = "  "
    block = [f"{indent}{name}:\n", *(f"{indent}  {line}" for line in wanted)]
    put_in = "".join([*_ended(lines[:at]), *block, *lines[at:]])
    expected = {
        **(data if isinstance(data, dict) else {}),
        "services": {**(services if isinstance(services, dict) else {}), name: entry},
    }
    if at == 0 or not indent or _data(put_in) != expected:
        raise UneditableError(f"`{FILE}` is laid out in a way that is not edited here", hint=_by_hand(block))
    return put_in


def with_apis(text: str, name: str, more: Sequence[str], listen: str) -> str:
    """Return `inward.yaml` with more documents for a service that is there, and a `listen` if it has none.

    Raises `UneditableError`.
    """
    document = _parsed(text)
    data = document.parsed.data if document else None
    services = data.get("services") if isinstance(data, dict) else None
    service = services.get(name) if isinstance(services, dict) else None
    if (
        document is None
        or not isinstance(data, dict)
        or not isinstance(services, dict)
        or not isinstance(service, dict)
    ):
        raise UneditableError(f"`{FILE}` has no service `{name}` that can be edited")
    lines = text.splitlines(keepends=True)
    before = service.get("api")
    had = before if isinstance(before, list) else [before] if before else []
    apis: list[Data] = [*had, *more]
    change: dict[str, Data] = {"api": apis if len(apis) > 1 else apis[0]}
    change |= {} if "listen" in service else {"listen": listen}
    key = document.parsed.line_of(("services", name))
    indent = _indent(lines[document.parsed.line_of(("services", name, next(iter(service)))) - 1]) if service else ""
    wanted = [f"{indent}{each}: {_value(value)}\n" for each, value in change.items()]
    if "api" in service:
        at = document.parsed.line_of(("services", name, "api")) - 1
        end = at + 1
        if isinstance(before, list) and before:
            end = max(end, document.parsed.line_of(("services", name, "api", len(before) - 1)))
        comment = re.search(r"\s+#.*", lines[at])
        wanted[0] = wanted[0].rstrip("\n") + (comment[0].rstrip("\n") if comment and end == at + 1 else "") + "\n"
        put_in = "".join([*lines[:at], *wanted, *lines[end:]])
    else:
        put_in = "".join([*_ended(lines[:key]), *wanted, *lines[key:]])
    if _data(put_in) != {**data, "services": {**services, name: {**service, **change}}}:
        raise UneditableError(
            f"`{name}` in `{FILE}` is laid out in a way that is not edited here", hint=_by_hand(wanted)
        )
    return put_in


def _value(value: Data) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_value(each) for each in value) + "]"
    text = str(value)
    return (
        text
        if _PLAIN.fullmatch(text) or re.fullmatch(r"[0-9.]+:[0-9]+", text)
        else json.dumps(text, ensure_ascii=False)
    )


def _parsed(text: str) -> Document | None:
    try:
        return parse_document(FILE, text.encode())
    except InvalidDocumentError:
        return None


def _data(text: str) -> Data:
    document = _parsed(text)
    return document.parsed.data if document and not document.mistakes else None


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" "))]


def _ended(lines: list[str]) -> list[str]:
    return [line if line.endswith("\n") else line + "\n" for line in lines]


def _by_hand(lines: list[str]) -> str:
    return "put in by hand: " + " / ".join(line.strip() for line in lines)
