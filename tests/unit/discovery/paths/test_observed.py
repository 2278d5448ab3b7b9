"""Templates from observed calls: what is a value and what a word, what is left out, and that memory is bounded."""

from __future__ import annotations

import pytest

from inward.catalog.template import PathTemplate
from inward.discovery.found import Found, LeftOut
from inward.discovery.paths import observed as module
from inward.discovery.paths.observed import MALFORMED, NO_METHOD, NO_STATUS, RARE, REFUSED, TOO_MANY, Observed, is_path
from inward.discovery.paths.tree import MAX_NODES, PathTree

UUID = "c0ffee00-1234-4abc-8def-00aa2233{:04x}"


def inferred(*calls: tuple[str, str, int | None, int], least: int = 1) -> tuple[dict[str, Found], LeftOut]:
    left_out = LeftOut()
    observed = Observed((), left_out)
    for method, path, status, times in calls:
        for _ in range(times):
            observed.take(method, path, status)
    found = {f"{each.method} {each.template.text}": each for each in observed.operations("log", "a.log", least)}
    return found, left_out


@pytest.mark.parametrize(
    ("paths", "template"),
    [
        (["/orders/1", "/orders/22"], "/orders/{order_id}"),
        ([f"/categories/{UUID.format(n)}" for n in range(3)], "/categories/{category_id}"),
        (["/days/2026-01-02", "/days/2026-01-03"], "/days/{day_date}"),
        (["/users/ada@shop.test", "/users/bob%40shop.test"], "/users/{user_email}"),
        (["/orders/1.json", "/orders/2.json"], "/orders/{order_id}.json"),
        (["/orders/1:cancel", "/orders/2:cancel"], "/orders/{order_id}:cancel"),
        (["/a/ord-17", "/a/ord-18", "/a/ord-4711"], "/a/{a}"),
        (["/files/deadbeef00112233445566", "/files/0123456789abcdef012345"], "/files/{file_id}"),
        (["/keys/AKIAIOSFODNN7EXAMPLE", "/keys/AKIAI44QH8DHBEXAMPLE1"], "/keys/{key_id}"),
        (["/1/2/3", "/4/5/6"], "/{id}/{id2}/{id3}"),
        (["/api/v1/x", "/api/v1/x"], "/api/v1/x"),
        (["/", "/"], "/"),
        (["/orders/", "/orders/"], "/orders/"),
    ],
)
def test_what_looks_like_a_value_is_one(paths: list[str], template: str) -> None:
    found, _ = inferred(*(("GET", path, 200, 1) for path in paths))
    assert list(found) == [f"GET {template}"]


def test_many_alike_words_after_a_plural_are_values_and_others_stay() -> None:
    names = [
        f"{first}{second}" for first in ("ada", "bob", "eve", "joe", "kim") for second in ("lind", "stone", "west")
    ]
    calls = [("GET", f"/users/{name}", 200, 4) for name in names]
    calls += [("GET", f"/users/{name}/repos", 200, 4) for name in names[:9]]
    found, _ = inferred(*calls, ("POST", "/users/lookup", 200, 9), ("GET", "/users/me", 200, 900))
    assert set(found) == {"GET /users/{user}", "GET /users/{user}/repos", "POST /users/lookup", "GET /users/me"}
    assert found["GET /users/{user}"].calls == 60
    assert "16 or more" not in found["GET /users/{user}"].why
    assert "15 values, text" in found["GET /users/{user}"].why


def test_few_resources_that_are_alike_stay_words() -> None:
    nouns = ("orders", "customers", "products", "invoices", "payments", "shipments", "returns", "carts")
    calls = [("GET", f"/{noun}/{number}", 200, 1) for noun in nouns for number in range(20)]
    found, _ = inferred(*calls)
    assert {each.partition("/{")[0] for each in found} == {f"GET /{noun}" for noun in nouns}


def test_a_lone_number_behind_api_is_a_version() -> None:
    found, _ = inferred(("GET", "/rest/api/2/issue/7", 200, 3), ("GET", "/rest/api/2/project", 200, 3))
    assert set(found) == {"GET /rest/api/2/issue/{issue_id}", "GET /rest/api/2/project"}


