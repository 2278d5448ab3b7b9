"""Which data classes the fields of messages carry: by the option `(inward.data)`, and by overlays.

An overlay is a YAML file for descriptions of somebody else:

    extends: orders.proto        # needed where the service has several
    data:
      shop.v1.Order.contact: pii.email
      shop.v1.Order.notes: [pii, internal]

It adds to what the description says. A field that is not there, and a class that is not declared, is a mistake. `none`
says of a field that it is no data, whatever its name: it marks nothing, and takes nothing away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inward.catalog.document import did_you_mean, shown
from inward.catalog.openapi.marks import NO_DATA
from inward.errors import Mistake

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from inward.catalog.document import Value
    from inward.catalog.protobuf.messages import Field, Messages
    from inward.errors import Place

MAX_MISTAKES = 50  # of one description
_KEYS = ("extends", "data")


def read_marks(
    messages: Messages,
    places: Mapping[str, Place],
    overlays: Iterable[Value],
    classes: Collection[str],
    mistakes: list[Mistake],
) -> dict[str, tuple[str, ...]]:
    """Return the classes of each marked field, sorted, by its full name; `classes` are those that are declared.

    `places` has the place of each field that is marked by an option.
    """
    found: dict[str, set[str]] = {}
    wrong: list[Mistake] = []

    def mark(name: str, marks: Collection[str], place: Place, where: str = "") -> None:
        if set(marks) == {NO_DATA}:
            return
        for data_class in marks:
            if data_class in classes:
                found.setdefault(name, set()).add(data_class)
            elif data_class == NO_DATA:
                wrong.append(Mistake(place, f"{where}`{NO_DATA}` stands beside a class", "write one or the other"))
            else:
                hint = did_you_mean(data_class, classes) or "declare it under `data` in inward.yaml"
                wrong.append(Mistake(place, f"{where}`{shown(data_class)}` is no declared data class", hint))

    for field in marked_fields(messages):
        mark(field.full_name, field.classes, places[field.full_name], f"`{shown(field.full_name)}`: ")
    for name, value in (entry for overlay in overlays for entry in _entries(overlay)):
        if name not in messages.by_name:
            value.mistake(f"there is no field `{shown(name)}`", did_you_mean(name, messages.by_name))
            continue
        mark(name, _listed(value), value.place)
    mistakes.extend(wrong[:MAX_MISTAKES])
    return {name: tuple(sorted(marked)) for name, marked in found.items()}


def _entries(overlay: Value) -> Iterator[tuple[str, Value]]:
    if overlay.is_a(dict):
        overlay.check_keys(_KEYS)
        listed = overlay.need("data", "list fields by their full names, such as `shop.v1.Order.contact`")
        yield from listed.entries() if listed else ()


def marked_fields(messages: Messages) -> Iterable[Field]:
    """Return the fields that the description itself marks."""
    return (field for field in messages.by_name.values() if field.classes)


def _listed(value: Value) -> list[str]:
    items = list(value.items()) if isinstance(value.data, list) else [value]
    return [text for item in items if (text := item.text()) is not None]
