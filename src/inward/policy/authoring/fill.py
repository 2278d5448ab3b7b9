"""Fills in a template: checks each value, adds what follows from them, and writes the policy's text.

A value is always written as a Cedar string, so that none can say more than its hole allows. Where there is a system,
each name must be one of its names; whether the policy as a whole fits the system is for `add_policy` to say. No I/O,
no clock.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from string import Template as Text
from typing import TYPE_CHECKING

from inward.errors import BadInputError
from inward.policy.authoring.grants import free_id
from inward.policy.authoring.layout import lay_out_policy
from inward.policy.authoring.templates import HOLES, OPTIONAL
from inward.policy.authoring.wording import quoted
from inward.policy.loading.load import FOLDER, MAX_REASON, SUFFIX, parse_expiry
from inward.policy.loading.rules import GUARDRAILS, nearest, shown
from inward.policy.schema import groups_of_service

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from datetime import datetime

    from inward.catalog.model import Catalog
    from inward.policy.authoring.templates import Template

_FORMS = {
    "operation": re.compile(r"[^:]+:.+"),
    "id": re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"),
    "opens": re.compile(r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9]"),
    "closes": re.compile(r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9]|24:00"),
    "days": re.compile(r"[1-9]|[1-8][0-9]|90"),
    "ticket": re.compile(r"(?=[^0-9]*[0-9])[A-Za-z0-9#][A-Za-z0-9#/_.-]{0,49}"),
}


def _zones(catalog: Catalog) -> Collection[str]:
    return {service.zone for service in catalog.services.values() if service.zone is not None}


_KINDS: dict[str, tuple[str, Callable[[Catalog], Collection[str]]]] = {
    "caller": ("service", lambda catalog: catalog.services),
    "service": ("service", lambda catalog: catalog.services),
    "operation": ("operation", lambda catalog: catalog.operations),
    "group": ("group", lambda catalog: {group for each in catalog.services.values() for group in each.groups}),
    "zone": ("zone", _zones),
    "from_zone": ("zone", _zones),
    "to_zone": ("zone", _zones),
    "team": ("team", lambda catalog: {each.owner for each in catalog.services.values()}),
    "class": ("data class", lambda catalog: catalog.data_classes),
}
_NAMING = frozenset(_KINDS)  # the values of these holes are words of an id
_IN_A_SYSTEM = "go to a system folder, or name one with `--system DIR`"


@dataclass(frozen=True, slots=True)
class Filled:
    """A policy made of a template. `file` is None where only a system could say whose it is."""

    id: str
    file: str | None
    text: str


def fill(
    template: Template, values: Mapping[str, str], catalog: Catalog | None, taken: Collection[str], now: datetime
) -> Filled:
    """Fill in a template; without a catalog, whether names exist is not asked. `taken` are the ids that are in use.

    Raises `BadInputError` for a hole that is left open or does not exist, and for a value that does not fit.
    """
    for name in values:
        if name not in template.all_holes:
            hint = nearest(name, template.all_holes) or f"it has {_listed(template.all_holes)}"
            raise BadInputError(f"the template `{template.name}` has no `{shown(name)}`", hint=hint)
    if missing := [name for name in template.all_holes if name not in values and name not in OPTIONAL]:
        raise BadInputError(
            f"the template `{template.name}` needs {_listed(missing)}", hint=f"{missing[0]}=… is {HOLES[missing[0]]}"
        )
    for name, value in values.items():
        _check(name, value, catalog, now)
    found = _derived(template, values, catalog, now)
    identifier = values.get("id") or free_id(
        [template.name, *(values[name] for name in template.holes if name in _NAMING)], taken
    )
    annotations = {"id": identifier, "reason": values["reason"]}
    if "ticket" in values:
        annotations["reason"] = f"{values['ticket']}: {values['reason']}"
        if len(annotations["reason"]) > MAX_REASON:
            raise BadInputError("the reason is too long with the ticket before it", hint="say it shorter")
    if expires := found.get("until"):
        annotations["expires"] = expires
    lines = [f"@{name}({quoted(value)})" for name, value in annotations.items()]
    words = {name: quoted(value) for name, value in found.items()} | {"joint": found.get("joint", "")}
    text = lay_out_policy("\n".join([*lines, Text(template.text).substitute(words)]))
    service = found.get("service")
    file = GUARDRAILS if template.guardrail else f"{FOLDER}/{service}{SUFFIX}" if service else None
    return Filled(identifier, file, text)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _check(name: str, value: str, catalog: Catalog | None, now: datetime) -> None:
    """Raise `BadInputError` unless a value fits its hole."""
    bad = BadInputError(f"{name}=`{shown(value)}` does not fit", hint=f"write {HOLES[name]}")
    form = _FORMS.get(name)
    if not value.strip() or not value.isprintable() or len(value) > MAX_REASON or (form and not form.fullmatch(value)):
        raise bad
    if name == "until":
        ends = parse_expiry(value)
        if ends is None:
            raise bad
        if ends <= now:
            raise BadInputError(f"`{shown(value)}` is over", hint="give a day to come")
    if catalog is not None and name in _KINDS:
        kind, of = _KINDS[name]
        if value not in (names := of(catalog)):
            raise BadInputError(f"there is no {kind} `{shown(value)}`", hint=nearest(value, names))


def _derived(template: Template, values: Mapping[str, str], catalog: Catalog | None, now: datetime) -> dict[str, str]:
    """Return the values with what follows from them, by the names that texts of templates may use."""
    found = dict(values)
    if "operation" in found:
        found["service"] = found["operation"].partition(":")[0]
    if "service" in found:
        found["all"], found["read"], found["write"] = groups_of_service(found["service"])
    if template.name == "own-zone":
        found["zone"] = _zone_of(found["service"], catalog)
    if template.name == "disclose" and catalog is not None:
        found["service"] = _service_of_owner(found["class"], catalog)
    if "days" in found:
        found["until"] = (now + timedelta(days=int(found["days"]))).date().isoformat()
    if "opens" in found:
        opens, closes = (_minutes(found[name]) for name in ("opens", "closes"))
        if opens == closes:
            raise BadInputError("it opens when it closes", hint="leave the hours out if it is always open")
        found["joint"] = "&&" if opens < closes else "||"
        found["opens"], found["closes"] = _duration(opens), _duration(closes)
    return found


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def _duration(minutes: int) -> str:
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m" if minutes else f"{hours}h"


def _zone_of(service: str, catalog: Catalog | None) -> str:
    if catalog is None:
        raise BadInputError(f"in which zone `{shown(service)}` is, only a system says", hint=_IN_A_SYSTEM)
    zone = catalog.services[service].zone
    if zone is None:
        raise BadInputError(f"`{service}` is in no zone", hint="give it a `zone` in inward.yaml")
    return zone


def _service_of_owner(data_class: str, catalog: Catalog) -> str:
    """Return the service in whose file a data class is disclosed: the first one of the class's owner."""
    owner = catalog.data_classes[data_class].owner
    services = sorted(service.name for service in catalog.services.values() if service.owner == owner)
    if not services:
        raise BadInputError(
            f"`{owner}`, whose `{data_class}` is, owns no service", hint="there is no file to disclose it in"
        )
    return services[0]
