"""The fields of a call, as rules name them: the names are those of the record.

What a path parameter held is `parameters.NAME`; `full_path` is the path with what stood in the place of each name. A
field with several values (the classes that were withheld) matches where one of them does. Rules: a value is a text or a
whole number; what a call does not have is no value at all, never an empty one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from inward.record.call import Call

Values: TypeAlias = tuple[str | int, ...]

NUMBERS = frozenset({"status", "grpc_status", "duration_us", "bytes_in", "bytes_out"})
SEVERAL = frozenset({"policies", "withheld", "sent"})
TEXTS = frozenset(
    {
        "time",
        "id",
        "caller",
        "callee",
        "user",
        "address",
        "operation",
        "method",
        "path",
        "full_path",
        "decision",
        "carried_out",
        "reason",
        "mode",
        "enforcer",
        "policy_version",
        "trace",
        "span",
        "detail",
        "src",
    }
)
NAMES = (*sorted(NUMBERS | SEVERAL | TEXTS), "parameters.NAME")
PARAMETER = "parameters."


def is_field(name: str) -> bool:
    """Return whether calls have a field of that name."""
    return name in NUMBERS or name in TEXTS or name in SEVERAL or (len(name) > len(PARAMETER) and is_parameter(name))


def is_parameter(name: str) -> bool:
    """Return whether a field is a parameter of the path, whose value may be any text."""
    return name.startswith(PARAMETER)


def getter(name: str) -> Callable[[Call], Values]:
    """Return what reads the values of a field, which `is_field` knows, from a call."""
    if is_parameter(name):
        key = name.removeprefix(PARAMETER)

        def parameter(call: Call) -> Values:
            value = call.parameters.get(key)
            return () if value is None else (value,)

        return parameter
    if name in SEVERAL:
        return lambda call: tuple(getattr(call, name))

    def one(call: Call) -> Values:
        value = getattr(call, name)
        return () if value is None else (value,)

    return one


def every_value(call: Call) -> Values:
    """Return all values of a call, for rules that look for words anywhere in it."""
    found: list[str | int] = []
    for name in (*sorted(TEXTS), *sorted(NUMBERS)):
        value = getattr(call, name)
        if value is not None:
            found.append(value)
    for name in sorted(SEVERAL):
        found.extend(getattr(call, name))
    return (*found, *call.parameters.values())
