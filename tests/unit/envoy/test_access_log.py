"""A line of Envoy's log to a call: every reason, every mode, and lines that nobody should have written."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tokens import Signer, key_set
from tests.unit.envoy import shop

from inward.catalog.model import DataClass
from inward.envoy.access_log import CONNECTION_FIELDS, EGRESS_FIELDS, INGRESS_FIELDS, LogLineError, parse_line, trace_of
from inward.errors import Place
from inward.identity.user_token import UserTokens
from inward.policy.decision import Reason
from inward.record.call import Call, Gap, encode_entry, parse_entry
from inward.record.log_line import LogLine
from inward.record.verdict import Verdict, encode_verdict

GET_ORDER = dataclasses.replace(shop.operation("/orders/{id}"), name="getOrder")
CATALOG = shop.catalog(shop.service(GET_ORDER), shop.service(name="checkout"))
SRC = "orders/access-00000001:120"
TIME = "2026-08-01T12:00:00.000Z"
CHECKOUT = f"{shop.ID}/checkout"
INGRESS = {
    "e": "i",
    "t": TIME,
    "id": "6f9a",
    "m": "GET",
    "p": "/orders/42",
    "s": 200,
    "f": "-",
    "d": "via_upstream",
    "us": 900,
    "bi": 0,
    "bo": 17,
    "tp": None,
    "peer": CHECKOUT,
    "op": "orders:getOrder",
    "v": "abc",
    "en": "granted:checkout-reads-orders",
    "sn": None,
    "slow": None,
}


def told(line: dict[str, Any], **changed: object) -> Call:
    call = parse_line(msgspec.json.encode(line | changed), "orders", CATALOG, SRC)
    assert call is not None
    return call


def test_an_allowed_call_is_told_whole() -> None:
    traced = told(INGRESS, peer_address="10.0.0.7", tp="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    assert traced == Call(
        time=TIME,
        id="6f9a",
        caller="checkout",
        callee="orders",
        operation="orders:getOrder",
        method="GET",
        address="10.0.0.7",
        path="/orders/{id}",
        parameters={"id": "42"},
        decision="allow",
        carried_out="allow",
        reason="granted",
        policies=("checkout-reads-orders",),
        mode="enforce",
        policy_version="abc",
        status=200,
        duration_us=900,
        bytes_in=0,
        bytes_out=17,
        trace="0af7651916cd43dd8448eb211c80319c",
        span="b7ad6b7169203331",
        src=SRC,
    )
    assert traced.full_path == "/orders/42"


@pytest.mark.parametrize(
    ("changed", "reason", "policies"),
    [
        ({"en": "no_grant"}, Reason.NO_GRANT, ()),
        ({"en": "condition:a,b"}, Reason.CONDITION, ("a", "b")),
        ({"en": "forbidden:no"}, Reason.FORBIDDEN, ("no",)),
        ({"en": "unknown_operation", "op": None}, Reason.UNKNOWN_OPERATION, ()),
        ({"en": "quarantined", "op": None}, Reason.QUARANTINED, ()),
        ({"en": None, "op": None, "d": "rbac_access_denied_matched_policy[none]"}, Reason.UNKNOWN_OPERATION, ()),
        ({"en": None, "op": None, "d": "http1.codec_error", "f": "DPE"}, Reason.BAD_REQUEST, ()),
        ({"en": "no_grant", "peer": f"{shop.ID}/stranger"}, Reason.UNKNOWN_CALLER, ()),
        ({"en": "slow_path", "slow": "condition:x"}, Reason.CONDITION, ("x",)),
        ({"en": "slow_path", "slow": "bad_parameter"}, Reason.BAD_PARAMETER, ()),
        ({"en": "slow_path", "slow": "policy_error:x"}, Reason.POLICY_ERROR, ("x",)),
        ({"en": "slow_path", "slow": "expired:x"}, Reason.EXPIRED, ("x",)),
        ({"en": "slow_path", "slow": None, "f": "UAEX"}, Reason.SLOW_PATH_DOWN, ()),
    ],
)
def test_every_refusal_is_a_deny_with_its_reason(
    changed: dict[str, object], reason: Reason, policies: tuple[str, ...]
) -> None:
    call = told(INGRESS, **{"s": 403, "d": "rbac_access_denied", **changed})
    assert (call.reason, call.policies) == (reason, policies)
    assert (call.decision, call.carried_out, call.mode) == ("deny", "deny", "enforce")


def test_what_is_observed_was_refused_by_the_policy_and_let_through() -> None:
    for name, decision in (("no_grant", "deny"), ("condition:a", "deny"), ("granted:a", "allow")):
        call = told(INGRESS, en=None, sn=name)
        assert (call.decision, call.carried_out, call.mode) == (decision, "allow", "observe")
    # quarantine is carried out in every mode
    call = told(INGRESS, en="quarantined", sn=None, s=403)
    assert (call.reason, call.carried_out, call.mode) == (Reason.QUARANTINED, "deny", "enforce")


@pytest.mark.parametrize(
    ("said", "decision", "reason"),
    [
        ("granted:g", "allow", Reason.GRANTED),
        ("condition:g", "deny", Reason.CONDITION),
        (None, "deny", Reason.SLOW_PATH_DOWN),
    ],
)
def test_what_the_slow_path_said_is_carried_out_in_the_mode_of_the_route(
    said: str | None, decision: str, reason: Reason
) -> None:
    enforced = told(INGRESS, en="slow_path", sn=None, slow=said)
    observed = told(INGRESS, en=None, sn="slow_path", slow=said)
    assert (enforced.decision, enforced.carried_out, enforced.mode) == (decision, decision, "enforce")
    assert (observed.decision, observed.carried_out, observed.mode) == (decision, "allow", "observe")
    assert enforced.reason == observed.reason == reason


@pytest.mark.parametrize(
    ("peer", "caller"),
    [
        (CHECKOUT, "checkout"),
        (f"{shop.ID}/stranger", f"{shop.ID}/stranger"),
        (f"{CHECKOUT},{shop.ID}/orders", f"{CHECKOUT},{shop.ID}/orders"),  # two names are nobody of ours
        (f"{CHECKOUT}/", f"{CHECKOUT}/"),
        ("spiffe://other.internal/checkout", "spiffe://other.internal/checkout"),
        ("checkout", None),
        ("CHECKOUT", None),
        ("https://shop.internal/checkout", None),
        ("", None),
        (None, None),
    ],
)
def test_a_caller_is_a_service_only_by_its_whole_spiffe_id(peer: str | None, caller: str | None) -> None:
    assert told(INGRESS, peer=peer).caller == caller


GUARDED = dataclasses.replace(
    CATALOG,
    data_classes={name: DataClass(name, "team", None, Place("inward.yaml", 1)) for name in ("pii", "pii.email")},
)


def guarded(said: str | None, **changed: object) -> Call:
    call = parse_line(msgspec.json.encode(INGRESS | changed | {"g": said}), "orders", GUARDED, SRC)
    assert call is not None
    return call


def test_what_the_guard_withheld_is_told_with_the_call() -> None:
    call = guarded('{"withheld":["pii.email"]}')
    assert (call.decision, call.enforcer, call.withheld, call.detail) == ("allow", "ingress", ("pii.email",), None)
    assert guarded('{"withheld":["pii"],"more":true}').detail == "more was withheld"
    assert guarded('{"withheld":["pii","made-up"]}').withheld == ("pii",)
    assert guarded(None) == told(INGRESS)


def test_what_was_sent_is_told_with_the_call() -> None:
    call = guarded('{"reason":"undisclosed","sent":["pii.email","made-up"]}', s=403)
    assert (call.decision, call.reason, call.enforcer, call.sent) == ("deny", "undisclosed", "guard", ("pii.email",))
    assert guarded('{"withheld":["pii"]}').sent == ()


@pytest.mark.parametrize(("observed", "carried_out", "mode"), [(False, "deny", "enforce"), (True, "allow", "observe")])
def test_a_refusal_by_the_guard_is_the_calls(observed: bool, carried_out: str, mode: str) -> None:  # noqa: FBT001 - a parameter of the test
    call = guarded(encode_verdict(Verdict(reason="condition", policies=("p",), observed=observed)).decode(), s=403)
    assert (call.decision, call.carried_out, call.mode, call.enforcer) == ("deny", carried_out, mode, "guard")
    assert (call.reason, call.policies, call.status) == ("condition", ("p",), 403)


def test_a_service_cannot_say_more_than_a_guard_could() -> None:
    for nonsense in ("", "{", '{"reason":"because"}', '{"withheld":1}'):
        call = guarded(nonsense)
        assert (call.decision, call.reason, call.withheld) == ("allow", "granted", ())
        assert call.detail is not None
    # what Envoy itself refused or did not ask for stays as it is
    refused = guarded('{"reason":"granted"}', en="no_grant", d="rbac_access_denied_matched_policy[no_grant]", s=403)
    assert (refused.decision, refused.reason, refused.enforcer) == ("deny", "no_grant", "ingress")
    observed = guarded('{"reason":"unviewable","observed":true}', en=None, sn="no_grant")
    assert (observed.decision, observed.reason, observed.enforcer) == ("deny", "no_grant", "ingress")


def test_a_failed_handshake_has_no_caller_whatever_was_presented() -> None:
    connection = {
        "e": "c",
        "t": TIME,
        "id": "77",
        "d": "TLS_error: CERTIFICATE_VERIFY_FAILED",
        "peer_address": "10.0.0.9",
        "peer_port": 4,
    }
    for claimed in ({}, {"peer": CHECKOUT}, {"peer": CHECKOUT, "en": "granted:x", "op": "orders:getOrder", "s": 200}):
        call = told(connection, **claimed)
        assert (call.caller, call.operation, call.callee) == (None, None, "orders")
        assert (call.reason, call.decision, call.carried_out) == (Reason.BAD_IDENTITY, "deny", "deny")
        assert (call.address, call.detail) == ("10.0.0.9", "port 4: TLS_error: CERTIFICATE_VERIFY_FAILED")


EGRESS = {
    "e": "e",
    "t": TIME,
    "id": "5",
    "m": "GET",
    "p": "/x",
    "s": 503,
    "f": "UF",
    "d": "upstream_reset",
    "a": "checkout",
}


@pytest.mark.parametrize(
    ("changed", "reason", "caller", "callee"),
    [
        ({}, Reason.UNREACHABLE, "orders", "checkout"),
        ({"a": "checkout:80"}, Reason.UNREACHABLE, "orders", "checkout"),
        ({"a": "CheckOut:80"}, Reason.UNREACHABLE, "orders", "checkout"),
        ({"s": 407, "f": "-", "d": "direct_response"}, Reason.BAD_CREDENTIAL, None, "checkout"),
        ({"s": 404, "f": "-", "d": "direct_response", "a": "nobody"}, Reason.UNKNOWN_SERVICE, "orders", "nobody"),
        ({"s": 404, "f": "-", "d": "direct_response", "a": "[::1]:80"}, Reason.UNKNOWN_SERVICE, "orders", "[::1]:80"),
        ({"s": 400, "f": "DPE", "d": "http1.codec_error", "a": None, "m": None}, Reason.BAD_REQUEST, None, None),
    ],
)
def test_an_egress_tells_what_no_callee_answered(
    changed: dict[str, object], reason: Reason, caller: str | None, callee: str | None
) -> None:
    call = told(EGRESS, **changed)
    assert (call.reason, call.caller, call.callee, call.enforcer) == (reason, caller, callee, "egress")
    assert (call.decision, call.carried_out) == ("deny", "deny")
    if caller is None:  # it could be any process of the machine
        assert "egress of orders" in (call.detail or "")


def test_a_grpc_call_has_a_status_of_its_own() -> None:
    call = told(INGRESS, m="POST", gs=5)
    assert (call.decision, call.status, call.grpc_status) == ("allow", 200, 5)
    assert told(INGRESS).grpc_status is None


def egress(**changed: object) -> Call | None:
    line = {"e": "e", "t": TIME, "id": "6f9a", "m": "POST", "p": "/a.S/M", "s": 200, "f": "-", "a": "orders"}
    return parse_line(msgspec.json.encode(line | changed), "checkout", CATALOG, SRC)


@pytest.mark.parametrize(
    ("status", "reason", "caller"), [(16, Reason.BAD_CREDENTIAL, None), (14, Reason.UNKNOWN_SERVICE, "checkout")]
)
def test_an_egress_says_by_the_grpc_status_what_was_wrong(status: int, reason: Reason, caller: str | None) -> None:
    """The HTTP status is 200. Without the credential it may be any process of the machine."""
    call = egress(gs=status, d="direct_response")
    assert call is not None
    assert (call.reason, call.caller, call.grpc_status, call.carried_out) == (reason, caller, status, "deny")


@pytest.mark.parametrize("flag", ["DC", "DR", "-,DR"])
def test_a_caller_that_hung_up_is_told_by_the_ingress_if_the_request_had_gone_out(flag: str) -> None:
    assert egress(f=flag, d="http2.remote_reset", s=0, ub=88) is None
    call = egress(f=flag, d="http2.remote_reset", s=0, ub=0)
    assert call is not None
    assert call.reason == Reason.UNREACHABLE


def test_a_tunnel_is_no_call_and_one_that_was_refused_is() -> None:
    tunnel = {"m": "CONNECT", "p": None, "a": "orders:80"}
    assert egress(**tunnel, d="downstream_remote_disconnect", f="DC", ub=0) is None
    for status, reason, caller in ((407, Reason.BAD_CREDENTIAL, None), (404, Reason.UNKNOWN_SERVICE, "checkout")):
        call = egress(**tunnel, d="direct_response", s=status)
        assert call is not None
        assert (call.reason, call.caller, call.callee) == (reason, caller, "orders")
    call = egress(**tunnel, d="upstream_reset_before_response_started", f="UF", s=503)
    assert call is not None
    assert (call.reason, call.caller) == (Reason.UNREACHABLE, "checkout")


def test_what_a_callee_answered_is_told_by_its_ingress_alone() -> None:
    for status in (200, 404, 407, 503):
        line = msgspec.json.encode({**EGRESS, "d": "via_upstream", "s": status})
        assert parse_line(line, "orders", CATALOG, SRC) is None


def test_a_password_in_an_authority_is_not_recorded() -> None:
    call = told(EGRESS, s=404, d="direct_response", a="inward:s3cret@nobody")
    assert "s3cret" not in msgspec.json.encode(call).decode()
    assert call.callee == "nobody"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\0" * 100,
        b"[]",
        b"null",
        b'{"e":"i"}',
        b'{"e":"x","t":"now"}',
        b'{"e":"i","t":7}',
        b'{"e":"i","t":"now","s":"200"}',
        b'{"e":"i","t":"now","s":2e400}',
        b'{"e":"i","t":"now","peer":["spiffe://a/b"]}',
        b'{"e":"i","t":"now","p":"\xff\xfe"}',
        b'{"e":"i","t":"now","p":"\\ud800"}',
        b'{"e":"i","t":"now","p":"a\0b"}',
        b'{"e":"i","t":"now","zz":' + b"[" * 500_000,
        b'{"e":"i","t":"now"} {"e":"i","t":"now"}',
        b'{"e":"i","t":"now","us":' + b"9" * 5000 + b"}",
    ],
)
def test_what_envoy_cannot_have_written_is_one_error(line: bytes) -> None:
    with pytest.raises(LogLineError):
        parse_line(line, "orders", CATALOG, SRC)


def test_nulls_everywhere_are_a_refused_call_and_nothing_is_made_up() -> None:
    for kind in "iec":
        call = told({"e": kind, "t": TIME})
        assert (call.decision, call.carried_out, call.id, call.src) == ("deny", "deny", SRC, SRC)
        assert (call.operation, call.policies, call.status) == (None, (), None)


def test_a_long_path_is_kept_whole_and_can_be_recorded() -> None:
    call = told(INGRESS, p="/" + "é" * 200_000)
    entry = parse_entry(encode_entry(call)[:-1])
    assert isinstance(entry, Call | Gap)
    assert entry.src == SRC


@settings(max_examples=300, deadline=None)
@given(
    st.fixed_dictionaries(
        {"e": st.sampled_from("iec"), "t": st.text(max_size=5)},
        optional={
            name: st.none() | st.text(max_size=30) | st.sampled_from([CHECKOUT, "granted", "slow_path", "via_upstream"])
            for name in ("id", "m", "p", "f", "d", "tp", "peer", "op", "v", "en", "sn", "slow", "a")
        }
        | {name: st.none() | st.integers(-(2**63), 2**63 - 1) for name in ("s", "us", "bi", "bo")},
    )
)
def test_whatever_stands_in_a_line_it_is_a_call_that_can_be_recorded(line: dict[str, Any]) -> None:
    call = parse_line(msgspec.json.encode(line), "orders", CATALOG, SRC)
    if call is None:
        assert line["e"] == "e"
        return
    assert (call.decision == "allow") == (call.reason == Reason.GRANTED)
    assert call.carried_out == "allow" or call.decision == "deny"
    if call.caller in CATALOG.services and line["e"] == "i":
        assert line["peer"] == CHECKOUT
    assert parse_entry(encode_entry(call)[:-1]) is not None


@pytest.mark.parametrize(
    ("value", "trace"),
    [
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "0af7651916cd43dd8448eb211c80319c"),
        ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes", "0af7651916cd43dd8448eb211c80319c"),
        ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None),
        ("00-00000000000000000000000000000000-b7ad6b7169203331-01", None),
        ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", None),
        ("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", None),
        ("00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01", None),
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n", None),
        ("00-0af7651916cd43dd8448eb211c80319c", None),
        ("\u0660\u0660-\u0660af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None),
        ("", None),
        (None, None),
    ],
)
def test_a_trace_id_is_taken_from_a_well_formed_traceparent(value: str | None, trace: str | None) -> None:
    assert trace_of(value) == (trace, None if trace is None else "b7ad6b7169203331")


def test_no_field_asks_for_what_must_not_be_logged() -> None:
    """No query, no cookie, no credential, and on a failed handshake nothing that the peer presented."""
    asked = {value for fields in (INGRESS_FIELDS, EGRESS_FIELDS, CONNECTION_FIELDS) for value in fields.values()}
    headers = {value for value in asked if value.startswith("%REQ(")}
    assert headers == {"%REQ(X-REQUEST-ID)%", "%REQ(:METHOD)%", "%REQ(TRACEPARENT)%", "%REQ(:AUTHORITY)%"}
    assert "%PATH(NQ)%" in asked
    assert not any("PEER" in value for value in CONNECTION_FIELDS.values())
    assert not any("PEER" in value for value in EGRESS_FIELDS.values())
    known = {field.encode_name for field in msgspec.structs.fields(LogLine)}
    assert known >= {*INGRESS_FIELDS, *EGRESS_FIELDS, *CONNECTION_FIELDS}


def viewed(said: str | None, details: str = "via_upstream", **changed: object) -> Call:
    call = parse_line(msgspec.json.encode(INGRESS | changed | {"w": said, "d": details}), "orders", GUARDED, SRC)
    assert call is not None
    return call


def test_what_envoy_withheld_is_told_with_the_call() -> None:
    call = viewed('{"withheld":["pii.email","made-up"]}')
    assert (call.decision, call.enforcer, call.withheld, call.detail) == ("allow", "ingress", ("pii.email",), None)
    assert viewed("{}").withheld == ()


@pytest.mark.parametrize("details", ["", "response_payload_too_large"])
def test_an_answer_that_envoy_refused_is_a_refusal_of_its(details: str) -> None:
    call = viewed('{"reason":"unviewable","withheld":["pii"]}', details, s=502)
    assert (call.decision, call.carried_out, call.reason, call.enforcer) == ("deny", "deny", "unviewable", "ingress")
    assert (call.policies, call.withheld) == ((), ("pii",))


def test_an_error_without_its_page_is_no_refusal_and_a_filter_that_failed_is_one() -> None:
    assert viewed('{"withheld":["pii"]}', "", s=404).decision == "allow"
    assert viewed(None, "", s=502).reason == "unviewable"
    assert viewed("nonsense", "", s=502).decision == "deny"


def test_what_a_request_may_not_hold_is_told_with_its_refusal() -> None:
    for details in ("lua_response", "request_payload_too_large"):
        call = viewed('{"reason":"unreadable","sent":["pii"]}', details, s=413)
        assert (call.decision, call.reason, call.sent) == ("deny", "unreadable", ("pii",))
    observed = viewed('{"reason":"undisclosed","sent":["pii"],"observed":true}')
    assert (observed.decision, observed.carried_out, observed.mode) == ("deny", "allow", "observe")


def test_a_verdict_on_an_answer_that_nobody_was_given_is_none() -> None:
    call = viewed('{"reason":"unviewable","withheld":["pii"]}', "downstream_remote_disconnect", s=0, f="DC")
    assert (call.decision, call.withheld) == ("allow", ())


def test_a_request_that_was_not_admitted_was_not_decided() -> None:
    call = viewed(None, "rbac_access_denied_matched_policy[not_admitted]", s=503)
    assert (call.decision, call.reason, call.policies) == ("deny", "slow_path_down", ())


_LITERALS = st.text(alphabet="az09-._~:@$%", min_size=1, max_size=4).filter(lambda text: "%" not in text)
_VALUES = st.lists(st.sampled_from(["a", "0", "-", ".", "@", "%C3%A4", "%20", "$", ":", "_"]), min_size=1, max_size=6)


@st.composite
def paths(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a template and a path of its."""
    template, path, number = "", "", 0
    for _ in range(draw(st.integers(1, 4))):
        segment, text = draw(_LITERALS) + "x", ""
        text = segment
        for _ in range(draw(st.integers(0, 2))):
            value, literal = "".join(draw(_VALUES)), draw(_LITERALS)
            segment += f"{{v{number}}}{literal}"
            text += value + literal
            number += 1
        template += f"/{segment}"
        path += f"/{text}"
    return template, path


