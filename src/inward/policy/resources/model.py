"""Types of objects and their attributes, as a service declares them. Frozen values, no reading of files.

An object is in the service whose type it has, and so in that service's zone, team and groups. It has no name that a
policy could know: grants are about all objects of a type, and conditions about their attributes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

from inward.errors import InwardError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from inward.catalog.model import Operation
    from inward.errors import Place

# What Cedar calls them. A `duration` is of no use to anybody who cannot compute one.
ScalarName = Literal["String", "Long", "Bool", "datetime", "decimal", "ipaddr"]
OF_THE_CATALOG = frozenset({"Action", "DataClass", "Group", "Service", "Team", "User", "Zone"})

THE_OBJECT = ""  # the id of all objects: no policy names one, and none can be told from another by it
OF_OBJECTS = " on "  # between an operation and the type of the objects that it is done to


class ResourceError(InwardError):
    """An object is not what its type says, or of no type of that service: a mistake of the program that asks."""

    code = "resource"


@dataclass(frozen=True, slots=True)
class Scalar:
    """The type of a plain value."""

    name: ScalarName

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class SetOf:
    """The type of a set."""

    element: AttributeType

    def __str__(self) -> str:
        return f"Set<{self.element}>"


@dataclass(frozen=True, slots=True)
class RecordOf:
    """The type of a record."""

    attributes: tuple[Attribute, ...]

    def __str__(self) -> str:
        return "{" + ", ".join(map(str, self.attributes)) + "}"


AttributeType: TypeAlias = "Scalar | SetOf | RecordOf"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of an object, or of a record in it."""

    name: str
    type: AttributeType
    required: bool

    def __str__(self) -> str:
        return f"{self.name}{'' if self.required else '?'}: {self.type}"


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A type of objects that a service declares, with their attributes in the order of the declaration."""

    name: str
    service: str
    attributes: tuple[Attribute, ...]
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Resource:
    """One object: its type's name, and its attributes as Python values."""

    type: str
    attributes: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Objects:
    """All objects of a type, as what an operation is done to."""

    operation: Operation
    type: ResourceType

    @property
    def name(self) -> str:
        """What people call it, and what it is told apart by from operations and data classes."""
        return f"{self.operation.id}{OF_OBJECTS}{self.type.name}"


class Resources:
    """The types of a system, by name and by service."""

    def __init__(self, types: Iterable[ResourceType] = ()) -> None:
        self.by_name: Mapping[str, ResourceType] = MappingProxyType({each.name: each for each in types})
        of_service: dict[str, list[ResourceType]] = {}
        for each in self.by_name.values():
            of_service.setdefault(each.service, []).append(each)
        self._of_service = {service: tuple(found) for service, found in of_service.items()}

    def of(self, service: str) -> tuple[ResourceType, ...]:
        """Return the types that a service declares."""
        return self._of_service.get(service, ())

    def objects(self, operation: Operation) -> Iterable[Objects]:
        """Return what an operation can be done to, besides its service as a whole."""
        return (Objects(operation, each) for each in self.of(operation.service))

    def find(self, service: str, name: str) -> ResourceType:
        """Return a type of a service; `ResourceError` where it declares none of that name."""
        found = self.by_name.get(name)
        if found is None or found.service != service:
            declared = ", ".join(f"`{each.name}`" for each in self.of(service))
            raise ResourceError(
                f"`{service}` declares no type `{name}`",
                hint=f"it declares {declared}" if declared else f"declare it in policies/{service}.cedarschema",
            )
        return found


NO_RESOURCES = Resources()
