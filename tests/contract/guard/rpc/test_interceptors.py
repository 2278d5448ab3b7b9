"""Both interceptors, with every kind of handler: the same calls, the same answers as by HTTP."""

from __future__ import annotations

import contextlib
import itertools
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from msgspec import structs
from tests.contract.guard.rpc.people import ALL, PERSON, SECRET, Script

from inward.guard.grpc import AioGuard, Guard
from inward.guard.objects import RefusedError
from inward.guard.user import ClaimedUser
from inward.identity.user_token import EndUser
from inward.record.verdict import HEADER, Verdict, parse_verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contract.guard.rpc.servers import Got, Served

    from inward.guard.bundle import FollowedBundle
    from inward.guard.core import Call

REFERENCE = "0d1b2ce6-9f5a-4c5e-8c5a-6d1f6c8f9a01"
URN = f"urn:uuid:{REFERENCE}"
GET, LIST, MERGE, CHAT = (f"people.v1.People/{name}" for name in ("Get", "List", "Merge", "Chat"))
TAKE, TAKE_ALL = "people.v1.People/Take", "people.v1.People/TakeAll"
WATCHED, WATCHED_TAKE = "people.v1.Watched/Get", "people.v1.Watched/Take"
ONE, MANY = (GET, MERGE), (LIST, CHAT)
OK, DENIED = grpc.StatusCode.OK, grpc.StatusCode.PERMISSION_DENIED
INTERNAL, INVALID = grpc.StatusCode.INTERNAL, grpc.StatusCode.INVALID_ARGUMENT
SENT = SECRET.encode()


def forwarded(caller: str) -> tuple[str, str]:
    return ("x-forwarded-client-cert", f"By=spiffe://people.test/people;URI=spiffe://people.test/{caller}")


def ask(served: Served, method: str = GET, caller: str | None = "till", *requests: Any, **options: Any) -> Got:
    metadata = [("x-request-id", REFERENCE), *options.pop("metadata", [])]
    if caller is not None:
        metadata.append(forwarded(caller))
    return served.ask(method, list(requests) or [served.classes.ask(answer="person")], metadata, **options)


def play(served: Served, *messages: Any, **script: Any) -> None:
    served.handled.script = Script(messages, **script)


def verdict(got: Got) -> Verdict | None:
    said = got.header(HEADER)
    return parse_verdict(said) if said is not None else None


def person(served: Served, **fields: Any) -> Any:
    return served.classes.person(**{**PERSON, **fields})


# --- who, what, whether


@pytest.mark.parametrize("method", [*ONE, *MANY])
def test_an_allowed_call_reaches_the_handler_which_knows_who_calls(served: Served, method: str) -> None:
    play(served, person(served))
    got = ask(served, method, "office")
    assert (got.code, got.messages, verdict(got)) == (OK, [person(served)], None)
    assert served.handled.calls == [("office", f"people:{method}", REFERENCE)]
    (request,) = served.handled.requests
    asked = request if isinstance(request, list) else [request]
    assert [each.answer for each in asked] == ["person"]


