"""`inward explain` of calls that were refused for an object, or for data in the request or the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.cli.test_calls import call as any_call
from tests.unit.cli.test_calls import record
from tests.unit.insight.test_exposure import POLICIES, YAML, load

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Inward

    from inward.record.call import Call

ORDER = "entity Order { tenant: String, total: Long };\n"
SMALL = """\
@id("small") @reason("what the till sold")
permit (principal == Service::"checkout", action == Action::"orders:getOrder", resource is Order)
when { resource.tenant == "till" };
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system that declares data and objects, which is the current folder."""
    load(tmp_path)
    (tmp_path / "policies" / "orders.cedarschema").write_text(ORDER)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(number: int, reason: str, **fields: Any) -> Call:
    given = {
        "caller": "checkout",
        "callee": "orders",
        "operation": "orders:getOrder",
        "path": "/orders/1",
        "decision": "deny",
        "carried_out": "deny",
        "enforcer": "guard",
        "status": 403,
        "policies": (),
    }
    return any_call(number, reason=reason, **{**given, **fields})


def write_more(shop: Path, text: str = SMALL) -> None:
    with (shop / "policies" / "orders.cedar").open("a") as file:
        file.write(text)


def test_an_object_without_a_grant_gets_the_smallest_one(inward: Inward, shop: Path) -> None:
    record(shop, call(1, "resource"))
    done = inward("explain", "id-1")
    assert done.code == 2
    assert "the call itself was granted; orders asked about an object" in done.out
    assert "checkout → orders:getOrder on Order: refused, no policy about such objects" in done.out
    assert "      resource is Order\n" in done.out
    assert "the type declares: tenant: String, total: Long" in done.out
    said = inward("explain", "id-1", "--json").json
    (found,) = said["objects"]
    assert (found["type"], found["standing"], found["policies"]) == ("Order", "never", [])
    assert (said["now"], said["data"]) == (None, [])
    write_more(shop, found["grant"])
    done = inward("explain", "id-1")
    assert "on Order: allowed, whatever it holds" in done.out
    assert "the smallest grant" not in done.out


def test_the_policies_about_the_object_are_shown_with_what_they_ask(inward: Inward, shop: Path) -> None:
    write_more(shop)
    record(shop, call(1, "resource", policies=("small",)), call(2, "resource"), call(3, "resource", policies=("a",)))
    done = inward("explain", "id-1")
    assert "on Order: allowed or not, as it is" in done.out
    assert "permit small (policies/orders.cedar:" in done.out
    assert 'when resource.tenant == "till"  depends' in done.out
    assert "What that held is not recorded" in done.out
    assert "the terms that depend are about the object" in done.out
    assert "handler asked about another" not in done.out
    # no policy decided it, though one could have: a mistake of the program
    assert "the object was not as its type declares" in inward("explain", "id-2").out
    # the policies that did are about another operation
    assert "the handler asked about another" in inward("explain", "id-3").out


def test_objects_without_types_and_callers_that_are_gone(inward: Inward, shop: Path) -> None:
    (shop / "policies" / "orders.cedarschema").unlink()
    gone = {"caller": "\x1bgone", "callee": "\x1bgone", "operation": "\x1b:gone"}
    reasons = ("resource", "undisclosed", "unviewable", "unreadable")
    record(shop, call(1, "resource"), *(call(number, reason, **gone) for number, reason in enumerate(reasons, 2)))
    assert "orders declares no types of objects: policies/orders.cedarschema has them" in inward("explain", "id-1").out
    for number in range(2, 6):
        done = inward("explain", f"id-{number}")
        assert (done.code, done.err) == (2, "")
        assert "\x1b" not in done.out


def test_what_a_service_may_not_be_sent_names_the_owner_and_the_grant(inward: Inward, shop: Path) -> None:
    record(shop, call(1, "undisclosed", operation="orders:putOrder", sent=("pii.email", "pii.gone"), caller="front"))
    done = inward("explain", "id-1")
    assert "the owner of that data can disclose it to orders" in done.out
    assert "pii.email → orders: not disclosed, no policy discloses it" in done.out
    assert "the smallest grant that would allow it, in policies/orders.cedar:" in done.out
    assert "only team-orders grants that; `inward policy template disclose caller=orders class=pii.email" in done.out
    (found,) = inward("explain", "id-1", "--json").json["data"]
    assert (found["caller"], found["class"], found["owner"]) == ("orders", "pii.email", "team-orders")
    command = ["disclose", "caller=orders", "class=pii.email", "reason=who ordered is written to", "--write"]
    assert inward("policy", "template", *command).code == 0
    assert "pii.email → orders: disclosed\n" in inward("explain", "id-1").out


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "no strict JSON"),
        (411, "had no length"),
        (413, "too long"),
        (415, "content type, encoding or charset"),
        (200, "message could not be read"),  # gRPC
        (None, "message could not be read"),
    ],
)
def test_what_could_not_be_read_says_why(inward: Inward, shop: Path, status: int | None, said: str) -> None:
    record(shop, call(1, "unreadable", operation="orders:putOrder", sent=("pii.email",), status=status))
    done = inward("explain", "id-1")
    assert said in done.out
    assert "pii.email → orders: not disclosed" in done.out


def test_an_answer_without_a_view_names_what_the_caller_may_not_see(inward: Inward, shop: Path) -> None:
    record(
        shop,
        call(1, "unviewable", status=502, withheld=("pii.email",)),
        call(2, "unviewable", status=502, enforcer="ingress"),  # an Envoy whose filter said nothing
        call(3, "unviewable", status=502, caller="front", callee="front", operation="front:show"),
    )
    for reference in ("id-1", "id-2"):
        done = inward("explain", reference)
        assert "strict JSON in UTF-8" in done.out
        assert ("may have been in the answer: pii.email" in done.out) == (reference == "id-1")
        assert "cut out" not in done.out
        assert "pii.email → checkout: not disclosed" in done.out
        assert "  permit f (policies/orders.cedar:6)  expired" in done.out
        (found,) = inward("explain", reference, "--json").json["data"]
        assert (found["caller"], found["standing"]) == ("checkout", "never")
        assert 'Service::"checkout"' in found["grant"]
    assert "pii.email → front: disclosed\n" in inward("explain", "id-3").out


def test_a_caller_and_an_operation_tell_of_objects_too(inward: Inward, shop: Path) -> None:
    done = inward("explain", "checkout", "orders:getOrder")
    assert done.code == 0
    assert "where orders asks about an object, that is decided too:" in done.out
    assert "checkout → orders:getOrder on Order: refused, no policy about such objects" in done.out
    assert "smallest grant" not in done.out  # the call itself is allowed
    write_more(shop)
    (found,) = inward("explain", "checkout", "orders:getOrder", "--json").json["objects"]
    assert found["standing"] == "depends"
    assert [each["id"] for each in found["policies"]] == ["small"]
    # a service without types has nothing to tell
    done = inward("explain", "checkout", "front:show")
    assert "object" not in done.out
    assert inward("explain", "checkout", "front:show", "--json").json["objects"] == []


def test_a_class_that_nobody_can_disclose_says_so(inward: Inward, shop: Path) -> None:
    (shop / "inward.yaml").write_text(YAML.replace("card: {owner: team-orders", "card: {owner: team-cards"))
    forbid = '@id("no") @reason("r") forbid (principal, action == Action::"disclose", resource in DataClass::"pii");\n'
    (shop / "guardrails.cedar").write_text(forbid)
    record(shop, call(1, "undisclosed", operation="orders:putOrder", sent=("card", "pii.email")))
    done = inward("explain", "id-1")
    assert "team-cards grants it, and owns no service in whose file it could" in done.out
    assert "no grant would allow it as long as `no` forbids it" in done.out
    assert "the smallest grant" not in done.out
    assert POLICIES["orders"] in (shop / "policies" / "orders.cedar").read_text()
