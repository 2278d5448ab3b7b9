"""One gRPC call in the guard's hands: what its handler is given, and what its caller is. No I/O, sync and aio alike.

Rules:

1. A refusal is a status with the code, the title and the reference of the problem details that an HTTP caller gets, as
   Envoy's are. It is `PERMISSION_DENIED`, but `UNIMPLEMENTED` for a method that nobody described, `INVALID_ARGUMENT`
   for a request that cannot be read, and `INTERNAL` for an answer without a view.
2. What is recorded stands in the initial metadata, since Envoy takes it out of the head of an answer and not of its
   trailer. For one message it is said what was cut out of it. The head of a stream goes before its messages, so it
   names all that would be cut, and a refusal in the midst of a stream is in the service's own log only.
3. Where the answer is held back, a text that says what went wrong may hold anything: the status keeps its code, and its
   text is the reference. Binary metadata (`grpc-status-details-bin`) goes too. Other metadata is handed on, as headers.
4. After a refusal nothing more gets out or in. What a handler was refused by `Call.enforce` stays refused, whatever it
   makes of the exception.

It leaves out who asks for which of that when (`guard.grpc.server`, `guard.grpc.aio`), and what is cut
(`guard.grpc.messages`).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from grpc import StatusCode

from inward.errors import InwardError
from inward.guard.bodies.sent import NOTHING_FOUND, Found
from inward.policy.decision import Reason
from inward.policy.refusal import TITLES, told
from inward.record.verdict import HEADER, Verdict, encode_verdict
from inward.viewing.places import UnviewableError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inward.guard.core import Admission
    from inward.guard.grpc.messages import MessageView

    Metadata = tuple[tuple[str, str | bytes], ...]

_MALFORMED, _TOO_LONG = 400, 413
_STATUSES: Final = {
    Reason.UNKNOWN_OPERATION: StatusCode.UNIMPLEMENTED,
    Reason.UNREADABLE: StatusCode.INVALID_ARGUMENT,
    Reason.UNVIEWABLE: StatusCode.INTERNAL,
}
_BINARY = "-bin"
_logger = logging.getLogger("inward.guard")


class CallRefusedError(InwardError):
    """A call is refused, now: with this status and text, and this verdict for the record."""

    code = "call_refused"

    def __init__(self, status: StatusCode, details: str, verdict: Verdict | None) -> None:
        super().__init__(details)
        self.status = status
        self.details = details
        self.verdict = verdict


class Exchange:
    """A call that is being served.

    `view` and `search` are those of its messages, None where there is nothing to cut, or to look for. `streamed`: the
    answer is a stream. `max_bytes` bounds a message that is viewed or searched.
    """

    def __init__(
        self,
        admission: Admission,
        view: MessageView | None,
        search: MessageView | None,
        *,
        streamed: bool,
        max_bytes: int,
    ) -> None:
        self.admission = admission
        self.streamed = streamed
        self.status: StatusCode | None = None  # as the handler set it
        self._view = view
        self._search = search
        self._sought = admission.search.classes if admission.search is not None else None
        self._max_bytes = max_bytes
        self._cut: frozenset[str] = frozenset()
        self._initial: Metadata = ()
        self._text = ""
        self._silenced = False
        self._over: CallRefusedError | None = None

    @property
    def held_back(self) -> bool:
        """Whether the answer is viewed."""
        return self.admission.held_back

    @property
    def reference(self) -> str:
        """What the caller is told in the place of a text that it may not see."""
        return f"urn:uuid:{self.admission.call.reference}"

    # --- what goes in

    def accept(self, message: bytes) -> bytes:
        """Return a message of the request as it was sent, or raise `CallRefusedError`."""
        self.go_on()
        found = self._found_in(message, self._sought) if self._sought is not None else NOTHING_FOUND
        if found.decision is not None:
            self.admission = self.admission.received(found)
            if self.admission.refused:
                raise self.refusal()
        return message

    def _found_in(self, message: bytes, sought: frozenset[str]) -> Found:
        if len(message) > self._max_bytes:
            return Found(sought, _TOO_LONG)
        try:
            if self._search is None:
                raise UnviewableError("the message is not described")  # noqa: TRY301 - both end in the same way
            return Found(self._search.found_in(message))
        except UnviewableError:
            return Found(sought, _MALFORMED)

    # --- what goes out

    def show(self, message: bytes) -> bytes:
        """Return what is shown of a message of the answer, or raise `CallRefusedError`."""
        self.go_on()
        if not self.held_back:
            return message
        try:
            if self._view is None or len(message) > self._max_bytes:
                raise UnviewableError("the message is too long, or not described")  # noqa: TRY301 - as below
            shown, cut = self._view.of(message)
        except UnviewableError as error:
            _logger.warning("an answer of `%s` has no view: %s", self.admission.call.operation, error.message)
            _, verdict = self.admission.unviewable_answer(200)
            raise self._refusal(Reason.UNVIEWABLE, verdict) from None
        self._cut |= cut
        return shown

    def keep_initial(self, metadata: Iterable[tuple[str, str | bytes]] | None) -> None:
        """Take the initial metadata that the handler wants to send, in the place of what it said before."""
        self._initial = self.metadata(metadata)

    def head(self) -> Metadata:
        """Return the initial metadata: the handler's, and what is recorded of the call as far as it is known."""
        return with_verdict(self._initial, self._verdict())

    def metadata(self, metadata: Iterable[tuple[str, str | bytes]] | None) -> Metadata:
        """Return what is handed on of the handler's metadata, initial or trailing."""
        kept = tuple((name, value) for name, value in metadata or () if name.lower() != HEADER)
        if not self.held_back:
            return kept
        plain = tuple((name, value) for name, value in kept if not name.lower().endswith(_BINARY))
        self._silenced |= len(plain) < len(kept)
        return plain

    def details(self, text: str) -> str:
        """Return what is handed on of a text that says what went wrong."""
        self._text = text
        if self.held_back and text:
            self._silenced = True
            self._text = self.reference
        return self._text

    def failed(self) -> str:
        """Return the text for a call whose handler failed by an error that may hold anything."""
        self._silenced = True
        return self.reference

    def unwritten(self, text: str) -> tuple[StatusCode, str]:
        """Return the status and the text of a call whose answer its handler cannot write, `None` for instance."""
        return self.status_or(StatusCode.INTERNAL), self._text or text

    def status_or(self, otherwise: StatusCode) -> StatusCode:
        """Return the status that the handler has set, if it is an error."""
        return otherwise if self.status in {None, StatusCode.OK} else self.status or otherwise

    # --- refusals

    def go_on(self) -> None:
        """Raise `CallRefusedError` if the call was refused, or an object to its caller."""
        refused = self.admission.object_refusal()
        if self._over is None and refused is not None:
            raise self._refusal(Reason.RESOURCE, refused[1])
        if self._over is not None:
            raise self._over

    def refusal(self) -> CallRefusedError:
        """Return the refusal that the admission says."""
        _, verdict = self.admission.refusal()
        return self._refusal(self.admission.decision.reason, verdict)

    def _refusal(self, reason: Reason, verdict: Verdict) -> CallRefusedError:
        code = told(reason)
        status = _STATUSES.get(code, StatusCode.PERMISSION_DENIED)
        self._over = CallRefusedError(status, f"{code.value}: {TITLES[code]} ({self.reference})", verdict)
        return self._over

    def _verdict(self) -> Verdict | None:
        if not self.held_back:
            return self.admission.verdict
        withheld = self.admission.withheld.keys() if self.streamed or self._silenced else self._cut
        return self.admission.with_user(Verdict(withheld=tuple(sorted(withheld))) if withheld else None)


def with_verdict(metadata: Metadata, verdict: Verdict | None) -> Metadata:
    """Return metadata with what is recorded of a call."""
    if verdict is None:
        return metadata
    return (*metadata, (HEADER, encode_verdict(verdict).decode("ascii")))
