"""Templates of the policies that most systems need: each a Cedar text with named holes.

What may be put into a hole is the business of `fill`. Rule: a value never stands in a text but as a Cedar string.
"""

from __future__ import annotations

from dataclasses import dataclass

from inward.errors import BadInputError
from inward.policy.loading.rules import nearest, shown

MAX_DAYS = 90  # of access for an incident

HOLES = {
    "caller": "the service that calls",
    "service": "the service that is called",
    "operation": "what is called, such as `orders:getOrder`",
    "group": "a group of services, from `groups` in inward.yaml",
    "zone": "a zone, from `zone` in inward.yaml",
    "from_zone": "the zone of the callers",
    "to_zone": "the zone of the services that are called",
    "team": "a team, from `owner` in inward.yaml",
    "class": "a data class, from `data` in inward.yaml",
    "opens": "a time of day in UTC, such as `08:00`",
    "closes": "a time of day in UTC, such as `18:00`; before `opens`, it is one of the next day",
    "days": f"for how many days after today, 1 to {MAX_DAYS}",
    "ticket": "the number of the ticket, such as `INC-42`",
    "reason": "who needs this, and why",
    "until": "the last day, such as `2030-06-30`, or a time",
    "id": "the policy's id",
}
OPTIONAL = frozenset({"until", "id"})  # of every template that has them


@dataclass(frozen=True, slots=True)
class Template:
    """A policy with holes. `text` begins after the annotations; `$name` stands for a value as a Cedar string."""

    name: str
    what: str
    holes: tuple[str, ...]  # without `reason` and the optional ones, which all have
    text: str

    @property
    def guardrail(self) -> bool:
        """Whether it goes to the guardrails, and not to an owner's file."""
        return self.text.startswith("forbid")

    @property
    def all_holes(self) -> tuple[str, ...]:
        """The names of its holes, the optional ones last."""
        ends = () if self.guardrail or "days" in self.holes else ("until",)
        return (*self.holes, "reason", *ends, "id")


_ONE_OPERATION = "action == Action::$operation, resource == Service::$service)"
TEMPLATES = {
    each.name: each
    for each in (
        Template(
            "operation",
            "one service may call one operation",
            ("caller", "operation"),
            f"permit (principal == Service::$caller, {_ONE_OPERATION};",
        ),
        Template(
            "read-only",
            "one service may read whatever another one has, and change nothing",
            ("caller", "service"),
            "permit (principal == Service::$caller, action in Action::$read, resource == Service::$service);",
        ),
        Template(
            "group",
            "every service of a group may call one operation",
            ("group", "operation"),
            f"permit (principal in Group::$group, {_ONE_OPERATION};",
        ),
        Template(
            "own-zone",
            "every service of its own zone may call a service, nobody else",
            ("service",),
            "permit (principal in Zone::$zone, action in Action::$all, resource == Service::$service);",
        ),
        Template(
            "hours",
            "one service may call one operation at some hours of the day",
            ("caller", "operation", "opens", "closes"),
            f"permit (principal == Service::$caller, {_ONE_OPERATION} when {{ context.time.toTime() >= "
            "duration($opens) $joint context.time.toTime() < duration($closes) };",
        ),
        Template(
            "incident",
            "one service may call one operation for some days, because of a ticket",
            ("caller", "operation", "days", "ticket"),
            f"permit (principal == Service::$caller, {_ONE_OPERATION};",
        ),
        Template(
            "disclose",
            "one service is shown a class of sensitive data",
            ("caller", "class"),
            'permit (principal == Service::$caller, action == Action::"disclose", resource == DataClass::$class);',
        ),
        Template(
            "guardrail-zones",
            "nothing of one zone ever calls anything of another",
            ("from_zone", "to_zone"),
            "forbid (principal in Zone::$from_zone, action, resource in Zone::$to_zone);",
        ),
        Template(
            "guardrail-writes",
            "only services of one team ever change anything in a service",
            ("team", "service"),
            "forbid (principal, action in Action::$write, resource == Service::$service) "
            "unless { principal in Team::$team };",
        ),
        Template(
            "guardrail-disclosure",
            "nobody outside of a zone is ever shown a class of data, nor what is under it",
            ("zone", "class"),
            'forbid (principal, action == Action::"disclose", resource in DataClass::$class) '
            "unless { principal in Zone::$zone };",
        ),
    )
}


def template_named(name: str) -> Template:
    """Return the template of that name, or raise `BadInputError` with the nearest one there is."""
    if name not in TEMPLATES:
        hint = nearest(name, TEMPLATES) or "`inward policy template` lists them"
        raise BadInputError(f"there is no template `{shown(name)}`", hint=hint)
    return TEMPLATES[name]
