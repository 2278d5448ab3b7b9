"""gRPC through real Envoys, by a real client and a real server: every kind of method, every kind of refusal."""

from __future__ import annotations

import asyncio
import json
import queue
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf import message_factory
from tests.system import wire
from tests.system.company import TRUST_DOMAIN
from tests.system.guarded import Guarded, eventually, stop_and_look

from inward.catalog.protobuf.descriptors import pool_of
from inward.catalog.system import load_catalog
from inward.envoy.admin import Admin
from inward.envoy.resources.egress import proxy_authorization
from inward.policy.decision import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from inward.record.call import Call

APP = Path(__file__).parent / "grpc_app.py"
SECONDS = 20.0
LARGE = 3 * 1024 * 1024
SERVICE = "/shop.v1.Orders/"
Metadata = tuple[tuple[str, str], ...]
FILES = {
    "inward.yaml": f"""\
trust_domain: {TRUST_DOMAIN}
data:
  pii: {{owner: team-orders}}
  secret: {{owner: team-orders}}
services:
  orders:
    owner: team-orders
    api: apis/orders.proto
    listen: 127.0.0.1:0
    run: python {APP} {{socket}} orders.log
    operations:
      shop.v1.Orders/Watch: {{mode: observe}}
  checkout: {{owner: team-checkout, run: sleep 86400}}
  away: {{owner: team-away, api: apis/away.proto, listen: 127.0.0.1:1}}
  reader: {{owner: team-readers}}
""",
    "apis/common.proto": """\
syntax = "proto3";
package shop.v1;
message GetOrder { string id = 1; }
""",
    "apis/orders.proto": """\
syntax = "proto3";
package shop.v1;
import "apis/common.proto";
import "inward/data.proto";
message Order {
  string id = 1;
  string note = 2;
  string contact = 3 [(inward.data) = "pii"];
}
message Secret { string key = 1 [(inward.data) = "secret"]; }
service Orders {
  rpc Get(GetOrder) returns (Order);
  rpc GetSecret(GetOrder) returns (Secret);
  rpc Fail(GetOrder) returns (Order);
  rpc Wait(GetOrder) returns (Order);
  rpc Watch(GetOrder) returns (Order);
  rpc Create(GetOrder) returns (Order);
  rpc List(GetOrder) returns (stream Order) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc Upload(stream Order) returns (GetOrder);
  rpc Chat(stream Order) returns (stream Order);
}
""",
    "apis/away.proto": """\
syntax = "proto3";
package away;
message Nothing {}
service Away { rpc Go(Nothing) returns (Nothing); }
""",
    "policies/orders.cedar": """\
@id("checkout-does-most")
@reason("a test")
permit (
  principal == Service::"checkout",
  action in [
    Action::"orders:shop.v1.Orders/Get", Action::"orders:shop.v1.Orders/GetSecret",
    Action::"orders:shop.v1.Orders/Fail", Action::"orders:shop.v1.Orders/Wait", Action::"orders:read",
    Action::"orders:shop.v1.Orders/Upload", Action::"orders:shop.v1.Orders/Chat"
  ],
  resource == Service::"orders"
);

@id("reader-reads")
@reason("a test")
permit (principal == Service::"reader", action in Action::"orders:read", resource == Service::"orders");

@id("addresses-are-shown")
@reason("a test")
permit (principal, action == Action::"disclose", resource == DataClass::"pii");
""",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """The system, for tests that leave it as it is."""
    system = Guarded(tmp_path_factory.mktemp("grpc"), FILES)
    try:
        yield system.start()
        assert list(stop_and_look(system)) == []
    finally:
        system.destroy()
        shutil.rmtree(system.layout.run, ignore_errors=True)


class Client:
    """A gRPC client in the place of the program of `checkout`."""

    def __init__(self, system: Guarded, channel: grpc.Channel, metadata: Metadata = ()) -> None:
        catalog, _ = load_catalog(system.folder)
        assert catalog is not None
        self._rpc = catalog.operations["orders:shop.v1.Orders/Get"].rpc
        self._channel = channel
        self._metadata = metadata

    def kind(self, name: str) -> Any:
        assert self._rpc is not None
        found = pool_of(self._rpc.descriptors).FindMessageTypeByName(f"shop.v1.{name}")
        return message_factory.GetMessageClass(found)

    def stream(
        self, method: str, requests: Any, answer: str = "Order", more: Metadata = (), seconds: float = SECONDS
    ) -> Any:
        """Call any method of the service `Orders`: to the wire, one message is a stream of one."""
        call = self._channel.stream_stream(
            method if method.startswith("/") else SERVICE + method,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=self.kind(answer).FromString,
        )
        return call(iter(requests), timeout=seconds, metadata=(*self._metadata, *more))

    def get(self, identifier: str = "7", method: str = "Get", **options: Any) -> Any:
        (found,) = self.stream(method, [self.kind("GetOrder")(id=identifier)], **options)
        return found

    def refused(self, method: str, **options: Any) -> grpc.Call:
        """Make a call that must fail; return how it failed."""
        with pytest.raises(grpc.RpcError) as caught:
            self.get(method=method, **options)
        assert isinstance(caught.value, grpc.Call)
        return caught.value


WAYS = ["tunnel", "direct"]


@pytest.fixture
def clients(shop: Guarded, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Client]]:
    """The ways of a client through the egress: as a proxy that it knows, or as a server that it is told of."""
    with connected(shop, monkeypatch) as found:
        yield found


