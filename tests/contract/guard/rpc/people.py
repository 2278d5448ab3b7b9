"""The people of `tests.contract.guard.people` as a gRPC service: its description, and what its handlers are told to do.

The callers and policies are the same. `Hidden` is served and described nowhere, `People/Missing` described and not
served.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from tests.contract.guard.people import FILES, KEY, write

from inward.catalog.system import load_system
from inward.guard.bundle import FollowedBundle
from inward.guard.current import current_call

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import grpc

    from inward.guard.core import Call

PROTO = """\
syntax = "proto3";
package people.v1;

import "google/protobuf/any.proto";
import "google/protobuf/wrappers.proto";
import "inward/data.proto";

message Ask {
  string answer = 1;
}

message Person {
  int32 id = 1;
  string name = 2 [(inward.data) = "pii.name"];
  string email = 3 [(inward.data) = "pii.email"];
  string phone = 4 [(inward.data) = "pii.phone"];
  string card = 5 [(inward.data) = "pii.card"];
  repeated double notes = 6;
  Person friend = 7;
  repeated Person family = 8;
  map<string, Person> by_role = 9;
  oneof contact {
    string mail = 10 [(inward.data) = "pii.email"];
    string room = 11;
  }
  google.protobuf.Any extra = 12;
  repeated string phones = 13 [(inward.data) = "pii.phone"];
  google.protobuf.StringValue fax = 14 [(inward.data) = "pii.phone"];
}

message Note {
  string text = 1;
}

service People {
  rpc Get(Ask) returns (Person) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc List(Ask) returns (stream Person) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc Merge(stream Ask) returns (Person) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc Chat(stream Ask) returns (stream Person) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc Plain(Ask) returns (Note) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc Take(Person) returns (Note);
  rpc TakeAll(stream Person) returns (Note);
  rpc Missing(Ask) returns (Note);
}

service Watched {
  rpc Get(Ask) returns (Person) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc Take(Person) returns (Note);
}
"""
INWARD = FILES["inward.yaml"].replace("people.json", "people.proto")
OBSERVED = (
    "    operations:\n      people.v1.Watched/Get: {mode: observe}\n      people.v1.Watched/Take: {mode: observe}\n"
)
SECRET = "ada@example.com"
PERSON = {"id": 1, "name": "Ada", "email": SECRET, "phone": "+46 8 555 0101", "card": "4111", "notes": [1.1, -0.0]}
ALL = ("pii.card", "pii.email", "pii.phone")
SHAPES = {  # of each method: whether its request, and its answer, is a stream
    "people.v1.People/Get": (False, False),
    "people.v1.People/List": (False, True),
    "people.v1.People/Merge": (True, False),
    "people.v1.People/Chat": (True, True),
    "people.v1.People/Plain": (False, False),
    "people.v1.People/Take": (False, False),
    "people.v1.People/TakeAll": (True, False),
    "people.v1.Watched/Get": (False, False),
    "people.v1.Watched/Take": (False, False),
    "hidden.v1.Hidden/Get": (False, False),
}


def files() -> dict[str, str]:
    """Return the system's files."""
    before, _, after = INWARD.partition("    operations:\n")
    inward = before + OBSERVED + after[after.index("  till:") :]
    return FILES | {"inward.yaml": inward, "people.proto": PROTO}


def followed(folder: Path) -> FollowedBundle:
    """Write the system, make it the current bundle, and follow that."""
    write(folder, files())
    return FollowedBundle(folder / "bundle", "people", KEY)


class Classes:
    """The classes of messages that handlers and callers use, made of what the catalog read."""

    def __init__(self, folder: Path) -> None:
        catalog = load_system(folder / "system").catalog
        assert catalog is not None
        rpc = catalog.operations["people:people.v1.People/Get"].rpc
        assert rpc is not None
        pool = DescriptorPool()
        for file in FileDescriptorSet.FromString(rpc.descriptors).file:
            pool.AddSerializedFile(file.SerializeToString())
        self.ask, self.person, self.note = (
            GetMessageClass(pool.FindMessageTypeByName(f"people.v1.{name}")) for name in ("Ask", "Person", "Note")
        )

    def request(self, method: str) -> Any:
        """Return the class of a method's requests."""
        return self.person if "/Take" in method else self.ask

    def answer(self, method: str) -> Any:
        """Return the class of a method's answers."""
        return self.note if method.endswith(("/Plain", "/Take", "/TakeAll")) else self.person


@dataclass(frozen=True)
class Script:
    """What a handler does: what it sends, and how it ends."""

    messages: tuple[Any, ...] = ()  # messages, or bytes that are sent as they are
    initial: tuple[tuple[str, str | bytes], ...] = ()
    trailing: tuple[tuple[str, str | bytes], ...] = ()
    code: grpc.StatusCode | None = None
    details: str = ""
    aborts: bool = False
    error: Exception | None = None
    endless: bool = False
    swallows: bool = False  # what is raised while it is asked
    asks: Callable[[Call], object] | None = None  # in the handler


@dataclass
class Handled:
    """What handlers were asked, and what they are to answer."""

    script: Script = field(default_factory=Script)
    calls: list[tuple[str | None, str | None, str]] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    closed: int = 0
    ended: threading.Event = field(default_factory=threading.Event)

    def close(self) -> None:
        """Take note that a handler of a stream has ended."""
        self.closed += 1
        self.ended.set()

    def begin(self) -> Script:
        """Take note of the call that is served."""
        call = current_call()
        self.calls.append((call.caller, call.operation, call.reference))
        if self.script.asks is not None:
            self.script.asks(call)
        return self.script


def written(message: Any) -> bytes:
    """Write a message as handlers do."""
    return message if isinstance(message, bytes) else bytes(message.SerializePartialToString())
