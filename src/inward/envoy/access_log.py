"""Envoy's access log: the fields that are asked for, and how a line becomes a call.

The query of a request is never logged. What a client claims of itself is never taken for its identity: `caller` comes
from a handshake that was verified, or, at an egress, from whose egress it is.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from inward.envoy.resources.grpc import UNAUTHENTICATED
from inward.envoy.resources.proto import FILE_LOG, Resource, extension
from inward.envoy.resources.rbac import SLOW
from inward.envoy.resources.slow_filter import DECISION_HEADER, EXT_AUTHZ_METADATA
from inward.envoy.views.source import (
    ANSWERED_BY_LUA_DETAILS,
    NOT_ADMITTED_DETAILS,
    REFUSED_DETAILS,
    REQUEST_TOO_LONG_DETAILS,
    TOO_LONG_DETAILS,
    VERDICT_KEY,
    VIEW_METADATA,
)
from inward.errors import InwardError
from inward.policy.decision import Reason
from inward.record.call import Call
from inward.record.log_line import LogLine
from inward.record.verdict import HEADER, MAX_USER_CHARACTERS, Verdict, parse_verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inward.catalog.model import Catalog, Operation

CONNECTED = 200
PROXY_AUTHENTICATION_REQUIRED = 407
BAD_REQUEST = 400
SERVER_ERROR = 500
ANSWERED = "via_upstream"
_HUNG_UP = frozenset({"DC", "DR"})  # the caller ended its connection, or its stream of HTTP/2
_DENIED = "rbac_access_denied"
_RBAC = "envoy.filters.http.rbac"
VERDICT_METADATA = "inward.guard"  # where the ingress puts what the service's guard said
_REFUSED_DETAILS = {REFUSED_DETAILS, TOO_LONG_DETAILS, REQUEST_TOO_LONG_DETAILS, ANSWERED_BY_LUA_DETAILS}
_SAID = frozenset(Reason) - {Reason.GRANTED} | {None}  # reasons that a guard can give


def file_log(path: str, fields: dict[str, str], log_filter: Resource | None = None) -> Resource:
    """Return an access log: one JSON object a line, appended to `path`."""
    log = extension("envoy.access_loggers.file", FILE_LOG, path=path, log_format={"json_format": fields})
    return {**log, "filter": log_filter} if log_filter else log


# Of the connection itself: what the address is called else, a header that the peer wrote could say.
_PEER_ADDRESS = "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"

_REQUEST = {
    "t": "%START_TIME%",
    "id": "%REQ(X-REQUEST-ID)%",
    "m": "%REQ(:METHOD)%",
    "p": "%PATH(NQ)%",
    "s": "%RESPONSE_CODE%",
    "gs": "%GRPC_STATUS_NUMBER%",
    "f": "%RESPONSE_FLAGS%",
    "d": "%RESPONSE_CODE_DETAILS%",
    "us": "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%",
    "bi": "%BYTES_RECEIVED%",
    "bo": "%BYTES_SENT%",
    "tp": "%REQ(TRACEPARENT)%",
}

INGRESS_FIELDS = {
    "e": "i",
    **_REQUEST,
    "peer": "%DOWNSTREAM_PEER_URI_SAN%",
    "peer_address": _PEER_ADDRESS,
    "op": "%ROUTE_NAME%",
    "v": "%METADATA(VIRTUAL_HOST:inward:version)%",
    "en": f"%DYNAMIC_METADATA({_RBAC}:enforced_effective_policy_id)%",
    "sn": f"%DYNAMIC_METADATA({_RBAC}:shadow_effective_policy_id)%",
    "slow": f"%DYNAMIC_METADATA({EXT_AUTHZ_METADATA}:{DECISION_HEADER})%",
    "g": f"%DYNAMIC_METADATA({VERDICT_METADATA}:{HEADER})%",
    "w": f"%DYNAMIC_METADATA({VIEW_METADATA}:{VERDICT_KEY})%",
}

EGRESS_FIELDS = {"e": "e", **_REQUEST, "a": "%REQ(:AUTHORITY)%", "ub": "%UPSTREAM_WIRE_BYTES_SENT%"}

CONNECTION_FIELDS = {
    "e": "c",
    "t": "%START_TIME%",
    "id": "%UNIQUE_ID%",
    "d": "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%",
    "peer_address": _PEER_ADDRESS,
    "peer_port": "%DOWNSTREAM_DIRECT_REMOTE_PORT%",
}


_decoder = msgspec.json.Decoder(LogLine)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# A later version (all but `ff`) may have more fields behind the four.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")


def trace_of(traceparent: str | None) -> tuple[str | None, str | None]:
    """Return the trace id and parent id of a `traceparent` (W3C Trace Context, section 3.2); None of a wrong one."""
    found = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    return (found[1], found[2]) if found else (None, None)


class LogLineError(InwardError):
    """A line of an access log is not what Envoy was asked to write."""

    code = "log_line"


def parse_line(line: bytes, service: str, catalog: Catalog, src: str) -> Call | None:
    """Return the call that one line of the access log of `service` tells, or None where another line tells it.

    `src` says where the line came from. Raises `LogLineError` for what Envoy cannot have written.
    """
    try:
        entry = _decoder.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise LogLineError(f"{src}: {error}") from error
    if entry.e == "i":
        return _ingress_call(entry, service, catalog, src)
    if entry.e == "e":
        return _egress_call(entry, service, catalog, src)
    return Call(
        time=entry.t,
        id=entry.id or src,
        callee=service,
        address=_address(entry.peer_address),
        decision="deny",
        carried_out="deny",
        reason=Reason.BAD_IDENTITY,
        # INVARIANT: the handshake failed, so nothing that the peer presented may be recorded as the caller.
        detail=_detail(None if entry.peer_port is None else f"port {entry.peer_port}:", entry.d),
        src=src,
    )


def _detail(*parts: str | None) -> str | None:
    return " ".join(part for part in parts if part) or None


def _without_fragment(path: str | None) -> str | None:
    """Return a path without what no client should have sent (RFC 3986 section 3.5), which belongs to none."""
    return path.partition("#")[0] if path is not None and "#" in path else path


def _by_template(operation: Operation | None, path: str | None) -> tuple[str | None, dict[str, str]]:
    """Return a path as it is recorded, and its parameters: as it came where it is none of the operation's."""
    if operation is None or path is None:
        return path, {}
    template = operation.template
    parameters = template.match(path) if template.variables else None
    return (template.text, parameters) if parameters is not None else (path, {})


