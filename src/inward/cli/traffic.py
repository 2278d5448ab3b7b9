"""Calls of an example system, each with what is expected of it: `traffic.json`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import msgspec

from inward.cli.call import recorded_call
from inward.cli.verdict import outcome
from inward.control.egress_client import Outgoing, make_call
from inward.errors import BadInputError, InwardError

if TYPE_CHECKING:
    from pathlib import Path

    from inward.control.layout import Layout
    from inward.control.running import Running

CALL_SECONDS = 15.0
RECORD_SECONDS = 5.0
# Where Envoy decides a condition by itself, it does not tell these apart from a condition that does not hold.
_AS_ENVOY_SAYS = dict.fromkeys(("bad_parameter", "expired", "forbidden", "policy_error"), "condition")


class Planned(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One call to make. `either`: allowed with `status`, or refused, as the time of day wants it."""

    caller: str
    method: str
    url: str
    expect: Literal["allowed", "refused", "observed", "either"]
    why: str
    status: int | None = None
    reason: str | None = None
    body: Any = None

    @property
    def callee(self) -> str:
        """The service that is called."""
        return urlsplit(self.url).hostname or "?"

    @property
    def target(self) -> str:
        """The path and the query."""
        parts = urlsplit(self.url)
        return parts.path + (f"?{parts.query}" if parts.query else "")

    @property
    def expected(self) -> str:
        """What is expected, in words."""
        reason = f" ({self.reason})" if self.reason and self.expect != "either" else ""
        return f"{self.expect}{reason}" + (f", {self.status}" if self.status and self.expect != "refused" else "")


class _File(msgspec.Struct, forbid_unknown_fields=True):
    calls: list[Planned]


@dataclass(frozen=True, slots=True)
class Made:
    """What became of a planned call. `wrong` says how it differs from what was expected; empty if it does not."""

    planned: Planned
    became: str
    status: int | None
    reason: str
    reference: str | None
    wrong: str


def load_traffic(path: Path) -> list[Planned]:
    """Return the calls in a file, or raise `BadInputError`."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=_File).calls
    except (OSError, msgspec.MsgspecError) as error:
        raise BadInputError(f"`{path}` cannot be read: {error}") from error


def make(layout: Layout, running: Running, planned: Planned) -> Made:
    """Make one call as its caller, and compare what became of it, by the record, with what was expected."""
    headers, body = [], None
    if planned.body is not None:
        headers, body = [(b"content-type", b"application/json")], msgspec.json.encode(planned.body)
    outgoing = Outgoing(planned.method.encode(), planned.url.encode(), headers, body)
    try:
        answer = make_call(running.services[planned.caller], outgoing, CALL_SECONDS)
    except (InwardError, KeyError) as error:
        return Made(planned, "failed", None, "", None, str(error))
    recorded = recorded_call(layout, answer, planned.caller, RECORD_SECONDS)
    if recorded is None:
        return Made(planned, "answered", answer.status, "", answer.reference, "it is not in the record")
    made = Made(planned, outcome(recorded), answer.status, recorded.reason, recorded.id, "")
    return (
        made
        if _as_expected(made)
        else Made(planned, made.became, made.status, made.reason, made.reference, planned.expected)
    )


def _as_expected(made: Made) -> bool:
    planned = made.planned
    if planned.expect == "either":
        return made.became == "refused" or (made.became == "allowed" and made.status == planned.status)
    return (
        made.became == planned.expect
        and (planned.reason is None or made.reason in {planned.reason, _AS_ENVOY_SAYS.get(planned.reason)})
        and (planned.status is None or made.became == "refused" or made.status == planned.status)
    )
