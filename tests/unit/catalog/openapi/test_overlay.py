"""Overlays: what they change, where it is said to stand, and every mistake in one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inward.catalog.document import Value, parse_document
from inward.catalog.openapi import overlay as overlays
from inward.catalog.openapi.overlay import apply_overlays

if TYPE_CHECKING:
    from inward.catalog.document import Document
    from inward.errors import Mistake

API = """\
paths:
  /a:
    get:
      tags: [one, two, three]
      summary: old
  /b:
    get: {}
shared: &shared {a: 1}
again: *shared
"""


def changed(actions: str, api: str = API) -> tuple[Document, list[str]]:
    """Return a document as `actions` change it, and the mistakes in them."""
    mistakes: list[Mistake] = []
    overlay = Value.root(parse_document("o.yaml", f"overlay: 1.1.0\nactions:\n{actions}".encode()), mistakes)
    document = apply_overlays(parse_document("api.yaml", api.encode()), [overlay])
    return document, [str(mistake) for mistake in mistakes]


def data(actions: str) -> Any:
    document, mistakes = changed(actions)
    assert mistakes == []
    return document.parsed.data


def test_an_update_is_merged_and_what_was_there_keeps_its_place() -> None:
    document, mistakes = changed(
        "- target: $.paths['/a'].get\n  update:\n    summary: new\n    x-a: {b: 1}\n    tags: [four]\n"
    )
    assert mistakes == []
    at: Any = document.parsed.data
    assert at["paths"]["/a"]["get"] == {"summary": "new", "x-a": {"b": 1}, "tags": ["one", "two", "three", "four"]}
    way = ("paths", "/a", "get")
    assert str(document.place((*way, "summary"))) == "o.yaml:5"
    assert str(document.place((*way, "x-a", "b"))) == "o.yaml:6"
    assert str(document.place((*way, "tags", 3))) == "o.yaml:7"
    assert str(document.place((*way, "tags", 1))) == "api.yaml:4"
    assert str(document.place(("paths", "/b", "get"))) == "api.yaml:7"
    assert document.parsed.line_of((*way, "x-a")) == 6


def test_the_document_itself_stays_as_it_is() -> None:
    document = parse_document("api.yaml", API.encode())
    before = msgspec.json.encode(document.parsed.data)
    overlay = parse_document(
        "o.yaml", b"overlay: 1.0.0\nactions:\n- {target: $..get, update: {x: 1}}\n- {target: $.paths, remove: true}"
    )
    assert apply_overlays(document, [Value.root(overlay, [])]).parsed.data == {"shared": {"a": 1}, "again": {"a": 1}}
    assert msgspec.json.encode(document.parsed.data) == before


def test_what_an_alias_stands_for_is_changed_in_one_place_only() -> None:
    found = data("- {target: $.again, update: {b: 2}}")
    assert (found["shared"], found["again"]) == ({"a": 1}, {"a": 1, "b": 2})


def test_what_one_overlay_adds_another_action_changes() -> None:
    found = data(
        "- {target: $, update: {new: {a: [1]}}}\n- {target: $.new.a, update: 2}\n- {target: '$.new.a[0]', update: 3}"
    )
    assert found["new"] == {"a": [3, 2]}


def test_a_removed_item_shifts_the_places_of_those_after_it() -> None:
    document, mistakes = changed("- {target: '$..tags[?@ == \"one\"]', remove: true}\n- {target: $..tags, update: x}\n")
    assert mistakes == []
    assert document.parsed.data["paths"]["/a"]["get"]["tags"] == ["two", "three", "x"]  # type: ignore[index,call-overload]  # it is there
    assert str(document.place(("paths", "/a", "get", "tags", 2))) == "o.yaml:4"
    assert str(document.place(("paths", "/a", "get", "tags", 0))) == "api.yaml:4"


def test_what_is_selected_twice_is_changed_once_and_all_of_it() -> None:
    assert (
        data("- {target: \"$['paths','paths']['/a'].get.tags\", update: x}")["paths"]["/a"]["get"]["tags"].count("x")
        == 1
    )
    assert data("- {target: '$..tags[*]', remove: true}")["paths"]["/a"]["get"]["tags"] == []
    assert data("- {target: $..*, remove: true}") == {}


@pytest.mark.parametrize(
    ("actions", "what"),
    [
        ("- {target: \"$.paths['/c']\", update: {a: 1}}", "3: `$.paths['/c']` selects nothing in api.yaml"),
        ("- {target: 'paths.a', update: {a: 1}}", "3: `paths.a` is no JSONPath"),
        ("- {target: '$.a[', update: {a: 1}}", "3: `$.a[` is no JSONPath"),
        ("- {target: $.paths}", "3: the action changes nothing"),
        ("- {target: $.paths, remove: false}", "3: the action changes nothing"),
        ("- {target: $.paths, remove: true, update: {}}", "3: the action has both"),
        ("- {target: $.paths, copy: $.again}", "3: unknown key `copy`"),
        ("- {target: $, remove: true}", "3: the whole document would be removed"),
        ("- {update: {}}", "3: item 1 of `actions` has no `target`"),
        ("- {target: 7, update: {}}", "3: `target` must be text and is a number"),
        ("- {target: $.paths, update: text}", "3: `update` is a single value, and what it would change is a mapping"),
        ("- target: $.paths\n  update:\n    /a: {get: {tags: x}}", "5: `tags` is a single value"),
        ("- target: $.paths\n  update:\n    /a: {get: {summary: [x]}}", "5: `summary` is a list"),
        ("- text", "3: item 1 of `actions` must be a mapping and is text"),
        ("  {}", "2: `actions` must be a list and is a mapping"),
    ],
)
def test_a_mistake_in_an_action_is_told_with_its_line(actions: str, what: str) -> None:
    document, mistakes = changed(actions)
    assert mistakes[0].startswith(f"o.yaml:{what}")
    assert document.parsed.data == changed("- {target: $.paths, update: {}}")[0].parsed.data


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[]", "o.yaml:1: the document must be a mapping and is a list"),
        ("actions: []", "o.yaml:1: the document has no `overlay` (begin it with `overlay: 1.0.0`)"),
        ("overlay: 1.2.0", "o.yaml:1: version `1.2.0` of overlays cannot be read (use 1.0.0 or 1.1.0)"),
        ("overlay: 1.0.0", "o.yaml:1: the document has no `actions` (list at least one)"),
    ],
)
def test_what_is_no_overlay_is_a_mistake(text: str, what: str) -> None:
    mistakes: list[Mistake] = []
    apply_overlays(
        parse_document("api.yaml", API.encode()), [Value.root(parse_document("o.yaml", text.encode()), mistakes)]
    )
    assert [str(mistake) for mistake in mistakes] == [what]


def test_what_one_action_may_select_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlays, "MAX_SELECTED", 3)
    _, mistakes = changed("- {target: $..*, update: {a: 1}}")
    assert mistakes == ["o.yaml:3: `$..*` selects more than 3 values (write a narrower target)"]
    _, mistakes = changed("- {target: $." + "a" * 3000 + ", update: {a: 1}}")
    assert mistakes == ["o.yaml:3: the target has 3002 characters (2000 at most)"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["$", "$.paths", "$..get", "$..tags", "$..*", "$.new", "$.new.a", "$..tags[0]", "$.again"]),
            st.sampled_from([None, {"new": {"a": []}}, {"a": {"b": 1}}, [1], "x", 7]),
        ),
        max_size=6,
    )
)
def test_every_part_of_the_result_has_a_place(actions: list[tuple[str, Any]]) -> None:
    changes = [
        "remove: true" if update is None else f"update: {msgspec.json.encode(update).decode()}" for _, update in actions
    ]
    text = "\n".join(
        f"- {{target: '{target}', {change}}}" for (target, _), change in zip(actions, changes, strict=True)
    )
    document, _ = changed(text or "- {target: $.paths, update: {}}")

    def look(value: Any, path: tuple[str | int, ...]) -> None:
        place = document.place(path)
        written = {"api.yaml": API, "o.yaml": "overlay\nactions\n" + text}[place.file].splitlines()
        assert 1 <= place.line <= max(len(written), 3)
        for key, below in (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        ):
            look(below, (*path, key))

    look(document.parsed.data, ())
