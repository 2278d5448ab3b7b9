"""What the guard costs a unary gRPC call inside a service, and a view of a message beside parsing and serialising it.

Handlers are called as a server calls them, without one, so that nothing else is measured. `Plain` has no declared data;
`Viewed` answers people, whose e-mail addresses the caller is not shown.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message_factory import GetMessageClass

from bench.report import Series
from inward.catalog.protobuf.descriptors import pool_of
from inward.control.bundle import load_policy, store_bundle
from inward.guard.bodies.view import View
from inward.guard.bundle import FollowedBundle
from inward.guard.grpc import Guard
from inward.guard.grpc.messages import MessageView, message_type
from inward.identity.private_files import private_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inward.catalog.model import Rpc, Undisclosed

ROUNDS = 9
CALLS = 2_000
FILES = {
    "inward.yaml": """\
trust_domain: bench.internal
services:
  people: {owner: team, api: people.proto, listen: "127.0.0.1:0", run: "serve {socket}"}
  till: {owner: team}
data:
  pii.email: {owner: team}
""",
    "people.proto": """\
syntax = "proto3";
package people.v1;
import "inward/data.proto";
message Ask { int32 id = 1; }
message Person {
  int32 id = 1;
  string name = 2;
  string email = 3 [(inward.data) = "pii.email"];
  string city = 4;
  repeated int32 orders = 5;
}
message Found { repeated Person people = 1; }
message Listed { repeated Bare people = 1; }
message Bare { int32 id = 1; string name = 2; string email = 3; string city = 4; repeated int32 orders = 5; }
service People {
  rpc Plain(Ask) returns (Listed);
  rpc Viewed(Ask) returns (Found);
}
""",
    "policies/people.cedar": """\
@id("g") @reason("measured")
permit (principal == Service::"till", action in Action::"people:*", resource == Service::"people");
""",
}
METADATA = (("x-request-id", "ref"), ("x-forwarded-client-cert", "URI=spiffe://bench.internal/till"))


@dataclass
class _Details:
    method: str
    invocation_metadata: Sequence[tuple[str, str | bytes]] = METADATA


@dataclass
class _Context:
    """As much of a server's context as is asked for."""

    sent: list[Any] = field(default_factory=list)

    def peer(self) -> str:
        return "unix:"

    def is_active(self) -> bool:
        return True

    def send_initial_metadata(self, metadata: object) -> None:
        self.sent.append(metadata)


class _Service:
    """The service, and its guard."""

    def __init__(self, folder: Path) -> None:
        for name, content in FILES.items():
            path = folder / "system" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        policy = load_policy(folder / "system")
        store_bundle(private_folder(folder / "bundle"), policy)
        rpc = policy.catalog.operations["people:people.v1.People/Viewed"].rpc
        if rpc is None:
            raise ValueError("there is no such method")
        self.rpc: Rpc = rpc
        self.answers = policy.catalog.operations["people:people.v1.People/Viewed"].answers.otherwise
        self.guard = Guard(bundle=FollowedBundle(folder / "bundle", "people"))
        self._answers = {"Plain": self.message("Listed", 1_000), "Viewed": self.message("Found", 1_000)}

    def kind(self, name: str) -> Any:  # noqa: ANN401 - a class of messages, which have no types
        return GetMessageClass(pool_of(self.rpc.descriptors).FindMessageTypeByName(f"people.v1.{name}"))

    def message(self, name: str, size: int) -> Any:  # noqa: ANN401 - as above
        """Return people in a message of about that many bytes."""
        found = self.kind(name)()
        for number in range(size // 50):
            found.people.add(id=number, name="Ada Lindqvist", email="ada@example.com", city="Uppsala", orders=[1, 2])
        return found

    def handler(self, name: str) -> Any:  # noqa: ANN401 - grpcio has no types
        answer = self._answers[name]
        return grpc.unary_unary_rpc_method_handler(
            lambda _request, _context: answer, self.kind("Ask").FromString, type(answer).SerializeToString
        )

    def guarded(self, name: str) -> Any:  # noqa: ANN401 - as above
        """Return the handler of one call, as the server asks for it each time."""
        return self.guard.intercept_service(lambda _: self.handlers[name], _Details(f"/people.v1.People/{name}"))

    def prepare(self) -> None:
        self.handlers = {name: self.handler(name) for name in self._answers}


def _plain(service: _Service, name: str) -> bytes:
    handler = service.handlers[name]
    answer = handler.unary_unary(handler.request_deserializer(b"\x08\x07"), _Context())
    return bytes(handler.response_serializer(answer))


def _guarded(service: _Service, name: str) -> bytes:
    return bytes(service.guarded(name).unary_unary(b"\x08\x07", _Context()))


def _calls(call: Callable[[_Service, str], bytes], service: _Service, name: str) -> float:
    started = time.process_time()
    for _ in range(CALLS):
        call(service, name)
    return (time.process_time() - started) / CALLS * 1e6


def _work(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return (time.process_time() - started) * 1e3


def measure() -> list[Series]:
    """Measure calls (microseconds of CPU) and views of about a megabyte (milliseconds of CPU), side by side."""
    calls = Series("a unary gRPC call", "µs of CPU", "without a guard")
    views = Series("a view of a message of 1 MB", "ms of CPU", "protobuf, parse and serialise")
    with tempfile.TemporaryDirectory() as scratch:
        service = _Service(Path(scratch))
        service.prepare()
        if b"ada@" not in _guarded(service, "Plain") or b"ada@" in _guarded(service, "Viewed"):
            raise ValueError("the guard does not show what it should")
        for _ in range(ROUNDS):
            calls.add("without a guard", us=_calls(_plain, service, "Plain"))
            calls.add("guarded, no declared data", us=_calls(_guarded, service, "Plain"))
            calls.add("guarded, a view of 1 kB", us=_calls(_guarded, service, "Viewed"))
        kind = message_type(service.rpc.descriptors, "people.v1.Found")
        content = service.message("Found", 1_000_000).SerializeToString()
        ways: tuple[Undisclosed, ...] = ("drop", "mask", "tokenise")
        compiled = {}
        for undisclosed in ways:
            view = View(service.answers, {"pii.email": undisclosed}, key=b"k" * 32)
            compiled[undisclosed] = MessageView(kind, view.place, view.said)
        for _ in range(ROUNDS):
            alone = _work(lambda: kind.FromString(content).SerializeToString())
            views.add("protobuf, parse and serialise", ms=alone)
            for undisclosed, view_of in compiled.items():
                views.add(f"view, {undisclosed}", ms=_work(lambda view_of=view_of: view_of.of(content)))  # type: ignore[misc] # the default binds it
    return [calls, views]
