"""What a handler asks about objects, without any adapter; in every framework: tests/contract/guard/test_objects.py."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from tests.contract.guard.people import FILES, followed, write
from tests.unit.guard.test_core import NOW, inbound

from inward.guard.bodies.answer import Answer
from inward.guard.bundle import FollowedBundle
from inward.guard.core import UNGUARDED, Call, Core
from inward.guard.objects import RefusedError
from inward.policy.resources.model import ResourceError

if TYPE_CHECKING:
    from pathlib import Path

    from inward.guard.core import Admission

TYPES = "policies/people.cedarschema"
OWN = {"shop": "till", "visits": 1}
READ = "people:getPlain"


@pytest.fixture
def core(tmp_path: Path) -> Core:
    return followed(tmp_path).follow()


def admitted(core: Core, caller: str = "till", path: str = "/plain/1", query: str = "") -> Admission:
    return core.admit(inbound(caller, path, query=query), NOW)


def test_the_first_refusal_counts_and_stays(core: Core) -> None:
    admission = admitted(core)
    admission.call.enforce(READ, OWN, type="Person")
    assert admission.object_refusal() is None
    with pytest.raises(RefusedError):
        admission.call.enforce(READ, {**OWN, "visits": 0}, type="Person")
    with pytest.raises(ResourceError):
        admission.call.enforce(READ, OWN, type="Nobody")
    admission.call.enforce(READ, OWN, type="Person")
    refusal = admission.object_refusal()
    assert refusal is not None
    answer, verdict = refusal
    assert (answer.status, verdict.reason, verdict.policies) == (403, "resource", ("till-own",))


def test_an_answer_that_is_held_back_becomes_the_refusal(core: Core) -> None:
    admission = admitted(core, path="/people/1")
    assert admission.held_back
    with pytest.raises(RefusedError):
        admission.call.enforce("people:getPerson", {**OWN, "visits": 0}, type="Person")
    for got in (admission.show("GET", Answer(200, [], b"{}")), admission.unviewable_answer(500)):
        assert got[0].status == 403
        assert got[1] is not None
        assert got[1].reason == "resource"


@pytest.mark.parametrize(
    "resource",
    [
        OWN,
        {**OWN, "password": object(), "note": None},
        SimpleNamespace(**OWN),
        SimpleNamespace(**OWN, note=None, password=object()),
        type("Lazy", (), {"shop": property(lambda _: "till"), "visits": 2})(),
    ],
)
def test_only_what_is_declared_is_read_of_whatever_has_it(core: Core, resource: object) -> None:
    assert admitted(core).call.allows(READ, resource, type="Person")


def test_records_may_be_objects_too(core: Core, tmp_path: Path) -> None:
    declared = "entity Person { shop: String, visits: Long, of: { town: String }, all?: Set<{ town: String }> };"
    write(tmp_path, {TYPES: declared, "policies/people.cedar": FILES["policies/people.cedar"]})
    core = followed_again(tmp_path)
    town = SimpleNamespace(town="Oslo", size=3)
    assert admitted(core).call.allows(READ, {**OWN, "of": town, "all": [town, {"town": "Rome"}]}, type="Person")
    with pytest.raises(ResourceError, match=r"`Person.of.town` is missing"):
        admitted(core).call.allows(READ, {**OWN, "of": object()}, type="Person")


def followed_again(folder: Path) -> Core:
    return FollowedBundle(folder / "bundle", "people").follow()


def test_another_operation_is_asked_about_without_the_query_of_this_one(core: Core, tmp_path: Path) -> None:
    more = """
@id("counted") @reason("r")
permit (principal == Service::"office", action == Action::"people:getTaken", resource is Person)
when { context.query has mail && context.query.mail == "a" };
@id("pathed") @reason("r")
permit (principal == Service::"office", action == Action::"people:getHeard", resource is Person)
when { context.path.answer == "1" };
"""
    write(tmp_path, {"policies/people.cedar": FILES["policies/people.cedar"] + more})
    core = followed_again(tmp_path)
    here = admitted(core, "office", "/taken/1", "mail=a")
    assert here.call.operation == "people:getTaken"
    assert here.call.allows("people:getTaken", OWN, type="Person")
    elsewhere = admitted(core, "office", "/heard/1", "mail=a")
    assert elsewhere.call.allows("people:getHeard", OWN, type="Person")
    assert not elsewhere.call.allows("people:getTaken", OWN, type="Person")
    assert not here.call.allows("people:getHeard", OWN, type="Person")  # its path has no such parameter here


def test_in_mode_observe_a_caller_that_nobody_knows_is_asked_about_too(core: Core) -> None:
    admission = admitted(core, "ghost", "/watched/1")
    admission.call.enforce("people:watchPerson", OWN, type="Person")
    assert admission.call.allows("people:watchPerson", OWN, type="Person")
    assert admission.object_refusal() is None
    assert admission.verdict is not None
    assert admission.verdict.reason == "unknown_caller"  # what the call itself would be refused for


def test_a_call_of_no_guard_allows_nothing_and_one_that_is_unguarded_everything() -> None:
    with pytest.raises(ResourceError):
        Call("till", READ, "ref", None).enforce(READ, OWN, type="Person")
    UNGUARDED.enforce(READ, object())
    assert UNGUARDED.allows(READ, object())
