"""What `record` in inward.yaml says, which of it cannot be used, and what counts where several words apply."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from inward.catalog.privacy import HASH_DAYS, ORDER, Privacy, strictest
from inward.catalog.system import load_system

if TYPE_CHECKING:
    from pathlib import Path

    from inward.catalog.system import LoadedSystem

SYSTEM = """\
trust_domain: shop.internal
services:
  orders: {owner: team-orders, api: apis/orders.yaml, listen: '127.0.0.1:0', run: 'x {socket}'}
data:
  pii: {owner: team-orders}
  pii.email: {owner: team-orders}
  pii.emails: {owner: team-orders}
  trade: {owner: team-orders}
"""
API = """\
openapi: 3.1.0
info: {title: orders, version: '1'}
paths:
  /people/{mail}/orders/{id}:
    get:
      operationId: getOrder
      parameters:
        - {name: mail, in: path, required: true, schema: {type: string}, x-inward-data: pii.email}
        - {name: id, in: path, required: true, schema: {type: string}}
        - {name: status, in: query, schema: {type: string}}
      responses: {'200': {description: done}}
"""
RECORD_LINE = SYSTEM.count("\n") + 1


def load(folder: Path, record: str, api: str = API) -> LoadedSystem:
    (folder / "apis").mkdir(exist_ok=True)
    (folder / "apis" / "orders.yaml").write_text(api)
    (folder / "inward.yaml").write_text(SYSTEM + record)
    return load_system(folder)


def privacy(folder: Path, record: str) -> Privacy:
    loaded = load(folder, record)
    assert loaded.mistakes == ()
    assert loaded.catalog is not None
    return loaded.catalog.privacy


def parameters(folder: Path, record: str) -> dict[str, str]:
    loaded = load(folder, record)
    assert loaded.mistakes == ()
    assert loaded.catalog is not None
    return dict(loaded.catalog.privacy.of_parameters(loaded.catalog.operations["orders:getOrder"]))


def test_a_system_that_says_nothing_keeps_everything(tmp_path: Path) -> None:
    assert privacy(tmp_path, "") == privacy(tmp_path, "record: {}\n") == Privacy()
    assert privacy(tmp_path, "").hash_days == HASH_DAYS
    assert parameters(tmp_path, "") == {"mail": "keep", "id": "keep"}


def test_all_that_can_be_said(tmp_path: Path) -> None:
    said = """\
record:
  parameters: hash
  users: hash
  addresses: drop
  unknown_paths: drop
  hash_days: 7
  classes:
    pii: drop
  operations:
    orders:getOrder: {parameters: {id: keep}, users: drop, addresses: keep}
"""
    found = privacy(tmp_path, said)
    everywhere = (found.parameters, found.users, found.addresses, found.unknown_paths, found.hash_days)
    assert everywhere == ("hash", "hash", "drop", "drop", 7)
    assert (found.of("orders:getOrder").users, found.of("orders:getOrder").addresses) == ("drop", "keep")
    assert (found.of("orders:other").users, found.of(None).addresses) == (None, None)
    assert parameters(tmp_path, said) == {"mail": "drop", "id": "keep"}


@pytest.mark.parametrize(
    ("said", "mail", "number"),
    [
        ("parameters: hash", "hash", "hash"),
        ("classes: {pii: hash}", "hash", "keep"),
        ("classes: {pii.email: drop}", "drop", "keep"),
        ("classes: {pii.emails: drop, trade: drop}", "keep", "keep"),
        ("parameters: drop\n  classes: {pii: keep}", "keep", "drop"),
        ("classes: {pii: drop, pii.email: hash}", "drop", "keep"),
        ("classes: {pii: hash, pii.email: keep}", "hash", "keep"),
        ("operations: {orders:getOrder: {parameters: {mail: hash}}}", "hash", "keep"),
        ("classes: {pii: drop}\n  operations: {orders:getOrder: {parameters: {mail: keep}}}", "drop", "keep"),
        ("classes: {pii: keep}\n  operations: {orders:getOrder: {parameters: {mail: drop}}}", "drop", "keep"),
        ("parameters: hash\n  operations: {orders:getOrder: {parameters: {id: keep}}}", "hash", "keep"),
    ],
)
def test_of_what_is_said_of_a_parameter_the_strictest_counts(tmp_path: Path, said: str, mail: str, number: str) -> None:
    assert parameters(tmp_path, f"record:\n  {said}\n") == {"mail": mail, "id": number}


def test_drop_is_stricter_than_hash_and_hash_than_keep() -> None:
    for words in itertools.permutations(ORDER):
        assert strictest(*words) == "drop"
    assert strictest("hash", "keep") == "hash"


@pytest.mark.parametrize(
    ("record", "line", "what", "hint"),
    [
        ("record: keep", 0, "`record` must be a mapping", ""),
        ("record: {user: drop}", 0, "unknown key `user`", "did you mean `users`?"),
        ("record:\n  users: remove", 1, "`remove` is nothing that the record can do", "known are"),
        ("record:\n  users: true", 1, "`users` must be text", ""),
        ("record:\n  parameters: {id: drop}", 1, "`parameters` must be text", ""),
        ("record:\n  hash_days: 0", 1, "`hash_days` must be a whole number from 1 to 3650", ""),
        ("record:\n  hash_days: 1.5", 1, "`hash_days` must be a whole number", ""),
        ("record:\n  hash_days: true", 1, "`hash_days` must be a whole number", ""),
        ("record:\n  hash_days: '30'", 1, "`hash_days` must be a whole number", ""),
        ("record:\n  classes: [pii]", 1, "`classes` must be a mapping", ""),
        ("record:\n  classes:\n    pii.mail: drop", 2, "there is no data class `pii.mail`", "`pii.email`"),
        ("record:\n  classes:\n    pii: {}", 2, "`pii` must be text", ""),
        ("record:\n  operations: {}\n  operation: {}", 2, "unknown key `operation`", "`operations`"),
        ("record:\n  operations:\n    orders:getOrders: {}", 2, "no operation `orders:getOrders`", "`orders:getOrder`"),
        ("record:\n  operations:\n    orders:getOrder: drop", 2, "`orders:getOrder` must be a mapping", ""),
        ("record:\n  operations:\n    orders:getOrder: {unknown_paths: drop}", 2, "unknown key `unknown_paths`", ""),
        (
            "record:\n  operations:\n    orders:getOrder:\n      parameters: {ids: drop}",
            3,
            "the path of the operation has no parameter `ids`",
            "did you mean `id`?",
        ),
        (
            "record:\n  operations:\n    orders:getOrder:\n      parameters: {status: drop}",
            3,
            "the path of the operation has no parameter `status`",
            "what stands in a query is never recorded",
        ),
        (
            "record:\n  operations:\n    orders:getOrder:\n      parameters: {id: 7}",
            3,
            "`id` must be text",
            "",
        ),
    ],
)
def test_what_cannot_be_used_is_a_mistake_at_its_line(
    tmp_path: Path, record: str, line: int, what: str, hint: str
) -> None:
    (mistake,) = load(tmp_path, record + "\n").mistakes
    assert (mistake.place.file, mistake.place.line) == ("inward.yaml", RECORD_LINE + line)
    assert what in mistake.what
    assert hint in mistake.hint


def test_operations_of_a_description_with_a_mistake_are_not_held_to_be_unknown(tmp_path: Path) -> None:
    said = "record: {operations: {orders:getOrder: {parameters: {id: drop}}}}\n"
    loaded = load(tmp_path, said, api=API.replace("getOrder", "{"))
    assert {mistake.place.file for mistake in loaded.mistakes} == {"apis/orders.yaml"}
