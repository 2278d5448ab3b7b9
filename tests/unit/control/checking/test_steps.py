from __future__ import annotations

import gc
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from inward.control.bundle import SystemMemo
from inward.control.checking.cache import CheckCache
from inward.control.checking.steps import READING, STEPS, Step, Subject, check
from inward.control.findings import Finding, find
from inward.errors import ExitCode, InvalidSystemError, Mistake, Place
from inward.policy.loading.load import Memo

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from inward.control.checking.cache import CheckMemo

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SYSTEM = """
trust_domain: company.test
services:
  greeter:
    owner: team-greeter
    api: apis/greeter.yaml
    listen: 127.0.0.1:0
  visitor: {owner: team-visitor}
"""
API = """
openapi: 3.1.0
info: {title: Greeter, version: "1"}
paths:
  /greetings/{name}:
    get: {operationId: getGreeting, responses: {"200": {description: ok}}}
    delete: {operationId: forgetGreeting, responses: {"204": {description: ok}}}
"""
GRANT = """
@id("visitor-greets") @reason("it must")
permit (principal == Service::"visitor", action == Action::"greeter:getGreeting", resource == Service::"greeter")
when { context.path.name != "x" };
"""
SLOW = """
@id("slow") @reason("it must")
permit (principal == Service::"visitor", action == Action::"greeter:forgetGreeting", resource == Service::"greeter")
when { (if context.path.name == "x" then "y" else context.path.name) like "a*" };
"""
# it can be parsed, and it is not valid: the parameter is text
INVALID = GRANT.replace('!= "x"', "< 1")


@pytest.fixture
def system(tmp_path: Path) -> Path:
    folder = tmp_path / "system"
    (folder / "apis").mkdir(parents=True)
    (folder / "policies").mkdir()
    (folder / "inward.yaml").write_text(SYSTEM)
    (folder / "apis" / "greeter.yaml").write_text(API)
    (folder / "policies" / "greeter.cedar").write_text(GRANT + SLOW)
    return folder


def cache_of(system: Path) -> CheckCache:
    return CheckCache(system.parent / "caches", system)


def test_every_step_is_taken_in_its_order(system: Path) -> None:
    report = check(system, NOW)
    assert [step.name for step in report.steps] == [READING, *(step.name for step in STEPS)]
    assert report.mistakes == ()
    assert report.exit_code is ExitCode.SUCCESS  # notes only
    assert report.system is not None
    assert {finding.kind for finding in report.findings} >= {finding.kind for finding in find(report.system, NOW)}


def test_what_steps_find_is_put_in_order(system: Path) -> None:
    def one(subject: Subject) -> Iterable[Finding]:
        assert subject.folder == system
        yield Finding("note", "slow_path", Place("a"), "a")
        yield Finding("note", "slow_path", Place("b", 2), "b")

    def other(subject: Subject) -> Iterable[Finding]:
        assert subject.now == NOW
        yield Finding("note", "slow_path", Place("b", 1), "c")
        yield Finding("finding", "observed", Place("z"), "d")

    report = check(system, NOW, steps=[Step("one", one), Step("other", other)])
    assert [finding.what for finding in report.findings] == ["d", "a", "c", "b"]
    assert report.exit_code is ExitCode.REFUSED


def test_a_step_with_mistakes_keeps_no_other_from_being_taken(system: Path) -> None:
    mistake = Mistake(Place("policies/a.test.yaml", 3), "no test")

    def broken(_subject: Subject) -> Iterable[Finding]:
        raise InvalidSystemError([mistake])

    report = check(system, NOW, steps=[Step("broken", broken), STEPS[-1]])
    assert [bool(step.mistakes) for step in report.steps] == [False, True, False]
    assert (report.mistakes, report.exit_code) == ((mistake,), ExitCode.BAD_INPUT)
    assert [finding.kind for finding in report.findings] == ["slow_path"]


def test_a_system_with_mistakes_is_not_looked_at(system: Path) -> None:
    (system / "inward.yaml").write_text("trust_domain: company.test\n")
    report = check(system, NOW)
    assert report.system is None
    assert [step.name for step in report.steps] == [READING]
    assert report.exit_code is ExitCode.BAD_INPUT


