"""Answers: which can be viewed at all, and what becomes of their headers. No I/O.

Rules, for an answer of an operation where a class is at stake:

1. Without a body there is nothing to view; its length is not told for HEAD, since it would be that of the whole.
2. A body that is a part (206), is encoded, has no or two content types, another charset than UTF-8, or is no JSON by
   its content type (an event stream, say) has no view. Nothing is sniffed.
3. Headers that speak of the bytes of the whole body (entity tags, digests, ranges) are dropped with it.

It leaves out data that stands in headers: nothing can be declared there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from inward.guard.bodies.view import LINE_FEED, RECORD_SEPARATOR, View
from inward.policy.decision import Reason
from inward.policy.refusal import CONTENT_TYPE, problem
from inward.viewing.head import CHARSETS, LINES, OF_THE_WHOLE
from inward.viewing.places import UnviewableError

if TYPE_CHECKING:
    from inward.guard.core import Admission
    from inward.record.verdict import Verdict

Headers = list[tuple[str, str]]  # names in any case

MAX_BYTES = 16 << 20  # of an answer that is held back
_ERROR, _BAD_GATEWAY, _PARTIAL = 400, 502, 206
_MEDIA_TYPE = re.compile(r"\s*([!#$%&'*+.^_`|~0-9a-z-]+/[!#$%&'*+.^_`|~0-9a-z-]+)\s*((?:;.*)?)")
_PARAMETER = re.compile(r""";\s*(?:([!#$%&'*+.^_`|~0-9a-z-]+)=([!#$%&'*+.^_`|~0-9a-z-]+|"[^"\\]*")\s*)?""")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: its status, its headers in their order, its whole body."""

    status: int
    headers: Headers
    body: bytes = b""


def refusal(reason: Reason, status: int, reference: str) -> Answer:
    """Return what is answered in the place of an answer: problem details, as Envoy's refusals are."""
    return _problem(status, problem(reason, status, f"urn:uuid:{reference}"))


def unviewable(status: int, reference: str) -> tuple[Answer, bool]:
    """Return what takes the place of an answer that has no view, and whether that is a refusal.

    An error stays the error that it is, without its page. What was no error is a bad gateway: the answer is there, and
    not fit to be handed on.
    """
    if status < _ERROR:
        return refusal(Reason.UNVIEWABLE, _BAD_GATEWAY, reference), True
    told: dict[str, str | int] = {"type": "about:blank", "title": phrase(status), "status": status}
    told["instance"] = f"urn:uuid:{reference}"
    return _problem(status, told), False


def phrase(status: int) -> str:
    """Return what a status is called."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _problem(status: int, told: dict[str, str | int]) -> Answer:
    body = msgspec.json.encode(told)
    return Answer(status, [("content-type", CONTENT_TYPE), ("content-length", str(len(body)))], body)


def require_viewable(status: int, headers: Headers) -> str:
    """Return the media type of an answer with that head; raise `UnviewableError` where no body of it has a view."""
    if status == _PARTIAL:
        raise UnviewableError("the answer is a part")
    media_type = media_type_of(headers)
    if separator_of(media_type) is None:
        raise UnviewableError("the answer is no JSON")
    return media_type


def media_type_of(headers: Headers) -> str:
    """Return the one media type that the headers of a body in UTF-8 name, or raise `UnviewableError`."""
    types: list[str] = []
    for name, value in headers:
        match name.lower():
            case "content-type":
                types.append(value)
            case "content-range":
                raise UnviewableError("the body is a part")
            case "content-encoding" if value.strip().lower() != "identity":
                raise UnviewableError("the body is encoded")
    media_type = _media_type(types[0]) if len(types) == 1 else None
    if media_type is None:
        raise UnviewableError("the body has no one content type in UTF-8")
    return media_type


def separator_of(media_type: str) -> bytes | None:
    """Return what stands between the JSON documents of a body of that type: nothing if it is one; None for no JSON."""
    if media_type in LINES:
        return LINE_FEED
    if media_type == "application/json-seq" or media_type.endswith("+json-seq"):
        return RECORD_SEPARATOR
    return b"" if media_type == "application/json" or media_type.endswith("+json") else None


def viewed(view: View, method: str, answer: Answer) -> tuple[Answer, frozenset[str]]:
    """Return what is shown of an answer, and the classes that were withheld, or raise `UnviewableError`."""
    headers = [(name, value) for name, value in answer.headers if name.lower() not in OF_THE_WHOLE]
    if method == "HEAD":
        return Answer(answer.status, headers), frozenset()
    if not answer.body:
        return Answer(answer.status, [*headers, *_length(answer.status, 0)]), frozenset()
    separator = separator_of(require_viewable(answer.status, answer.headers))
    body, cut = view.of_sequence(answer.body, separator) if separator else view.of(answer.body)
    return Answer(answer.status, [*headers, *_length(answer.status, len(body))], body), cut


class HeldBack:
    """One answer that is kept back until all of it is there, so that it can be viewed.

    `shown` is what to hand on, None until that is known. An answer that never ends, is too long, or has no view by its
    head is refused as soon as that is known, and the rest of it is not waited for.
    """

    def __init__(self, admission: Admission, method: str, max_bytes: int = MAX_BYTES) -> None:
        self.shown: tuple[Answer, Verdict | None] | None = None
        self._admission = admission
        self._method = method
        self._max_bytes = max_bytes
        self._status = 0
        self._headers: Headers = []
        self._chunks: list[bytes] = []
        self._length = 0

    def start(self, status: int, headers: Headers) -> None:
        """Take the head; the last one counts where an application changes its mind (PEP 3333, `exc_info`)."""
        self._status, self._headers = status, headers

    def add(self, chunk: bytes) -> None:
        """Take a piece of the body."""
        if not chunk or self.shown is not None or self._method == "HEAD":
            return
        self._length += len(chunk)
        try:
            if self._length > self._max_bytes:
                raise UnviewableError("the answer is too long")  # noqa: TRY301 - both end in the same way
            if not self._chunks:
                require_viewable(self._status, self._headers)
        except UnviewableError:
            self._chunks.clear()
            self.shown = self._admission.unviewable_answer(self._status)
            return
        self._chunks.append(chunk)

    def end(self) -> tuple[Answer, Verdict | None]:
        """Return what to hand on of the whole answer."""
        if self.shown is None:
            answer = Answer(self._status, self._headers, b"".join(self._chunks))
            self.shown = self._admission.show(self._method, answer)
        return self.shown


def _length(status: int, length: int) -> Headers:
    """Return the header of the length, where an answer of that status has one (RFC 9110 section 8.6)."""
    return [] if status in {204, 304} else [("content-length", str(length))]


@lru_cache(maxsize=256)
def _media_type(value: str) -> str | None:
    """Return the media type of a content type, in lower case; None where it is malformed or not in UTF-8."""
    found = _MEDIA_TYPE.fullmatch(value.lower())
    if found is None:
        return None
    rest, position, charsets = found[2], 0, []
    while position < len(rest):
        parameter = _PARAMETER.match(rest, position)
        if parameter is None:
            return None
        if parameter[1] == "charset":
            charsets.append(parameter[2].strip('"'))
        position = parameter.end()
    return found[1] if len(charsets) <= 1 and CHARSETS.issuperset(charsets) else None
