"""Rules over calls: what fires, for whom, how often; and that a restart changes nothing."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from tests.unit.alerting.sigma.rules import HEAD, call, fired, load

from inward.alerting.sigma import counting
from inward.alerting.sigma.watch import Watch
from inward.record.call import Act, Call, Gap

if TYPE_CHECKING:
    from pathlib import Path

    from inward.alerting.alert import Alert
    from inward.alerting.sigma.rule import Rule

REFUSED = f"{HEAD}name: refused\nlevel: low\ndetection: {{a: {{decision: deny}}, condition: a}}\n"
READ = f"{HEAD}name: read\nlevel: low\ndetection: {{a: {{operation: 'orders:getOrder'}}, condition: a}}\n"


def rules(folder: Path, **files: str) -> list[Rule]:
    found, mistakes = load(folder, **files)
    assert mistakes == []
    return found


def correlation(kind: str, names: str = "refused", span: str = "1m", more: str = "") -> str:
    text = f"title: Many\nlevel: high\ncorrelation:\n  type: {kind}\n  rules: [{names}]\n  timespan: {span}\n"
    return f"{text}  group-by: [caller]\n{more}"


def refused(number: int, caller: str = "checkout", **fields: object) -> Call:
    return call(number, decision="deny", carried_out="deny", reason="no_grant", caller=caller, **fields)


def test_a_rule_alerts_by_caller_callee_and_operation(tmp_path: Path) -> None:
    found = fired(rules(tmp_path, refused=REFUSED), refused(1), call(2), refused(3), refused(4, "billing"))
    assert [(alert.caller, alert.count, alert.calls) for alert in found] == [
        ("checkout", 2, ("call-1", "call-3")),
        ("billing", 1, ("call-4",)),
    ]
    assert found[0].detector == "sigma:refused"
    assert (found[0].severity, found[0].began[14:19], found[0].time[14:19]) == ("low", "00:01", "00:03")
    assert found[0].why == "A rule: checkout called orders:getOrder"


def test_what_is_no_call_fires_nothing(tmp_path: Path) -> None:
    watch = Watch(rules(tmp_path, all=f"{HEAD}detection: {{a: {{user: null}}, condition: a}}\n"))
    assert watch.feed([Gap(time="2026-11-26T12:00:00.000Z", why="x"), Act(time="x", what="start")]) == []
    assert len(watch.feed([call()])) == 1


def test_a_rule_that_only_informs_alerts_nobody(tmp_path: Path) -> None:
    assert fired(rules(tmp_path, refused=REFUSED.replace("low", "informational")), refused(1)) == []
    assert fired(rules(tmp_path, refused=f"{REFUSED}status: deprecated\n"), refused(1)) == []


def test_event_count(tmp_path: Path) -> None:
    found = rules(tmp_path, refused=REFUSED, many=correlation("event_count", more="  condition: {gte: 3}\n"))
    assert fired(found, refused(1), refused(2)) == []
    (alert,) = fired(found, refused(1), refused(2, "other"), refused(3), call(4), refused(5))
    assert (alert.detector, alert.severity, alert.caller, alert.count) == ("sigma:many", "high", "checkout", 3)
    assert alert.calls == ("call-1", "call-3", "call-5")
    assert alert.why == "Many: 3 calls within 60 s of caller checkout"
    assert alert.began.endswith("12:00:01.000Z")


def test_event_count_is_within_the_time(tmp_path: Path) -> None:
    found = rules(tmp_path, refused=REFUSED, many=correlation("event_count", more="  condition: {gte: 3}\n"))
    assert fired(found, refused(1), refused(2), refused(62)) == []  # the first is 61 s old
    assert len(fired(found, refused(1), refused(2), refused(61))) == 1


def test_what_made_it_fire_is_used_up(tmp_path: Path) -> None:
    found = rules(tmp_path, refused=REFUSED, many=correlation("event_count", more="  condition: {gt: 1}\n"))
    watch = Watch(found)
    assert [len(watch.feed([refused(number)])) for number in range(6)] == [0, 1, 0, 1, 0, 1]


def test_value_count(tmp_path: Path) -> None:
    more = "  condition: {field: parameters.id, gte: 3}\n"
    found = rules(tmp_path, read=READ, many=correlation("value_count", "read", more=more))
    same = [call(number, parameters={"id": "1"}) for number in range(50)]
    assert fired(found, *same) == []
    assert fired(found, *(call(number, parameters={}) for number in range(9))) == []
    (alert,) = fired(found, *(call(number, parameters={"id": str(number)}) for number in range(3)))
    assert (alert.count, alert.why) == (3, "Many: 3 values of parameters.id within 60 s of caller checkout")
    late = [call(40 * number, parameters={"id": str(number)}) for number in range(9)]
    assert fired(found, *late) == []


@pytest.mark.parametrize(("kind", "turned"), [("temporal", 1), ("temporal_ordered", 0)])
def test_temporal(tmp_path: Path, kind: str, turned: int) -> None:
    found = rules(tmp_path, refused=REFUSED, read=READ, both=correlation(kind, "refused, read"))
    other = {"operation": "orders:listOrders"}
    assert len(fired(found, refused(1, **other), call(5))) == 1
    assert len(fired(found, call(1), refused(5, **other))) == turned
    assert fired(found, refused(1, **other), call(62)) == []
    assert fired(found, refused(1, "other", **other), call(5)) == []
    # the newest beginning counts
    assert len(fired(found, refused(1, **other), refused(50, **other), call(100))) == 1


def test_one_call_is_not_two_steps_of_an_order(tmp_path: Path) -> None:
    found = rules(tmp_path, refused=REFUSED, read=READ, both=correlation("temporal_ordered", "refused, read"))
    assert fired(found, refused(1)) == []  # it is refused, and of that operation
    assert len(fired(found, refused(1), refused(2))) == 1


def test_correlations_of_correlations_and_aliases(tmp_path: Path) -> None:
    more = "  condition: {gte: 2}\n"
    chain = (
        "title: Chain\ncorrelation:\n  type: temporal_ordered\n  rules: [many, read]\n  timespan: 5m\n"
        "  group-by: [who]\n  aliases: {who: {many: caller, read: callee}}\n"
    )
    found = rules(tmp_path, refused=REFUSED, read=READ, many=correlation("event_count", more=more), chain=chain)
    other = {"operation": "x:y"}
    calls = [refused(1, **other), refused(2, **other), call(9, caller="billing", callee="checkout")]
    alerts = fired(found, *calls)
    assert [(alert.detector, alert.why) for alert in alerts] == [
        ("sigma:chain", "Chain: 2 steps within 300 s of who checkout")
    ]
    assert alerts[0].caller is None


def test_generate(tmp_path: Path) -> None:
    more = "  condition: {gte: 2}\n"
    quiet = rules(tmp_path, refused=REFUSED, many=correlation("event_count", more=more))
    assert {each.detector for each in fired(quiet, refused(1), refused(2))} == {"sigma:many"}
    loud = rules(tmp_path, refused=REFUSED, many=correlation("event_count", more=f"{more}  generate: true\n"))
    assert {each.detector for each in fired(loud, refused(1), refused(2))} == {"sigma:many", "sigma:refused"}


def test_a_clock_that_was_ahead_does_not_blind_it(tmp_path: Path) -> None:
    found = rules(tmp_path, refused=REFUSED, many=correlation("event_count", more="  condition: {gte: 3}\n"))
    ahead = refused(1, time="2099-01-01T00:00:00.000Z")
    broken = refused(2, time="nonsense")
    assert len(fired(found, ahead, broken, refused(1), refused(2), refused(3))) == 1


def test_memory_is_bounded_whatever_callers_send(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MOST_GROUPS", 50)
    monkeypatch.setattr(counting, "MOST_EVENTS", 200)
    by_id = correlation("event_count", more="  condition: {gte: 9000}\n").replace("caller]", "parameters.id]")
    watch = Watch(rules(tmp_path, refused=REFUSED, many=by_id))
    for number in range(2000):
        watch.feed([refused(number % 3600, parameters={"id": "x" * 100_000 + str(number % 300)})])
    assert watch.forgotten == {"many": 1950}
    assert len(watch.snapshot()) < 100_000


def stream(seed: int) -> list[Call]:
    rng = random.Random(seed)  # noqa: S311 - calls, not secrets
    found = []
    for number in range(400):
        fields = {"caller": rng.choice(["a", "b", "c"]), "parameters": {"id": str(rng.randrange(30))}}
        if rng.random() < 0.4:
            fields |= {"decision": "deny", "operation": rng.choice(["orders:getOrder", "orders:listOrders"])}
        found.append(call(max(0, number + rng.randrange(-5, 5)), **fields))
    return found


@pytest.mark.parametrize("seed", range(8))
def test_a_restart_in_the_middle_of_a_window_neither_repeats_nor_forgets(tmp_path: Path, seed: int) -> None:
    files = {
        "refused": REFUSED,
        "read": READ,
        "many": correlation("event_count", more="  condition: {gte: 7}\n"),
        "values": correlation("value_count", "read", more="  condition: {field: parameters.id, gte: 5}\n"),
        "both": correlation("temporal", "refused, read"),
        "order": correlation("temporal_ordered", "many, values, read", more="  generate: true\n"),
    }
    found = rules(tmp_path, **files)
    calls = stream(seed)
    rng = random.Random(seed)  # noqa: S311 - cuts, not secrets
    whole: list[Alert] = []
    cut: list[Alert] = []
    watch, other = Watch(found), Watch(found)
    at = 0
    while at < len(calls):
        size = rng.randrange(1, 40)
        whole += watch.feed(calls[at : at + size])
        cut += other.feed(calls[at : at + size])
        snapshot = other.snapshot()
        other = Watch(found)
        other.restore(snapshot)
        at += size
    assert cut == whole
    assert {alert.detector for alert in whole} >= {"sigma:many", "sigma:values", "sigma:both", "sigma:order"}


def test_a_rule_that_was_changed_begins_anew(tmp_path: Path) -> None:
    before = Watch(rules(tmp_path, refused=REFUSED, many=correlation("event_count", more="  condition: {gte: 3}\n")))
    before.feed([refused(1), refused(2)])
    after = Watch(rules(tmp_path, refused=REFUSED, many=correlation("event_count", more="  condition: {gte: 2}\n")))
    after.restore(before.snapshot())
    assert after.feed([refused(3)]) == []
    with pytest.raises(ValueError, match="Expected"):
        after.restore(b"nonsense")