class connected:  # noqa: N801 - used as a function
    def __init__(self, system: Guarded, monkeypatch: pytest.MonkeyPatch, callee: str = "orders") -> None:
        running = system.running("checkout")
        monkeypatch.setenv("grpc_proxy", f"http://inward:{running.credential}@{running.egress}")
        size = ("grpc.max_receive_message_length", LARGE * 2)
        authority = [("grpc.enable_http_proxy", 0), ("grpc.default_authority", callee), size]
        credential = (("proxy-authorization", proxy_authorization(running.credential)),)
        self._channels = [
            grpc.insecure_channel(f"{callee}:80", [size]),
            grpc.insecure_channel(running.egress, authority),
        ]
        self._clients = {
            "tunnel": Client(system, self._channels[0]),
            "direct": Client(system, self._channels[1], credential),
        }

    def __enter__(self) -> dict[str, Client]:
        return self._clients

    def __exit__(self, *_: object) -> None:
        for channel in self._channels:
            channel.close()


def reference(failed: grpc.Call) -> str:
    """Return the reference that a refused caller is told."""
    told = (failed.details() or "").rpartition("(urn:uuid:")[2].removesuffix(")")
    assert len(told) == 36
    return told


def recorded(shop: Guarded, identifier: str) -> Call:
    found = eventually(f"{identifier} in the record", lambda: [call for call in shop.calls() if call.id == identifier])
    (call,) = found
    assert call.__class__.__name__ == "Call"
    return call  # type: ignore[no-any-return] # eventually returns what it was given


def log(shop: Guarded) -> list[str]:
    path = shop.folder / "orders.log"
    return path.read_text().splitlines() if path.exists() else []


def fence(shop: Guarded, client: Client) -> None:
    """Wait until all that happened before is recorded."""
    stream = client.stream("Get", [client.kind("GetOrder")(id="fence")])
    assert len(list(stream)) == 1
    recorded(shop, dict(stream.initial_metadata())["x-request-id"])


