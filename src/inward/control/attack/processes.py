"""What the processes of a service have: the ports at which they listen, and their environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import psutil

from inward.catalog.model import Address
from inward.control.run.process import ProcessMark
from inward.control.run.services import envoy_name
from inward.identity.private_files import read_private

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.control.layout import Layout


def listening(layout: Layout, service: str) -> list[Address]:
    """Return the TCP addresses at which a service, its Envoy and all that they started listen, as far as it is told."""
    found: set[Address] = set()
    for name in (service, envoy_name(service)):
        for process in _with_children(layout, name):
            try:
                connections = process.net_connections("tcp")
            except (psutil.Error, OSError):
                continue  # it has ended, or is another account's
            for each in connections:
                if each.status == psutil.CONN_LISTEN and each.laddr:
                    found.add(Address(each.laddr.ip, each.laddr.port))
    return sorted(found)


def environment(layout: Layout, service: str) -> dict[str, str] | None:
    """Return the environment of a service's own process; None where it cannot be read."""
    process = _process(layout, service)
    try:
        return process.environ() if process is not None else None
    except (psutil.Error, OSError):
        return None


def _with_children(layout: Layout, name: str) -> Iterator[psutil.Process]:
    process = _process(layout, name)
    if process is not None:
        yield process
        try:
            yield from process.children(recursive=True)
        except psutil.Error:
            return


def _process(layout: Layout, name: str) -> psutil.Process | None:
    try:
        marks = msgspec.json.decode(read_private(layout.processes) or b"{}", type=dict[str, ProcessMark])
        return psutil.Process(marks[name].pid) if name in marks else None
    except (msgspec.MsgspecError, ValueError, RecursionError, psutil.Error):
        return None
