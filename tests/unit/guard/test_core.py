"""The numbered steps of the guard, without any adapter."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from tests.contract.guard.people import DESCRIPTION, FILES, PERSON, SECRET, followed, write

from inward.catalog.model import Mode
from inward.guard.bodies.answer import Answer
from inward.guard.bodies.sent import NOTHING_FOUND, Found
from inward.guard.core import Core, Inbound
from inward.policy.decision import Reason
from inward.record.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = datetime(2027, 1, 1, tzinfo=UTC)
JSON = [("content-type", "application/json")]
BODY = json.dumps(PERSON).encode()


def inbound(caller: str = "till", path: str = "/people/1", method: str = "GET", query: str = "") -> Inbound:
    return Inbound(method, path, query, (f"URI=spiffe://people.test/{caller}",), private=True, reference="ref")


@pytest.fixture
def make(tmp_path: Path) -> Callable[[dict[str, str]], Core]:
    """Make the guard of `people` under other policies."""

    def changed(files: dict[str, str]) -> Core:
        bundle = followed(tmp_path)
        write(tmp_path, files)
        return bundle.follow()

    return changed


@pytest.fixture
def core(make: Callable[[dict[str, str]], Core]) -> Core:
    return make({})


def test_what_a_handler_is_told_of_the_call(core: Core) -> None:
    call = core.admit(inbound(), NOW).call
    assert (call.caller, call.operation, call.reference, call.traceparent) == ("till", "people:getPerson", "ref", None)


def test_nobody_is_refused_before_the_operation_is_looked_at(core: Core) -> None:
    for unknown in (Inbound("GET", "/nowhere", "", (), private=True, reference=""), inbound("ghost", "/nowhere")):
        admission = core.admit(unknown, NOW)
        assert admission.refused
        assert admission.decision.reason in {Reason.BAD_IDENTITY, Reason.UNKNOWN_CALLER}
        assert admission.call.caller is None


def test_a_condition_reads_the_request_as_it_stood(make: Callable[[dict[str, str]], Core]) -> None:
    till = FILES["policies/people.cedar"].replace(
        'principal == Service::"till", action in Action::"people:*", resource == Service::"people");',
        'principal == Service::"till", action == Action::"people:getPerson", resource == Service::"people") '
        'when { context.path.answer == "7" };',
    )
    core = make({"policies/people.cedar": till})
    assert core.admit(inbound(path="/people/7"), NOW).decision.allowed
    assert core.admit(inbound(path="/people/8"), NOW).decision.reason is Reason.CONDITION
    assert core.admit(inbound(path="/people/%37"), NOW).decision.reason is Reason.BAD_PARAMETER


def test_a_disclosure_ends_at_its_moment(make: Callable[[dict[str, str]], Core]) -> None:
    until = '@expires("2027-03-01T00:00:00Z") @id("till-mail") @reason("for a while") '
    mail = (
        until
        + 'permit (principal == Service::"till", action == Action::"disclose", resource == DataClass::"pii.email");'
    )
    core = make({"policies/people.cedar": FILES["policies/people.cedar"] + mail})
    before, after = datetime(2027, 2, 28, tzinfo=UTC), datetime(2027, 3, 1, tzinfo=UTC)
    for moment, shown in ((before, True), (after, False), (before, True)):
        answer, _ = core.admit(inbound(), moment).show("GET", Answer(200, JSON, BODY))
        assert (SECRET.encode() in answer.body) is shown


def test_a_forbidden_disclosure_is_none(make: Callable[[dict[str, str]], Core]) -> None:
    forbid = 'forbid (principal, action == Action::"disclose", resource in DataClass::"pii");'
    core = make({"guardrails.cedar": f'@id("never") @reason("never") {forbid}'})
    answer, verdict = core.admit(inbound("office"), NOW).show("GET", Answer(200, JSON, BODY))
    assert SECRET.encode() not in answer.body
    assert verdict == Verdict(withheld=("pii.card", "pii.email", "pii.name", "pii.phone"))


def test_views_are_made_once_a_caller_and_operation(core: Core) -> None:
    first, again = core.admit(inbound(), NOW), core.admit(inbound(path="/people/2"), NOW)
    assert first.view is not None
    assert first.view is again.view
    other = core.admit(inbound(method="POST"), NOW)
    assert other.view is not first.view


def test_tokens_differ_between_callers(make: Callable[[dict[str, str]], Core]) -> None:
    stranger = '@id("s") @reason("r") permit (principal == Service::"stranger", action, resource == Service::"people");'
    core = make({"policies/people.cedar": FILES["policies/people.cedar"] + stranger})

    def card(caller: str) -> str:
        answer, _ = core.admit(inbound(caller), NOW).show("GET", Answer(200, JSON, BODY))
        return str(json.loads(answer.body)["card"])

    assert card("till") == card("till")
    assert card("till") != card("stranger")


def test_mode_observe_refuses_and_withholds_nothing(core: Core) -> None:
    admission = core.admit(inbound("stranger", "/watched/1"), NOW)
    assert (admission.mode, admission.refused, admission.held_back) == (Mode.OBSERVE, False, False)
    assert admission.decision.reason is Reason.NO_GRANT


def test_another_spelling_of_an_enforced_operation_is_refused_where_the_service_observes(
    make: Callable[[dict[str, str]], Core],
) -> None:
    described = json.dumps(DESCRIPTION).replace("/people/{answer}", "/people/{answer}:erase")
    system = FILES["inward.yaml"].replace("{socket}\n", "{socket}\n    mode: observe\n")
    system = system.replace("watchPerson: {mode: observe}", "getPerson: {mode: enforce}")
    core = make({"inward.yaml": system, "people.json": described})
    assert core.admit(inbound(path="/people/1:erase"), NOW).decision.allowed
    for path, refused in (("/people/1%3Aerase", True), ("/people/1;a:erase", True), ("/people/1;a", False)):
        admission = core.admit(inbound(path=path), NOW)
        assert (admission.decision.reason, admission.refused) == (Reason.UNKNOWN_OPERATION, refused)


def test_a_shape_that_cannot_be_compiled_refuses_the_answer(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inward.viewing.places.MAX_PLACES", 1)
    admission = core.admit(inbound(), NOW)
    assert admission.held_back
    answer, verdict = admission.show("GET", Answer(200, JSON, b"{}"))
    assert answer.status == 502
    assert verdict == Verdict(reason="unviewable", withheld=("pii.card", "pii.email", "pii.phone"))
    assert core.admit(inbound("office"), NOW).view is None


# --- what the service itself may receive

TAKEN = ("/taken/1", "POST")


def test_what_is_disclosed_to_the_service_is_not_looked_for(make: Callable[[dict[str, str]], Core]) -> None:
    every = 'permit (principal == Service::"people", action == Action::"disclose", resource in DataClass::"pii");'
    policies = FILES["policies/people.cedar"]
    core = make({"policies/people.cedar": f'{policies}\n@id("people-all") @reason("it keeps them") {every}'})
    admission = core.admit(inbound("office", *TAKEN, query="mail=a"), NOW)
    assert (admission.search, admission.refused, admission.verdict) == (None, False, None)
    assert core.undisclosed(core.service.operations[0], NOW) == frozenset()


def test_who_calls_makes_no_difference_to_what_the_service_may_receive(core: Core) -> None:
    for caller in ("till", "office"):
        search = core.admit(inbound(caller, *TAKEN), NOW).search
        assert search is not None
        assert search.classes == {"pii.card", "pii.email"}
    assert core.admit(inbound("till", *TAKEN), NOW).search is core.admit(inbound("office", *TAKEN), NOW).search


def test_a_disclosure_to_the_service_ends_at_its_moment(make: Callable[[dict[str, str]], Core]) -> None:
    mail = (
        '\n@expires("2027-03-01T00:00:00Z") @id("people-mail") @reason("for a while") '
        'permit (principal == Service::"people", action == Action::"disclose", resource == DataClass::"pii.email");'
    )
    core = make({"policies/people.cedar": FILES["policies/people.cedar"] + mail})
    before, after = datetime(2027, 2, 28, tzinfo=UTC), datetime(2027, 3, 1, tzinfo=UTC)
    for moment, refused in ((before, False), (after, True), (before, False)):
        admission = core.admit(inbound("office", *TAKEN, query="mail=a"), moment)
        assert admission.refused is refused
        assert admission.search is not None  # the card is never disclosed to it
        assert ("pii.email" in admission.search.classes) is refused


def test_a_parameter_in_the_path_is_always_sent(make: Callable[[dict[str, str]], Core]) -> None:
    description = json.dumps(DESCRIPTION).replace(
        '"name": "answer", "in": "path", "required": true, "schema": {"type": "string"',
        '"name": "answer", "in": "path", "required": true, "schema": {"type": "string", "x-inward-data": "pii.card"',
    )
    core = make({"people.json": description})
    answer, verdict = core.admit(inbound("office"), NOW).refusal()
    assert (answer.status, verdict) == (403, Verdict(reason="undisclosed", sent=("pii.card",)))


def test_what_stands_in_the_body_is_added_to_what_stands_in_the_parameters(core: Core) -> None:
    admission = core.admit(inbound("office", "/heard/1", "POST", query="mail=a"), NOW)
    assert (admission.decision.reason, admission.refused) == (Reason.UNDISCLOSED, False)
    for found in (Found(frozenset({"pii.card"})), Found(frozenset({"pii.card"}), 415)):
        received = admission.received(found)
        assert received.verdict == Verdict(reason="undisclosed", sent=("pii.card", "pii.email"), observed=True)
    assert admission.received(NOTHING_FOUND).verdict == admission.verdict
    other = core.admit(inbound("office", "/heard/1", "POST"), NOW)
    assert other.received(NOTHING_FOUND).decision.allowed
    assert other.received(Found(frozenset({"pii.card"}), 413)).decision.reason is Reason.UNREADABLE


def test_of_a_call_that_is_refused_nothing_is_looked_at(core: Core) -> None:
    for path in ("/taken/1", "/heard/1"):
        admission = core.admit(inbound("stranger", path, "POST", query="mail=a"), NOW)
        assert (admission.decision.reason, admission.search, admission.found) == (Reason.NO_GRANT, None, NOTHING_FOUND)