def test_progress_is_told_and_comes_forward(system: Path) -> None:
    told: list[tuple[str, int, int]] = []
    check(system, NOW, watch=lambda what, done, of: told.append((what, done, of)))
    names = list(dict.fromkeys(what for what, _, _ in told))
    assert names == ["API descriptions", "policies", "services", *(step.name for step in STEPS[2:])]
    assert all(0 <= done < of for _, done, of in told)


def test_how_garbage_is_collected_is_as_it_was(system: Path) -> None:
    before = gc.get_threshold()
    check(system, NOW)
    (system / "inward.yaml").unlink()
    check(system, NOW)
    assert gc.get_threshold() == before


def test_the_second_check_finds_the_same_and_parses_and_validates_nothing(
    system: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = check(system, NOW, cache=cache_of(system))

    def called(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("inward.catalog.folder.parse_document", called)
    monkeypatch.setattr("cedarpy.validate_policies", called)
    monkeypatch.setattr("inward.catalog.openapi.keeping.read_operations", called)
    monkeypatch.setattr("inward.policy.loading.load.parse_statements", called)
    monkeypatch.setattr("inward.envoy.resources.render.leaf_of", called)
    monkeypatch.setattr("inward.policy.symbolic.solve.Solver.find", called)
    monkeypatch.setattr("inward.policy.symbolic.solve.Solver.settle", called)
    second = check(system, NOW, cache=cache_of(system))
    assert [step.findings for step in second.steps] == [step.findings for step in first.steps]
    assert first.system is not None
    assert second.system is not None
    assert second.system.catalog == first.system.catalog
    assert second.system.version == first.system.version
    with pytest.raises(AssertionError):
        check(system, NOW)


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("policies/greeter.cedar", GRANT, INVALID),
        ("apis/greeter.yaml", "operationId: getGreeting", "operationId: greet"),  # the grant names nothing now
        ("apis/greeter.yaml", "/greetings/{name}:", "/greetings/{other}:"),  # the condition reads nothing now
        ("inward.yaml", "visitor: {owner", "guest: {owner"),
        ("inward.yaml", "owner: team-greeter", "owner: [team-greeter]"),
    ],
)
def test_a_mistake_is_found_after_a_check_that_found_none(system: Path, file: str, before: str, after: str) -> None:
    assert check(system, NOW, cache=cache_of(system)).mistakes == ()
    path = system / file
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    fresh = check(system, NOW)
    assert fresh.mistakes
    for _ in range(2):  # and again: a mistake leaves nothing behind by which it is not told
        assert check(system, NOW, cache=cache_of(system)).mistakes == fresh.mistakes
    path.write_text(text)
    assert check(system, NOW, cache=cache_of(system)).mistakes == ()


def test_what_is_slow_is_found_out_anew_when_it_changed(system: Path) -> None:
    def slow() -> list[str]:
        report = check(system, NOW, cache=cache_of(system))
        assert not report.mistakes
        return [finding.what for finding in report.findings if finding.kind == "slow_path"]

    assert ["`like` of" in what for what in slow()] == [True]
    path = system / "policies" / "greeter.cedar"
    path.write_text(GRANT + SLOW.replace("(if context.path.name", "true || (if context.path.name"))
    assert slow() == []
    path.write_text(GRANT + SLOW)
    assert len(slow()) == 1


def test_a_check_of_some_steps_leaves_what_was_known(system: Path) -> None:
    check(system, NOW, cache=cache_of(system))
    before = cache_of(system).load()
    check(system, NOW, cache=cache_of(system), steps=())
    after = cache_of(system).load()
    assert before.verdicts.kept
    assert after.verdicts.kept == before.verdicts.kept


def test_a_cache_of_another_system_makes_nothing_valid(system: Path) -> None:
    check(system, NOW, cache=cache_of(system))
    other = system.parent / "other"
    system.rename(other)
    (other / "policies" / "greeter.cedar").write_text(INVALID)

    class Foreign(CheckCache):
        def load(self) -> CheckMemo:
            return CheckCache(system.parent / "caches", system).load()

    found = check(other, NOW, cache=Foreign(system.parent / "caches", other))
    assert [mistake.place.file for mistake in found.mistakes] == ["policies/greeter.cedar"]


def test_memos_of_a_run_are_of_one_kind() -> None:
    # what `inward up` keeps in memory holds no documents, which are large
    memo = SystemMemo()
    assert not memo.documents.keeps
    assert memo.policies == Memo()