@pytest.mark.parametrize(
    ("caller", "method", "reason"),
    [
        *(("stranger", method, "no_grant") for method in (*ONE, *MANY, "people.v1.People/Missing")),
        *(("nobody", method, "unknown_caller") for method in (*ONE, *MANY)),
        *((None, method, "bad_identity") for method in (*ONE, *MANY, "people.v1.People/Missing")),
        ("office", "hidden.v1.Hidden/Get", "unknown_operation"),
        ("office", "hidden.v1.Hidden/Other", "unknown_operation"),
        ("office", "grpc.health.v1.Health/Check", "unknown_operation"),
        ("office", "grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "unknown_operation"),
        ("office", "people.v1.people/Get", "unknown_operation"),
        ("office", "people.v1.People/Get/", "unknown_operation"),
        ("office", "/people.v1.People/Get", "unknown_operation"),
        ("office", "people.v1.People/Get?x=1", "unknown_operation"),
        ("office", "people.v1.People%2FGet", "unknown_operation"),
    ],
)
def test_a_refused_call_does_not_reach_the_handler(
    served: Served, caller: str | None, method: str, reason: str
) -> None:
    play(served, person(served))
    got = ask(served, method, caller)
    code = {"unknown_caller": "no_grant"}.get(reason, reason)
    status = grpc.StatusCode.UNIMPLEMENTED if code == "unknown_operation" else DENIED
    assert (got.code, got.raw, verdict(got)) == (status, [], Verdict(reason=reason))
    assert got.details.startswith(f"{code}: ")
    assert got.details.endswith(f" ({URN})")
    assert served.handled.calls == []


@pytest.mark.parametrize(
    ("method", "caller", "said"),
    [
        *((method, "office", Verdict()) for method in (*ONE, *MANY, WATCHED)),
        *((method, "till", Verdict(withheld=ALL)) for method in (*ONE, *MANY)),
        *((method, "stranger", Verdict(reason="no_grant")) for method in (*ONE, *MANY)),
        (WATCHED, "till", Verdict(withheld=ALL, observed=True)),
        ("people.v1.People/Missing", "office", Verdict()),
    ],
)
def test_a_user_that_a_token_proves_is_said_with_every_kind_of_answer(
    served: Served, monkeypatch: pytest.MonkeyPatch, method: str, caller: str, said: Verdict
) -> None:
    user = EndUser("jörg\x7f", "t", (), datetime(2027, 1, 1, tzinfo=UTC))
    monkeypatch.setattr(ClaimedUser, "proven", lambda _: user)
    play(served, person(served))
    assert verdict(ask(served, method, caller)) == structs.replace(said, user=user.subject)


def test_who_may_call_is_told_that_a_method_is_not_served(served: Served) -> None:
    got = ask(served, "people.v1.People/Missing")
    assert (got.code, verdict(got)) == (grpc.StatusCode.UNIMPLEMENTED, None)


@pytest.mark.parametrize(
    "claimed",
    [
        [forwarded("till"), forwarded("office")],
        [("x-forwarded-client-cert", f"{forwarded('till')[1]},{forwarded('office')[1]}")],
        [("x-forwarded-client-cert", f"{forwarded('till')[1]};URI=spiffe://people.test/office")],
        [("x-forwarded-client-cert", 'By="a";URI=spiffe://people.test/office')],
        [("x-forwarded-client-cert", "URI=spiffe://elsewhere.test/office")],
        [("x-forwarded-client-cert", "")],
        [("x-forwarded-client-cert-bin", forwarded("office")[1].encode())],
    ],
)
def test_an_identity_that_is_not_exactly_one_is_none(served: Served, claimed: list[tuple[str, Any]]) -> None:
    got = ask(served, GET, None, metadata=claimed)
    assert got.code is DENIED
    assert served.handled.calls == []


@pytest.mark.parametrize("method", [*ONE, *MANY])
def test_over_tcp_anybody_could_say_who_calls(served: Served, method: str) -> None:
    got = ask(served, method, "office", private=False)
    assert (got.code, verdict(got)) == (DENIED, Verdict(reason="bad_identity"))
    assert served.handled.calls == []


def test_a_method_without_a_description_is_told_once(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "inward.guard"):
        for _ in range(3):
            assert ask(served, "hidden.v1.Hidden/Get", "office").details.startswith("unknown_operation: ")
            assert ask(served, "hidden.v1.Hidden/Other", "office").details.startswith("unknown_operation: ")
    told = [record for record in caplog.records if "hidden.v1.Hidden" in record.getMessage()]
    assert len(told) <= 1
    assert all("`/hidden.v1.Hidden/Get` is served" in record.getMessage() for record in told)


@pytest.mark.parametrize("make", [Guard, AioGuard])
def test_methods_without_a_description_are_told_when_they_are_added(
    bundle: FollowedBundle, make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Server:
        def __init__(self) -> None:
            self.added: list[tuple[str, set[str]]] = []

        def add_registered_method_handlers(self, service_name: str, method_handlers: dict[str, object]) -> None:
            self.added.append((service_name, set(method_handlers)))

    server = Server()
    watched = make(bundle=bundle).watch(server)
    assert watched is server
    watched.add_registered_method_handlers("people.v1.People", {"Get": None, "Purge": None})
    assert server.added == [("people.v1.People", {"Get", "Purge"})]
    assert [record.args for record in caplog.records] == [("/people.v1.People/Purge",)]


@pytest.mark.parametrize("method", [WATCHED, "hidden.v1.Hidden/Get"])
def test_a_question_whether_there_is_a_guard_reaches_no_handler(served: Served, method: str) -> None:
    got = ask(served, method, None, metadata=[("x-inward-probe", "1")])
    assert (got.code, verdict(got)) == (DENIED, Verdict(reason="bad_identity", observed=False))
    assert served.handled.calls == []


@pytest.mark.parametrize("method", [*ONE, *MANY])
def test_what_the_handler_says_in_the_guards_name_is_not_passed_on(served: Served, method: str) -> None:
    said = ((HEADER, '{"withheld":["pii"]}'), ("x-own", "kept"))
    play(served, person(served), initial=said, trailing=said)
    got = ask(served, method, "office")
    assert (got.header(HEADER), got.header("x-own")) == (None, "kept")
    assert got.trailing == [("x-own", "kept")]


# --- observed


def test_what_is_observed_is_let_through_and_said(served: Served) -> None:
    play(served, person(served))
    got = ask(served, WATCHED, "stranger")
    assert (got.code, got.messages) == (OK, [person(served)])
    found = verdict(got)
    assert found is not None
    assert (found.reason, found.observed) == ("no_grant", True)
    assert verdict(ask(served, WATCHED, "till")) == Verdict(withheld=ALL, observed=True)
    assert verdict(ask(served, WATCHED, "office")) is None
    assert verdict(ask(served, WATCHED, None)) == Verdict(reason="bad_identity", observed=True)
    assert [caller for caller, _, _ in served.handled.calls] == ["stranger", "till", "office", None]


def test_what_is_observed_is_said_of_an_error_too(served: Served) -> None:
    play(served, code=grpc.StatusCode.NOT_FOUND, details=SECRET, aborts=True)
    got = ask(served, WATCHED, "till")
    assert (got.code, got.details) == (grpc.StatusCode.NOT_FOUND, SECRET)
    assert verdict(got) == Verdict(withheld=ALL, observed=True)
    play(served, error=ValueError(SECRET))
    failed = ask(served, WATCHED, "till")
    assert failed.code is grpc.StatusCode.UNKNOWN
    assert verdict(failed) == Verdict(withheld=ALL, observed=True)


# --- what is shown


@pytest.mark.parametrize("method", [*ONE, *MANY])
def test_a_caller_sees_what_is_disclosed_to_it(served: Served, method: str) -> None:
    whole = person(served, family=[PERSON], by_role={"boss": served.classes.person(**PERSON)}, mail=SECRET)
    play(served, whole, initial=(("x-own", "kept"),))
    got = ask(served, method)
    assert got.code is OK
    assert SENT not in got.said()
    (shown,) = got.messages
    for each in (shown, shown.family[0], shown.by_role["boss"]):
        assert (each.id, each.name, each.email, each.phone) == (1, "Ada", "", "****0101")
        assert each.card.startswith("tok_")
        assert [str(note) for note in each.notes] == ["1.1", "-0.0"]
    assert verdict(got) == Verdict(withheld=ALL)
    assert got.header("x-own") == "kept"


def test_it_is_said_what_was_cut_out_of_one_message(served: Served) -> None:
    play(served, served.classes.person(id=7, phone="+46 8 555 0101"))
    assert verdict(ask(served)) == Verdict(withheld=("pii.phone",))
    play(served, served.classes.person(id=7))
    assert verdict(ask(served)) is None


@pytest.mark.parametrize("method", MANY)
def test_every_message_of_a_stream_is_viewed(served: Served, method: str) -> None:
    play(served, *(person(served, id=number) for number in range(20)))
    got = ask(served, method)
    assert [each.id for each in got.messages] == list(range(20))
    assert SENT not in got.said()
    assert verdict(got) == Verdict(withheld=ALL)


def test_one_token_stands_for_one_value(served: Served) -> None:
    play(served, person(served))
    first, second = (ask(served).messages[0].card for _ in range(2))
    play(served, person(served, card="4112"))
    assert first == second != ask(served).messages[0].card


def test_an_operation_without_declared_data_is_handed_on_as_it_is(served: Served) -> None:
    play(served, b"\x0a\x02hi\xf8\x07\x01", trailing=(("x-own-bin", b"\x00"),), code=OK, details="")
    got = ask(served, "people.v1.People/Plain")
    assert (got.raw, got.trailing, verdict(got)) == ([b"\x0a\x02hi\xf8\x07\x01"], [("x-own-bin", b"\x00")], None)


@pytest.mark.parametrize(
    "message",
    [
        b"\xff",  # no field
        b"\x12\x02\xff\xfe",  # a text that is no UTF-8
        b"\x1a\x7f" + SENT,  # shorter than it says
        b"\x3a\x02" * 200 + SENT,
        b"\x0a" + b"\x00" * 100_001,
        b"\x42\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02" + SENT,  # a length beyond all bounds
    ],
)
@pytest.mark.parametrize("method", [*ONE, *MANY])
def test_what_cannot_be_viewed_is_refused(served: Served, method: str, message: bytes) -> None:
    play(served, message, trailing=(("x-own", SECRET),))
    got = ask(served, method)
    assert (got.code, got.raw, verdict(got)) == (INTERNAL, [], Verdict(reason="unviewable", withheld=ALL))
    assert got.details == f"unviewable: The answer may hold data that this caller may not see ({URN})"
    assert SENT not in got.said()


@pytest.mark.parametrize("method", MANY)
def test_nothing_follows_a_refusal_in_the_midst_of_a_stream(served: Served, method: str) -> None:
    play(served, person(served, id=1), b"\xff", person(served, id=2), endless=True)
    got = ask(served, method)
    assert (got.code, [each.id for each in got.messages]) == (INTERNAL, [1])
    assert got.details == f"unviewable: The answer may hold data that this caller may not see ({URN})"
    served.wait_for_closed()
    assert served.handled.closed == 1


@pytest.mark.parametrize(
    "message",
    [
        b"\xf2\x07" + bytes([len(SENT)]) + SENT,  # the unknown field 126
        b"\x1d" + SENT[:4],  # the e-mail address by another wire type
        b"\x3a" + bytes([len(SENT) + 3]) + b"\xf2\x07" + bytes([len(SENT)]) + SENT,  # below
        b"\xf3\x07\x0a" + bytes([len(SENT)]) + SENT + b"\xf4\x07",  # a group
        b"\x62" + bytes([len(SENT) + 2]) + b"\x12" + bytes([len(SENT)]) + SENT,  # the value of an Any
    ],
)
@pytest.mark.parametrize("method", [GET, LIST])
def test_what_nobody_declared_is_dropped(served: Served, method: str, message: bytes) -> None:
    play(served, b"\x08\x07" + message)
    got = ask(served, method)
    assert (got.code, got.messages[0].id) == (OK, 7)
    assert SENT[:4] not in got.said()


# --- errors, and what goes beside messages


@pytest.mark.parametrize("method", [*ONE, *MANY])
@pytest.mark.parametrize("aborts", [True, False])
def test_an_error_stays_an_error_without_its_text(served: Served, method: str, aborts: bool) -> None:  # noqa: FBT001 - a parameter of the test
    trailing = (("grpc-status-details-bin", SENT), ("x-own", "kept"), ("x-own-bin", SENT))
    code = grpc.StatusCode.NOT_FOUND
    play(served, code=code, details=SECRET, aborts=aborts, initial=trailing, trailing=trailing)
    got = ask(served, method)
    assert (got.code, got.details) == (code, URN)
    assert SENT not in got.said()
    assert got.trailing == [("x-own", "kept")]
    assert got.header("x-own") == "kept"
    assert b"".join(got.raw) == b""
    assert verdict(got) == Verdict(withheld=ALL)
    whole = ask(served, method, "office")
    assert whole.details == SECRET
    assert dict(whole.trailing)["grpc-status-details-bin"] == SENT


@pytest.mark.parametrize("method", [*ONE, *MANY])
def test_what_an_exception_says_is_logged_and_not_sent(
    served: Served, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    play(served, error=ValueError(SECRET))
    got = ask(served, method)
    assert (got.code, got.details) == (grpc.StatusCode.UNKNOWN, URN)
    assert verdict(got) == Verdict(withheld=ALL)
    assert any(SECRET in str(record.exc_info[1]) for record in caplog.records if record.exc_info)
    assert SECRET in ask(served, method, "office").details


def test_an_answer_that_cannot_be_written_is_an_error(served: Served) -> None:
    play(served, object())
    assert ask(served).code is INTERNAL
    assert ask(served, caller="office").code is INTERNAL


# --- what is sent


@pytest.mark.parametrize("method", [TAKE, TAKE_ALL])
def test_a_class_that_the_service_may_not_receive_is_refused(served: Served, method: str) -> None:
    play(served, served.classes.note(text="done"))
    got = ask(served, method, "office", served.classes.person(id=1, name="Ada"), person(served))
    if method == TAKE:
        assert (got.code, len(served.handled.requests)) == (OK, 1)
        got = ask(served, method, "office", person(served))
    assert (got.code, got.raw) == (DENIED, [])
    assert verdict(got) == Verdict(reason="undisclosed", sent=("pii.card", "pii.email"))
    assert got.details == f"undisclosed: The request holds data that the service may not receive ({URN})"
    assert not any(SECRET in str(request) for request in served.handled.requests)


def test_a_handler_that_goes_on_after_a_refusal_answers_nobody(served: Served) -> None:
    play(served, served.classes.note(text="done"), swallows=True, trailing=(("x-own", "late"),))
    got = ask(served, TAKE_ALL, "office", person(served))
    assert (got.code, got.raw) == (DENIED, [])
    assert got.details.startswith("undisclosed: ")
    assert not any(SECRET in str(request) for request in served.handled.requests)


@pytest.mark.parametrize("hidden", ["friend", "family", "by_role"])
def test_it_is_found_wherever_it_stands(served: Served, hidden: str) -> None:
    within: Any = {"friend": PERSON, "family": [PERSON], "by_role": {"boss": served.classes.person(**PERSON)}}[hidden]
    got = ask(served, TAKE, "office", served.classes.person(**{hidden: within}))
    assert (got.code, verdict(got)) == (DENIED, Verdict(reason="undisclosed", sent=("pii.card", "pii.email")))
    assert served.handled.calls == []


def test_a_request_that_may_be_received_is_given_byte_for_byte(served: Served) -> None:
    play(served, served.classes.note(text="done"))
    message = b"\xf2\x07\x03abc\x08\x01\x08\x02\x12\x03Ada"
    assert ask(served, TAKE, "office", message).code is OK
    (request,) = served.handled.requests
    assert (request.id, request.name, bytes(request.SerializeToString())[-6:]) == (2, "Ada", b"\xf2\x07\x03abc")


@pytest.mark.parametrize("message", [b"\xff", b"\x12\x02\xff\xfe", b"\x3a\x02" * 200, b"\x0a" + b"\x00" * 100_001])
@pytest.mark.parametrize("method", [TAKE, TAKE_ALL])
def test_a_request_that_cannot_be_read_is_refused(served: Served, method: str, message: bytes) -> None:
    got = ask(served, method, "office", message)
    assert (got.code, got.raw) == (INVALID, [])
    found = verdict(got)
    assert found is not None
    assert found.reason == "unreadable"
    assert served.handled.calls == [] or method == TAKE_ALL


def test_what_is_sent_to_what_is_observed_is_let_through_and_said(served: Served) -> None:
    play(served, served.classes.note(text="done"))
    got = ask(served, WATCHED_TAKE, "office", person(served))
    assert got.code is OK
    assert verdict(got) == Verdict(reason="undisclosed", sent=("pii.card", "pii.email"), observed=True)
    assert served.handled.requests == [person(served)]


def test_a_request_that_the_handler_cannot_read_is_an_error(served: Served) -> None:
    got = ask(served, GET, "office", b"\xff")
    assert got.code is INTERNAL
    assert served.handled.calls == []


# --- what a handler asks


def enforce(shop: str) -> Callable[[Call], None]:
    def asks(call: Call) -> None:
        call.enforce(f"people:{GET}", {"shop": shop, "visits": 3}, type="Person")

    return asks


def swallowing(shop: str) -> Callable[[Call], None]:
    def asks(call: Call) -> None:
        with contextlib.suppress(RefusedError):
            enforce(shop)(call)

    return asks


@pytest.mark.parametrize("method", [*ONE, *MANY, "people.v1.People/Plain"])
@pytest.mark.parametrize("asks", [enforce("fair"), swallowing("fair")])
@pytest.mark.parametrize("ends", [{}, {"aborts": True, "code": grpc.StatusCode.NOT_FOUND}, {"error": ValueError("x")}])
def test_an_object_that_is_not_granted_is_refused(
    served: Served, method: str, asks: Callable[[Call], None], ends: dict[str, Any]
) -> None:
    answer = served.classes.note(text=SECRET) if method.endswith("Plain") else person(served)
    play(served, answer, asks=asks, initial=(("x-own", "kept"),) if method in ONE else (), **ends)
    got = ask(served, method)
    assert (got.code, got.raw) == (DENIED, [])
    assert verdict(got) == Verdict(reason="resource", policies=("till-own",))
    assert got.details == f"resource: The caller may not do this to this object ({URN})"
    assert SENT not in got.said()


@pytest.mark.parametrize("method", [*ONE, *MANY])
def test_an_object_that_is_granted_changes_nothing(served: Served, method: str) -> None:
    play(served, person(served), asks=enforce("till"))
    assert ask(served, method).code is OK


def test_an_object_is_refused_in_the_midst_of_a_stream(served: Served) -> None:
    play(served, person(served))
    asked = [served.classes.ask(answer=str(number)) for number in range(3)]

    def third(call: Call) -> None:
        if len(served.handled.calls) == 3:
            enforce("fair")(call)

    play(served, person(served), asks=third)
    got = ask(served, CHAT, "till", *asked)
    assert (got.code, len(got.raw), got.details[:9]) == (DENIED, 2, "resource:")


def test_an_object_that_would_be_refused_is_said_where_it_is_observed(served: Served) -> None:
    play(served, person(served), asks=enforce("fair"), initial=(("x-own", "kept"),))
    got = ask(served, WATCHED)
    assert (got.code, got.header("x-own")) == (OK, "kept")
    assert verdict(got) == Verdict(reason="resource", policies=("till-own",), withheld=ALL, observed=True)


# --- calls that do not end as they should


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_compressed_messages_are_like_others(served: Served, compression: grpc.Compression) -> None:
    play(served, person(served, room="x" * 5000))
    got = ask(served, compression=compression)
    assert (got.messages[0].room, SENT in got.said()) == ("x" * 5000, False)
    refused = ask(served, TAKE, "office", person(served, room="x" * 5000), compression=compression)
    assert verdict(refused) == Verdict(reason="undisclosed", sent=("pii.card", "pii.email"))


@pytest.mark.parametrize("method", MANY)
def test_a_caller_that_goes_away_ends_the_handler(served: Served, method: str) -> None:
    if served.kind == "aio-threads":
        pytest.skip("grpc.aio does not end its threads")
    play(served, person(served), endless=True)
    metadata = [forwarded("till"), ("x-request-id", REFERENCE)]
    with grpc.insecure_channel(served.private) as channel:
        call = served.call(channel, method, [served.classes.ask(answer="person")], metadata)
        for raw in itertools.islice(call, 5):
            assert SENT not in raw
        call.cancel()
    served.wait_for_closed()


@pytest.mark.parametrize("method", MANY)
def test_a_deadline_ends_the_handler(served: Served, method: str) -> None:
    if served.kind == "aio-threads":
        pytest.skip("as above")
    play(served, person(served), endless=True)
    got = ask(served, method, timeout=0.5)
    assert got.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert got.messages
    assert SENT not in got.said()
    served.wait_for_closed()


def test_the_next_call_is_another_one(served: Served) -> None:
    play(served, person(served))
    for caller in ("till", "office", "till", "office"):
        got = ask(served, LIST, caller)
        assert (SENT in got.said()) == (caller == "office")
    assert [caller for caller, _, _ in served.handled.calls] == ["till", "office", "till", "office"]