@lru_cache(maxsize=4096)
def _address(text: str | None) -> str | None:
    """Return an IP address in the one form of its own; None for what is none, as a Unix socket has."""
    try:
        ip = ipaddress.ip_address(text or "")
    except ValueError:
        return None
    return str(getattr(ip, "ipv4_mapped", None) or ip)  # RFC 4291 section 2.5.5.2


def _made_reference(text: str | None) -> str | None:
    """Return a reference in the form that Envoy gives those that it makes; None for any other text."""
    return text if text is not None and _UUID.fullmatch(text) else None


def _reason(name: str) -> tuple[str, tuple[str, ...]]:
    """Split an action's name, `<reason>` or `<reason>:<id>,<id>`."""
    reason, _, ids = name.partition(":")
    return reason, tuple(ids.split(",")) if ids else ()


def _ingress_call(entry: LogLine, service: str, catalog: Catalog, src: str) -> Call:
    caller = catalog.by_spiffe_id(entry.peer or "")
    observed = entry.en is None and entry.sn is not None
    # Without an action's name: refused before the authorization, or by it because there are no routes at all.
    unnamed = Reason.UNKNOWN_OPERATION if (entry.d or "").startswith(_DENIED) else Reason.BAD_REQUEST
    reason, policies = _reason(entry.en or entry.sn or unnamed)
    if reason == SLOW:
        # Where the slow path did not answer there is nothing of its.
        reason, policies = _reason(entry.slow or Reason.SLOW_PATH_DOWN)
    if reason == Reason.NO_GRANT and caller is None:
        reason = Reason.UNKNOWN_CALLER
    if reason == Reason.GRANTED and entry.d == NOT_ADMITTED_DETAILS:
        reason, policies = Reason.SLOW_PATH_DOWN, ()
    refused = reason != Reason.GRANTED
    path, parameters = _by_template(catalog.operations.get(entry.op or ""), _without_fragment(entry.p))
    trace, span = trace_of(entry.tp)
    # What is refused before the authorization may still have a reference of the caller's choice.
    reference = entry.id if entry.en or entry.sn else _made_reference(entry.id)
    call = Call(
        time=entry.t,
        id=reference or src,
        caller=caller.name if caller else _unknown_caller(entry.peer),
        callee=service,
        address=_address(entry.peer_address),
        operation=entry.op or None,
        method=entry.m,
        path=path,
        parameters=parameters,
        decision="deny" if refused else "allow",
        carried_out="deny" if refused and not observed else "allow",
        reason=reason,
        policies=policies,
        mode="observe" if observed else "enforce",
        policy_version=entry.v,
        status=entry.s or None,
        grpc_status=entry.gs,
        duration_us=entry.us,
        bytes_in=entry.bi,
        bytes_out=entry.bo,
        trace=trace,
        span=span,
        detail=None if entry.d == ANSWERED else _detail(entry.d, _flags(entry.f)),
        src=src,
    )
    if entry.w is not None or entry.d == REFUSED_DETAILS:
        return _viewed_call(call, entry, catalog)
    return call if entry.g is None or entry.d != ANSWERED else _guarded_call(call, entry.g, catalog)


