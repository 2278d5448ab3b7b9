"""What a scope must hold for the guard to believe it."""

from __future__ import annotations

from typing import Any

import pytest

from inward.guard.serve.arrival import ARRIVAL, Arrival, arrival_of


class Impostor(Arrival):
    """Something like one."""


def test_what_the_server_put_there_is_believed() -> None:
    arrival = Arrival("spiffe://a.test/till")
    assert arrival_of({ARRIVAL: arrival}) is arrival


@pytest.mark.parametrize(
    "value", [None, "spiffe://a.test/till", {"peer": "spiffe://a.test/till"}, Impostor("spiffe://a.test/till")]
)
def test_nothing_else_is(value: Any) -> None:
    assert arrival_of({ARRIVAL: value}) is None
    assert arrival_of({}) is None
