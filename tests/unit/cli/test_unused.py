"""`inward unused`: what is printed of a small system, with and without a record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from inward.control.layout import Layout
from inward.identity.private_files import private_folder
from inward.record.call import Call, timestamp
from inward.record.recorder import Recorder

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Inward

NOW = datetime.now(UTC)
MORE = """
@id("visitor-forgets")
@reason("cleaning up")
permit (
  principal == Service::"visitor",
  action == Action::"greeter:forgetGreeting",
  resource == Service::"greeter"
);
"""


def record(folder: Path, days: int, **fields: Any) -> None:
    """Record a call of the visitor on each of some days."""
    given: dict[str, Any] = {
        "caller": "visitor",
        "callee": "greeter",
        "operation": "greeter:getGreeting",
        "method": "GET",
        "path": "/greetings/{name}",
        "decision": "allow",
        "carried_out": "allow",
        "reason": "granted",
        "policies": ("visitor-reads-greetings",),
        "status": 200,
    } | fields
    with Recorder(private_folder(Layout.of(folder).record)) as recorder:
        recorder.append(
            [Call(time=timestamp(NOW - timedelta(days=ago)), id=f"id-{ago}", **given) for ago in range(days, -1, -1)]
        )


@pytest.fixture
def wide(system: Path) -> Path:
    """The system with a grant that nobody uses."""
    policies = system / "policies" / "greeter.cedar"
    policies.write_text(policies.read_text() + MORE)
    return system


def test_what_nobody_used(wide: Path, inward: Inward) -> None:
    record(wide, 100)
    done = inward("unused")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0].split() == ["unused", "100", "days", "visitor-forgets", "policies/greeter.cedar:22"]
    assert lines[1].strip() == "visitor → greeter:forgetGreeting"
    assert lines[2].strip().startswith("visitor made none of the calls that it allows since ")
    assert lines[-1] == "2 grants: 1 unused"
    assert "the record covers the 90 days" in done.err
    assert "once a year" in done.err


def test_for_programs(wide: Path, inward: Inward) -> None:
    record(wide, 100)
    answer = inward("unused", "--json").json
    assert [(each["policy"], each["sure"], each["kind"]) for each in answer["found"]] == [
        ("visitor-forgets", "unused", "grant")
    ]
    assert answer["record"]["covers_all"] is True
    assert answer["record"]["days"] == 100


def test_89_days_of_record_are_not_enough(wide: Path, inward: Inward) -> None:
    record(wide, 89)
    done = inward("unused", "--since", "80d")
    assert done.out.startswith("unsure ")
    assert "89 days are known: a job that runs every quarter may not have run yet" in done.out
    assert inward("unused", "--since", "80d", "--sure").out == "2 grants: nothing to tell of any\n"
    assert "the record reaches 89 days back, not 90" in inward("unused").out


@pytest.mark.usefixtures("wide")
def test_without_a_record_nothing_is_unused(inward: Inward) -> None:
    done = inward("unused")
    assert done.out.count("the record has no call that was allowed") == 1  # of all of them, so it is said once
    assert "2 grants: 2 unsure" in done.out
    assert "nothing can be said of what is used" in done.err


def test_of_one_service(wide: Path, inward: Inward) -> None:
    record(wide, 100)
    assert inward("unused", "--service", "visitor").out.startswith("0 grants")
    assert inward("unused", "--service", "nobody").code == 3
    assert inward("unused", "--since", "500d").code == 3
    assert inward("unused", "--since", "soon").code == 3
