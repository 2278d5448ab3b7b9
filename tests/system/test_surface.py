"""The surface and unused access of a system that runs: what its Envoys let through, a moment later."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.system.guarded import eventually

if TYPE_CHECKING:
    from tests.system.guarded import Guarded


def row(company: Guarded, operation: str | None) -> Any:
    done = company.inward("surface", "--service", "shipping", "--json")
    assert done.returncode == 0, done
    return next((each for each in json.loads(done.stdout)["rows"] if each["operation"] == operation), None)


def test_calls_are_on_the_surface_and_use_their_grants(company: Guarded) -> None:
    granted = company.call("shipping", "auditor", "GET", "/shipments/7")
    company.call("shipping", "stranger", "GET", "/not/written/down/7")
    [policy] = company.recorded(granted).policies

    def seen() -> Any:
        found, beyond = row(company, "shipping:getShipment"), row(company, None)
        return found and beyond and found["callers"] and beyond["callers"] and (found, beyond)

    found, beyond = eventually("the calls are on the surface", seen)
    assert "auditor" in [each["caller"] for each in found["callers"]]
    assert "observe-only" in [each["kind"] for each in found["wrong"]]
    assert "undocumented" in [each["kind"] for each in beyond["wrong"]]
    assert any(path["path"].startswith("/not/written/down/") for path in beyond["paths"])
    unused = json.loads(company.inward("unused", "--json").stdout)
    assert unused["found"]
    assert policy not in [each["policy"] for each in unused["found"]]
    assert "unused" not in [
        each["sure"] for each in unused["found"] if not each["proof"][0].startswith("it expired")
    ], "the record is a minute old"
