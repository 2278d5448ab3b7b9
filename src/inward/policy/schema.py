"""The catalog in Cedar's words: the schema to check policies against, and the entities that they name.

Entity types: `Service in [Zone, Team, Group]`, `DataClass in [DataClass]`, `Team`, `Zone`, `Group`, `User`.
There is an action per operation in the groups `orders:read` or `orders:write`, `orders:*`, and `read` or
`write`; and the action `disclose` on a `DataClass`. Everything is in the JSON forms that Cedar documents for
schemas and entities. The types of objects that services declare are `in [Service]`, and what the operations of that
service apply to besides it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inward.policy.resources.model import NO_RESOURCES, RecordOf, Scalar, SetOf

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from inward.catalog.model import Catalog, DataClass, Operation, Parameter, Service
    from inward.policy.resources.model import AttributeType, Resources, ResourceType

DISCLOSE = "disclose"
READ = "read"
WRITE = "write"

_CEDAR_TYPES = {"string": "String", "integer": "Long", "boolean": "Bool"}
_TIME = {"type": "Extension", "name": "datetime"}
_OWNER = {"type": "Entity", "name": "Team"}
_ENTITY_TYPES: dict[str, Any] = {
    "Team": {},
    "Zone": {},
    "Group": {},
    "User": {},
    "Service": {
        "memberOfTypes": ["Zone", "Team", "Group"],
        "shape": {
            "type": "Record",
            "attributes": {"owner": _OWNER, "zone": {"type": "Entity", "name": "Zone", "required": False}},
        },
    },
    "DataClass": {
        "memberOfTypes": ["DataClass"],
        "shape": {"type": "Record", "attributes": {"owner": _OWNER}},
    },
}


def groups_of(operation: Operation) -> tuple[str, str, str]:
    """Return the action groups of an operation, the narrowest first: `orders:read`, `orders:*`, `read`."""
    kind = READ if operation.read_only else WRITE
    return f"{operation.service}:{kind}", f"{operation.service}:*", kind


def groups_of_service(service: str) -> tuple[str, str, str]:
    """Return the action groups of one service only: `orders:*`, `orders:read`, `orders:write`."""
    return f"{service}:*", f"{service}:{READ}", f"{service}:{WRITE}"


def ancestors_of(service: Service) -> tuple[tuple[str, str], ...]:
    """Return the entities that a service is in, as (type, id), without itself."""
    zone = (("Zone", service.zone),) if service.zone is not None else ()
    return (*zone, ("Team", service.owner), *(("Group", group) for group in service.groups))


def ancestors_of_data(catalog: Catalog, data_class: DataClass) -> tuple[tuple[str, str], ...]:
    """Return the data classes that one is in, the nearest first, as (type, id), without itself."""
    found: list[tuple[str, str]] = []
    above = data_class.parent
    while above is not None:
        found.append(("DataClass", above))
        above = catalog.data_classes[above].parent
    return tuple(found)


def ancestors_of_objects(catalog: Catalog, kind: ResourceType) -> tuple[tuple[str, str], ...]:
    """Return what all objects of a type are in, as (type, id): the service that declares it, and what that is in."""
    service = catalog.services[kind.service]
    return (("Service", service.name), *ancestors_of(service))


def schema_of(
    operations: Collection[Operation], services: Collection[str], resources: Resources = NO_RESOURCES
) -> dict[str, Any]:
    """Return the schema with the actions of `operations`, and the groups of their and other `services`.

    Of `resources` it has all that belong to any of those services.
    """
    names = sorted({operation.service for operation in operations} | set(services))
    declared = {name: resources.of(name) for name in names}
    objects = {each.name: _object_type(each) for types in declared.values() for each in types}
    actions: dict[str, Any] = {READ: {}, WRITE: {}, DISCLOSE: _applies_to(["DataClass"], {"time": _TIME})}
    for name in names:
        whole, read, write = groups_of_service(name)
        actions[whole] = {}
        actions[read] = {"memberOf": [{"id": whole}, {"id": READ}]}
        actions[write] = {"memberOf": [{"id": whole}, {"id": WRITE}]}
    for operation in operations:
        actions[operation.id] = {
            "memberOf": [{"id": groups_of(operation)[0]}],
            **_applies_to(
                ["Service", *(each.name for each in declared[operation.service])], _context_of(operation.parameters)
            ),
        }
    return {"": {"entityTypes": {**_ENTITY_TYPES, **objects}, "actions": actions}}


def entities_of(catalog: Catalog) -> list[dict[str, Any]]:
    """Return every entity of a system with its attributes and parents, actions included."""
    entities = []
    for service in catalog.services.values():
        attributes = {"owner": _reference("Team", service.owner)}
        if service.zone is not None:
            attributes["zone"] = _reference("Zone", service.zone)
        entities.append(_entity("Service", service.name, attributes, ancestors_of(service)))
        whole, read, write = groups_of_service(service.name)
        entities.append(_entity("Action", read, {}, (("Action", whole), ("Action", READ))))
        entities.append(_entity("Action", write, {}, (("Action", whole), ("Action", WRITE))))
        entities.extend(
            _entity("Action", operation.id, {}, (("Action", groups_of(operation)[0]),))
            for operation in service.operations
        )
    for data_class in catalog.data_classes.values():
        parents = (("DataClass", data_class.parent),) if data_class.parent is not None else ()
        entities.append(_entity("DataClass", data_class.name, {"owner": _reference("Team", data_class.owner)}, parents))
    return entities


def entities_for(
    wanted: Iterable[tuple[str, str]], entities: dict[tuple[str, str], dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return those of some entities, by (type, id), that are wanted, and all that they are in."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    open_ = list(wanted)
    while open_:
        name = open_.pop()
        entity = entities.get(name)
        if entity is not None and name not in found:
            found[name] = entity
            open_.extend((parent["type"], parent["id"]) for parent in entity["parents"])
    return list(found.values())


def _applies_to(resources: list[str], attributes: dict[str, Any]) -> dict[str, Any]:
    context = {"type": "Record", "attributes": attributes}
    return {"appliesTo": {"principalTypes": ["Service"], "resourceTypes": resources, "context": context}}


def _object_type(kind: ResourceType) -> dict[str, Any]:
    return {"memberOfTypes": ["Service"], "shape": _type_as_json(RecordOf(kind.attributes))}


def _type_as_json(kind: AttributeType) -> dict[str, Any]:
    match kind:
        case SetOf(element):
            return {"type": "Set", "element": _type_as_json(element)}
        case RecordOf(attributes):
            fields = {each.name: {**_type_as_json(each.type), "required": each.required} for each in attributes}
            return {"type": "Record", "attributes": fields}
        case Scalar("String" | "Long" | "Bool" as name):
            return {"type": name}
        case Scalar(name):
            return {"type": "Extension", "name": name}


def _context_of(parameters: Collection[Parameter]) -> dict[str, Any]:
    parts: dict[str, Any] = {"time": _TIME}
    for where in ("path", "query"):
        attributes = {
            parameter.name: {
                "type": _CEDAR_TYPES[parameter.type],
                "required": where == "path" or parameter.required,
            }
            for parameter in parameters
            if parameter.where == where
        }
        parts[where] = {"type": "Record", "attributes": attributes}
    return parts


def _entity(kind: str, name: str, attributes: dict[str, Any], parents: Collection[tuple[str, str]]) -> dict[str, Any]:
    return {
        "uid": {"type": kind, "id": name},
        "attrs": attributes,
        "parents": [{"type": parent_kind, "id": parent} for parent_kind, parent in parents],
    }


def _reference(kind: str, name: str) -> dict[str, Any]:
    return {"__entity": {"type": kind, "id": name}}
