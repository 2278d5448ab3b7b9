"""What must hold whatever a caller sends: a grant is not widened by the way in which a request is written.

`reader` may read one order, `GET /orders/{id}`, and nothing else. What reaches an app is that operation or nothing;
and the record never says that another operation was allowed to it.
"""

from __future__ import annotations

import posixpath
import re
import ssl
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tests.system.company import READ_ONE

from inward.catalog.template import PathTemplate
from inward.identity.forwarded import IDENTITY_HEADERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.system import wire
    from tests.system.guarded import Guarded, Seen

MAY = PathTemplate("/orders/{id}")
SHORT = 0.4  # seconds to wait for an answer to what may be half a request


def wrong_with(seen: Seen) -> str | None:
    """Return why a request that reached the app is none that `reader` may make; None if it may."""
    path, _, _ = seen.target.partition("?")
    meant = posixpath.normpath(unquote(path).replace("\\", "/"))
    ends = seen.header("content-length") + seen.header("transfer-encoding")
    names = [name.lower() for name, _ in seen.headers]
    odd = any(name.startswith(":") or "_" in name for name in names)
    ours = {"x-forwarded-client-cert", "x-forwarded-proto", "x-request-id"}
    others = {"upgrade", "x-http-method-override", "x-http-method", "x-original-url", "x-rewrite-url"}
    wrong = {
        "it is another operation": seen.method != "GET" or MAY.match(path) is None,
        f"an app may read it as {meant!r}": not re.fullmatch(r"/orders/[^/;\x00-\x1f\x7f]+(?<!:keys)", meant),
        "it does not end where another reader ends it": len(ends) > 1 or "x-hidden" in names,
        "its headers are ambiguous": names.count("host") != 1 or odd,
        "it says who the caller is": bool(set(names) & set(IDENTITY_HEADERS) - ours),
        "it asks the app for something else": bool(others & set(names)),
    }
    return next((why for why, is_so in wrong.items() if is_so), None)


def assert_nothing_widened(company: Guarded, attacks: Mapping[str, Callable[[], object]]) -> None:
    """Make the attacks; hold what the apps saw and what was recorded to what `reader` may."""
    assert company.call("orders", "auditor", "GET", "/admin/keys").status == 200
    assert company.call("orders", "auditor", "DELETE", "/orders/42").status == 200
    assert company.call("orders", "reader", "GET", "/orders/42").status == 200
    company.recorded_since(0)
    recorded = len(company.calls())
    elsewhere = company.seen_count("payments")
    start = company.seen_count("orders")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda attack: attack(), attacks.values()))
    found = company.recorded_since(recorded)
    wrong = [f"{why}: {seen}" for seen in company.seen("orders", start) if (why := wrong_with(seen)) is not None]
    assert not wrong, wrong
    assert company.seen_count("payments") == elsewhere
    assert len(found) >= len(attacks) / 2
    for call in found:
        assert call.caller == "reader", call
        if call.decision == "allow":
            assert call.operation == READ_ONE, call
            assert MAY.match(call.full_path or "") is not None, call
        assert call.decision == call.carried_out, call


def send(company: Guarded, data: bytes) -> list[wire.Answer]:
    with company.connect("orders", company.reader) as connection:
        try:
            connection.send(data)
        except (ssl.SSLError, ConnectionError):
            return []
        return connection.rest(SHORT)


def sender(company: Guarded, data: bytes) -> Callable[[], object]:
    return lambda: send(company, data)