@settings(max_examples=300, deadline=None)
@given(paths())
def test_a_path_is_its_template_and_parameters_and_can_be_told_again(drawn: tuple[str, str]) -> None:
    template, path = drawn
    operation = dataclasses.replace(shop.operation(template), name="getOrder")
    catalog = shop.catalog(shop.service(operation), shop.service(name="checkout"))
    call = parse_line(msgspec.json.encode(INGRESS | {"p": path}), "orders", catalog, SRC)
    assert call is not None
    assert (call.path, call.full_path, call.not_kept) == (template, path, ())
    assert tuple(call.parameters) == operation.template.variables
    assert parse_entry(encode_entry(call)[:-1]) == call


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/orders/7", None),
        ("/orders/7", "orders:gone"),
        ("/orders/7/lines", "orders:getOrder"),
        ("/orders/7;a", "orders:getOrder"),
        ("/orders/{id}", "orders:getOrder"),
        ("/orders/" + "%" * 10_000, "orders:getOrder"),
        (None, "orders:getOrder"),
    ],
)
def test_a_path_that_is_none_of_its_operation_stays_as_it_came(path: str | None, operation: str | None) -> None:
    call = told(INGRESS, p=path, op=operation)
    assert (call.path, call.parameters, call.full_path, call.operation) == (path, {}, path, operation)


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("::1", "::1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("10.0.0.7:4711", None),
        ("[::1]:4711", None),
        ("/run/some.sock", None),
        ("@", None),
        ("", None),
        ("-", None),
        (None, None),
    ],
)
def test_an_address_is_one_of_ip_in_one_spelling(said: str | None, address: str | None) -> None:
    assert told(INGRESS, peer_address=said).address == address