def test_words_that_stand_first_are_doubtful_values() -> None:
    found, _ = inferred(*(("GET", f"/{chr(97 + n % 26)}{chr(97 + n // 26)}page", 200, 1) for n in range(200)))
    (only,) = found.values()
    assert (only.sure, only.template.text) == ("doubtful", "/{value}")
    assert "stand first" in only.why


def test_what_a_scanner_tries_is_no_operation() -> None:
    found, left_out = inferred(
        ("GET", "/.env", 404, 50),
        ("GET", "/admin", 403, 50),
        ("GET", "/orders/1", None, 1),
        ("TRACE", "/orders/1", 200, 1),
        ("GET", "/orders/%2e%2e/x", 200, 1),
        ("GET", "/orders//x", 200, 1),
        ("GET", "/orders/1;a=b", 200, 1),
        ("GET", "/once/upon", 200, 1),
        ("GET", "/orders/7?token=secret", 200, 3),
        least=3,
    )
    assert list(found) == ["GET /orders/{order_id}"]
    assert left_out.calls == {REFUSED: 100, NO_STATUS: 1, NO_METHOD: 1, MALFORMED: 3, RARE: 1}
    assert left_out.examples[RARE] == ["GET /once/upon"]
    assert "secret" not in repr((found, left_out))


def test_redirects_alone_are_doubtful_and_not_modified_is_an_answer() -> None:
    found, _ = inferred(("GET", "/old", 301, 9), ("GET", "/kept", 304, 9))
    assert {name: each.sure for name, each in found.items()} == {"GET /old": "doubtful", "GET /kept": "likely"}


def test_a_call_of_a_known_operation_teaches_nothing() -> None:
    known = Found("GET", PathTemplate("/orders/{id}"), "fastapi", "a.py:1")
    observed = Observed([known], LeftOut())
    for path in ("/orders/blue", "/orders/7", "/orders/7/lines"):
        observed.take("GET", path, 200)
    found = {each.template.text: each.calls for each in observed.operations("log", "a", 1)}
    assert found == {"/orders/{id}": 2, "/orders/{order_id}/lines": 1}


def test_memory_is_bounded_however_many_words_are_called() -> None:
    tree = PathTree()
    for number in range(5_000):
        word = "".join(chr(97 + int(digit)) for digit in str(number + 100_000))
        assert tree.put("GET", ["x", word, "y"])
    assert len(tree.root.words["x"].words) <= 500
    assert tree.root.words["x"].open


def test_a_flood_of_words_is_one_doubtful_operation() -> None:
    def word(number: int) -> str:
        return "".join(chr(97 + int(digit)) for digit in str(number + 100_000))

    calls = [("GET", f"/{word(number)}/{word(number * 7 % 90_000)}", 200, 1) for number in range(3_000)]
    found, left_out = inferred(*calls, least=3)
    assert {name: each.sure.value for name, each in found.items()} == {"GET /{value}/{value2}": "doubtful"}
    assert left_out.calls.total() == 0


def test_what_does_not_fit_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inward.discovery.paths.tree.MAX_NODES", 10)
    found, left_out = inferred(*(("GET", f"/{chr(97 + n)}bc/def/ghi", 200, 1) for n in range(9)))
    assert len(found) == 3
    assert left_out.calls[TOO_MANY] == 6
    assert MAX_NODES > 10


@pytest.mark.parametrize(
    "path",
    ["", "x", "//", "/a//b", "/a/../b", "/.", "/a/%2F", "/a/%2e", "/a\\b", "/a;b", "/é", "/" + "a" * 5000, "/a" * 99],
)
def test_what_an_enforcer_would_not_take_is_no_path(path: str) -> None:
    assert not is_path(path)


def test_the_fast_form_of_a_path_is_the_whole_one() -> None:
    for path in ("/a/b.c~d", "/a:b@c", "/a!$&'()*+,=", "/", "/a/"):
        assert module._PLAIN.fullmatch(path)
        assert module._PATH.fullmatch(path)
    assert is_path("/caf%C3%A9/x")
