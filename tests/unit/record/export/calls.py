"""Calls of every kind, for the forms in which they are sent on."""

from __future__ import annotations

import string

from hypothesis import strategies as st

from inward.record.call import Call

FULL = Call(
    time="2026-11-26T12:00:00.123Z",
    id="0f3c9a52-0000-4000-8000-000000000000",
    caller="checkout",
    callee="orders",
    user="alice",
    address="192.0.2.7",
    operation="orders:getOrder",
    method="GET",
    path="/orders/{id}",
    parameters={"id": "42"},
    decision="allow",
    carried_out="allow",
    reason="granted",
    policies=("sellers-read",),
    policy_version="0123456789ab",
    status=200,
    duration_us=1234,
    bytes_in=0,
    bytes_out=99,
    trace="4bf92f3577b34da6a3ce929d0e0e4736",
    span="00f067aa0ba902b7",
    src="orders/access-00000001.log:99",
)
TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
COUNTS = st.none() | st.integers(0, 2**53)
HEX = string.hexdigits.lower()

ANY = st.builds(
    Call,
    time=st.just(FULL.time),
    id=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    caller=TEXTS,
    callee=TEXTS,
    user=TEXTS,
    address=TEXTS | st.ip_addresses().map(str),
    operation=TEXTS,
    method=TEXTS | st.sampled_from(["GET", "POST", "PATCH", "BREW"]),
    path=TEXTS,
    parameters=st.dictionaries(st.text(HEX, max_size=5), st.text(HEX, max_size=5), max_size=3),
    detail=TEXTS,
    trace=TEXTS | st.text(HEX, min_size=32, max_size=32),
    span=TEXTS | st.text(HEX, min_size=16, max_size=16),
    status=st.none() | st.integers(100, 999),
    grpc_status=st.none() | st.integers(0, 20),
    duration_us=COUNTS,
    bytes_in=COUNTS,
    bytes_out=COUNTS,
)
