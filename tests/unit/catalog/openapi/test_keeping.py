from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from inward.catalog.kept import DocumentMemo, Kept, KeptOperations
from inward.catalog.model import Mode
from inward.catalog.system import load_system

if TYPE_CHECKING:
    from pathlib import Path

    from inward.catalog.system import LoadedSystem

SYSTEM = """\
trust_domain: company.test
services:
  orders: {owner: team-orders, api: apis/../apis/orders.yaml, listen: '127.0.0.1:0'}
"""
API = """\
openapi: 3.1.0
info: {title: Orders, version: "1"}
servers: [{url: /v1}]
paths:
  /orders/{id}:
    parameters: [{$ref: '#/components/parameters/id'}]
    get:
      operationId: get
      deprecated: true
      parameters: [{name: limit, in: query, schema: {type: integer}}]
      responses: {'200': {description: ok}}
    delete: {responses: {'204': {description: ok}}}
components: {parameters: {id: {name: id, in: path, required: true, schema: {type: boolean}}}}
"""
OVERLAY = """\
overlay: 1.0.0
info: {title: Names, version: "1"}
actions: [{target: "$.paths['/orders/{id}'].get", update: {operationId: read}}]
"""
NAME = "apis/orders.yaml"


@pytest.fixture
def system(tmp_path: Path) -> Path:
    (tmp_path / "apis").mkdir()
    (tmp_path / "inward.yaml").write_text(SYSTEM)
    (tmp_path / NAME).write_text(API)
    return tmp_path


def load(system: Path, memo: DocumentMemo) -> LoadedSystem:
    """Load a system with what the last load left, as another process would; it must be as without."""
    kept = msgspec.json.decode(msgspec.json.encode(memo.kept), type=dict[str, Kept])
    operations = msgspec.json.decode(msgspec.json.encode(memo.operations), type=dict[str, KeptOperations])
    memo.kept, memo.operations = kept, operations
    found = load_system(system, memo)
    memo.end_load()
    assert found == load_system(system)
    return found


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def test_operations_are_read_once(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memo = DocumentMemo(keeps=True)
    first = load(system, memo)
    assert first.mistakes == ()
    assert (list(memo.kept), list(memo.operations)) == (["inward.yaml"], [NAME])
    monkeypatch.setattr("inward.catalog.openapi.keeping.read_operations", None)
    assert load_system(system, memo) == first
    with pytest.raises(TypeError):
        load_system(system)


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        (NAME, "operationId: get", "operationId: fetch"),
        (NAME, "info:", "\ninfo:"),  # other lines
        ("inward.yaml", "orders:", "sales:"),
        ("inward.yaml", "listen:", "mode: observe, listen:"),
        ("inward.yaml", "listen:", "operations: {get: {mode: observe}}, listen:"),
        ("inward.yaml", "listen:", "operations: {fetch: {mode: observe}}, listen:"),  # a mistake
        ("inward.yaml", "listen:", "overlay: overlay.yaml, listen:"),
        ("inward.yaml", "services:", "data: {pii: {owner: team-orders}}\nservices:"),
        ("inward.yaml", "apis/../apis/orders.yaml", "apis/gone.yaml"),
    ],
)
def test_what_changes_is_seen_and_so_is_that_it_changed_back(system: Path, file: str, before: str, after: str) -> None:
    (system / "overlay.yaml").write_text(OVERLAY)
    memo = DocumentMemo(keeps=True)
    first = load(system, memo)
    edit(system / file, before, after)
    for _ in range(2):
        assert load(system, memo) != first
    edit(system / file, after, before)
    for _ in range(2):
        assert load(system, memo) == first


def test_modes_are_the_system_s_to_say(system: Path) -> None:
    memo = DocumentMemo(keeps=True)
    load(system, memo)
    edit(system / "inward.yaml", "listen:", "operations: {get: {mode: observe}}, listen:")
    catalog = load(system, memo).catalog
    assert catalog is not None
    assert catalog.operations["orders:get"].mode is Mode.OBSERVE


@pytest.mark.parametrize(
    ("before", "after", "mistakes"),
    [
        ("{type: integer}", "{type: object, x-inward-data: [pii]}", 1),  # a class that is not declared
        ("description: ok}}\n    delete", "description: ok, x-inward-data: []}}\n    delete", None),
        ("'#/components/parameters/id'", "'common.yaml#/id'", 0),
        ("'#/components/parameters/id'", "'orders.yaml#/components/parameters/id'", 0),
        ("name: limit", "name: limit, name: limit", 1),
        ("deprecated: true", "deprecated: yes", 1),
    ],
)
def test_what_does_not_stand_for_itself_is_read_each_time(
    system: Path, before: str, after: str, mistakes: int | None
) -> None:
    (system / "apis" / "common.yaml").write_text("id: {name: id, in: path, schema: {type: integer}}")
    edit(system / NAME, before, after)
    memo = DocumentMemo(keeps=True)
    for _ in range(2):
        assert mistakes in {None, len(load(system, memo).mistakes)}
        assert memo.operations == {}
    edit(system / "apis" / "common.yaml", "integer", "boolean")
    load(system, memo)


def test_data_are_kept_of_what_others_refer_to(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (system / "apis" / "other.yaml").write_text(API.replace("'#/components", "'orders.yaml#/components"))
    edit(system / "inward.yaml", "services:", "services:\n  other: {owner: o, api: apis/other.yaml, listen: '[::1]:0'}")
    memo = DocumentMemo(keeps=True)
    first = load(system, memo)
    assert first.mistakes == ()
    assert (sorted(memo.kept), list(memo.operations)) == ([NAME, "apis/other.yaml", "inward.yaml"], [NAME])
    monkeypatch.setattr("inward.catalog.folder.parse_document", None)
    assert load_system(system, memo) == first
