"""Quarantine: which services are cut off, kept in the state folder and put into every Envoy by whoever changes it.

It needs no control process: the command writes the list and Envoy's files itself, so a compromised service can be
contained while everything else is broken. It only ever removes access.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from inward.envoy.folder import EnvoyFolder
from inward.envoy.resources.rbac import quarantine as quarantine_filter
from inward.errors import InwardError
from inward.identity.private_files import one_at_a_time, read_private, write_private
from inward.identity.spiffe_id import SpiffeID

if TYPE_CHECKING:
    from inward.catalog.model import Catalog
    from inward.control.layout import Layout


_LOCK = "quarantine.lock"


class Quarantined(msgspec.Struct, frozen=True):
    """One service in quarantine: since when (RFC 3339), and why."""

    service: str
    since: str
    reason: str


class QuarantineError(InwardError):
    """The list of services in quarantine cannot be read."""

    code = "quarantine"


def load_quarantine(layout: Layout) -> dict[str, Quarantined]:
    """Return what is in quarantine, by service name."""
    content = read_private(layout.quarantine)
    if content is None:
        return {}
    try:
        return msgspec.json.decode(content, type=dict[str, Quarantined])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise QuarantineError(
            f"`{layout.quarantine}` is damaged: {error}", hint="mend it, or remove it to release every service"
        ) from error


def change_quarantine(layout: Layout, catalog: Catalog, add: Quarantined | None, release: str | None) -> list[str]:
    """Add or release a service, and put the new list into every Envoy there is; return whose files changed."""
    with one_at_a_time(layout.state / _LOCK):
        entries = load_quarantine(layout)
        if add is not None:
            entries.setdefault(add.service, add)
        if release is not None:
            entries.pop(release, None)
        write_private(layout.quarantine, msgspec.json.encode(entries))
        return _apply(layout, catalog, entries)


def apply_quarantine(layout: Layout, catalog: Catalog) -> list[str]:
    """Put the list as it is into every Envoy there is; return whose files changed."""
    with one_at_a_time(layout.state / _LOCK):
        return _apply(layout, catalog, load_quarantine(layout))


def _apply(layout: Layout, catalog: Catalog, entries: dict[str, Quarantined]) -> list[str]:
    # INVARIANT: one that the catalog no longer holds is cut off too: its SVID outlives its entry.
    spiffe_ids = {name: str(SpiffeID.of_service(catalog.trust_domain, name)) for name in entries}
    changed = []
    for name in catalog.services:
        folder = EnvoyFolder(layout.service(name).path)
        if not folder.path.is_dir():
            continue
        folder.recall()
        if folder.write("quarantine.json", [quarantine_filter(name, spiffe_ids, entries)]):
            changed.append(name)
    return changed
