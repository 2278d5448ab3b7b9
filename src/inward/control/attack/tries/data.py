"""Data that is not disclosed to it, in the answers of operations that it may call; asked for in many ways.

Where a class stands in an answer, and what must have become of it, is what the guard and Envoy go by too
(`inward.viewing.places`): this looks whether it was done. A masked text begins with `****`, a token with `tok_`.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from inward.catalog.document import shown
from inward.catalog.model import Mode
from inward.control.attack import wire
from inward.control.attack.attempt import Attempt, Found, Sent, Verdict, not_sent
from inward.control.attack.intruder import refused
from inward.guard.bodies.answer import media_type_of, separator_of
from inward.policy.disclosures import Disclosures
from inward.record.call import Call
from inward.record.filter import Filter, Term
from inward.record.reader import Reading
from inward.viewing.places import UnviewableError, compile_places

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from inward.catalog.model import Operation, Service, Undisclosed
    from inward.control.attack.intruder import Intruder
    from inward.control.egress_client import Answer, Outgoing
    from inward.viewing.places import Place

MOST_SHOWN = 5  # places that are told of one answer
MOST_LEVELS = 64
_LOOK_BACK = timedelta(days=7)
_SUCCESS, _NO_SUCCESS = 200, 300
_NEWEST = 20  # calls of one operation among which one is looked for whose path is kept
_MOST_PLAIN_BYTES = 16 << 20
_ALL = "what no view can be made of"
_SAID: Final[dict[Undisclosed, str]] = {"mask": "****", "tokenise": "tok_"}
# By what a view may be got around: other forms, parts and copies of the same answer.
_WAYS: Final[dict[str, tuple[str, tuple[tuple[str, str], ...]]]] = {
    "as it is": ("GET", ()),
    "as HTML": ("GET", (("accept", "text/html"),)),
    "as XML": ("GET", (("accept", "application/xml"),)),
    "as CSV": ("GET", (("accept", "text/csv"),)),
    "as JSON Lines": ("GET", (("accept", "application/x-ndjson"),)),
    "as events": ("GET", (("accept", "text/event-stream"),)),
    "packed": ("GET", (("accept-encoding", "gzip, deflate, br, zstd"),)),
    "in another charset": ("GET", (("accept-charset", "utf-16"), ("accept", "application/json; charset=utf-16"))),
    "a part": ("GET", (("range", "bytes=0-65535"),)),
    "if it has changed": ("GET", (("if-none-match", '"none"'), ("if-modified-since", "Thu, 01 Jan 1970 00:00:00 GMT"))),
    "its head": ("HEAD", ()),
}


def data(intruder: Intruder) -> Iterator[Attempt]:
    """Yield calls that it may make, of operations whose answers hold what is not disclosed to it."""
    disclosures = Disclosures(intruder.catalog, intruder.policy.engine)
    for callee in intruder.callees:
        for operation in intruder.granted(callee):
            names = disclosures.withheld(intruder.service, operation.answers.classes, intruder.now)
            if not names:
                continue
            if operation.rpc is not None:
                why = Verdict("untried", "messages of gRPC are not looked into here")
                yield not_sent("data", operation.id, ", ".join(sorted(names)), why)
                continue
            yield from _asked(intruder, callee, operation, names)


def _asked(intruder: Intruder, callee: Service, operation: Operation, names: frozenset[str]) -> Iterator[Attempt]:
    withheld = {name: intruder.catalog.data_classes[name].undisclosed for name in names}
    path = _known_path(intruder, operation) or intruder.path(operation)
    for way, (method, headers) in _WAYS.items():
        used = method if operation.method == "GET" else operation.method
        outgoing = intruder.outgoing(callee.name, used, path, headers)
        yield _way(intruder, operation, withheld, f"{', '.join(sorted(names))}, {way}", outgoing)


def _way(
    intruder: Intruder, operation: Operation, withheld: dict[str, Undisclosed], what: str, outgoing: Outgoing
) -> Attempt:
    def send() -> Sent:
        shown: list[str] = []

        def look() -> tuple[int, Answer]:
            port, answer = intruder.ask(outgoing)
            if outgoing.method != b"HEAD":
                shown.extend(undisclosed_in(answer, operation, withheld))
            return port, answer

        return replace(wire.attempt(look), shown=tuple(shown))

    return Attempt("data", operation.id, what, lambda sent, found: _judged(operation, sent, found), send)


def _known_path(intruder: Intruder, operation: Operation) -> str | None:
    """Return the path of an object that there is: of a call that the service itself made, and that was answered."""
    if not operation.template.variables:
        return None
    wanted = Filter(
        caller=intruder.service,
        operation=operation.id,
        since=intruder.now - _LOOK_BACK,
        terms=(Term.parse(f"status>={_SUCCESS}"), Term.parse(f"status<{_NO_SUCCESS}")),
    )
    for entry in Reading(intruder.layout.record, wanted).newest(_NEWEST):
        if isinstance(entry, Call) and not entry.not_kept:
            return entry.full_path
    return None


def _judged(operation: Operation, sent: Sent, found: Found) -> Verdict:
    call = found.call(sent.reference)
    if call is None or sent.status is None:
        return Verdict("untried", sent.said or "the record does not have the call", sent.reference)
    if call.carried_out == "deny":
        return refused(call)
    if sent.shown:
        told = f"the answer holds {', '.join(sent.shown)}"
        if operation.mode is Mode.OBSERVE:
            return Verdict("open", f"{told}: in mode observe nothing is withheld", call.id)
        return Verdict("breached", told, call.id)
    if not _SUCCESS <= sent.status < _NO_SUCCESS:
        return Verdict("untried", f"answered {sent.status}: there is nothing to look at", call.id)
    return Verdict("held", f"withheld: {', '.join(call.withheld)}" if call.withheld else "nothing of it came", call.id)


# --- looking into an answer


def undisclosed_in(answer: Answer, operation: Operation, withheld: Mapping[str, Undisclosed]) -> list[str]:
    """Return the places of an answer that hold what should have been withheld; the first of them."""
    try:
        whole, part = compile_places(operation.answers.of(answer.status), withheld)
    except UnviewableError:
        whole = part = None
        return [_ALL] if answer.body else []
    if not answer.body or (whole is None and part is None) or answer.problem:
        return []
    try:
        body, headers = _unpacked(answer)
        separator = separator_of(media_type_of(headers))
        if separator is None:
            return [_ALL]
        documents = body.split(separator) if separator else [body]
        place = part if separator else whole
        found: list[str] = []
        for document in documents:
            if document.strip() and place is not None:
                _look(json.loads(document), place, "$", found, 0)
    except (UnviewableError, ValueError, RecursionError, zlib.error):
        return [_ALL]  # an enforcer that looks would have refused it
    return found[:MOST_SHOWN]


def _unpacked(answer: Answer) -> tuple[bytes, list[tuple[str, str]]]:
    """Return the body of an answer as it was before it was packed, and its headers without that."""
    coding = (answer.header("content-encoding") or "identity").strip().lower()
    headers = [(name, value) for name, value in answer.headers if name.lower() != "content-encoding"]
    if coding == "identity":
        return answer.body, headers
    if coding not in {"gzip", "deflate"}:
        raise UnviewableError("the body is encoded")
    unpacking = zlib.decompressobj(wbits=47)  # the form is told by how it begins
    body = unpacking.decompress(answer.body, _MOST_PLAIN_BYTES)
    if not unpacking.eof:
        raise UnviewableError("the body is too long, or only a part of it")
    return body, headers


def _look(value: Any, place: Place, where: str, found: list[str], depth: int) -> None:  # noqa: ANN401 - any JSON
    """Add to `found` where a value, or one in it, is not what a view would have made of it."""
    if value is None or len(found) >= MOST_SHOWN:
        return
    if place.undisclosed is not None:
        said = _SAID.get(place.undisclosed)
        if said is None or not (isinstance(value, str) and value.startswith(said)):
            found.append(where)
    elif depth >= MOST_LEVELS:
        found.append(_ALL)
    elif isinstance(value, dict | list):
        for below, name, each in _parts(value, place):
            _look(each, below, where + name, found, depth + 1)
    else:
        found.append(where)  # where a view looks for an object, anything else is dropped


def _parts(value: dict[str, Any] | list[Any], place: Place) -> Iterator[tuple[Place, str, Any]]:
    """Yield what is in a value and has a place of its own: the place, how it is called, and the part."""
    if isinstance(value, dict):
        for name, each in value.items():
            below = place.fields.get(name, place.rest)
            if below is not None:
                yield below, f".{shown(name, 40)}", each
    elif place.items is not None:
        for each in value:
            yield place.items, "[*]", each
