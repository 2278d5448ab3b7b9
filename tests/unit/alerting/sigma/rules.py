"""Rules and calls for the tests of Sigma: a rule's text becomes a rule, or mistakes."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from inward.alerting.sigma.load import load_rules
from inward.alerting.sigma.watch import Watch
from inward.catalog.folder import SystemFolder
from inward.record.call import Call

if TYPE_CHECKING:
    from pathlib import Path

    from inward.alerting.alert import Alert
    from inward.alerting.sigma.rule import Rule

HEAD = "title: A rule\nlogsource: {product: inward, category: calls}\n"


def call(number: int = 1, **fields: Any) -> Call:
    """A call, `number` seconds into an hour."""
    minute, second = divmod(number, 60)
    known: dict[str, Any] = {
        "time": f"2026-11-26T12:{minute:02d}:{second:02d}.000Z",
        "id": f"call-{number}",
        "caller": "checkout",
        "callee": "orders",
        "operation": "orders:getOrder",
        "method": "GET",
        "path": "/orders/{id}",
        "parameters": {"id": "42"},
        "decision": "allow",
        "carried_out": "allow",
        "reason": "granted",
        "policies": ("checkout-reads-orders",),
        "status": 200,
        "duration_us": 1234,
        "bytes_out": 99,
        "address": "10.1.2.3",
    }
    return Call(**{**known, **fields})


def load(folder: Path, **files: str) -> tuple[list[Rule], list[str]]:
    """The rules in files by their stems, and the mistakes in them."""
    (folder / "alerts").mkdir(exist_ok=True)
    for stem, text in files.items():
        (folder / "alerts" / f"{stem}.yml").write_text(text)
    system = SystemFolder(folder)
    rules = load_rules(system)
    return rules, [f"{PurePosixPath(each.place.file).stem}:{each.place.line}: {each.what}" for each in system.mistakes]


def one(folder: Path, detection: str) -> Rule:
    """The one rule with that detection."""
    rules, mistakes = load(folder, rule=f"{HEAD}detection:\n{detection}")
    assert mistakes == []
    return rules[0]


def fired(rules: list[Rule], *calls: Call) -> list[Alert]:
    return Watch(rules).feed(calls)
