"""What is recorded of a call under every word that a system can say."""

from __future__ import annotations

import dataclasses
import itertools
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.envoy import shop

from inward.catalog.model import Parameter
from inward.catalog.privacy import ORDER, OperationPrivacy, Privacy
from inward.control.recording.privacy import Keeper, hashed
from inward.record.call import Call

if TYPE_CHECKING:
    from inward.catalog.model import Catalog, Operation
    from inward.catalog.privacy import Keeping

KEY = b"k" * 32
KEPT: Call = Call(
    time="2026-08-01T12:00:00.000Z",
    id="6f9a",
    caller="checkout",
    callee="orders",
    user="ada",
    address="10.0.0.7",
    operation="orders:getOrder",
    method="GET",
    path="/people/{mail}/orders/{id}",
    parameters={"mail": "a@b", "id": "7"},
    decision="allow",
    carried_out="allow",
    reason="granted",
)


def operation(template: str, name: str, method: str = "GET") -> Operation:
    made = shop.operation(template, method)
    parameters = tuple(
        Parameter(each, "path", "string", required=True, classes=("pii.email",) if each == "mail" else ())
        for each in made.template.variables
    )
    return dataclasses.replace(made, name=name, parameters=parameters)


def catalog(privacy: Privacy) -> Catalog:
    operations = [
        operation("/people/{mail}/orders/{id}", "getOrder"),
        operation("/lists/{id}", "getList"),
        operation("/lists/{id}:batch", "getBatch"),
        operation("/all", "getAll"),
    ]
    found = shop.catalog(shop.service(*operations), shop.service(name="checkout"))
    return dataclasses.replace(found, privacy=privacy)


def kept(privacy: Privacy, call: Call = KEPT) -> Call:
    return Keeper(catalog(privacy), lambda: KEY).kept(call)


def test_what_says_nothing_keeps_everything_and_needs_no_key() -> None:
    keeper = Keeper(catalog(Privacy(operations={"orders:getOrder": OperationPrivacy({"id": "keep"})})), pytest.fail)
    assert keeper.kept(KEPT) is KEPT


@pytest.mark.parametrize(
    ("parameters", "users", "addresses", "said"),
    [*itertools.product(ORDER, ORDER, ORDER, [False, True])],
)
def test_every_field_is_kept_as_it_is_said_of_it(
    parameters: Keeping,
    users: Keeping,
    addresses: Keeping,
    said: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    if said:
        own = OperationPrivacy(dict.fromkeys(("mail", "id"), parameters), users, addresses)
        privacy = Privacy("hash", "hash", "hash", operations={"orders:getOrder": own})
    else:
        privacy = Privacy(parameters, users, addresses)
    call = kept(privacy)
    expected = {"keep": "ada", "hash": hashed(KEY, "user", "ada"), "drop": None}
    assert call.user == expected[users]
    assert call.address == {**expected, "keep": "10.0.0.7", "hash": hashed(KEY, "address", "10.0.0.7")}[addresses]
    every = {"mail": hashed(KEY, "parameter", "a@b"), "id": hashed(KEY, "parameter", "7")}
    assert call.parameters == {"keep": KEPT.parameters, "hash": every, "drop": {}}[parameters]
    assert call.path == KEPT.path
    assert (call.not_kept == ()) == (parameters == "keep")
    if "hash" == parameters == users == addresses:
        assert not any(text in repr(call) for text in ("ada", "10.0.0.7", "a@b"))


def test_a_class_is_that_of_its_parameters_alone() -> None:
    call = kept(Privacy(classes={"pii": "drop"}))
    assert (call.parameters, call.not_kept, call.full_path) == ({"id": "7"}, ("mail",), "/people/{mail}/orders/7")


@pytest.mark.parametrize("word", ORDER)
def test_a_path_of_no_operation_is_kept_as_a_whole(word: Keeping) -> None:
    for path in ("/nowhere/ada", "//", "*", "no path"):
        unknown = replace(KEPT, operation=None, path=path, parameters={})
        found = kept(Privacy(unknown_paths=word), unknown)
        assert found.path == {"keep": path, "hash": hashed(KEY, "path", path), "drop": None}[word]
        elsewhere = replace(unknown, callee="nobody")
        assert kept(Privacy(unknown_paths=word), elsewhere).path == found.path


@pytest.mark.parametrize(
    "path",
    [
        "/people/a@b/orders/7",
        "/people/a%40b/orders/7",
        "/people/a%2Fb/orders/7;x",
        "/people/%0A/orders/%",
        "/people/a\x00b/orders/\xff",
        "/people/hash#00/orders/{id}",
    ],
)
def test_what_could_be_taken_for_an_operation_is_kept_no_better_than_its_calls(path: str) -> None:
    for method, name in itertools.product(("GET", "DELETE", None), (None, "orders:gone")):
        call = replace(KEPT, operation=name, method=method, path=path, parameters={})
        assert kept(Privacy(classes={"pii.email": "drop"}), call).path is None
        assert kept(Privacy(classes={"pii.email": "hash"}), call).path == hashed(KEY, "path", path)
        assert kept(Privacy(users="drop"), call).path == path


def test_a_path_that_its_operation_does_not_match_any_more_is_one_of_no_operation() -> None:
    call = replace(KEPT, path="/people/ada", parameters={})
    assert kept(Privacy(unknown_paths="drop"), call).path is None
    spelled = replace(KEPT, operation=None, path="/lists/ada%3Abatch", parameters={})
    dropped = {"orders:getBatch": OperationPrivacy({"id": "drop"})}
    assert kept(Privacy(operations=dropped), spelled).path is None
    assert kept(Privacy(operations=dropped), replace(spelled, path="/lists/ada")).path == "/lists/ada"


def test_what_is_not_there_is_not_made_up() -> None:
    bare = replace(KEPT, user=None, address=None, path=None, parameters={}, operation=None)
    for word in ORDER:
        assert kept(Privacy(word, word, word, word), bare) == bare
    without = replace(KEPT, operation="orders:getAll", path="/all", parameters={})
    assert kept(Privacy("drop", unknown_paths="drop"), without).path == "/all"


@given(st.text(), st.text())
def test_a_hash_tells_the_key_the_kind_and_the_text_apart(one: str, other: str) -> None:
    first = hashed(KEY, "user", one)
    assert re.fullmatch(r"hash#[0-9a-f]{32}", first)
    assert first == hashed(KEY, "user", one)
    assert first != hashed(KEY, "parameter", one)
    assert first != hashed(b"K" * 32, "user", one)
    assert (first == hashed(KEY, "user", other)) == (one == other)
