from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.cli.test_calls import call

from inward.cli import traffic
from inward.cli.traffic import Planned, load_traffic, make
from inward.control.egress_client import Answer, NoAnswerError
from inward.control.layout import Layout
from inward.control.running import Running, RunningService
from inward.errors import BadInputError

if TYPE_CHECKING:
    from inward.record.call import Call

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
RUNNING = Running(
    pid=1,
    since="",
    services={"visitor": RunningService(listen=None, egress="127.0.0.1:1", credential="c", app=None)},
)


def planned(**fields: Any) -> Planned:
    given = {
        "caller": "visitor",
        "method": "GET",
        "url": "http://greeter/a?b=c",
        "expect": "allowed",
        "why": "it is",
        "status": 200,
    }
    return Planned(**{**given, **fields})


@pytest.mark.parametrize("example", ["shop", "unmodified"])
def test_the_examples_can_be_read(example: str) -> None:
    calls = load_traffic(EXAMPLES / example / "traffic.json")
    assert {"allowed", "refused"} <= {each.expect for each in calls}


@pytest.mark.parametrize("content", [b"", b"{}", b'{"calls": [{"caller": 1}]}', b'{"calls": [], "more": 1}', b"\xff"])
def test_what_is_no_traffic(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "traffic.json"
    path.write_bytes(content)
    with pytest.raises(BadInputError):
        load_traffic(path)


REFUSED = {"decision": "deny", "carried_out": "deny", "reason": "no_grant"}
OBSERVED = {"decision": "deny", "carried_out": "allow", "reason": "no_grant"}


@pytest.mark.parametrize(
    ("plan", "recorded", "status", "right"),
    [
        (planned(), call(1), 200, True),
        (planned(), call(1), 404, False),
        (planned(), call(1, **REFUSED), 403, False),
        (planned(), call(1, **OBSERVED), 200, False),
        (planned(expect="refused", reason="no_grant"), call(1, **REFUSED), 403, True),
        (planned(expect="refused", reason="condition"), call(1, **REFUSED), 403, False),
        (planned(expect="refused", reason="no_grant"), call(1, **OBSERVED), 200, False),
        (planned(expect="refused", reason="no_grant"), call(1), 200, False),
        (planned(expect="observed", reason="no_grant"), call(1, **OBSERVED), 200, True),
        (planned(expect="observed", reason="no_grant"), call(1), 200, False),
        (planned(expect="either"), call(1, **REFUSED), 403, True),
        (planned(expect="either"), call(1), 200, True),
        (planned(expect="either"), call(1), 500, False),
        (planned(), None, 200, False),
    ],
)
def test_what_is_as_expected(
    system: Path, monkeypatch: pytest.MonkeyPatch, plan: Planned, recorded: Call | None, status: int, *, right: bool
) -> None:
    monkeypatch.setattr(traffic, "make_call", lambda *_: Answer(status, "", (("x-request-id", "id-1"),), b"", 0.0))
    monkeypatch.setattr(traffic, "recorded_call", lambda *_: recorded)
    made = make(Layout.of(system), RUNNING, plan)
    assert (made.wrong == "") is right


def test_a_call_that_fails_is_wrong(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Answer:
        raise NoAnswerError("it did not answer")

    monkeypatch.setattr(traffic, "make_call", fail)
    made = make(Layout.of(system), RUNNING, planned())
    assert (made.became, made.wrong) == ("failed", "it did not answer")
    assert make(Layout.of(system), RUNNING, planned(caller="nobody")).wrong


def test_how_it_is_told() -> None:
    plan = planned(expect="refused", reason="no_grant")
    assert (plan.callee, plan.target, plan.expected) == ("greeter", "/a?b=c", "refused (no_grant)")
    assert planned().expected == "allowed, 200"
