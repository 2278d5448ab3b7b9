"""Decisions about objects, in every framework: refused is a 403, whatever a framework makes of an exception."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from tests.contract.guard.people import ANSWERS, PERSON, SECRET, SHOWN, Scripted
from tests.contract.guard.test_adapters import ask, code, verdict

from inward.guard.objects import RefusedError
from inward.policy.resources.model import ResourceError
from inward.record.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contract.guard.frameworks import Asked, Got

    from inward.guard.core import Call

BODY = json.dumps(PERSON).encode()
OWN, FOREIGN = {"shop": "till", "visits": 3}, {"shop": "fair", "visits": 3}
REFUSED = Verdict(reason="resource", policies=("till-own",))
PLAIN, VIEWED, WATCHED = "/plain/scripted", "/people/scripted", "/watched/scripted"


@dataclass
class Person:
    shop: str
    visits: int
    password: str = "of no concern"


def answered(service: Asked, target: str, asks: Callable[[Call], object], **answer: Any) -> Got:
    ANSWERS["scripted"] = Scripted(**{"body": BODY, **answer}, asks=asks)
    return ask(service, target)


def enforce(
    resource: object, operation: str = "people:getPlain", kind: str | None = "Person"
) -> Callable[[Call], None]:
    return lambda call: call.enforce(operation, resource, type=kind)


def swallowing(asks: Callable[[Call], object]) -> Callable[[Call], None]:
    def swallow(call: Call) -> None:
        with contextlib.suppress(Exception):
            asks(call)

    return swallow


@pytest.mark.parametrize("target", [PLAIN, VIEWED])
def test_an_object_that_is_granted_changes_nothing(service: Asked, target: str) -> None:
    operation = "people:getPlain" if target == PLAIN else "people:getPerson"
    got = answered(service, target, enforce(OWN, operation))
    assert got.status == 200
    if target == PLAIN:
        assert (json.loads(got.body), verdict(got)) == (PERSON, None)
    else:
        shown = json.loads(got.body)
        assert {**shown, "card": None} == {**SHOWN, "card": None}


@pytest.mark.parametrize("target", [PLAIN, VIEWED])
@pytest.mark.parametrize("handling", [enforce(FOREIGN), swallowing(enforce(FOREIGN))], ids=["raised", "swallowed"])
@pytest.mark.parametrize("chunks", [(), (BODY[:9], BODY[9:])], ids=["whole", "streamed"])
def test_an_object_that_is_not_granted_is_a_403(
    service: Asked, target: str, handling: Callable[[Call], object], chunks: tuple[bytes, ...]
) -> None:
    got = answered(service, target, handling, chunks=chunks, headers=(("x-left", "over"),))
    assert (got.status, code(got), verdict(got)) == (403, "resource", REFUSED)
    assert SECRET.encode() not in got.body
    assert got.header("x-left") is None


@pytest.mark.parametrize(
    ("resource", "kind"),
    [
        ({"shop": "till"}, "Person"),
        ({"shop": "till", "visits": "3"}, "Person"),
        ({"shop": None, "visits": 3}, "Person"),
        (OWN, "Order"),
        (OWN, None),
        (object(), None),
    ],
)
def test_an_object_that_is_not_as_declared_is_refused(service: Asked, resource: object, kind: str | None) -> None:
    raised: list[Exception] = []

    def asks(call: Call) -> None:
        try:
            call.enforce("people:getPlain", resource, type=kind)
        except ResourceError as error:
            raised.append(error)

    got = answered(service, PLAIN, asks)
    assert (got.status, code(got), verdict(got)) == (403, "resource", Verdict(reason="resource"))
    assert len(raised) == 1


@pytest.mark.parametrize("operation", ["people:getNothing", "till:getPlain", "", "people:getPerson "])
def test_an_operation_that_the_service_does_not_have_is_refused(service: Asked, operation: str) -> None:
    got = answered(service, PLAIN, swallowing(enforce(OWN, operation)))
    assert (got.status, code(got)) == (403, "resource")


def test_what_an_attribute_raises_refuses(service: Asked) -> None:
    class Broken:
        visits = 3

        @property
        def shop(self) -> str:
            raise RuntimeError("the session is gone")

    got = answered(service, PLAIN, swallowing(enforce(Broken())))
    assert (got.status, code(got)) == (403, "resource")


def test_an_object_of_a_class_that_is_declared_needs_no_word_of_its_type(service: Asked) -> None:
    assert answered(service, PLAIN, enforce(Person("till", 3), kind=None)).status == 200
    assert answered(service, PLAIN, enforce(Person("fair", 3), kind=None)).status == 403
    assert answered(service, PLAIN, enforce(Person("till", 0), kind=None)).status == 403


def test_another_operation_must_be_granted_as_a_whole_too(service: Asked) -> None:
    assert answered(service, PLAIN, enforce(OWN, "people:getPerson")).status == 200
    got = answered(service, PLAIN, enforce(OWN, "people:postPerson"))  # the till may call it, and no object is granted
    assert (got.status, verdict(got)) == (403, Verdict(reason="resource"))


def test_a_list_is_cut_and_the_call_is_not_refused(service: Asked) -> None:
    found: list[bool] = []

    def asks(call: Call) -> None:
        found.extend(call.allows("people:getPlain", each, type="Person") for each in (OWN, FOREIGN, OWN))

    got = answered(service, PLAIN, asks)
    assert (got.status, verdict(got), found) == (200, None, [True, False, True])


def test_the_refusal_says_what_and_by_which_policies(service: Asked) -> None:
    raised: list[RefusedError] = []

    def asks(call: Call) -> None:
        try:
            call.enforce("people:getPlain", FOREIGN, type="Person")
        except RefusedError as error:
            raised.append(error)

    answered(service, PLAIN, asks)
    (error,) = raised
    assert error.message == "`till` may not do `people:getPlain` to this object: condition"
    assert error.decision.policies == ("till-own",)


@pytest.mark.parametrize("resource", [FOREIGN, {"shop": "till"}])
def test_in_mode_observe_it_is_recorded_and_not_carried_out(service: Asked, resource: dict[str, object]) -> None:
    seen: list[bool] = []

    def asks(call: Call) -> None:
        call.enforce("people:watchPerson", resource, type="Person")
        seen.append(call.allows("people:watchPerson", FOREIGN, type="Person"))

    got = answered(service, WATCHED, asks)
    assert (got.status, json.loads(got.body), seen) == (200, PERSON, [True])
    said = verdict(got)
    assert said is not None
    assert (said.reason, said.observed) == ("resource", True)
    assert said.policies == (("till-own",) if resource is FOREIGN else ())