@pytest.mark.parametrize("way", WAYS)
def test_every_kind_of_method_is_called(clients: dict[str, Client], way: str) -> None:
    client = clients[way]
    order, get = client.kind("Order"), client.kind("GetOrder")
    assert client.get("7").id == "7"
    assert [each.id for each in client.stream("List", [get(id="3")])] == ["0", "1", "2"]
    (uploaded,) = client.stream("Upload", (order(id=str(number)) for number in range(4)), "GetOrder")
    assert uploaded.id == "0,1,2,3"
    assert [each.id for each in client.stream("Chat", [order(id="a"), order(id="b")])] == ["re: a", "re: b"]


@pytest.mark.parametrize("way", WAYS)
def test_a_stream_is_handed_on_message_by_message(clients: dict[str, Client], way: str) -> None:
    client = clients[way]
    said: queue.Queue[Any] = queue.Queue()
    stream = client.stream("Chat", iter(said.get, None))
    for word in ("a", "b", "c"):  # each answer comes before the next message is said
        said.put(client.kind("Order")(id=word))
        assert next(stream).id == f"re: {word}"
    said.put(None)
    assert list(stream) == []


@pytest.mark.parametrize("way", WAYS)
def test_trailers_statuses_and_large_messages_pass(shop: Guarded, clients: dict[str, Client], way: str) -> None:
    client = clients[way]
    stream = client.stream("Get", [client.kind("GetOrder")(id="x" * LARGE)])
    assert [len(each.id) for each in stream] == [LARGE]
    trailers = dict(stream.trailing_metadata())
    assert (trailers["x-trailer"], trailers["x-trailer-bin"]) == ("kept", b"\x00\xff")
    failed = client.refused("Fail")
    assert (failed.code(), failed.details()) == (grpc.StatusCode.NOT_FOUND, "no such order: ünknown")
    assert dict(failed.trailing_metadata())["x-why"] == "7"
    call = recorded(shop, dict(failed.trailing_metadata())["x-request-id"])
    assert (call.decision, call.status, call.grpc_status) == ("allow", 200, 5)


@pytest.mark.parametrize("way", WAYS)
def test_the_service_is_told_who_calls_and_nothing_that_a_caller_claims(clients: dict[str, Client], way: str) -> None:
    claimed = (
        ("x-forwarded-client-cert", "URI=spiffe://company.test/root"),
        ("x-remote-user", "root"),
        ("x-plain", "kept"),
        ("x_under", "dropped"),
    )
    metadata = [tuple(each) for each in json.loads(clients[way].get(more=claimed).note)]
    names = {name for name, _ in metadata}
    (certificate,) = (value for name, value in metadata if name == "x-forwarded-client-cert")
    assert f"URI=spiffe://{TRUST_DOMAIN}/checkout" in certificate
    assert "root" not in certificate
    assert ("x-plain", "kept") in metadata
    assert not {"x-remote-user", "x_under", "proxy-authorization"} & names