def test_an_address_is_asked_of_the_connection_and_of_no_header() -> None:
    for fields in (INGRESS_FIELDS, CONNECTION_FIELDS):
        assert fields["peer_address"] == "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"
    assert "peer_address" not in EGRESS_FIELDS


def test_a_user_is_who_the_guard_says_and_nobody_without_an_issuer() -> None:
    line = msgspec.json.encode(INGRESS | {"g": encode_verdict(Verdict(user="jörg\x7f")).decode()})
    issuing = dataclasses.replace(GUARDED, users=UserTokens("i", "a", key_set(Signer())))
    call = parse_line(line, "orders", issuing, SRC)
    assert call is not None
    assert (call.user, call.decision, call.enforcer, call.detail) == ("jörg\x7f", "allow", "ingress", None)
    assert told(INGRESS, g='{"user":"ada"}').user is None
    views = parse_line(msgspec.json.encode(INGRESS | {"w": '{"user":"ada"}'}), "orders", issuing, SRC)
    assert views is not None
    assert views.user is None
    too_long = parse_line(msgspec.json.encode(INGRESS | {"g": '{"long_user":true}'}), "orders", issuing, SRC)
    assert too_long is not None
    assert (too_long.user, too_long.detail) == (None, "the end user's name is too long to be recorded")


def test_a_caller_does_not_choose_what_its_refused_call_is_called() -> None:
    made = "0f3c7a9e-1b2d-4c3e-8f4a-5b6c7d8e9f00"
    malformed = {"en": None, "sn": None, "op": None, "d": "path_normalization_failed", "s": 400}
    assert told(INGRESS, **malformed, id="s3cret").id == SRC
    assert told(INGRESS, **malformed, id=made).id == made
    assert told(EGRESS, s=400, id="s3cret").id == SRC
    assert told(EGRESS, s=400, id=made).id == made


def test_what_stands_behind_a_path_is_none_of_it() -> None:
    assert told(INGRESS, p="/orders/42#s3cret").full_path == "/orders/42"
    assert told(INGRESS, p="/nowhere#s3cret", op=None).path == "/nowhere"
    assert told(EGRESS, p="/x#s3cret").path == "/x"
