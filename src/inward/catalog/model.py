"""The catalog: what a system is made of. Frozen values, no reading of files.

Names: a service is a lower-case DNS label; an operation's id is `service:name`, where the name is the
OpenAPI `operationId`, or `GET /orders/{id}` where there is none.
"""

from __future__ import annotations

import enum
import ipaddress
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from inward.catalog.privacy import Privacy
from inward.catalog.retention import Keep
from inward.catalog.shape import NO_ANSWERS, NOTHING, Answers, Shape
from inward.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inward.catalog.template import PathTemplate
    from inward.errors import Place
    from inward.identity.spiffe_id import SpiffeID
    from inward.identity.user_token import UserTokens


_PORT = re.compile(r"0|[1-9][0-9]{0,4}")
_MAX_PORT = 65535
_ANY_IPV4 = "0.0.0.0"  # noqa: S104 (compared, not bound)


class InvalidAddressError(BadInputError):
    """A text is no address to listen on."""

    code = "invalid_address"


class Mode(enum.StrEnum):
    """What an enforcer does with a refusal: record it only, or carry it out."""

    OBSERVE = "observe"
    ENFORCE = "enforce"


ParameterType = Literal["string", "integer", "boolean"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A path or query parameter that conditions may read; arrays, numbers and objects are read as strings.

    `classes` are the data classes that it carries, or something in it, sorted.
    """

    name: str
    where: Literal["path", "query"]
    type: ParameterType
    required: bool
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rpc:
    """What makes an operation a gRPC method: its messages, and whether one of each is sent or a stream of them.

    `input` and `output` are full names of message types, such as `shop.v1.Order`. `descriptors` describes them: a
    serialised `google.protobuf.FileDescriptorSet` with all that they need, each file after those that it imports; it is
    one value for all methods of a document. `read_only`: the description says that the method has no side effects.
    """

    client_streaming: bool
    server_streaming: bool
    input: str = ""
    output: str = ""
    read_only: bool = False
    descriptors: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing an API can do.

    `answers` and `body` (of a request) say where which data class stands. `rpc` is there for a gRPC method, whose name
    is `pkg.Service/Method`.
    """

    service: str
    name: str
    method: str  # upper case
    template: PathTemplate
    parameters: tuple[Parameter, ...]
    mode: Mode
    deprecated: bool
    place: Place
    answers: Answers = field(default=NO_ANSWERS, hash=False)
    body: Shape = field(default=NOTHING, hash=False)
    rpc: Rpc | None = None

    @property
    def id(self) -> str:
        """The operation's id in policies, records and messages: `service:name`."""
        return f"{self.service}:{self.name}"

    @property
    def read_only(self) -> bool:
        """Whether the operation is in the groups `read` and `service:read`.

        That is so for GET, HEAD and OPTIONS (safe methods, RFC 9110 section 9.2.1), and for a gRPC method that is
        described as one without side effects.
        """
        return self.rpc.read_only if self.rpc is not None else self.method in {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """A TCP address to listen on: an IP address and a port from 1 to 65535 (0: chosen at start)."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Parse `127.0.0.1:7001` or `[::1]:7001`; raise `InvalidAddressError` for all else, names too."""
        host, colon, port = text.rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        try:
            ip = ipaddress.ip_address(host[1:-1] if bracketed else host)
        except ValueError:
            ip = None
        right_form = isinstance(ip, ipaddress.IPv6Address) == bracketed and "%" not in host
        if not (ip and right_form and colon and _PORT.fullmatch(port) and int(port) <= _MAX_PORT):
            raise InvalidAddressError(
                f"`{text}` is no address to listen on",
                hint="write an IP address and a port, such as `127.0.0.1:7001`",
            )
        return cls(str(ip), int(port))

    def clashes_with(self, other: Address) -> bool:
        """Tell whether both cannot be listened on at once: one port, and one host or a wildcard.

        `::` is taken to hold every IPv4 address too, as it does unless a socket is told otherwise.
        Port 0 never clashes.
        """
        if self.port != other.port or self.port == 0:
            return False
        hosts = {self._plain_host, other._plain_host}
        ipv4_only = all(":" not in host for host in hosts)
        return len(hosts) == 1 or "::" in hosts or (_ANY_IPV4 in hosts and ipv4_only)

    @property
    def _plain_host(self) -> str:
        """The IPv4 address of an IPv4-mapped one (RFC 4291 section 2.5.5.2), else the host as it is."""
        ip = ipaddress.ip_address(self.host)
        return str(ip.ipv4_mapped) if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped else self.host

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Service:
    """A workload with one SPIFFE ID.

    One without `listen` only calls; one without `run` is started by somebody else. `guarded`: its program has a guard
    in it, to which its Envoy leaves the data in bodies. `serves_tls`: it takes calls itself, by mutual TLS at `listen`,
    with no Envoy in front; such a one is guarded too. `sample` is the share (0 to 1) of its answers that is looked at
    for undeclared data; None where the system does not say.
    """

    name: str
    spiffe_id: SpiffeID
    owner: str
    zone: str | None
    groups: tuple[str, ...]
    mode: Mode
    listen: Address | None
    run: str | None
    operations: tuple[Operation, ...]
    place: Place
    guarded: bool = False
    serves_tls: bool = False
    sample: float | None = None


Undisclosed = Literal["drop", "null", "mask", "tokenise"]


@dataclass(frozen=True, slots=True)
class DataClass:
    """A kind of sensitive data. `pii.email` is under `pii` where both are declared.

    `undisclosed` is what becomes of it in an answer to a caller to whom it is not disclosed.
    """

    name: str
    owner: str
    parent: str | None
    place: Place
    undisclosed: Undisclosed = "drop"


@dataclass(frozen=True)
class Catalog:
    """A whole system, as read from its folder."""

    trust_domain: str
    services: Mapping[str, Service]
    data_classes: Mapping[str, DataClass]
    users: UserTokens | None = None  # whose tokens prove who an end user is
    privacy: Privacy = field(default_factory=Privacy)  # what the record keeps
    keep: Keep = field(default_factory=Keep)  # and for how long
    operations: Mapping[str, Operation] = field(init=False)  # by id

    def __post_init__(self) -> None:
        by_id = {operation.id: operation for service in self.services.values() for operation in service.operations}
        object.__setattr__(self, "operations", MappingProxyType(by_id))

    def by_spiffe_id(self, spiffe_id: str) -> Service | None:
        """Return the service with that SPIFFE ID, given as text; None for every other text."""
        prefix = f"spiffe://{self.trust_domain}/"
        return self.services.get(spiffe_id.removeprefix(prefix)) if spiffe_id.startswith(prefix) else None