REFUSALS = {
    "a method that is not granted": ("Create", grpc.StatusCode.PERMISSION_DENIED, Reason.NO_GRANT),
    "a method that is not described": ("Nope", grpc.StatusCode.UNIMPLEMENTED, Reason.UNKNOWN_OPERATION),
    "another service": ("/shop.v1.Others/Get", grpc.StatusCode.UNIMPLEMENTED, Reason.UNKNOWN_OPERATION),
    "another case": ("/shop.v1.orders/Get", grpc.StatusCode.UNIMPLEMENTED, Reason.UNKNOWN_OPERATION),
    "data that is not disclosed": ("GetSecret", grpc.StatusCode.INTERNAL, Reason.UNVIEWABLE),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("what", REFUSALS)
def test_a_refusal_is_a_grpc_status(shop: Guarded, clients: dict[str, Client], way: str, what: str) -> None:
    method, status, reason = REFUSALS[what]
    before = log(shop)
    failed = clients[way].refused(method)
    assert failed.code() is status
    assert (failed.details() or "").startswith(f"{reason}: ")
    call = recorded(shop, reference(failed))
    assert (call.caller, call.callee, call.enforcer) == ("checkout", "orders", "ingress")
    assert (call.carried_out, call.reason, call.grpc_status) == ("deny", reason, status.value[0])
    assert (log(shop) == before) == (reason is not Reason.UNVIEWABLE)  # that one is known by its answer only


@pytest.mark.parametrize("way", WAYS)
def test_a_method_that_is_observed_is_let_through(shop: Guarded, clients: dict[str, Client], way: str) -> None:
    stream = clients[way].stream("Watch", [clients[way].kind("GetOrder")(id="7")])
    assert [each.id for each in stream] == ["7"]
    call = recorded(shop, dict(stream.initial_metadata())["x-request-id"])
    assert (call.decision, call.carried_out, call.mode) == ("deny", "allow", "observe")
    assert (call.operation, call.reason, call.grpc_status) == ("orders:shop.v1.Orders/Watch", Reason.NO_GRANT, 0)


def test_who_may_call_is_decided_by_method(shop: Guarded) -> None:
    """`reader` may do what has no side effects. Messages are framed by hand: one byte, four of the length."""
    with wire.Frames(shop.ingress("orders"), shop.reader) as frames:
        answers = {name: frames.exchange(fields(name), b"\0\0\0\0\x03\x0a\x012") for name in ("List", "Get", "Chat")}
    assert {name: answer.header("grpc-status") for name, answer in answers.items()} == {
        "List": None,  # it stands in the trailers of an answer that has messages
        "Get": "7",
        "Chat": "7",
    }
    assert answers["List"].body.count(b"x-forwarded-client-cert") == 2


def fields(method: str, *more: tuple[str, str], content_type: str = "application/grpc") -> wire.Headers:
    return [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", "orders"),
        (":path", SERVICE + method),
        ("content-type", content_type),
        ("te", "trailers"),
        *more,
    ]


@pytest.mark.parametrize("kind", ["application/json", "application/grpc-web+proto", "application/grpcx", "text/plain"])
def test_what_is_no_grpc_is_no_call_of_a_method(shop: Guarded, kind: str) -> None:
    before = log(shop)
    with wire.Frames(shop.ingress("orders"), shop.identity("checkout")) as frames:
        answer = frames.exchange(fields("Get", content_type=kind), b"\0\0\0\0\0")
    assert log(shop) == before
    if kind.startswith("application/grpc"):  # what is told to clients goes by how the content type begins
        assert answer.header("grpc-status") in {"12", None}
    call = shop.recorded(answer)
    assert (call.carried_out, call.reason) == ("deny", Reason.UNKNOWN_OPERATION)


def test_other_spellings_of_a_path_are_no_method(shop: Guarded) -> None:
    before = log(shop)
    with wire.Frames(shop.ingress("orders"), shop.reader) as frames:
        for path in ("/shop.v1.Orders/Get/", "/shop.v1.Orders%2FGet", "/shop%2Ev1.Orders/Get", "/shop.v1.Orders/Ge%74"):
            named = [(name, path if name == ":path" else value) for name, value in fields("Get")]
            assert frames.exchange(named, b"\0\0\0\0\0").header("grpc-status") in {"7", "12", "13"}, path
    assert log(shop) == before


@pytest.mark.parametrize("way", WAYS)
def test_a_deadline_ends_the_call_at_the_service_too(shop: Guarded, clients: dict[str, Client], way: str) -> None:
    identifier = f"{way}-deadline"
    with pytest.raises(grpc.RpcError) as caught:
        clients[way].get(identifier, "Wait", seconds=0.4)
    assert isinstance(caught.value, grpc.Call)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    eventually("the end of the call", lambda: f"ended {identifier}" in log(shop))


def test_a_deadline_is_kept_for_a_caller_that_does_not_keep_it_itself(shop: Guarded) -> None:
    with wire.Frames(shop.ingress("orders"), shop.identity("checkout")) as frames:
        answer = frames.exchange(fields("Wait", ("grpc-timeout", "300m")), b"\0\0\0\0\x07\x0a\x05wired")
    assert answer.header("grpc-status") == "4"
    eventually("the end of the call", lambda: "ended wired" in log(shop))
    call = shop.recorded(answer)
    assert (call.decision, call.grpc_status) == ("allow", 4)


@pytest.mark.parametrize("way", WAYS)
def test_a_call_that_is_cancelled_ends_at_the_service_and_is_recorded_once(
    shop: Guarded, clients: dict[str, Client], way: str
) -> None:
    identifier = f"{way}-cancelled"
    fence(shop, clients[way])
    began, waiting = len(shop.calls()), log(shop).count("Wait")
    stream = clients[way].stream("Wait", [clients[way].kind("GetOrder")(id=identifier)])
    eventually("the call at the service", lambda: log(shop).count("Wait") > waiting)
    stream.cancel()
    eventually("the end of the call", lambda: f"ended {identifier}" in log(shop))
    fence(shop, clients[way])
    (call,) = (each for each in shop.calls()[began:] if each.path == SERVICE + "Wait")
    assert (call.enforcer, call.decision) == ("ingress", "allow")


@pytest.mark.parametrize("callee", ["away", "nobody"])
@pytest.mark.parametrize("way", WAYS)
def test_a_callee_that_is_not_there_is_unavailable(
    shop: Guarded, monkeypatch: pytest.MonkeyPatch, callee: str, way: str
) -> None:
    count = len(shop.calls())
    with connected(shop, monkeypatch, callee) as clients:
        failed = clients[way].refused("/away.Away/Go")
    assert failed.code() is grpc.StatusCode.UNAVAILABLE
    reason = Reason.UNREACHABLE if callee == "away" else Reason.UNKNOWN_SERVICE
    if way == "direct" or callee == "away":
        assert (failed.details() or "").startswith(f"{reason}: ")
    call = eventually(
        "the call in the record", lambda: [each for each in shop.calls()[count:] if each.callee == callee]
    )
    assert {(each.caller, each.enforcer, each.reason) for each in call} == {("checkout", "egress", reason)}


@pytest.mark.parametrize("wrong", ["none", "of nobody", "of another service"])
@pytest.mark.parametrize("way", WAYS)
def test_nobody_else_gets_through_an_egress(
    shop: Guarded, monkeypatch: pytest.MonkeyPatch, way: str, wrong: str
) -> None:
    running = shop.running("checkout")
    credential = {"none": None, "of nobody": "x" * 32, "of another service": shop.running("orders").credential}[wrong]
    before, count = log(shop), len(shop.calls())
    user = "" if credential is None else f"inward:{credential}@"
    monkeypatch.setenv("grpc_proxy", f"http://{user}{running.egress}")
    options = [("grpc.enable_http_proxy", 0), ("grpc.default_authority", "orders")]
    told = () if credential is None else (("proxy-authorization", proxy_authorization(credential)),)
    tunnel = way == "tunnel"
    channel = grpc.insecure_channel("orders:80") if tunnel else grpc.insecure_channel(running.egress, options)
    with channel:
        failed = Client(shop, channel, () if tunnel else told).refused("Get")
    assert failed.code() is (grpc.StatusCode.UNAVAILABLE if tunnel else grpc.StatusCode.UNAUTHENTICATED)
    if tunnel:
        assert "407" in (failed.details() or "")
    calls: Sequence[Call] = eventually(
        "a call in the record",
        lambda: [call for call in shop.calls()[count:] if call.reason == Reason.BAD_CREDENTIAL],
    )
    assert {(call.caller, call.callee, call.carried_out) for call in calls} == {(None, "orders", "deny")}
    assert log(shop) == before


def test_a_tunnel_leads_to_services_of_the_system_and_nowhere_else(shop: Guarded) -> None:
    right = wire.basic(shop.running("checkout").credential)
    for target in ("127.0.0.1:22", "tunnel:80", "local:tunnel", "orders.example:80", "[::1]:1"):
        with wire.Connection.plain(shop.egress("checkout")) as connection:
            connection.send(
                f"CONNECT {target} HTTP/1.1\r\nhost: {target}\r\nproxy-authorization: {right}\r\n\r\n".encode()
            )
            assert connection.answer().status in {400, 403, 404}, target


def test_quarantine_cuts_a_caller_off(shop: Guarded, clients: dict[str, Client]) -> None:
    assert shop.inward("quarantine", "checkout", "--reason", "a test", "--json").returncode == 0
    try:
        failed = clients["tunnel"].refused("Get")
        assert failed.code() is grpc.StatusCode.PERMISSION_DENIED
        assert (failed.details() or "").startswith(f"{Reason.QUARANTINED}: ")
        assert recorded(shop, reference(failed)).reason == Reason.QUARANTINED
    finally:
        assert shop.inward("quarantine", "checkout", "--release").returncode == 0
    assert clients["tunnel"].get().id == "7"


def test_the_commands_know_methods(shop: Guarded) -> None:
    url = "http://orders/shop.v1.Orders/"
    called = shop.inward("call", "checkout", "GRPC", url + "Upload", "--data", '[{"id": "a"}, {"id": "b"}]')
    assert (called.returncode, json.loads(called.stdout)) == (0, {"id": "a,b"})
    refused = shop.inward("call", "checkout", "GRPC", url + "Create", "--json")
    assert refused.returncode == 2
    answer = json.loads(refused.stdout)
    assert (answer["grpc_status"], answer["outcome"], answer["call"]["grpc_status"]) == (7, "refused", 7)
    why = shop.inward("explain", answer["reference"])
    assert why.returncode == 2
    assert 'action == Action::"orders:shop.v1.Orders/Create"' in why.stdout
    data = json.loads(shop.inward("data", "pii", "--json").stdout)
    assert "orders:shop.v1.Orders/Get" in json.dumps(data)


def test_a_change_of_the_description_is_enforced(shop: Guarded, clients: dict[str, Client]) -> None:
    assert clients["direct"].refused("Added").code() is grpc.StatusCode.UNIMPLEMENTED
    events = len(shop.events)
    shop.write(
        "apis/orders.proto",
        FILES["apis/orders.proto"].replace(
            "service Orders {",
            "service Orders {\n  rpc Added(GetOrder) returns (Order) { option idempotency_level = NO_SIDE_EFFECTS; }",
        ),
    )
    try:
        shop.event("policy", since=events)
        failed = clients["direct"].refused("Added")  # let through: it is the service that has no such method
        assert failed.code() is grpc.StatusCode.UNIMPLEMENTED
        assert "(urn:uuid:" not in (failed.details() or "")
    finally:
        events = len(shop.events)
        shop.write("apis/orders.proto", FILES["apis/orders.proto"])
        shop.event("policy", since=events)


def test_a_stream_outlives_the_connection_limit_of_identities(
    guard: Callable[..., Guarded], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection takes no new calls when it is half an SVID's life old; a stream that is there goes on."""
    system = guard(FILES, {"INWARD_SVID_TTL": "6"}).start()
    admin = Admin(system.layout.service("orders").admin_socket)
    reached = "http.ingress.downstream_cx_max_duration_reached"
    with connected(system, monkeypatch) as found:
        client, said = found["tunnel"], queue.Queue[Any]()
        stream = client.stream("Chat", iter(said.get, None), seconds=120)
        said.put(client.kind("Order")(id="before"))
        assert next(stream).id == "re: before"
        eventually("the limit", lambda: asyncio.run(admin.counters(reached)).get(reached, 0) > 0, 60)
        said.put(client.kind("Order")(id="after"))
        assert next(stream).id == "re: after"
        assert client.get().id == "7"  # new calls take new connections
        said.put(None)
        assert list(stream) == []
