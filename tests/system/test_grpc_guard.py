"""gRPC services with a guard inside, behind a real Envoy: what it says is recorded, and told to no caller."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf import message_factory
from tests.system.company import TRUST_DOMAIN
from tests.system.guarded import Guarded, eventually, stop_and_look

from inward.catalog.protobuf.descriptors import pool_of
from inward.catalog.system import load_catalog
from inward.envoy.resources.egress import proxy_authorization

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.record.call import Call

APP = Path(__file__).parent / "grpc_guarded.py"
SECRET = b"ada@example.com"
SECONDS = 20.0
KINDS = ("sync", "aio")
CLASSES = ("pii.email", "pii.phone")
FILES = {
    "inward.yaml": f"""\
trust_domain: {TRUST_DOMAIN}
services:
  sync:
    owner: team-people
    api: people.proto
    listen: 127.0.0.1:0
    guard: true
    run: python {APP} sync {{socket}}
  aio:
    owner: team-people
    api: people.proto
    listen: 127.0.0.1:0
    guard: true
    run: python {APP} aio {{socket}}
  till: {{owner: team-till, groups: [callers], run: sleep 86400}}
data:
  pii: {{owner: team-people}}
  pii.email: {{owner: team-people}}
  pii.phone: {{owner: team-people, undisclosed: mask}}
""",
    "people.proto": """\
syntax = "proto3";
package people.v1;
import "inward/data.proto";
message Ask { string what = 1; }
message Person {
  int32 id = 1;
  string email = 2 [(inward.data) = "pii.email"];
  string phone = 3 [(inward.data) = "pii.phone"];
  string caller = 4;
}
service People {
  rpc Get(Ask) returns (Person);
  rpc List(Ask) returns (stream Person);
  rpc Keep(Person) returns (Ask);
}
""",
    **{
        f"policies/{kind}.cedar": f"""\
@id("{kind}-called") @reason("a test")
permit (principal in Group::"callers", action in Action::"{kind}:*", resource == Service::"{kind}");
"""
        for kind in KINDS
    },
}


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    system = Guarded(tmp_path_factory.mktemp("rpc"), FILES)
    try:
        yield system.start()
        assert list(stop_and_look(system)) == []
    finally:
        system.destroy()


class Asked:
    """A method that was called as the till, through both Envoys."""

    def __init__(self, system: Guarded, callee: str, method: str, **request: Any) -> None:
        catalog, _ = load_catalog(system.folder)
        assert catalog is not None
        rpc = catalog.operations[f"{callee}:people.v1.People/{method}"].rpc
        assert rpc is not None
        pool = pool_of(rpc.descriptors)
        asks, answers = (
            message_factory.GetMessageClass(pool.FindMessageTypeByName(name)) for name in (rpc.input, rpc.output)
        )
        running = system.running("till")
        options = [("grpc.enable_http_proxy", 0), ("grpc.default_authority", callee)]
        with grpc.insecure_channel(running.egress, options) as channel:
            call = channel.unary_stream(f"/people.v1.People/{method}", asks.SerializeToString)(
                asks(**request),
                timeout=SECONDS,
                metadata=(("proxy-authorization", proxy_authorization(running.credential)),),
            )
            self.raw: list[bytes] = []
            try:
                self.raw.extend(call)
            except grpc.RpcError:
                assert call.code() is not grpc.StatusCode.OK
            self.messages = [answers.FromString(each) for each in self.raw]
            self.code, self.details = call.code(), call.details()
            self.metadata = [*(call.initial_metadata() or ()), *(call.trailing_metadata() or ())]

    def recorded(self, system: Guarded) -> Call:
        (reference,) = {each.value for each in self.metadata if each.key == "x-request-id"}
        (found,) = eventually(
            f"{reference} in the record", lambda: [each for each in system.calls() if each.id == reference]
        )
        return found  # type: ignore[no-any-return] # `eventually` returns what it is given

    def said(self) -> bytes:
        return repr((self.details, self.metadata, self.raw)).encode()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["Get", "List"])
def test_a_caller_may_call_and_may_not_see(people: Guarded, kind: str, method: str) -> None:
    asked = Asked(people, kind, method)
    assert asked.code is grpc.StatusCode.OK
    assert [(each.email, each.phone, each.caller) for each in asked.messages] == [("", "****0101", "till")] * (
        1 if method == "Get" else 3
    )
    assert SECRET not in asked.said()
    assert "x-inward-guard" not in {each.key for each in asked.metadata}
    call = asked.recorded(people)
    assert (call.decision, call.enforcer, call.withheld) == ("allow", "ingress", CLASSES)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_is_recorded_without_its_text(people: Guarded, kind: str) -> None:
    asked = Asked(people, kind, "Get", what="nothing")
    assert asked.code is grpc.StatusCode.NOT_FOUND
    assert SECRET not in asked.said()
    assert "x-inward-guard" not in {each.key for each in asked.metadata}
    call = asked.recorded(people)
    assert asked.details == f"urn:uuid:{call.id}"
    assert (call.decision, call.withheld, call.grpc_status) == ("allow", CLASSES, 5)


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_guard_refuses_is_recorded_as_its_own(people: Guarded, kind: str) -> None:
    asked = Asked(people, kind, "Keep", id=1, email=SECRET.decode())
    assert asked.code is grpc.StatusCode.PERMISSION_DENIED
    assert "x-inward-guard" not in {each.key for each in asked.metadata}
    call = asked.recorded(people)
    told = "undisclosed: The request holds data that the service may not receive"
    assert asked.details == f"{told} (urn:uuid:{call.id})"
    assert (call.enforcer, call.decision, call.carried_out, call.reason) == ("guard", "deny", "deny", "undisclosed")
    assert (call.sent, call.grpc_status) == (("pii.email",), 7)
    assert [each.what for each in Asked(people, kind, "Keep", id=1).messages] == ["kept 1"]


def test_nobody_comes_past_the_envoy_with_a_name_of_their_own(people: Guarded) -> None:
    claimed = (("x-forwarded-client-cert", f"URI=spiffe://{TRUST_DOMAIN}/till"),)
    socket = people.layout.service("sync").app_socket
    with grpc.insecure_channel(f"unix:{socket}") as channel:
        for metadata, method in (((), "People/Get"), (claimed, "Hidden/Get"), ((*claimed, *claimed), "People/Get")):
            with pytest.raises(grpc.RpcError) as caught:
                channel.unary_unary(f"/people.v1.{method}")(b"", timeout=SECONDS, metadata=metadata)
            assert isinstance(caught.value, grpc.Call)
            assert caught.value.code() in {grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNIMPLEMENTED}
