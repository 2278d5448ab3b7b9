"""Resolving requests: the index gives what trying every route in order gives."""

from __future__ import annotations

import dataclasses
import re
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from inward.catalog.model import Mode, Operation, Service
from inward.catalog.resolve import Resolver, most_specific_first, unambiguous
from inward.catalog.template import PathTemplate
from inward.errors import Mistake, Place
from inward.identity.spiffe_id import SpiffeID


def operation(method: str, path: str, name: str = "", line: int = 1) -> Operation:
    return Operation(
        service="s",
        name=name or f"{method} {path}",
        method=method,
        template=PathTemplate(path),
        parameters=(),
        mode=Mode.ENFORCE,
        deprecated=False,
        place=Place("api.yaml", line),
    )


def service(*operations: Operation) -> Service:
    return Service(
        name="s",
        spiffe_id=SpiffeID("d", "/s"),
        owner="o",
        zone=None,
        groups=(),
        mode=Mode.ENFORCE,
        listen=None,
        run=None,
        operations=operations,
        place=Place("inward.yaml", 1),
    )


def by_force(operations: tuple[Operation, ...], method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
    for candidate in most_specific_first(operations):
        found = re.fullmatch(candidate.template.regex, path, re.ASCII)
        if candidate.method == method and found:
            return candidate, dict(zip(candidate.template.variables, found.groups(), strict=True))
    return None


# Few methods, shapes and texts, so that most requests are matched by several operations.
METHODS = st.sampled_from(["GET", "GET", "GET", "POST"])
SHAPES = st.sampled_from(["a", "a.a", "{}", "{}", "{}.a", "a{}", "{}{}", "{}.{}"])
TEXTS = st.sampled_from(["a", "a.a", "ab", "b.a", "a.b", "a.b.a", "b", "%41.a", "%2e", ""])
PATHS = st.lists(TEXTS, min_size=1, max_size=3).map(lambda texts: "/" + "/".join(texts))


@st.composite
def operations(draw: st.DrawFn) -> Operation:
    shapes = draw(st.lists(SHAPES, min_size=1, max_size=3))
    text, number = "/" + "/".join(shapes), iter(range(100))
    return operation(draw(METHODS), re.sub(r"\{\}", lambda _: f"{{v{next(number)}}}", text))


@settings(deadline=None)  # the machine may be busy
@given(st.lists(operations(), min_size=2, max_size=12), st.lists(st.tuples(METHODS, PATHS), min_size=8, max_size=16))
def test_the_index_gives_what_trying_each_route_in_order_gives(
    described: list[Operation], requests: list[tuple[str, str]]
) -> None:
    kept, _ = unambiguous(described)
    resolver = Resolver(service(*kept))
    for method, path in requests:
        assert resolver.resolve(method, path) == by_force(kept, method, path)


def test_the_most_specific_operation_is_meant() -> None:
    me, one = operation("GET", "/users/me"), operation("GET", "/users/{id}")
    resolver = Resolver(service(one, me))
    assert resolver.resolve("GET", "/users/me") == (me, {})
    assert resolver.resolve("GET", "/users/7") == (one, {"id": "7"})


def test_what_another_spelling_would_mean_is_nothing() -> None:
    one, cancel = operation("POST", "/orders/{id}"), operation("POST", "/orders/{id}:cancel")
    resolver = Resolver(service(one, cancel, operation("POST", "/caf%C3%A9"), operation("POST", "/{name}")))
    assert resolver.resolve("POST", "/orders/7:cancel") == (cancel, {"id": "7"})
    assert resolver.resolve("POST", "/orders/urn%3Aid") == (one, {"id": "urn%3Aid"})
    # one application takes these for the one operation, another one for the other
    for path in ("/orders/7%3Acancel", "/orders/7%3acancel", "/caf%c3%a9", "/caf%C3%a9"):
        assert resolver.resolve("POST", path) is None


def test_what_could_be_taken_for_an_enforced_operation_is_told() -> None:
    one, cancel = operation("POST", "/orders/{id}"), operation("POST", "/orders/{id}:cancel")
    resolver = Resolver(service(one, cancel))
    assert resolver.mistakable("POST", "/orders/7%3acancel") is one
    for path in ("/orders/7;a", "/orders/7%0A", "/orders/7%2Fa", "/orders/\x00"):
        assert resolver.resolve("POST", path) is None
        assert resolver.mistakable("POST", path) is one
    for path in ("/orders/7/lines", "/orders", "/orders/", "orders", ""):
        assert resolver.mistakable("POST", path) is None
    assert resolver.mistakable("GET", "/orders/7;a") is None
    observed = dataclasses.replace(one, mode=Mode.OBSERVE)
    assert Resolver(service(observed, cancel)).mistakable("POST", "/orders/7;a%3Acancel") is cancel
    assert Resolver(service(observed, cancel)).mistakable("POST", "/orders/7;a") is None


def test_what_could_be_taken_for_one_of_many_is_told_quickly() -> None:
    many = Resolver(service(*(operation("GET", f"/{{a}}{number}b:{{c}}") for number in range(1000))))
    began = time.process_time()
    assert many.mistakable("GET", "/" + "%3Ab" * 20_000 + ";") is None
    assert time.process_time() - began < 1


def test_two_spellings_of_one_path_are_a_mistake() -> None:
    _, mistakes = unambiguous([operation("GET", "/a:b", "one"), operation("GET", "/a%3ab", "two")])
    assert ["match the same paths" in str(mistake) for mistake in mistakes] == [True]


def test_the_order_of_the_document_does_not_count() -> None:
    listed = [operation("GET", path) for path in ("/x/{a}.json", "/x/{a}.{b}", "/x/{a}", "/{x}/a.json")]
    for described in (listed, listed[::-1]):
        resolver = Resolver(service(*described))
        for path, meant in [("/x/a.json", 0), ("/x/a.txt", 1), ("/x/a", 2), ("/y/a.json", 3)]:
            found = resolver.resolve("GET", path)
            assert found is not None
            assert found[0] is listed[meant]


def test_a_more_specific_path_without_the_method_does_not_hide_a_wider_one() -> None:
    wide = operation("DELETE", "/users/{id}")
    resolver = Resolver(service(operation("GET", "/users/me"), wide))
    assert resolver.resolve("DELETE", "/users/me") == (wide, {"id": "me"})


def test_what_is_not_described_is_nothing() -> None:
    resolver = Resolver(service(operation("GET", "/users/{id}")))
    for method in ("POST", "get", "GET "):
        assert resolver.resolve(method, "/users/1") is None
    for path in (
        "/users",
        "/users/",
        "/users/1/",
        "users/1",
        "//users/1",
        "/users/1?x=y",
        "/users/1;x",
        "*",
        "",
    ):
        assert resolver.resolve("GET", path) is None
    assert resolver.resolve("GET", "/" * 60_000) is None
    assert Resolver(service()).resolve("GET", "/") is None


def test_the_same_paths_twice_are_a_mistake_at_the_second_place() -> None:
    first, second = operation("GET", "/users/{id}", "one", 3), operation("GET", "/users/{name}", "two", 9)
    other_method = operation("PUT", "/users/{name}", "three", 12)
    kept, mistakes = unambiguous([first, second, other_method])
    assert kept == (first, other_method)
    assert [str(mistake) for mistake in mistakes] == [
        "api.yaml:9: `GET /users/{name}` and `/users/{id}` (api.yaml:3) match the same paths (keep one)"
    ]


def test_the_same_name_twice_is_a_mistake_at_the_second_place() -> None:
    first, second = operation("GET", "/a", "same", 3), operation("GET", "/b", "same", 9)
    kept, mistakes = unambiguous([first, second])
    assert kept == (first,)
    assert mistakes == [
        Mistake(Place("api.yaml", 9), "the operation `same` stands here a second time, first at api.yaml:3")
    ]


def test_templates_that_merely_overlap_are_no_mistake() -> None:
    listed = [operation("GET", "/a/{x}/c"), operation("GET", "/a/b/{y}"), operation("GET", "/a/b/c")]
    assert unambiguous(listed) == (tuple(listed), [])
    resolver = Resolver(service(*listed))
    found = resolver.resolve("GET", "/a/b/c")
    assert found is not None
    assert found[0] is listed[2]


def test_it_is_fast_with_many_operations() -> None:
    listed = [operation("GET", f"/{{v}}/r{number}/{{id}}") for number in range(5000)]
    listed += [operation("GET", f"/x/{{id}}:verb{number}") for number in range(100)]
    resolver = Resolver(service(*listed))
    begun = time.process_time()
    for number in range(5000):
        assert resolver.resolve("GET", f"/tenant/r{number}/7") is not None
        assert resolver.resolve("GET", f"/tenant/none{number}/7") is None
    assert time.process_time() - begun < 2
