from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from inward.control.acts import SERVICE, parse_act
from inward.control.attack import alerts, run, wire
from inward.control.attack.attempt import Attempt, Sent, Verdict, not_sent
from inward.control.attack.kinds import KINDS
from inward.control.attack.run import Plan, attack, planned
from inward.errors import BadInputError
from inward.identity.private_files import private_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.control.attack.conftest import MakeIntruder

    from inward.control.attack.intruder import Intruder


def attempt(send: Callable[[], Sent], target: str = "orders") -> Attempt:
    return Attempt("path", target, "GET /", lambda sent, _found: Verdict("held", sent.said), send)


@pytest.fixture
def intruder(make_intruder: MakeIntruder, monkeypatch: pytest.MonkeyPatch) -> Intruder:
    monkeypatch.setattr(alerts, "QUIET_SECONDS", 0.0)
    made = make_intruder()
    private_folder(made.layout.record)
    return made


def acts(intruder: Intruder) -> list[str]:
    lines = b"".join(path.read_bytes() for path in intruder.layout.log(SERVICE).glob("acts-*"))
    found = [parse_act(line, "") for line in lines.splitlines()]
    return [f"{each.what} {each.about} {each.detail}" for each in found if each is not None]


def test_what_is_sent_is_judged_and_both_ends_are_acts(intruder: Intruder) -> None:
    known = not_sent("ungranted", "orders:x", "POST /", Verdict("open", "observed"))
    report = attack(intruder, Plan([attempt(lambda: Sent(said="a")), known], 0), 1000)
    assert [each.verdict for each in report.results] == [Verdict("held", "a"), Verdict("open", "observed")]
    assert [each.verdict.outcome for each in report.gave_way] == ["open"]
    assert report.counts("path") == {"held": 1}
    assert report.alerts is None
    assert acts(intruder) == [
        "attack till begins: 2 tries, 1000 a second at most",
        "attack till ends: 1 held, 0 breached, 1 open, 0 untried",
    ]


def test_it_keeps_to_the_rate(intruder: Intruder) -> None:
    moments: list[float] = []

    def send() -> Sent:
        moments.append(time.monotonic())
        return Sent()

    attack(intruder, Plan([attempt(send)] * 5, 0), 100)
    assert moments[-1] - moments[0] >= 4 / 100 - 0.001


def test_an_interrupted_attack_judges_what_was_sent(intruder: Intruder) -> None:
    def interrupt() -> Sent:
        raise KeyboardInterrupt

    report = attack(intruder, Plan([attempt(Sent), attempt(interrupt), attempt(Sent)], 0), 1000)
    assert (len(report.results), report.unsent) == (1, 2)
    assert acts(intruder)[-1].endswith("; interrupted, 2 were left")


def test_what_fails_is_one_try_and_not_the_end(intruder: Intruder) -> None:
    def fail() -> Sent:
        raise BadInputError("it cannot be sent")

    report = attack(intruder, Plan([attempt(fail), attempt(Sent)], 0), 1000)
    assert [each.verdict.why for each in report.results] == ["it cannot be sent", ""]


def test_a_service_that_does_not_answer_is_left_alone(intruder: Intruder) -> None:
    sent: list[str] = []

    def late() -> Sent:
        sent.append("orders")
        return Sent(said=wire.LATE)

    plan = [*[attempt(late, "orders:getOrder")] * 10, attempt(Sent, "people")]
    report = attack(intruder, Plan(plan, 0), 1000)
    assert len(sent) == run.MOST_SILENCES
    assert report.results[-2].verdict.why == "not sent, since orders did not answer 3 times"
    assert report.results[-1].verdict.why == ""


def test_where_there_are_too_many_each_kind_has_its_share(intruder: Intruder) -> None:
    whole = planned(intruder, 5000, quarantine=True)
    assert {each.kind for each in whole.attempts} == set(KINDS)
    assert whole.left_out == 0
    some = planned(intruder, 40)
    assert len(some.attempts) == 40
    assert {each.kind for each in some.attempts} == set(KINDS) - {"quarantine"}
    assert some.left_out == len(planned(intruder, 5000).attempts) - 40
    kinds = [each.kind for each in some.attempts]
    assert len([*dict.fromkeys(kinds)]) == sum(1 for a, b in zip(kinds, [None, *kinds], strict=False) if a != b)
