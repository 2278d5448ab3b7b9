"""What a service is told by its environment, there and back."""

from __future__ import annotations

from pathlib import Path

import pytest

from inward.catalog.model import Address
from inward.errors import BadInputError
from inward.guard.bundle import GuardError
from inward.guard.serve.environment import LISTEN, SPIFFE_ID, Given
from inward.identity.spiffe_id import SpiffeID

GIVEN = Given(
    SpiffeID.parse("spiffe://a.test/orders"),
    Address("::1", 7002),
    Path("/run/svid.pem"),
    Path("/run/svid.key"),
    Path("/run/bundle.pem"),
    Path("/state/quarantine.json"),
    Path("/state/log/guard.log"),
)


def test_what_is_told_is_what_is_read() -> None:
    assert Given.parse(GIVEN.variables()) == GIVEN


@pytest.mark.parametrize("name", GIVEN.variables())
def test_each_part_must_be_there(name: str) -> None:
    with pytest.raises(GuardError, match=f"the environment has no `{name}`"):
        Given.parse(GIVEN.variables() | {name: ""})


@pytest.mark.parametrize(("name", "value"), [(SPIFFE_ID, "orders"), (LISTEN, "localhost:1")])
def test_a_part_that_cannot_be_is_refused(name: str, value: str) -> None:
    with pytest.raises(BadInputError):
        Given.parse(GIVEN.variables() | {name: value})
