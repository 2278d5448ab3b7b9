"""Proposals, on random systems and on some made for what could go wrong."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.control.random_systems import CALLERS, NOW, OPERATIONS, PATHS, QUERIES, Made, make
from tests.unit.envoy import shop
from tests.unit.insight.conftest import call

from inward.control import tightening
from inward.control.bundle import load_policy
from inward.control.layout import Layout
from inward.control.tightening import Asked, TightenError, Tightening, tighten, write
from inward.errors import BadInputError
from inward.identity.private_files import private_folder
from inward.insight.recorded import Decider
from inward.insight.replay import Replayer
from inward.insight.tighten.planning import Pair
from inward.policy.authoring.replace import EditRefusedError, replace_file
from inward.policy.comparing.change import Comparison, Unknown
from inward.policy.request import Request
from inward.record.call import Act, Call, timestamp
from inward.record.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inward.control.bundle import Policy as System
    from inward.record.call import Entry

MOMENTS = (NOW, NOW + timedelta(days=2), NOW + timedelta(days=600))


def propose(folder: Path, made: Made, *, least: float = 0.0, min_age: int = 0, days: int = 90) -> Tightening:
    layout = Layout.of(folder)
    try:
        with Recorder(private_folder(layout.record)) as recorder:
            recorder.append([entry for entry, _, _ in made.calls])
        asked = Asked(NOW - timedelta(days=days), NOW, timedelta(days=min_age), least)
        return tighten(layout, {}, made.system, asked)
    finally:
        shutil.rmtree(layout.run, ignore_errors=True)


def requests() -> Iterator[Request]:
    for caller in CALLERS:
        for name, (_, template) in OPERATIONS.items():
            for value in PATHS["id"] if "{id}" in template else ("",):
                for query in QUERIES:
                    yield Request(caller, f"orders:{name}", template.replace("{id}", value), query)


def decider(system: System) -> Decider:
    return Decider(system.catalog, system.engine, system.version)


@pytest.mark.parametrize("seed", range(16))
def test_a_proposal_allows_nothing_new_and_breaks_nothing(tmp_path: Path, seed: int) -> None:
    folder = tmp_path / "made"
    made = make(folder, seed)
    found = propose(folder, made)
    write(folder, made.system, found.files)
    new, old = load_policy(folder), made.system
    assert new.version == (found.version if found.files else old.version)
    for request in requests():
        for moment in MOMENTS:
            if new.engine.decide(request, moment).allowed:
                assert old.engine.decide(request, moment).allowed, request
    breaks_nothing(made, new)
    keeps_what_was_used(made, new, found)
    assert [each.text for each in old.policies if each.effect == "forbid"] == [
        each.text for each in new.policies if each.effect == "forbid"
    ]


def breaks_nothing(made: Made, new: System) -> None:
    """Check that no recorded call that was allowed is refused, with all that was not recorded of it."""
    old = made.system
    today, proposed = decider(old), decider(new)
    for entry, request, moment in made.calls:
        if entry.decision != "allow":
            continue
        assert new.engine.decide(request, moment).allowed, entry
        operation = today.operation(entry)  # by the templates of today it may be another one
        if operation is not None and not entry.not_kept:
            again = Request(request.caller, operation.id, request.path, request.query)
            assert new.engine.decide(again, moment).allowed or not old.engine.decide(again, moment).allowed, entry
    replayed = Replayer(proposed, today).add(entry for entry, _, _ in made.calls)
    assert replayed.count("refused", already=False) == 0


def keeps_what_was_used(made: Made, new: System, found: Tightening) -> None:
    """Check that whatever is granted now was used, or is told."""
    if found.coverage.begin is None:
        assert not found.files
        return
    stays = {pair for each in found.callouts for pair in each.pairs}
    spared = {each.policy for each in found.callouts}
    used = {Pair(request.caller, request.operation) for entry, request, _ in made.calls if entry.decision == "allow"}
    for caller in CALLERS:
        for name in OPERATIONS:
            cell = new.engine.cell(caller, f"orders:{name}")
            live = [each for each in cell.permits if each.expires is None or each.expires > NOW]
            if live and Pair(caller, f"orders:{name}") not in used | stays:
                assert spared.intersection(each.id for each in live), (caller, name)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(16, 316))
def test_more_proposals_allow_nothing_new_and_break_nothing(tmp_path: Path, seed: int) -> None:
    test_a_proposal_allows_nothing_new_and_breaks_nothing(tmp_path, seed)


def test_random_systems_are_worth_it(tmp_path: Path) -> None:
    """That the test above tests something: that grants go, are split, and are left to narrower ones."""
    gone = split = left = needed = alone = 0
    for seed in range(12):
        found = propose(tmp_path / str(seed), make(tmp_path / str(seed), seed))
        gone += sum(not texts for texts in found.becomes.values())
        split += sum(len(texts) > 1 for texts in found.becomes.values())
        left += sum(bool(each.elsewhere) for each in found.narrowed)
        needed += sum(each.kind == "needed" for each in found.callouts)
        alone += found.replayed.one_by_one
    assert min(gone, split, left, needed, alone) > 0, (gone, split, left, needed, alone)


GRANT = (
    '@id("{}") @reason("r") permit (principal == Service::"{}", action == Action::"orders:getOrder", '
    'resource == Service::"orders");\n'
)
GRANTS = {"policies/orders.cedar": GRANT.format("used", "checkout") + GRANT.format("unused", "monitor")}


def called(ago: float, caller: str = "checkout", **fields: Any) -> Call:
    given: dict[str, Any] = {"path": "/orders/{id}", "parameters": {"id": "7"}}
    time = timestamp(NOW - timedelta(days=ago))
    return call(1, time=time, id=f"{caller}-{ago}", caller=caller, **{**given, **fields})


def of(layout: Layout, *entries: Entry, days: int = 90, min_age: int = 30, least: float = 0.9) -> Tightening:
    """Propose for a system with two grants, of which the record shows one to be used every day."""
    shop.write(layout.system, GRANTS)
    with Recorder(private_folder(layout.record)) as recorder:
        recorder.append([*(called(ago + 0.1) for ago in range(100)), *entries])
    asked = Asked(NOW - timedelta(days=days), NOW, timedelta(days=min_age), least)
    return tighten(layout, {}, load_policy(layout.system), asked)


def test_what_nobody_used_goes(layout: Layout) -> None:
    found = of(layout)
    assert [(each.policy.id, each.percent) for each in found.narrowed] == [("unused", 97)]
    assert found.files["policies/orders.cedar"][1].decode() == GRANT.format("used", "checkout")
    assert (found.grants, found.pairs, found.replayed.one_by_one) == (2, 2, 0)


def test_a_job_of_every_quarter_is_not_taken_away_after_89_days(layout: Layout) -> None:
    found = of(layout, called(89.5, "monitor"), days=89)
    assert not found.files
    assert [(each.kind, each.pairs) for each in found.callouts] == [("periodic", (Pair("monitor", "orders:getOrder"),))]


def test_a_grant_that_was_added_lately_stays(layout: Layout) -> None:
    times = [timestamp(NOW - timedelta(days=ago)) for ago in (120, 20)]
    acts = [
        Act(time=times[0], what="start", about="0" * 12),
        Act(time=times[1], what="policy", about="1" * 12, detail="in the place of 000000000000; added: unused"),
    ]
    assert [each.kind for each in of(layout, *acts).callouts] == ["young"]


def test_what_was_refused_or_only_observed_is_no_use(layout: Layout) -> None:
    refused = {"decision": "deny", "carried_out": "allow", "mode": "observe", "reason": "no_grant"}
    assert of(layout, called(3, "monitor", **refused)).files


def test_a_call_under_another_name_of_today_is_use(layout: Layout) -> None:
    found = of(layout, called(3, "monitor", operation="orders:of-old"))
    assert not found.files
    assert [(each.kind, each.why) for each in found.callouts] == [("needed", "needed by 1 recorded call")]


def test_a_call_that_cannot_be_decided_again_keeps_its_pairs(layout: Layout) -> None:
    found = of(layout, called(3, "monitor", operation="orders:of-old", path="/orders/{id}", parameters={}))
    assert not found.files
    assert found.callouts[0].why == "what is not recorded would decide 1 recorded call"


def test_nothing_is_proposed_of_nothing(layout: Layout) -> None:
    shop.write(layout.system, GRANTS)
    private_folder(layout.record)
    asked = Asked(NOW - timedelta(days=90), NOW, timedelta(0), 0.0)
    found = tighten(layout, {}, load_policy(layout.system), asked)
    assert (found.files, found.narrowed, found.coverage.begin) == ({}, [], None)


def test_hostile_names_harm_nothing(layout: Layout) -> None:
    names = ["spiffe://shop.internal/../checkout", "x\x1fy'; DROP TABLE", "\u202e", "*", "a" * 5_000]
    strangers = [called(2 + n, name, reason="unknown_caller", decision="deny") for n, name in enumerate(names)]
    known = [called(9 + n, name, operation=f"orders:{name}") for n, name in enumerate(names)]
    found = of(layout, *strangers, *known)
    assert [each.policy.id for each in found.narrowed] == ["unused"]


def test_it_is_limited_to_one_file(layout: Layout) -> None:
    of(layout)
    system = load_policy(layout.system)
    asked = Asked(NOW - timedelta(days=90), NOW, timedelta(0), 0.9, "audit")
    assert tighten(layout, {}, system, asked).grants == 0


def test_whatever_cannot_be_rewritten_is_left_to_a_person(layout: Layout) -> None:
    of(layout)
    condition = ' when { context.time < datetime("2999-01-01") };'
    text = GRANT.replace("principal == Service", "principal in // who\n Group").format("{}", "g")
    names = [f"p{number}" for number in range(tightening.ROUNDS + 1)]
    members = shop.SYSTEM.replace("owner: team-checkout, run", "owner: team-checkout, groups: [g], run")
    shop.write(
        layout.system,
        {
            "inward.yaml": members,
            "policies/orders.cedar": "".join(text.format(name).replace(";", condition) for name in names),
        },
    )
    asked = Asked(NOW - timedelta(days=90), NOW, timedelta(0), 0.9)
    found = tighten(layout, {}, load_policy(layout.system), asked)
    assert not found.files
    assert [(each.kind, each.policy) for each in found.callouts] == [("by_hand", name) for name in names]


def test_what_is_too_much_at_once_is_refused(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inward.control.tightening.MAX_PAIRS", 1)
    with pytest.raises(TightenError, match="more than 1 pairs"):
        of(layout)


def test_what_cannot_be_proven_is_left_as_it_is(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = Unknown(("monitor",), ("orders:getOrder",), (), (), ("something",))
    monkeypatch.setattr("inward.control.tightening.compare", lambda *_: Comparison(unknown=(unknown,)))
    found = of(layout)
    assert not found.files
    assert [each.why for each in found.callouts] == ["it could not be proven that nothing more would be allowed"]


def test_a_widening_that_has_nothing_to_do_with_it_ends_it(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = Unknown(("monitor",), ("pii",), (), (), ("something",))
    monkeypatch.setattr("inward.control.tightening.compare", lambda *_: Comparison(unknown=(unknown,)))
    with pytest.raises(TightenError, match="cannot be proven"):
        of(layout)


def test_written_is_all_or_nothing(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = layout.system
    shop.write(folder, {"policies/orders.cedar": "// one\n", "policies/audit.cedar": "// two\n"})
    system = load_policy(folder)
    files = {
        f"policies/{name}.cedar": (system.files[f"policies/{name}.cedar"], b"// new\n") for name in ("orders", "audit")
    }
    real = replace_file

    def full(folder: Path, file: str, before: bytes, after: bytes) -> None:
        if file == "policies/audit.cedar":
            raise BadInputError("the disk is full")
        real(folder, file, before, after)

    with monkeypatch.context() as patched:
        patched.setattr("inward.control.tightening.replace_file", full)
        with pytest.raises(BadInputError):
            write(folder, system, files)
    assert load_policy(folder).version == system.version
    write(folder, system, files)
    assert {load_policy(folder).files[name] for name in files} == {b"// new\n"}


@pytest.mark.parametrize(
    "changed", ["inward.yaml", "policies/orders.cedar", "guardrails.cedar", "policies/audit.cedar"]
)
def test_nothing_is_written_to_what_has_changed_meanwhile(layout: Layout, changed: str) -> None:
    found = of(layout)
    system = load_policy(layout.system)
    path = layout.system / changed
    path.write_bytes((path.read_bytes() if path.exists() else b"") + b"\n")
    with pytest.raises(EditRefusedError, match="meanwhile"):
        write(layout.system, system, found.files)
    assert load_policy(layout.system).policies.by_id.keys() == {"used", "unused"}
