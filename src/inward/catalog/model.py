"""The catalog: what a system is made of. Frozen values, no reading of files.

Names: a service is a lower-case DNS label; an operation's id is `service:name`, where the name is the
OpenAPI `operationId`, or `GET /orders/{id}` where there is none.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from inward.catalog.template import PathTemplate
from inward.errors import Place
from inward.identity.spiffe_id import SpiffeID


class Mode(enum.StrEnum):
    """What an enforcer does with a refusal: record it only, or carry it out."""

    OBSERVE = "observe"
    ENFORCE = "enforce"


ParameterType = Literal["string", "integer", "boolean"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A path or query parameter that conditions may read; other OpenAPI types (arrays, numbers, objects) are read as strings."""

    name: str
    where: Literal["path", "query"]
    type: ParameterType
    required: bool


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing an API can do. `read_only` is true for GET, HEAD and OPTIONS (safe methods, RFC 9110 section 9.2.1)."""

    service: str
    name: str
    method: str  # upper case
    template: PathTemplate
    parameters: tuple[Parameter, ...]
    mode: Mode
    deprecated: bool
    place: Place

    @property
    def id(self) -> str:
        """The operation's id in policies, records and messages: `service:name`."""
        return f"{self.service}:{self.name}"

    @property
    def read_only(self) -> bool:
        """Whether the method is safe, so that the operation is in the groups `read` and `service:read`."""
        return self.method in {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """A TCP address to listen on: an IP address and a port from 1 to 65535 (0 in `inward.yaml`: chosen at start)."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Service:
    """A workload with one SPIFFE ID. One without `listen` only calls; one without `run` is started by somebody else."""

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


@dataclass(frozen=True, slots=True)
class DataClass:
    """A kind of sensitive data. `pii.email` is under `pii` where both are declared."""

    name: str
    owner: str
    parent: str | None
    place: Place


@dataclass(frozen=True)
class Catalog:
    """A whole system, as read from its folder."""

    trust_domain: str
    services: Mapping[str, Service]
    data_classes: Mapping[str, DataClass]
    operations: Mapping[str, Operation] = field(init=False)  # by id

    def __post_init__(self) -> None:
        by_id = {operation.id: operation for service in self.services.values() for operation in service.operations}
        object.__setattr__(self, "operations", MappingProxyType(by_id))

    def by_spiffe_id(self, spiffe_id: str) -> Service | None:
        """Return the service with that SPIFFE ID, given as text; None for every other text."""
        prefix = f"spiffe://{self.trust_domain}/"
        return self.services.get(spiffe_id.removeprefix(prefix)) if spiffe_id.startswith(prefix) else None
