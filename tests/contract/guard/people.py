"""A system with one guarded service, `people`, and what its handlers answer, whatever the framework.

`till` may call every operation and is shown no data class but names, `office` is shown all, and `stranger` may call
nothing. `people` itself may be sent names and telephone numbers. Of
persons as objects, the till may see its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inward.control.bundle import load_policy, store_bundle
from inward.guard.bundle import FollowedBundle
from inward.guard.current import current_call
from inward.identity.private_files import private_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from inward.guard.core import Call

SECRET = "ada@example.com"
PERSON = {"id": 1, "name": "Ada", "email": SECRET, "phone": "+46 8 555 0101", "card": "4111", "notes": [1.10, None]}
SHOWN = {"id": 1, "name": "Ada", "phone": "****0101", "notes": [1.10, None]}  # to the till, but for the token
KEY = b"k" * 32
PATHS = ("people", "watched", "plain", "hidden", "taken", "heard")
METHODS = ("GET", "HEAD", "POST")

FILES = {
    "inward.yaml": """\
trust_domain: people.test
services:
  people:
    owner: team-people
    api: people.json
    listen: 127.0.0.1:0
    run: serve {socket}
    operations:
      watchPerson: {mode: observe}
      postHeard: {mode: observe}
  till: {owner: team-till}
  office: {owner: team-people}
  stranger: {owner: team-strange}
data:
  pii: {owner: team-people}
  pii.name: {owner: team-people}
  pii.email: {owner: team-people}
  pii.phone: {owner: team-people, undisclosed: mask}
  pii.card: {owner: team-people, undisclosed: tokenise}
""",
    "policies/people.cedar": """\
@id("till-calls") @reason("the till greets who pays")
permit (principal == Service::"till", action in Action::"people:*", resource == Service::"people");

@id("office-calls") @reason("the office keeps the files")
permit (principal == Service::"office", action in Action::"people:*", resource == Service::"people");

@id("till-names") @reason("the till greets who pays")
permit (principal == Service::"till", action == Action::"disclose", resource == DataClass::"pii.name");

@id("office-all") @reason("the office keeps the files")
permit (principal == Service::"office", action == Action::"disclose", resource in DataClass::"pii");

@id("people-names") @reason("it keeps them")
permit (principal == Service::"people", action == Action::"disclose", resource == DataClass::"pii.name");

@id("till-own") @reason("the till greets who pays")
permit (principal == Service::"till", action in Action::"people:read", resource is Person)
when { resource.shop == "till" && resource.visits > 0 };

@id("people-numbers") @reason("it keeps them")
permit (principal == Service::"people", action == Action::"disclose", resource == DataClass::"pii.phone");
""",
}
FILES["policies/people.cedarschema"] = "entity Person { shop: String, visits: Long, note?: String };\n"
_PERSON_SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "name": {"type": "string", "x-inward-data": "pii.name"},
        "email": {"type": "string", "x-inward-data": "pii.email"},
        "phone": {"type": "string", "x-inward-data": "pii.phone"},
        "card": {"type": "string", "x-inward-data": "pii.card"},
    },
}


def _operation(name: str, schema: object, *parameters: str) -> dict[str, object]:
    text = {"type": "string"}
    return {
        "operationId": name,
        "parameters": [{"name": each, "in": "path", "required": True, "schema": text} for each in parameters],
        "responses": {"200": {"description": "done", "content": {"application/json": {"schema": schema}}}},
    }


def _taking(name: str, answer: object) -> dict[str, object]:
    mail = {"name": "mail", "in": "query", "schema": {"type": "string", "x-inward-data": "pii.email"}}
    operation = _operation(name, answer, "answer")
    body = {"content": {"application/json": {"schema": _PERSON_SCHEMA}}}
    return {**operation, "parameters": [*operation["parameters"], mail], "requestBody": body}  # type: ignore[misc] # a list


DESCRIPTION = {
    "openapi": "3.1.0",
    "info": {"title": "people", "version": "1"},
    "paths": {
        "/people/{answer}": {
            "get": _operation("getPerson", _PERSON_SCHEMA, "answer"),
            "head": _operation("headPerson", _PERSON_SCHEMA, "answer"),
            "post": _operation("postPerson", _PERSON_SCHEMA, "answer"),
        },
        "/watched/{answer}": {"get": _operation("watchPerson", _PERSON_SCHEMA, "answer")},
        "/plain/{answer}": {"get": _operation("getPlain", {"type": "object"}, "answer")},
        "/taken/{answer}": {
            "get": _taking("getTaken", {"type": "object"}),
            "head": _taking("headTaken", {"type": "object"}),
            "post": _taking("postTaken", {"type": "object"}),
        },
        "/heard/{answer}": {
            "get": _operation("getHeard", {"type": "object"}, "answer"),
            "head": _operation("headHeard", {"type": "object"}, "answer"),
            "post": _taking("postHeard", _PERSON_SCHEMA),
        },
    },
}


def followed(folder: Path, clock: object = None) -> FollowedBundle:
    """Write the system, make it the current bundle, and follow that."""
    write(folder, FILES | {"people.json": json.dumps(DESCRIPTION)})
    options = {} if clock is None else {"clock": clock}
    return FollowedBundle(folder / "bundle", "people", KEY, **options)  # type: ignore[arg-type] # a clock


def write(folder: Path, files: dict[str, str]) -> None:
    """Put files into the system, and make it the current bundle."""
    for name, content in files.items():
        path = folder / "system" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    store_bundle(private_folder(folder / "bundle"), load_policy(folder / "system"))


@dataclass(frozen=True)
class Scripted:
    """What a handler answers."""

    body: bytes = b""
    content_type: str = "application/json"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    chunks: tuple[bytes, ...] = ()  # streamed, in the place of the body
    asks: Callable[[Call], object] | None = None  # what the handler does before it answers


ANSWERS: dict[str, Scripted] = {"person": Scripted(json.dumps(PERSON).encode())}


@dataclass
class Handled:
    """What handlers were asked, since the last test began."""

    calls: list[tuple[str | None, str | None, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def take(self, answer: str, headers: dict[str, str], body: bytes) -> Scripted:
        """Answer one request, in any framework's handler."""
        call = current_call()
        self.calls.append((call.caller, call.operation, call.reference))
        self.headers.append({name.lower(): value for name, value in headers.items()})
        self.bodies.append(body)
        scripted = ANSWERS[answer]
        if scripted.asks is not None:
            scripted.asks(call)
        return scripted


handled = Handled()


def head(answer: Scripted) -> dict[str, str]:
    return {**dict(answer.headers), "content-type": answer.content_type}


async def later(chunks: tuple[bytes, ...]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