def _viewed_call(call: Call, entry: LogLine, catalog: Catalog) -> Call:
    """Return the call with what its Envoy withheld of the answer."""
    said = parse_verdict(entry.w) if entry.w is not None else None
    verdict = said or Verdict()
    refused = entry.d in _REFUSED_DETAILS
    if not refused and entry.d != ANSWERED:
        return call  # nobody was given an answer of the service
    call = msgspec.structs.replace(
        call,
        withheld=_declared(verdict.withheld, catalog),
        sent=_declared(verdict.sent, catalog),
        detail="more was withheld" if verdict.more else call.detail,
    )
    # Without a verdict the filter itself failed. An error that was kept, without its page, is no refusal.
    reason = Reason.UNVIEWABLE if said is None else verdict.reason
    if call.decision == "deny" or reason is None or not (refused or verdict.observed):
        return call
    return msgspec.structs.replace(
        call,
        decision="deny",
        carried_out="allow" if verdict.observed else "deny",
        reason=reason,
        policies=(),
        mode="observe" if verdict.observed else call.mode,
    )


def _guarded_call(call: Call, said: str, catalog: Catalog) -> Call:
    """Return the call with what the service's guard said of it. What Envoy itself found out stays as it is."""
    verdict = parse_verdict(said)
    if verdict is None or verdict.reason not in _SAID:
        return msgspec.structs.replace(call, detail="what the service says as its guard cannot be read")
    withheld, sent = (_declared(names, catalog) for names in (verdict.withheld, verdict.sent))
    detail = "more was withheld" if verdict.more else None
    user = verdict.user if catalog.users is not None else None  # whom nobody can verify, nobody has
    if verdict.long_user or (user is not None and len(user) > MAX_USER_CHARACTERS):
        user = None
        detail = _detail(detail, "the end user's name is too long to be recorded")
    call = msgspec.structs.replace(call, user=user, withheld=withheld, sent=sent, detail=detail)
    if verdict.reason is None or call.decision == "deny":
        return call
    return msgspec.structs.replace(
        call,
        decision="deny",
        carried_out="allow" if verdict.observed else "deny",
        reason=verdict.reason,
        policies=verdict.policies,
        mode="observe" if verdict.observed else call.mode,
        enforcer="guard",
    )


def _declared(names: Iterable[str], catalog: Catalog) -> tuple[str, ...]:
    return tuple(name for name in names if name in catalog.data_classes)


def _unknown_caller(peer: str | None) -> str | None:
    # INVARIANT: what stands here is never a service's name, whatever name a certificate bears.
    return peer if peer is not None and peer.startswith("spiffe://") else None


def _egress_call(entry: LogLine, service: str, catalog: Catalog, src: str) -> Call | None:
    if entry.d == ANSWERED:
        return None  # the callee's ingress tells this call
    if entry.ub and _HUNG_UP.intersection((entry.f or "").split(",")):
        return None  # so it does if the caller hung up when the request had gone out
    if entry.m == "CONNECT" and entry.s == CONNECTED:
        return None  # a tunnel: the calls that come out of it are told each for itself
    authority = (entry.a or "").rpartition("@")[2].lower()  # what stands before an `@` is somebody's password
    callee = catalog.services.get(re.sub(r":[0-9]*$", "", authority))
    reason = Reason.UNREACHABLE
    if entry.d == "direct_response":
        refused = entry.s == PROXY_AUTHENTICATION_REQUIRED or entry.gs == UNAUTHENTICATED
        reason = Reason.BAD_CREDENTIAL if refused else Reason.UNKNOWN_SERVICE
    elif BAD_REQUEST <= (entry.s or 0) < SERVER_ERROR:
        reason = Reason.BAD_REQUEST
    # INVARIANT: only what met a route had the credential. All else may be any process of the machine, and is not
    # recorded as the service whose egress it tried.
    somebody_else = reason in {Reason.BAD_CREDENTIAL, Reason.BAD_REQUEST} or entry.m is None
    trace, span = trace_of(entry.tp)
    return Call(
        time=entry.t,
        id=(_made_reference(entry.id) if reason == Reason.BAD_REQUEST else entry.id) or src,
        caller=None if somebody_else else service,
        callee=callee.name if callee else authority or None,
        method=entry.m,
        path=_without_fragment(entry.p),
        decision="deny",
        carried_out="deny",
        reason=reason,
        enforcer="egress",
        status=entry.s or None,
        grpc_status=entry.gs,
        duration_us=entry.us,
        bytes_in=entry.bi,
        bytes_out=entry.bo,
        trace=trace,
        span=span,
        detail=_detail(f"egress of {service}:" if somebody_else else None, entry.d, _flags(entry.f)),
        src=src,
    )


def _flags(flags: str | None) -> str | None:
    return None if flags in {None, "", "-"} else f"({flags})"
