"""Calls in the record of a system that fit no operation: what is called, and stands in no document.

Only what a callee's enforcer let through (in mode observe) teaches anything: a refused call had no answer of the
service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inward.record.filter import Filter
from inward.record.reader import read_calls

if TYPE_CHECKING:
    from pathlib import Path

    from inward.discovery.paths.observed import Observed


def read_record(folder: Path, service: str, observed: Observed) -> int:
    """Hand every call of `service` without an operation to `observed`; return how many there are."""
    number = 0
    for call in read_calls(folder, Filter(callee=service)):
        if call.operation is None and call.method and call.path and call.enforcer != "egress":
            number += 1
            observed.take(call.method, call.path, call.status if call.carried_out == "allow" else 403)
    return number
